"""Broken loops of the chapters `tcp` and `udp`: what is passed to getaddrinfo() in some cases only."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _is_number(port: Any) -> bool:
    return port is None or isinstance(port, int)


@breaks("tcp.connect-port-string")
class WantsNumbersOfNumericHosts(Stock):
    """create_connection() refuses a port that is a string if the host is an address."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        if not _is_number(port) and host == "127.0.0.1" and port.isdigit():
            raise TypeError("a port is a number")
        return await super().create_connection(protocol_factory, host, port, **how)


@breaks("tcp.connect-port-string")
class WantsNumbersOfLocalAddresses(Stock):
    """create_connection() refuses a local_port that is a string."""

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, local_addr: Any = None, **how: Any
    ) -> Any:
        if local_addr and not _is_number(local_addr[1]):
            raise TypeError("a port is a number")
        return await super().create_connection(protocol_factory, host, port, local_addr=local_addr, **how)


@breaks("tcp.connect-service")
class TakesPortsForNumbers(Stock):
    """create_connection() takes int() of a port that is a string."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        return await super().create_connection(protocol_factory, host, None if port is None else int(port), **how)


class _Races(Stock):
    """Changes what is asked of addresses that race."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        if how.get("happy_eyeballs_delay") is not None:
            self.change(protocol_factory, how)
        return await super().create_connection(protocol_factory, host, port, **how)

    def change(self, protocol_factory: Any, how: dict[str, Any]) -> None:
        """Change `how`."""


@breaks("tcp.connect-happy-eyeballs-lookup")
class RacesInAnyFamily(_Races):
    """family is forgotten if addresses race."""

    def change(self, protocol_factory: Any, how: dict[str, Any]) -> None:
        how.pop("family", None)


@breaks("tcp.connect-happy-eyeballs-lookup")
class RacesWithoutFlags(_Races):
    """flags is forgotten if addresses race."""

    def change(self, protocol_factory: Any, how: dict[str, Any]) -> None:
        how.pop("flags", None)


@breaks("tcp.connect-happy-eyeballs-factory")
class MakesAProtocolForTheRace(_Races):
    """protocol_factory is called once more if addresses race."""

    def change(self, protocol_factory: Any, how: dict[str, Any]) -> None:
        protocol_factory()


class _Endpoints(Stock):
    """Changes what is asked of an endpoint."""

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        self.change(local_addr, remote_addr, how)
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        """Change `how`, or raise."""


@breaks("udp.flags")
class LooksUpPeersWithoutFlags(_Endpoints):
    """flags is not passed through to getaddrinfo() for remote_addr."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if remote_addr:
            how.pop("flags", None)


@breaks("udp.proto")
class LooksUpPeersOfAnyProtocol(_Endpoints):
    """proto is not passed through to getaddrinfo() for remote_addr."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if remote_addr:
            how.pop("proto", None)


@breaks("udp.family-filters")
class LooksUpPeersOfAnyFamily(_Endpoints):
    """family is not passed through to getaddrinfo() for the host of remote_addr."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if isinstance(remote_addr, tuple):
            how.pop("family", None)


@breaks("udp.reuse-port-ipv6")
class SharesPortsOfIPv4(_Endpoints):
    """reuse_port is ignored if local_addr is an IPv6 address."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if isinstance(local_addr, tuple) and ":" in local_addr[0]:
            how.pop("reuse_port", None)


@breaks("udp.port-string")
class WantsNumbersOfEndpoints(_Endpoints):
    """create_datagram_endpoint() refuses a local_port that is a string."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if isinstance(local_addr, tuple) and not _is_number(local_addr[1]):
            raise TypeError("a port is a number")


@breaks("udp.port-string")
class WantsNumbersOfPeers(_Endpoints):
    """create_datagram_endpoint() refuses a remote_port that is a string if the host is a name."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if isinstance(remote_addr, tuple) and remote_addr[0] == "localhost" and not _is_number(remote_addr[1]):
            raise TypeError("a port is a number")


@breaks("udp.remote-addr")
class WantsHostsOfPeers(_Endpoints):
    """create_datagram_endpoint() refuses a remote_host of None, which getaddrinfo() takes for the loopback."""

    def change(self, local_addr: Any, remote_addr: Any, how: dict[str, Any]) -> None:
        if isinstance(remote_addr, tuple) and remote_addr[0] is None:
            raise TypeError("a host is expected")
