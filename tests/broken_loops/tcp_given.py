"""Broken loops of the chapters `tcp`, `servers` and `unix`: announcements, and sockets that are given."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Late(Stock):
    """Announces connections late."""

    def late(self, protocol_factory: Callable[[], Any]) -> Callable[[], Any]:
        def make() -> Any:
            protocol = protocol_factory()
            replaced(
                protocol,
                "connection_made",
                lambda made, transport: self.call_soon(self.call_soon, made, transport),
            )
            return protocol

        return make


@breaks("tcp.connect-made-given")
class AnnouncesGivenSocketsLate(_Late):
    """create_connection() with a socket returns the pair, and then calls connection_made()."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        factory = self.late(protocol_factory) if kwargs.get("sock") and not kwargs.get("ssl") else protocol_factory
        return await super().create_connection(factory, *args, **kwargs)


@breaks("tcp.connect-made-given")
class AnnouncesAcceptedSocketsLate(_Late):
    """connect_accepted_socket() returns the pair, and then calls connection_made()."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        factory = protocol_factory if kwargs.get("ssl") else self.late(protocol_factory)
        return await super().connect_accepted_socket(factory, sock, **kwargs)


@breaks("unix.connect-factory-last")
class AnnouncesPathsLate(_Late):
    """create_unix_connection() returns the pair, and then calls connection_made()."""

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        factory = protocol_factory if kwargs.get("ssl") else self.late(protocol_factory)
        return await super().create_unix_connection(factory, *args, **kwargs)


@breaks("unix.connect-factory-last")
class MakesProtocolsForNobody(Stock):
    """The protocol of a connection to a path is made before anybody is found to listen there."""

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        return await super().create_unix_connection(lambda: protocol, *args, **kwargs)


@breaks("unix.connect-any-path")
class PathLikesAreText(Stock):
    """A path-like object must stand for a str."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if path is not None and not isinstance(path, (str, bytes)) and not isinstance(os.fspath(path), str):
            raise TypeError("expected a str")
        return await super().create_unix_connection(protocol_factory, path, **kwargs)


@breaks("servers.accepted-socket-blocking")
class WritesToBlockingSockets(Stock):
    """An accepted socket that was in blocking mode is put back into it."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        blocking = sock.getblocking()
        pair = await super().connect_accepted_socket(protocol_factory, sock, **kwargs)
        sock.setblocking(blocking)
        return pair


@breaks("servers.backlog")
class GivenSocketsHaveAnotherBacklog(Stock):
    """The backlog is not looked at if the socket is given."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs.pop("backlog", None)
        return await super().create_server(*args, **kwargs)


class _Cleans(Stock):
    """Removes the socket's file unless `keeps` says so."""

    def keeps(self, path: Any, sock: socket.socket | None) -> bool:
        raise NotImplementedError

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if self.keeps(path, kwargs.get("sock")):
            kwargs["cleanup_socket"] = False
        return await super().create_unix_server(protocol_factory, path, **kwargs)


@breaks("unix.cleanup", since="3.13")
class CleansTextOnly(_Cleans):
    """The file of a server is removed only if its path is a str."""

    def keeps(self, path: Any, sock: socket.socket | None) -> bool:
        return not (isinstance(path, str) or sock)


@breaks("unix.cleanup", since="3.13")
class GivenSocketsStay(_Cleans):
    """The file of a socket that is given is not removed."""

    def keeps(self, path: Any, sock: socket.socket | None) -> bool:
        return sock is not None


@breaks("unix.cleanup-replaced", since="3.13")
class MissesWhatIsGone(Stock):
    """close() of a Unix server whose file is gone raises."""

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_unix_server(*args, **kwargs)

        def close(close: Any) -> None:
            for sock in server.sockets:
                name = sock.getsockname()
                if name and name[0] not in (0, "\0"):
                    os.stat(name)
            close()

        replaced(server, "close", close)
        return server


@breaks("tcp.data-before-made")
class BeginsWithAnEmptySocket(asyncio.SelectorEventLoop):
    """What waits in a socket that is given is thrown away."""

    async def create_connection(self, *args: Any, sock: Any = None, ssl: Any = None, **how: Any) -> Any:
        if sock is not None and not ssl:
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.recv(65536)
        return await super().create_connection(*args, sock=sock, ssl=ssl, **how)


@breaks("tcp.plain-protocol")
class ProtocolsMustInherit(Stock):
    """create_connection() refuses a protocol that does not inherit from BaseProtocol."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        if not isinstance(protocol, asyncio.BaseProtocol):
            transport.abort()
            raise TypeError("a BaseProtocol is needed")
        return transport, protocol
