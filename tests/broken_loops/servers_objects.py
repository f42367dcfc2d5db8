"""Broken loops of the chapter `servers`: what a Server object does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_listening import ChangesServers

Stock = asyncio.SelectorEventLoop


class _Wrapped:
    """A server that does all that the real one does, but for what a subclass overrides."""

    def __init__(self, server: Any, kwargs: dict[str, Any]) -> None:
        self.server, self.kwargs = server, kwargs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()
        await self.wait_closed()


class _Wraps(ChangesServers):
    """Servers are `wrapper`s."""

    wrapper: Any = _Wrapped

    def made(self, server: Any, kwargs: dict[str, Any]) -> Any:
        return self.wrapper(server, kwargs)


@breaks("servers.get-loop")
class ServersForgetTheirLoop(_Wraps):
    """get_loop() is None."""

    class wrapper(_Wrapped):
        def get_loop(self) -> None:
            return None


@breaks("servers.sockets")
class SocketsAreNumbers(_Wraps):
    """A socket of a server lacks getsockopt()."""

    class wrapper(_Wrapped):
        @property
        def sockets(self) -> Any:
            class Few:
                def __init__(self, sock: Any) -> None:
                    self.getsockname, self.fileno, self.family = sock.getsockname, sock.fileno, sock.family

            return [Few(sock) for sock in self.server.sockets]


@breaks("servers.sockets-copy")
class SharesTheListOfSockets(_Wraps):
    """The list of sockets is the server's own."""

    class wrapper(_Wrapped):
        listed: Any = None

        @property
        def sockets(self) -> Any:
            if self.listed is None or not self.server.sockets:
                self.listed = list(self.server.sockets)
            return self.listed


@breaks("servers.is-serving")
class AlwaysServes(_Wraps):
    """A server that was made without serving says that it serves."""

    class wrapper(_Wrapped):
        def is_serving(self) -> bool:
            return bool(self.server.sockets)


@breaks("servers.starts-at-once")
class ServesLater(_Wraps):
    """A server does not serve before the next turn."""

    class wrapper(_Wrapped):
        born = True

        def is_serving(self) -> bool:
            born, self.born = self.born, False
            return bool(self.server.is_serving() and not (born and self.kwargs == {}))


