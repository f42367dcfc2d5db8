"""Broken loops of the chapter `servers`: connect_accepted_socket()."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


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
