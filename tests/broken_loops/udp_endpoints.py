"""Broken loops of the chapter `udp`: what create_datagram_endpoint() returns, its addresses and look-ups."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks


class Endpoints(EventLoop):
    """Changes the arguments of create_datagram_endpoint(), which are all in `how`, before the endpoint is made."""

    def change(self, how: dict[str, Any]) -> None:
        raise NotImplementedError

    async def create_datagram_endpoint(  # type: ignore[override]  # the factory and the arguments, as they were given
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        how |= {"local_addr": local_addr, "remote_addr": remote_addr}
        self.change(how)
        return await super().create_datagram_endpoint(protocol_factory, **how)


@breaks("udp.pair")
class ReturnsAListOfAnEndpoint(EventLoop):
    """create_datagram_endpoint() returns a list."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        return list(await super().create_datagram_endpoint(*args, **how))


@breaks("udp.transport-class")
class HasItsOwnKindOfTransport(EventLoop):
    """The transport of an endpoint is no asyncio.DatagramTransport."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **how)
        return _Wrapped(transport), protocol


class _Wrapped:
    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __eq__(self, other: object) -> bool:
        return self.real is other

    __hash__ = object.__hash__


@breaks("udp.factory")
class CallsTheFactoryTwice(EventLoop):
    """The factory of an endpoint is called once to see whether it works, and once more."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        protocol_factory()
        return await super().create_datagram_endpoint(protocol_factory, *args, **how)


@breaks("udp.connection-made")
class AnnouncesTheEndpointLate(EventLoop):
    """connection_made() of an endpoint is called a turn after it is returned."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        protocol = protocol_factory()
        made = protocol.connection_made
        protocol.connection_made = lambda transport: None
        transport, _ = await super().create_datagram_endpoint(lambda: protocol, *args, **how)
        protocol.connection_made = made
        self.call_soon(made, transport)
        return transport, protocol


@breaks("udp.local-addr")
class BindsToNumbersOnly(Endpoints):
    """A name in local_addr is refused."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] == ("localhost", 0) and how.get("family"):
            raise ValueError("local_addr must be an address")


@breaks("udp.remote-addr")
class DoesNotConnectEndpoints(Endpoints):
    """remote_addr is remembered for sendto(); the socket is not connected to it."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] is None:
            how["allow_broadcast"] = True


@breaks("udp.both-addresses")
class ForgetsTheLocalAddress(Endpoints):
    """An endpoint that is connected is not bound to local_addr's port."""

    def change(self, how: dict[str, Any]) -> None:
        if how["remote_addr"] and how["local_addr"] and not how.get("family"):
            how |= {"local_addr": None, "remote_addr": ("localhost", how["remote_addr"][1])}
            how |= {"family": socket.AF_INET, "allow_broadcast": True}


@breaks("udp.both-addresses")
class TakesTheFirstLocalAddress(EventLoop):
    """The family of an endpoint is that of the first address that local_addr stands for."""

    async def create_datagram_endpoint(  # type: ignore[override]  # the other arguments, as they were given
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        if local_addr and remote_addr and local_addr[0] is None:
            infos = await self.getaddrinfo(*local_addr, type=socket.SOCK_DGRAM)
            how["family"] = infos[0][0]
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)


@breaks("udp.connected-filters", "udp.both-addresses")
class TakesFromStrangers(Endpoints):
    """A bound endpoint is not connected to remote_addr, and receives from everybody."""

    def change(self, how: dict[str, Any]) -> None:
        if how["remote_addr"] and how["local_addr"] and not how.get("family"):
            how["allow_broadcast"] = True


@breaks("udp.ipv6")
class CutsAddressesToPairs(EventLoop):
    """datagram_received() gets the first two items of an address."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        def cutting() -> Any:
            protocol = protocol_factory()
            received = protocol.datagram_received
            protocol.datagram_received = lambda data, addr: received(data, addr[:2] if len(addr) == 4 else addr)
            return protocol

        return await super().create_datagram_endpoint(cutting, *args, **how)


@breaks("udp.ipv6")
class CutsItsOwnNameToAPair(EventLoop):
    """get_extra_info('sockname') of an endpoint gives the first two items of its address."""

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **how)
        ask = transport.get_extra_info

        def cutting(name: str, default: Any = None) -> Any:
            info = ask(name, default)
            return info[:2] if name == "sockname" and isinstance(info, tuple) else info

        transport.get_extra_info = cutting  # type: ignore[method-assign]
        return transport, protocol


@breaks("udp.family")
class WantsAnAddress(Endpoints):
    """An endpoint without any address is refused, though its family is given."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] is None and how["remote_addr"] is None and how.get("sock") is None:
            raise ValueError("local_addr or remote_addr is needed")


@breaks("udp.family")
class IsOfIpv4WithoutAnAddress(Endpoints):
    """An endpoint without any address is one of IPv4, also if the family is that of IPv6."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] is None and how["remote_addr"] is None and how.get("family") == socket.AF_INET6:
            how["family"] = socket.AF_INET


@breaks("udp.family-filters")
class KnowsTheFamilyBetter(Endpoints):
    """The family of a numeric local_addr is taken from the address."""

    def change(self, how: dict[str, Any]) -> None:
        if how["local_addr"] == ("127.0.0.1", 0):
            how.pop("family", None)


@breaks("udp.flags")
class HasFlagsOfItsOwn(Endpoints):
    """flags of an endpoint is not passed on."""

    def change(self, how: dict[str, Any]) -> None:
        how["flags"] = 0


@breaks("udp.proto")
class HasOneProtocolOnly(Endpoints):
    """proto of an endpoint is not passed on."""

    def change(self, how: dict[str, Any]) -> None:
        if how.get("sock") is None:
            how["proto"] = 0


@breaks("udp.nothing-given")
class HasADefaultFamily(Endpoints):
    """An endpoint for which nothing is said is of AF_INET."""

    def change(self, how: dict[str, Any]) -> None:
        if not any(how.values()):
            how["family"] = socket.AF_INET


@breaks("udp.keywords-only")
class TakesTheFamilyByPosition(EventLoop):
    """family may be given as the fourth argument."""

    async def create_datagram_endpoint(  # type: ignore[override]
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, family: int = 0, **how: Any
    ) -> Any:
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, family=family, **how)
