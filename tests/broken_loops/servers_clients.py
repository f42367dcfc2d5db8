"""Broken loops of the chapter `servers`: servers that end, or wait for, the wrong connections."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


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


@breaks("servers.clients-of-any-kind", since="3.13")
class TlsClientsStay(OverServers):
    """close_clients() of a server over TLS does nothing."""

    class server(Server):
        def close_clients(self) -> None:
            if self._ssl_context is None:
                super().close_clients()


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
