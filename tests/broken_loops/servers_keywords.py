"""Broken loops of the chapters `servers` and `unix`: arguments that are right one by one, and wrong together."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Servers(Stock):
    """Changes the arguments of a server."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        host, port = self.changed(host, port, how)
        return await super().create_server(protocol_factory, host, port, **how)

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        """The host and the port that are used; may change `how`, or raise."""
        return host, port


@breaks("servers.host-all")
class StaysAtHomeWithAFamily(_Servers):
    """Without a host, the server is bound to the loopback if family is given."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        if how.get("family") == socket.AF_INET and how.get("sock") is None:
            return host or "127.0.0.1", port
        return host, port


@breaks("servers.reuse-address")
class ReusesPortsInsteadOfAddresses(_Servers):
    """reuse_address is False by default if reuse_port is set."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        if how.get("reuse_port") and how.get("reuse_address") is None:
            how["reuse_address"] = False
        return host, port


@breaks("servers.reuse-port")
class SharesThePortOfOneHost(_Servers):
    """reuse_port is ignored if there are several hosts."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        if not isinstance(host, str | None) and len(host) > 1:
            how.pop("reuse_port", None)
        return host, port


@breaks("servers.sock-unix")
class ServesInternetSocketsOnly(_Servers):
    """create_server() refuses a Unix socket as sock."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        sock = how.get("sock")
        if sock is not None and sock.family == socket.AF_UNIX:
            raise ValueError("a TCP socket is expected")
        return host, port


@breaks("servers.port-string")
class ServesNumbersOnly(_Servers):
    """create_server() refuses a port that is a string."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        if isinstance(port, str):
            raise TypeError("a port is a number")
        return host, port


@breaks("unix.stale-socket")
class KeepsStaleSocketsOfPaths(Stock):
    """A stale socket at a path that is no str is not removed."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        if path is not None and not isinstance(path, str) and os.path.exists(path):
            raise OSError(errno.EADDRINUSE, "the address is in use")
        return await super().create_unix_server(protocol_factory, path, **how)


@breaks("servers.keep-alive-tls", since="3.13")
class LetsTlsConnectionsDie(_Servers):
    """keep_alive is ignored if ssl is given."""

    def changed(self, host: Any, port: Any, how: dict[str, Any]) -> tuple[Any, Any]:
        if how.get("ssl"):
            how.pop("keep_alive", None)
        return host, port


@breaks("unix.cleanup-replaced", since="3.13")
class RemovesFilesThatAreNoSockets(Stock):
    """A regular file at the path of a Unix server is removed when the server is closed."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        server = await super().create_unix_server(protocol_factory, path, **how)
        close = server.close

        def close_and_remove() -> None:
            close()
            if path is not None and os.path.isfile(path):
                os.unlink(path)

        server.close = close_and_remove
        return server
