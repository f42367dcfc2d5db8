"""Broken loops: who waits for a server and who asks it; arguments that are used in one way to connect or to serve."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_objects import ServerWrapper, WrapsServers

Stock = asyncio.SelectorEventLoop


@breaks("servers.close-sockets", "servers.close-empties-sockets")
class ClosesWhatServes(WrapsServers):
    """close() of a server that does not serve yet leaves its sockets open."""

    class wrapper(ServerWrapper):
        def close(self) -> None:
            if self.server.is_serving():
                self.server.close()


@breaks("servers.get-loop")
class AsksWhichLoopRuns(WrapsServers):
    """get_loop() returns the loop that runs, if one does."""

    class wrapper(ServerWrapper):
        def get_loop(self) -> Any:
            try:
                return asyncio.get_running_loop()
            except RuntimeError:
                return self.server.get_loop()


@breaks("servers.wait-closed-waits", since="3.12")
class WaitsForWhatServes(WrapsServers):
    """wait_closed() of a server that does not serve yet returns at once."""

    class wrapper(ServerWrapper):
        async def wait_closed(self) -> None:
            if self.server.is_serving() or not self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class LetsOneWait(WrapsServers):
    """wait_closed() returns at once to whoever is not the first to wait."""

    class wrapper(ServerWrapper):
        waited = False

        async def wait_closed(self) -> None:
            if not self.waited:
                self.waited = True
                await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class ClosesForWhoGivesUp(WrapsServers):
    """A cancelled wait_closed() closes the server."""

    class wrapper(ServerWrapper):
        async def wait_closed(self) -> None:
            try:
                await self.server.wait_closed()
            except asyncio.CancelledError:
                self.server.close()
                raise


@breaks("servers.coroutines")
class StartsWhenItIsCalled(WrapsServers):
    """start_serving() starts though nobody awaits it."""

    class wrapper(ServerWrapper):
        def start_serving(self) -> Any:
            starting = asyncio.ensure_future(self.server.start_serving(), loop=self.server.get_loop())

            async def wait() -> None:
                await starting

            return wait()


@breaks("unix.server-backlog")
class ListensToSocketsAsItLikes(Stock):
    """create_unix_server() that is given a socket listens with the default backlog."""

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs.pop("backlog", None)
        return await super().create_unix_server(*args, **kwargs)


@breaks("servers.accepted-socket-blocking", "tcp.connect-sock")
class WantsNoTimeouts(Stock):
    """A socket that has a timeout is refused."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        if sock.gettimeout():
            raise ValueError("the socket has a timeout")
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None and kwargs["sock"].gettimeout():
            raise ValueError("the socket has a timeout")
        return await super().create_connection(*args, **kwargs)


@breaks("tcp.connect-happy-eyeballs-all-fail")
class RacesEndInGeneral(Stock):
    """With happy_eyeballs_delay, the error of the only address is told as an OSError without a number."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().create_connection(*args, **kwargs)
        except ConnectionRefusedError as error:
            if kwargs.get("happy_eyeballs_delay") is None:
                raise
            raise OSError(str(error)) from None


@breaks("tls.local-addr")
class BindsPlainConnections(Stock):
    """create_connection() drops local_addr with ssl."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            kwargs.pop("local_addr", None)
        return await super().create_connection(*args, **kwargs)