@breaks("servers.starts-later")
class IgnoresStartServing(ChangesServers):
    """start_serving=False is ignored by the sockets, though not by is_serving()."""

    def made(self, server: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("start_serving", True):
            return server
        self.starting = asyncio.ensure_future(server.start_serving())
        server.is_serving = lambda: False
        start = server.start_serving

        async def started() -> None:
            del server.is_serving
            await start()

        server.start_serving = started
        return server


@breaks("servers.starts-later")
class ServesTlsAtOnce(Stock):
    """start_serving=False is ignored by a server over TLS."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            kwargs.pop("start_serving", None)
        return await super().create_server(*args, **kwargs)


@breaks("servers.starts-later")
class ServesWhenEntered(_Wraps):
    """`async with` of a server that does not serve yet starts it."""

    class wrapper(_Wrapped):
        async def __aenter__(self) -> Any:
            await self.server.start_serving()
            return self


@breaks("servers.start-idempotent")
class StartsTwice(_Wraps):
    """start_serving() can be called twice."""

    class wrapper(_Wrapped):
        starts = 0

        async def start_serving(self) -> None:
            self.starts += 1
            if self.starts > 2:
                raise RuntimeError("the server serves already")
            await self.server.start_serving()


@breaks("servers.start-idempotent")
class StartsOnce(_Wraps):
    """start_serving() of a server that serves is an error."""

    class wrapper(_Wrapped):
        async def start_serving(self) -> None:
            if self.server.is_serving():
                raise RuntimeError("the server serves already")
            await self.server.start_serving()


@breaks("servers.serve-forever")
class ServeForeverStartsNothing(_Wraps):
    """serve_forever() of a server that does not serve yet just waits."""

    class wrapper(_Wrapped):
        async def serve_forever(self) -> None:
            if not self.server.is_serving() and self.server.sockets:
                await asyncio.get_running_loop().create_future()
            await self.server.serve_forever()


@breaks("servers.serve-forever-cancelled")
class ServesAfterTheCancellation(_Wraps):
    """Cancelling serve_forever() leaves the server as it is."""

    class wrapper(_Wrapped):
        async def serve_forever(self) -> None:
            serving = asyncio.ensure_future(self.server.serve_forever())
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                self.left = serving
                raise

        def close(self) -> None:
            self.server.close()


@breaks("servers.serve-forever-keeps-connections")
class DropsItsClientsWhenCancelled(Stock):
    """The cancellation of serve_forever() aborts the connections of the server."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []

        def factory() -> Any:
            made.append(protocol_factory())
            return made[-1]

        server = await super().create_server(factory, *args, **kwargs)
        serve_forever = server.serve_forever

        async def serve() -> None:
            try:
                await asyncio.shield(serving := asyncio.ensure_future(serve_forever()))
            except asyncio.CancelledError:
                for protocol in made:
                    protocol.transport.abort()
                serving.cancel()
                await serving

        server.serve_forever = serve
        return server


@breaks("servers.serve-forever-once")
class ServesForeverTwice(_Wraps):
    """A second serve_forever() waits beside the first."""

    class wrapper(_Wrapped):
        waiting = False

        async def serve_forever(self) -> None:
            if self.waiting:
                await asyncio.get_running_loop().create_future()
            self.waiting = True
            try:
                await self.server.serve_forever()
            finally:
                self.waiting = False


@breaks("servers.serve-forever-closed")
class ServesWhenClosed(_Wraps):
    """serve_forever() of a closed server returns."""

    class wrapper(_Wrapped):
        async def serve_forever(self) -> None:
            if self.server.sockets:
                await self.server.serve_forever()


@breaks("servers.close-ends-serve-forever")
class ServeForeverOutlivesTheServer(_Wraps):
    """close() does not end serve_forever()."""

    class wrapper(_Wrapped):
        async def serve_forever(self) -> None:
            if not self.server.sockets:
                raise RuntimeError("the server is closed")
            await self.server.start_serving()
            if getattr(self, "waiting", False):
                raise RuntimeError("the server serves already")
            self.waiting = True
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self.waiting = False


@breaks("servers.close-sockets")
class QueuesAfterClose(_Wraps):
    """The system goes on queueing connections after close()."""

    class wrapper(_Wrapped):
        def close(self) -> None:
            if self.server.sockets and not self.kwargs.get("sock"):
                number = os.dup(self.server.sockets[0].fileno())
                self.server.get_loop().call_later(0.005, os.close, number)
            self.server.close()


@breaks("servers.close-empties-sockets")
class RemembersSockets(_Wraps):
    """A closed server tells the sockets that it had."""

    class wrapper(_Wrapped):
        had: Any = ()

        @property
        def sockets(self) -> Any:
            self.had = self.server.sockets or self.had
            return self.had

        def close(self) -> None:
            self.had = self.server.sockets or self.had
            self.server.close()


@breaks("servers.close-keeps-connections")
class ClosesItsConnections(ChangesServers):
    """close() closes the connections too."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        transports: list[Any] = []

        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                transports.append(transport)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        server = await super().create_server(make, host, port, **kwargs)
        close = server.close

        def close_all() -> None:
            close()
            for transport in transports:
                transport.close()

        server.close = close_all
        return server


@breaks("servers.close-again")
class ClosesTheNumberAgain(_Wraps):
    """A second close() closes the descriptor's number once more."""

    class wrapper(_Wrapped):
        number = -1

        def close(self) -> None:
            if self.server.sockets:
                self.number = self.server.sockets[0].fileno()
                self.server.close()
            elif self.number >= 0:
                number, self.number = self.number, -1
                with contextlib.suppress(OSError):
                    os.close(number)


@breaks("servers.close-pending")
class AnnouncesWhatItHadAccepted(ChangesServers):
    """Connections that wait when the server is closed are announced two milliseconds later."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        server = await super().create_server(protocol_factory, host, port, **kwargs)
        close = server.close

        def accept_ahead() -> None:
            listening = socket.socket(fileno=os.dup(server.sockets[0].fileno())) if server.sockets else None
            close()
            if listening is None:
                return
            listening.setblocking(False)
            try:
                while True:
                    protocol = protocol_factory()
                    ahead, _ = listening.accept()
                    self.call_later(0.001, protocol.connection_made, asyncio.Transport())
                    self.call_later(0.001, ahead.close)
            except BlockingIOError:
                listening.close()

        server.close = accept_ahead
        return server


@breaks("servers.wait-closed")
class WaitsForCloseToCome(_Wraps):
    """wait_closed() that comes after close() waits for ever."""

    class wrapper(_Wrapped):
        async def wait_closed(self) -> None:
            if not self.server.sockets:
                await asyncio.get_running_loop().create_future()
            await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class WaitsForNothing(_Wraps):
    """wait_closed() of a server that is open returns at once."""

    class wrapper(_Wrapped):
        async def wait_closed(self) -> None:
            if not self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.wait-closed-connections", since="3.12")
class WaitsForTheListenerOnly(_Wraps):
    """wait_closed() of a closed server returns at once."""

    class wrapper(_Wrapped):
        async def wait_closed(self) -> None:
            if self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.async-with")
class LeavesItOpen(_Wraps):
    """Leaving the block closes nothing."""

    class wrapper(_Wrapped):
        async def __aexit__(self, *_error: object) -> None:
            pass


@breaks("servers.close-clients", since="3.13")
class CloseClientsAborts(_Wraps):
    """close_clients() aborts."""

    class wrapper(_Wrapped):
        def close_clients(self) -> None:
            self.server.abort_clients()


@breaks("servers.abort-clients", since="3.13")
class AbortClientsCloses(_Wraps):
    """abort_clients() closes, and waits for the buffers."""

    class wrapper(_Wrapped):
        def abort_clients(self) -> None:
            self.server.close_clients()


class _ChangesAccepted(Stock):
    """Changes what connect_accepted_socket() does."""

    def changed(self, pair: Any) -> Any:
        return pair

    def checked(self, sock: Any) -> Any:
        return sock

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        return self.changed(await super().connect_accepted_socket(protocol_factory, self.checked(sock), **kwargs))


@breaks("servers.accepted-socket")
class AcceptsWithTwoProtocols(_ChangesAccepted):
    """connect_accepted_socket() calls protocol_factory twice."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        protocol_factory()
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)


