"""Broken loops of the chapter `servers`: servers that end, or wait for, the wrong connections."""

from __future__ import annotations

import asyncio
import functools
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _is_unix(transport: asyncio.Transport) -> bool:
    return bool(transport.get_extra_info("socket").family == socket.AF_UNIX)


class OverServers(EventLoop):
    """Servers of every kind are of the class `server`."""

    server: type[Server]

    async def _started(self, server: Server, start_serving: bool) -> Server:
        server.__class__ = self.server
        return await super()._started(server, start_serving)


@breaks("servers.clients-of-each", since="3.13")
class ClosesAllThatItKnows(OverServers):
    """close_clients() closes every transport of the loop."""

    class server(Server):
        def close_clients(self) -> None:
            for transport in list(self._loop._transports.values()):
                transport.close()


@breaks("servers.clients-of-any-kind", since="3.13")
class ClosesThoseThatRead(OverServers):
    """close_clients() passes over connections whose reading is paused."""

    class server(Server):
        def close_clients(self) -> None:
            for transport in list(self._clients):
                if transport.is_reading():
                    transport.close()


@breaks("servers.clients-of-any-kind", since="3.13")
class UnixClientsStay(OverServers):
    """abort_clients() of a Unix server does nothing."""

    class server(Server):
        def abort_clients(self) -> None:
            if self.sockets and self.sockets[0].family != socket.AF_UNIX:
                super().abort_clients()


@breaks("servers.close-clients", since="3.13")
class UnixClientsAreAborted(OverServers):
    """close_clients() of a Unix server aborts its connections."""

    class server(Server):
        def close_clients(self) -> None:
            for transport in list(self._clients):
                end = transport.abort if _is_unix(transport) else transport.close
                end()


@breaks("servers.abort-clients", since="3.13")
class UnixClientsAreClosed(OverServers):
    """abort_clients() of a Unix server closes its connections."""

    class server(Server):
        def abort_clients(self) -> None:
            for transport in list(self._clients):
                end = transport.close if _is_unix(transport) else transport.abort
                end()


@breaks("servers.clients-of-any-kind", since="3.13")
class TlsClientsStay(OverServers):
    """close_clients() of a server over TLS does nothing."""

    class server(Server):
        def close_clients(self) -> None:
            if self._ssl_context is None:
                super().close_clients()


@breaks("servers.abort-clients-tls", since="3.13")
class TlsClientsAreClosed(OverServers):
    """abort_clients() of a server over TLS closes its connections."""

    class server(Server):
        def abort_clients(self) -> None:
            for transport in list(self._clients):
                end = transport.abort if self._ssl_context is None else transport.close
                end()


@breaks("servers.abort-clients", since="3.13")
class ClosingClientsMayFlush(OverServers):
    """abort_clients() passes over connections that are closing."""

    class server(Server):
        def abort_clients(self) -> None:
            for transport in list(self._clients):
                if not transport.is_closing():
                    transport.abort()


@breaks("servers.wait-closed-connections", since="3.12")
class CloseWakesAll(OverServers):
    """close() wakes whoever is in wait_closed(), whatever connections there are."""

    class server(Server):
        def close(self) -> None:
            for waiter in self._waiters or ():
                if not waiter.done():
                    waiter.set_result(None)
            super().close()


@breaks("servers.wait-closed-connections", since="3.12")
class WaitsForTheFirstEnd(OverServers):
    """wait_closed() returns when the first connection has ended."""

    class server(Server):
        def _detach(self, transport: asyncio.Transport) -> None:
            if self._sockets is None:
                self._clients.clear()
            super()._detach(transport)


@breaks("servers.wait-closed-connections", since="3.12")
class DoesNotWaitForUnixClients(OverServers):
    """wait_closed() of a Unix server waits for no connection."""

    class server(Server):
        def _attach(self, transport: Any) -> None:
            if transport.get_extra_info("socket").family != socket.AF_UNIX:
                super()._attach(transport)


