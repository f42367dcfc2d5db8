"""Broken loops of several chapters: what is cancelled leaves something behind, or goes on."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Files(EventLoop):
    """Does something odd to the transport when its sendfile() is cancelled."""

    def leave(self, transport: Any) -> None:
        raise NotImplementedError

    async def sendfile(self, transport: Any, *args: Any, **kwargs: Any) -> int:
        try:
            return await super().sendfile(transport, *args, **kwargs)
        except asyncio.CancelledError:
            self.leave(transport)
            raise


@breaks("sendfile.cancelled")
class CancelledFilesPauseReading(_Files):
    """sendfile() that is cancelled leaves reading paused."""

    def leave(self, transport: Any) -> None:
        transport.pause_reading()


@breaks("sendfile.cancelled")
class CancelledFilesBarWrites(_Files):
    """After a sendfile() that is cancelled, write() is refused for ever."""

    def leave(self, transport: Any) -> None:
        transport._suspend_writing()


@breaks("sendfile.cancelled")
class CancelledFilesKeepTheirProtocol(_Files):
    """After a sendfile() that is cancelled, the transport has the protocol that stood in for its own."""

    def leave(self, transport: Any) -> None:
        transport.set_protocol(asyncio.Protocol())


@breaks("sockets.cancelled-as-one-connects")
class AcceptsForNobody(EventLoop):
    """sock_accept() accepts also when it was cancelled in the same turn, and closes what it got."""

    async def sock_accept(self, sock: socket.socket) -> Any:
        try:
            return await super().sock_accept(sock)
        except asyncio.CancelledError:
            try:
                conn, _ = sock.accept()
            except BlockingIOError:
                raise asyncio.CancelledError from None
            conn.close()
            raise


async def _goes_on(opening: Any) -> Any:
    return await asyncio.shield(asyncio.ensure_future(opening))


@breaks("resources.cancelled-openings")
class UnixConnectionsAreMadeForNobody(Stock):
    """create_unix_connection() that is cancelled goes on: the connection is made and stays open."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        return await _goes_on(super().create_unix_connection(*args, **kwargs))


@breaks("resources.cancelled-openings")
class AcceptedSocketsAreMadeForNobody(Stock):
    """connect_accepted_socket() that is cancelled goes on."""

    async def connect_accepted_socket(self, *args: Any, **kwargs: Any) -> Any:
        return await _goes_on(super().connect_accepted_socket(*args, **kwargs))


@breaks("resources.cancelled-openings")
class PipesAreMadeForNobody(Stock):
    """connect_write_pipe() that is cancelled goes on."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await _goes_on(super().connect_write_pipe(protocol_factory, pipe))


@breaks("resources.cancelled-openings")
class ClosesNumbersBehindSockets(Stock):
    """create_connection() that is cancelled closes the number of the socket that it was given, and not the socket."""

    async def create_connection(self, factory: Any, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is None:
            return await super().create_connection(factory, *args, **kwargs)
        try:
            transport, protocol = await super().create_connection(factory, sock=sock.dup(), **kwargs)
        except asyncio.CancelledError:
            os.close(sock.fileno())
            raise
        sock.close()
        return transport, protocol
