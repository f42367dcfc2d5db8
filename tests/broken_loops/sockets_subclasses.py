"""Broken loops of several chapters: sockets that must be of the class socket.socket itself."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _genuine(sock: Any) -> Any:
    if isinstance(sock, socket.socket) and type(sock) is not socket.socket:
        raise TypeError("a socket was expected")
    return sock


@breaks("sockets.subclasses")
class AcceptsOnPlainSockets(Stock):
    """sock_accept() refuses an instance of a subclass of socket.socket."""

    async def sock_accept(self, sock: Any) -> Any:
        return await super().sock_accept(_genuine(sock))


@breaks("sockets.subclasses")
class ReceivesIntoPlainly(Stock):
    """sock_recv_into() refuses an instance of a subclass of socket.socket."""

    async def sock_recv_into(self, sock: Any, buf: Any) -> Any:
        return await super().sock_recv_into(_genuine(sock), buf)


@breaks("tcp.connect-sock")
class ConnectsPlainSockets(Stock):
    """create_connection() refuses a sock of a subclass of socket.socket."""

    async def create_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        return await super().create_connection(*args, sock=_genuine(sock), **kwargs)


@breaks("servers.sock")
class ServesPlainSockets(Stock):
    """create_server() refuses a sock of a subclass of socket.socket."""

    async def create_server(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        return await super().create_server(*args, sock=_genuine(sock), **kwargs)


@breaks("unix.connect-sock")
class ConnectsPlainUnixSockets(Stock):
    """create_unix_connection() refuses a sock of a subclass of socket.socket."""

    async def create_unix_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_connection(*args, sock=_genuine(sock), **kwargs)


@breaks("unix.server-sock")
class ServesPlainUnixSockets(Stock):
    """create_unix_server() refuses a sock of a subclass of socket.socket."""

    async def create_unix_server(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_server(*args, sock=_genuine(sock), **kwargs)


@breaks("udp.sock")
class OpensPlainSockets(Stock):
    """create_datagram_endpoint() refuses a sock of a subclass of socket.socket."""

    async def create_datagram_endpoint(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        return await super().create_datagram_endpoint(*args, sock=_genuine(sock), **kwargs)


@breaks("tcp.accepted-pair")
class WrapsPlainSockets(Stock):
    """connect_accepted_socket() refuses a sock of a subclass of socket.socket."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        return await super().connect_accepted_socket(protocol_factory, _genuine(sock), **kwargs)
