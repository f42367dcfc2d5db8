"""Broken loops of the chapter `servers`: what a Server object tells, and how it serves."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_listening import ChangesServers

Stock = asyncio.SelectorEventLoop


class ServerWrapper:
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


class WrapsServers(ChangesServers):
    """Servers are `wrapper`s."""

    wrapper: Any = ServerWrapper

    def made(self, server: Any, kwargs: dict[str, Any]) -> Any:
        return self.wrapper(server, kwargs)


@breaks("servers.get-loop")
class ServersForgetTheirLoop(WrapsServers):
    """get_loop() is None."""

    class wrapper(ServerWrapper):
        def get_loop(self) -> None:
            return None


@breaks("servers.sockets")
class SocketsAreNumbers(WrapsServers):
    """A socket of a server lacks getsockopt()."""

    class wrapper(ServerWrapper):
        @property
        def sockets(self) -> Any:
            class Few:
                def __init__(self, sock: Any) -> None:
                    self.getsockname, self.fileno, self.family = sock.getsockname, sock.fileno, sock.family

            return [Few(sock) for sock in self.server.sockets]


@breaks("servers.sockets-copy")
class SharesTheListOfSockets(WrapsServers):
    """The list of sockets is the server's own."""

    class wrapper(ServerWrapper):
        listed: Any = None

        @property
        def sockets(self) -> Any:
            if self.listed is None or not self.server.sockets:
                self.listed = list(self.server.sockets)
            return self.listed


@breaks("servers.is-serving")
class AlwaysServes(WrapsServers):
    """A server that was made without serving says that it serves."""

    class wrapper(ServerWrapper):
        def is_serving(self) -> bool:
            return bool(self.server.sockets)


@breaks("servers.starts-at-once")
class ServesLater(WrapsServers):
    """A server does not serve before the next turn."""

    class wrapper(ServerWrapper):
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
class ServesWhenEntered(WrapsServers):
    """`async with` of a server that does not serve yet starts it."""

    class wrapper(ServerWrapper):
        async def __aenter__(self) -> Any:
            await self.server.start_serving()
            return self


@breaks("servers.start-idempotent")
class StartsTwice(WrapsServers):
    """start_serving() can be called twice."""

    class wrapper(ServerWrapper):
        starts = 0

        async def start_serving(self) -> None:
            self.starts += 1
            if self.starts > 2:
                raise RuntimeError("the server serves already")
            await self.server.start_serving()


@breaks("servers.start-idempotent")
class StartsOnce(WrapsServers):
    """start_serving() of a server that serves is an error."""

    class wrapper(ServerWrapper):
        async def start_serving(self) -> None:
            if self.server.is_serving():
                raise RuntimeError("the server serves already")
            await self.server.start_serving()


@breaks("servers.start-in-use")
class ServesNobodyAndSaysNothing(WrapsServers):
    """An error of listen() is dropped by start_serving()."""

    class wrapper(ServerWrapper):
        async def start_serving(self) -> None:
            with contextlib.suppress(OSError):
                await self.server.start_serving()


@breaks("servers.serve-forever")
class ServeForeverStartsNothing(WrapsServers):
    """serve_forever() of a server that does not serve yet just waits."""

    class wrapper(ServerWrapper):
        async def serve_forever(self) -> None:
            if not self.server.is_serving() and self.server.sockets:
                await asyncio.get_running_loop().create_future()
            await self.server.serve_forever()


@breaks("servers.serve-forever-cancelled")
class ServesAfterTheCancellation(WrapsServers):
    """Cancelling serve_forever() leaves the server as it is."""

    class wrapper(ServerWrapper):
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
class ServesForeverTwice(WrapsServers):
    """A second serve_forever() waits beside the first."""

    class wrapper(ServerWrapper):
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
class ServesWhenClosed(WrapsServers):
    """serve_forever() of a closed server returns."""

    class wrapper(ServerWrapper):
        async def serve_forever(self) -> None:
            if self.server.sockets:
                await self.server.serve_forever()


@breaks("servers.unreferenced")
class ServersEndWithTheirObject(WrapsServers):
    """A server is closed when nobody has its Server object any more."""

    class wrapper(ServerWrapper):
        def __del__(self) -> None:
            if not self.server.get_loop().is_closed():
                self.server.close()


@breaks("servers.serve-forever")
class ServesForeverWhatItStarted(WrapsServers):
    """serve_forever() fails when start_serving() was called."""

    class wrapper(ServerWrapper):
        started = False

        async def start_serving(self) -> None:
            self.started = True
            await self.server.start_serving()

        async def serve_forever(self) -> None:
            if self.started:
                raise RuntimeError("the server serves already")
            await self.server.serve_forever()
