"""Broken loops of the chapters `servers` and `tls`: arguments that are forgotten beside another, and second servers."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from tests.broken_loops import breaks


class _Forgets(asyncio.SelectorEventLoop):
    """Where `is_odd` says so of the host and the other arguments, one of these is not looked at."""

    forgets = ""

    def is_odd(self, host: Any, how: dict[str, Any]) -> bool:
        raise NotImplementedError

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        if self.is_odd(host, how):
            how.pop(self.forgets, None)
        return await super().create_server(protocol_factory, host, port, **how)


class _Late(_Forgets):
    """Where the server is to start later."""

    def is_odd(self, host: Any, how: dict[str, Any]) -> bool:
        return how.get("start_serving") is False


class _Given(_Forgets):
    """Where the socket is given."""

    def is_odd(self, host: Any, how: dict[str, Any]) -> bool:
        return how.get("sock") is not None


class _Several(_Forgets):
    """Where there is a list of hosts."""

    def is_odd(self, host: Any, how: dict[str, Any]) -> bool:
        return isinstance(host, list)


@breaks("servers.reuse-port")
class LateServersShareNoPort(_Late):
    """reuse_port is not looked at with start_serving=False."""

    forgets = "reuse_port"


@breaks("tls.server-handshake-timeout")
class LateServersWaitForHandshakes(_Late):
    """ssl_handshake_timeout is not looked at with start_serving=False."""

    forgets = "ssl_handshake_timeout"


@breaks("tls.server-shutdown-timeout")
class GivenListenersWaitForGoodbyes(_Given):
    """ssl_shutdown_timeout is not looked at with sock."""

    forgets = "ssl_shutdown_timeout"


@breaks("tls.every-socket")
class GivenListenersHaveNoTls(_Given):
    """ssl is not looked at with sock."""

    forgets = "ssl"


@breaks("servers.backlog")
class SeveralHostsHaveTheUsualBacklog(_Several):
    """backlog is not looked at with a list of hosts."""

    forgets = "backlog"


@breaks("servers.starts-later-everywhere")
class SeveralHostsStartAtOnce(_Several):
    """start_serving is not looked at with a list of hosts."""

    forgets = "start_serving"


@breaks("servers.keep-alive", since="3.13")
class SharedPortsAreNotKeptAlive(_Forgets):
    """keep_alive is not looked at with reuse_port."""

    forgets = "keep_alive"

    def is_odd(self, host: Any, how: dict[str, Any]) -> bool:
        return bool(how.get("reuse_port"))


@breaks("servers.address-again")
class PortsAreServedOnce(asyncio.SelectorEventLoop):
    """create_server() refuses a port that a server of this loop had before."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        served: set[int] = self.__dict__.setdefault("served", set())
        if port and port in served:
            raise OSError(errno.EADDRINUSE, "a server had this port")
        served.add(port)
        return await super().create_server(protocol_factory, host, port, **how)


@breaks("servers.address-again")
class PathsAreServedOnce(asyncio.SelectorEventLoop):
    """create_unix_server() refuses a path that a server of this loop had before."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        served: set[Any] = self.__dict__.setdefault("served", set())
        if path and path in served:
            raise OSError(errno.EADDRINUSE, "a server had this path")
        served.add(path)
        return await super().create_unix_server(protocol_factory, path, **how)
