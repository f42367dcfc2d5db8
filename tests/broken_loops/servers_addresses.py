"""Broken loops of the chapter `servers`: hosts, ports and families."""

from __future__ import annotations

import errno
import socket
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_listening import ChangesServers


@breaks("servers.host-string")
class AHostIsAllHosts(ChangesServers):
    """A server for the loopback listens on all interfaces."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["127.0.0.1", 0] and not kwargs:
            where[0] = "0.0.0.0"


@breaks("servers.host-sequence")
class TheFirstHostCounts(ChangesServers):
    """Of several hosts only the first is looked at."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[0], tuple):
            where[0] = where[0][:1]


@breaks("servers.host-twice")
class BindsTwice(ChangesServers):
    """A host that appears twice is bound twice, which fails."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[0], list) and len(set(where[0])) < len(where[0]):
            raise OSError(errno.EADDRINUSE, "in use already, by this server")


@breaks("servers.host-all")
class NoHostIsTheLoopback(ChangesServers):
    """Without a host the server listens on the loopback."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["", 0]:
            where[0] = "127.0.0.1"


@breaks("servers.host-all")
class NoHostIsAllOfIpv4(ChangesServers):
    """With an empty host the server listens on the interfaces of IPv4 only."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["", 0]:
            where[0] = "0.0.0.0"


@breaks("servers.families-apart")
class HasNoIpv6(ChangesServers):
    """Without a host only IPv4 is served if a port is given."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] is None and where[1]:
            kwargs["family"] = socket.AF_INET


@breaks("servers.port")
class SwapsThePort(ChangesServers):
    """The bytes of the port are swapped."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] == "127.0.0.1" and where[1] and not kwargs:
            where[1] = socket.htons(where[1]) | 1024


@breaks("servers.port-free")
class HasADefaultPort(ChangesServers):
    """Without a port it is always the same one."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] is not None and where[1] is None:
            where[1] = 28765


@breaks("servers.family")
class IgnoresTheFamily(ChangesServers):
    """family is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.pop("family", None) and not socket.has_ipv6:
            raise OSError("no IPv6")


@breaks("servers.flags")
class IgnoresTheFlags(ChangesServers):
    """flags are ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("flags", None)


class _OtherErrors(ChangesServers):
    """Turns the errors of bind() into others."""

    def failed(self, error: OSError) -> Any:
        raise error

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        try:
            return await super().create_server(protocol_factory, host, port, **kwargs)
        except OSError as error:
            return self.failed(error)


@breaks("servers.in-use")
class LosesTheErrorNumber(_OtherErrors):
    """An address in use is an OSError without a number."""

    def failed(self, error: OSError) -> Any:
        raise OSError("address in use") if error.errno == errno.EADDRINUSE else error


@breaks("servers.no-address")
class ServesNowhere(_OtherErrors):
    """A server that cannot be bound anywhere is a server without sockets."""

    def failed(self, error: OSError) -> Any:
        if error.errno == errno.EADDRINUSE or isinstance(error, socket.gaierror):
            raise error


@breaks("servers.sock-and-host")
class PortZeroIsNoPort(ChangesServers):
    """Port 0 beside a socket is taken for no port."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("sock") is not None:
            where[1] = where[1] or None


@breaks("servers.nothing-given")
class ServesAnywhere(ChangesServers):
    """Without host, port and sock the server listens somewhere."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == [None, None] and kwargs.get("sock") is None:
            where[1] = 0


@breaks("servers.port-range")
class CutsPorts(ChangesServers):
    """Of a port, the lower 16 bits are taken."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[1], int):
            where[1] &= 0xFFFF
