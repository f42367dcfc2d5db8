"""Broken loops of several chapters: calls that wait for each other, and watchers that change inside their callbacks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from reference_loop.serving import Server
from tests.broken_loops import breaks
from tests.broken_loops.servers_clients import OverServers

Stock = asyncio.SelectorEventLoop


class _OneAtATime(Stock):
    """Has a lock."""

    kept: asyncio.Lock | None = None

    @property
    def turn(self) -> asyncio.Lock:
        self.kept = self.kept or asyncio.Lock()
        return self.kept


@breaks("tcp.connect-several")
class ConnectsInTurn(_OneAtATime):
    """create_connection() waits for the one before it."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        async with self.turn:
            return await super().create_connection(*args, **kwargs)


@breaks("sockets.several")
class AcceptsInTurn(_OneAtATime):
    """sock_accept() waits for the one before it, on whichever socket that is."""

    async def sock_accept(self, sock: socket.socket) -> Any:
        async with self.turn:
            return await super().sock_accept(sock)


@breaks("sockets.several")
class SendsInTurn(_OneAtATime):
    """sock_sendall() waits for the one before it, on whichever socket that is."""

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        async with self.turn:
            await super().sock_sendall(sock, data)


@breaks("sockets.connect-several")
class ConnectsSocketsInTurn(_OneAtATime):
    """sock_connect() waits for the one before it, on whichever socket that is."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        async with self.turn:
            await super().sock_connect(sock, address)


@breaks("sendfile.several")
class SendsFilesInTurn(_OneAtATime):
    """sendfile() waits for the file before it, whoever that is for."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> int:
        async with self.turn:
            return await super().sendfile(transport, file, *args, **kwargs)


@breaks("sendfile.several")
class SocketsGetFilesInTurn(_OneAtATime):
    """sock_sendfile() waits for the file before it, whoever that is for."""

    async def sock_sendfile(self, sock: socket.socket, file: Any, *args: Any, **kwargs: Any) -> int:
        async with self.turn:
            return await super().sock_sendfile(sock, file, *args, **kwargs)


@breaks("servers.several")
class TheNewestFactory(Stock):
    """The protocols of all servers are made by the factory of the newest."""

    newest: Callable[[], Any]

    async def create_server(self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
        self.newest = protocol_factory
        return await super().create_server(lambda: self.newest(), *args, **kwargs)


@breaks("servers.several")
class ClosesAllServers(OverServers):
    """close() of a server closes those that were made before it."""

    class server(Server):
        older: Any = None

        def close(self) -> None:
            super().close()
            if self.older is not None:
                self.older.close()

    newest: Any = None

    async def _started(self, server: Any, start_serving: bool) -> Server:
        made: Any = await super()._started(server, start_serving)
        made.older, self.newest = self.newest, made
        return made  # type: ignore[no-any-return]  # it is a server


@breaks("watchers.changed-inside")
class PutsTheReaderBack(Stock):
    """A reader that replaces itself is written back when it has returned."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        watched: dict[int, object] = self.__dict__.setdefault("watched", {})
        add_reader = super().add_reader

        def called(*given: Any) -> None:
            callback(*given)
            if watched.get(number, called) is not called:
                watched[number] = called
                add_reader(fd, called, *args)

        watched[number] = called
        add_reader(fd, called, *args)

    def remove_reader(self, fd: Any) -> bool:
        self.__dict__.setdefault("watched", {}).pop(fd if isinstance(fd, int) else fd.fileno(), None)
        return super().remove_reader(fd)


@breaks("watchers.other-side-inside")
class WritersComeLater(Stock):
    """A writer that is added inside the reader of its descriptor is lost."""

    reading: object = None

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def called(*given: Any) -> None:
            self.reading = fd
            try:
                callback(*given)
            finally:
                self.reading = None

        super().add_reader(fd, called, *args)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        if self.reading != fd:
            super().add_writer(fd, callback, *args)
