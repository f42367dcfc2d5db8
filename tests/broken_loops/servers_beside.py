"""Broken loops of the chapters `servers` and `tls`: arguments that are forgotten beside another, and second servers."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.beside import Forgets


class _Late(Forgets):
    """Where the server is to start later."""

    def is_odd(self, given: dict[str, Any]) -> bool:
        return given.get("start_serving") is False


class _Several(Forgets):
    """Where there is a list of hosts."""

    def is_odd(self, given: dict[str, Any]) -> bool:
        return isinstance(given["host"], list)


@breaks("servers.reuse-port")
class LateServersShareNoPort(_Late):
    """reuse_port is not looked at with start_serving=False."""

    forgets = "reuse_port"


@breaks("tls.server-handshake-timeout")
class LateServersWaitForHandshakes(_Late):
    """ssl_handshake_timeout is not looked at with start_serving=False."""

    forgets = "ssl_handshake_timeout"


@breaks("tls.server-shutdown-timeout")
class GivenListenersWaitForGoodbyes(Forgets):
    """ssl_shutdown_timeout is not looked at with sock."""

    where, forgets = "sock", "ssl_shutdown_timeout"


@breaks("tls.every-socket")
class GivenListenersHaveNoTls(Forgets):
    """ssl is not looked at with sock."""

    where, forgets = "sock", "ssl"


@breaks("servers.backlog")
class SeveralHostsHaveTheUsualBacklog(_Several):
    """backlog is not looked at with a list of hosts."""

    forgets = "backlog"


@breaks("servers.starts-later-everywhere")
class SeveralHostsStartAtOnce(_Several):
    """start_serving is not looked at with a list of hosts."""

    forgets = "start_serving"


@breaks("servers.keep-alive", since="3.13")
class SharedPortsAreNotKeptAlive(Forgets):
    """keep_alive is not looked at with reuse_port."""

    where, forgets = "reuse_port", "keep_alive"


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