@breaks("servers.wait-closed-connections", since="3.12")
class WaitsForThoseThatItKnows(OverServers):
    """wait_closed() waits for close() and for the connections that there are when it is called, not for later ones."""

    class server(Server):
        async def wait_closed(self) -> None:
            known = list(self._clients)
            while self._sockets is not None or any(client in self._clients for client in known):
                await asyncio.sleep(0.001)


@breaks("servers.keep-alive", since="3.13")
class AnyAnswerIsYes(Stock):
    """keep_alive=False is taken for True."""

    async def create_server(self, *args: Any, keep_alive: bool | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        return await super().create_server(*args, keep_alive=keep_alive is not None, **kwargs)


@breaks("servers.family")
class EverywhereIsEveryFamily(Stock):
    """family=AF_INET6 is ignored if host is None."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host is None and kwargs.get("family") == socket.AF_INET6:
            kwargs.pop("family")
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("servers.close-empties-sockets")
class RemembersItsSockets(OverServers):
    """sockets are those that were there when they were asked for first."""

    class server(Server):
        @property
        def sockets(self) -> Any:
            return self.__dict__.setdefault("told", super().sockets)


@breaks("servers.async-with")
class BlocksCloseLater(OverServers):
    """The end of an async with has the server closed in the next turn."""

    class server(Server):
        async def __aexit__(self, *exc: Any) -> None:
            self._loop.call_soon(self.close)


@breaks("servers.wait-closed-connections", since="3.12")
class TheImpatientEndTheRest(OverServers):
    """A wait_closed() that is cancelled aborts the connections."""

    class server(Server):
        async def wait_closed(self) -> None:
            try:
                await super().wait_closed()
            except asyncio.CancelledError:
                self.abort_clients()
                raise


@breaks("servers.starts-later")
class TlsStartsNever(OverServers):
    """start_serving() of a server over TLS does nothing."""

    class server(Server):
        async def start_serving(self) -> None:
            if self._ssl_context is None:
                await super().start_serving()


@breaks("servers.starts-later-everywhere")
class TlsServesForeverNever(OverServers):
    """serve_forever() of a server over TLS that was made without serving waits, and accepts nobody."""

    class server(Server):
        async def serve_forever(self) -> None:
            if self._ssl_context is None or self.is_serving():
                await super().serve_forever()
            else:
                await asyncio.Event().wait()


@breaks("servers.reuse-address", "servers.reuse-port", "servers.flags")
class SequencesHaveNoOptions(Stock):
    """flags, reuse_address and reuse_port are ignored if host is a sequence."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(host, list):
            for name in ("flags", "reuse_address", "reuse_port"):
                kwargs.pop(name, None)
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("unix.protocol-factory")
class OneProtocolForAPath(Stock):
    """All connections of a Unix server have one protocol."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_server(functools.cache(protocol_factory), path, **kwargs)


@breaks("unix.wait-closed", since="3.12")
class NobodyWaitsForAPath(OverServers):
    """wait_closed() of a Unix server returns before close()."""

    class server(Server):
        async def wait_closed(self) -> None:
            if not self.sockets or self.sockets[0].family != socket.AF_UNIX:
                await super().wait_closed()


@breaks("servers.clients-of-any-kind", since="3.13")
class KnowsClientsByTheirProtocol(OverServers):
    """close_clients() passes over connections that have another protocol than the server gave them."""

    class server(Server):
        def _attach(self, transport: Any) -> None:
            super()._attach(transport)
            transport.first = transport.get_protocol()

        def close_clients(self) -> None:
            for transport in list(self._clients):
                if transport.get_protocol() is transport.first:  # type: ignore[attr-defined]
                    transport.close()


@breaks("servers.factory-error-closes")
class LosesWhatItHasAccepted(OverServers):
    """The descriptor of a connection that gets no protocol stays open."""

    class server(Server):
        def _serve(self, connection: socket.socket, address: Any, context: Any) -> None:
            make = self._protocol_factory

            def factory() -> Any:
                try:
                    return make()
                except Exception:
                    connection.detach()
                    raise

            self._protocol_factory = factory
            try:
                super()._serve(connection, address, context)
            finally:
                self._protocol_factory = make