@breaks("servers.accepted-socket-ownership")
class DuplicatesWhatIsAccepted(_ChangesAccepted):
    """connect_accepted_socket() uses a duplicate."""

    def checked(self, sock: Any) -> Any:
        return sock.dup() if sock.type == socket.SOCK_STREAM else sock


@breaks("servers.accepted-socket-blocking")
class AcceptedSocketsMustNotBlock(_ChangesAccepted):
    """connect_accepted_socket() refuses a blocking socket."""

    def checked(self, sock: Any) -> Any:
        if sock.gettimeout() != 0 and sock.type == socket.SOCK_STREAM:
            raise ValueError("the socket must be non-blocking")
        return sock


@breaks("servers.accepted-socket-type")
class AcceptsDatagramSockets(_ChangesAccepted):
    """connect_accepted_socket() lets the system refuse a datagram socket."""

    def checked(self, sock: Any) -> Any:
        if sock.type == socket.SOCK_DGRAM:
            sock.listen()
        return sock


@breaks("servers.unreferenced")
class ServersEndWithTheirObject(_Wraps):
    """A server is closed when nobody has its Server object any more."""

    class wrapper(_Wrapped):
        def __del__(self) -> None:
            if not self.server.get_loop().is_closed():
                self.server.close()


@breaks("servers.serve-forever")
class ServesForeverWhatItStarted(_Wraps):
    """serve_forever() fails when start_serving() was called."""

    class wrapper(_Wrapped):
        started = False

        async def start_serving(self) -> None:
            self.started = True
            await self.server.start_serving()

        async def serve_forever(self) -> None:
            if self.started:
                raise RuntimeError("the server serves already")
            await self.server.serve_forever()
