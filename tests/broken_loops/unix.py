"""Broken loops of the chapter `unix`: connections and servers over sockets of the family AF_UNIX."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Connects(Stock):
    """Connects another way than it was asked to."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        return path

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        path = self.changed(path, kwargs)
        return await super().create_unix_connection(protocol_factory, path, **kwargs)


class _Serves(Stock):
    """Serves another way than it was asked to."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        return path

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        path = self.changed(path, kwargs)
        return await super().create_unix_server(protocol_factory, path, **kwargs)


@breaks("unix.connect")
class ConnectsToTextOnly(_Connects):
    """A path object cannot be connected to."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, Path):
            raise TypeError("path must be str")
        return path


@breaks("unix.connect-pair")
class ConnectionsAreLists(_Connects):
    """A list of transport and protocol is returned."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        return list(await super().create_unix_connection(protocol_factory, path, **kwargs))


@breaks("unix.abstract")
class ConnectsToFilesOnly(_Connects):
    """An abstract name is an invalid argument for a connection."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, str | bytes) and path[0] in ("\0", 0):
            raise OSError(errno.EINVAL, "invalid argument")
        return path


@breaks("unix.server-abstract")
class AbstractNamesMustBeBytes(_Serves):
    """An abstract name that is str ends at its first zero character."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, str) and "\0" in path:
            raise OSError(errno.EINVAL, "invalid argument")
        return path


@breaks("unix.connect-sock")
class ConnectsByPathOnly(_Connects):
    """A connected socket that blocks is refused."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        sock = kwargs.get("sock")
        if sock is not None and path is None and sock.gettimeout() is None and sock.type == socket.SOCK_STREAM:
            raise BlockingIOError("the socket blocks")
        return path


@breaks("unix.connect-arguments")
class ThePathWins(_Connects):
    """A socket beside a path is ignored."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if path is not None:
            kwargs.pop("sock", None)
        return path


@breaks("unix.connect-sock-family")
class ConnectsOverAnySocket(_Connects):
    """A socket of another family will do."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        sock = kwargs.get("sock")
        if sock is not None and sock.family != socket.AF_UNIX:
            return await self.create_connection(protocol_factory, sock=sock)
        return await super().create_unix_connection(protocol_factory, path, **kwargs)


@breaks("unix.connect-errors")
class AMissingSocketRefuses(_Connects):
    """A missing socket is a refused connection."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        try:
            return await super().create_unix_connection(protocol_factory, path, **kwargs)
        except FileNotFoundError:
            raise ConnectionRefusedError from None


@breaks("unix.connect-hostname")
class IgnoresTheHostname(_Connects):
    """server_hostname without ssl is ignored."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if not kwargs.get("ssl"):
            kwargs.pop("server_hostname", None)
        return path


@breaks("unix.connect-tls-hostname")
class ThePathIsTheHostname(_Connects):
    """With ssl, the missing server_hostname is an error of another kind."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("ssl") and not kwargs.get("server_hostname"):
            raise OSError("no host name to check")
        return path


@breaks("unix.connect-tls-timeouts")
class UnixIgnoresTlsTimeouts(_Connects):
    """ssl_shutdown_timeout of a connection without ssl is ignored."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_shutdown_timeout", None)
        return path


@breaks("unix.server")
class ServesTextOnly(_Serves):
    """A path object cannot be served at."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, Path):
            raise TypeError("path must be str")
        return path


@breaks("unix.server-sock")
class ServesADuplicate(_Serves):
    """The server uses a duplicate of the socket it is given."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if path is None and kwargs.get("sock"):
            kwargs["sock"] = kwargs["sock"].dup()
        return path


@breaks("unix.server-arguments")
class TheServersPathWins(_Serves):
    """A socket beside a path is ignored."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if path is not None:
            kwargs.pop("sock", None)
        return path


@breaks("unix.stale-socket")
class LeavesStaleSockets(_Serves):
    """A socket that lies at the path is in use."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, str) and Path(path).is_socket():
            raise OSError(errno.EADDRINUSE, "in use")
        return path


@breaks("unix.file-in-the-way")
class RemovesWhateverIsThere(_Serves):
    """What lies at the path is removed."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        if isinstance(path, str) and os.path.isfile(path):
            os.unlink(path)
        return path


@breaks("unix.missing-directory")
class MissingDirectoriesAreInvalid(_Serves):
    """A missing directory is an OSError without a number."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        try:
            return await super().create_unix_server(protocol_factory, path, **kwargs)
        except FileNotFoundError:
            raise OSError("cannot bind") from None


class _ChangesInfo(Stock):
    """Accepted transports tell other things."""

    def told(self, name: str, value: Any) -> Any:
        return value

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                info = transport.get_extra_info
                transport.get_extra_info = lambda name, default=None: self.told(name, info(name, default))
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return await super().create_unix_server(make, path, **kwargs)


@breaks("unix.extra-info")
class UnixNamesArePairs(_ChangesInfo):
    """The name of an accepted socket is a pair of host and port."""

    def told(self, name: str, value: Any) -> Any:
        return (value, 0) if name == "sockname" else value


@breaks("unix.credentials")
class SocketsHaveNoOptions(_ChangesInfo):
    """The stand-in for a socket has no getsockopt()."""

    def told(self, name: str, value: Any) -> Any:
        class Few:
            family = socket.AF_UNIX

        return Few() if name == "socket" else value


@breaks("unix.cleanup", since="3.13")
class KeepsSocketFiles(_Serves):
    """cleanup_socket is taken for False."""

    def changed(self, path: Any, kwargs: dict[str, Any]) -> Any:
        kwargs["cleanup_socket"] = False
        return path


@breaks("unix.cleanup-replaced", since="3.13")
class RemovesByName(_Serves):
    """Whatever lies at the path when the server closes is removed."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        server = await super().create_unix_server(protocol_factory, path, **kwargs)
        close = server.close

        def close_and_remove() -> None:
            close()
            if kwargs.get("cleanup_socket", True) and isinstance(path, str) and os.path.exists(path):
                os.unlink(path)

        server.close = close_and_remove
        return server


@breaks("unix.no-cleanup-before", until="3.12")
class RemovesSocketFilesEarly(_Serves):
    """The socket's file is removed on a Python that does not do so."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        server = await super().create_unix_server(protocol_factory, path, **kwargs)
        close = server.close

        def close_and_remove() -> None:
            close()
            if isinstance(path, str) and os.path.exists(path):
                os.unlink(path)

        server.close = close_and_remove
        return server
