"""Broken loops of the chapter `tcp`: local addresses, TCP_NODELAY, and factories that are false."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _delayed(transport: Any) -> None:
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


@breaks("tcp.connect-local-host")
class BindsThePortOnly(Stock):
    """A connection over IPv4 is bound to the port of local_addr, on any interface."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        if local_addr is not None and ":" not in local_addr[0]:
            local_addr = ("0.0.0.0", local_addr[1])
        return await super().create_connection(*args, local_addr=local_addr, **how)


@breaks("tcp.connect-local-host")
class BindsToPortsOnly(Stock):
    """A local_addr whose port is 0 counts as none."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        local_addr = local_addr if local_addr and local_addr[1] else None
        return await super().create_connection(*args, local_addr=local_addr, **how)


@breaks("tcp.connect-local-addr-race")
class RacesFromAnywhere(Stock):
    """local_addr is forgotten if addresses race."""

    async def create_connection(
        self, *args: Any, local_addr: Any = None, happy_eyeballs_delay: Any = None, **how: Any
    ) -> Any:
        return await super().create_connection(
            *args,
            local_addr=local_addr if happy_eyeballs_delay is None else None,
            happy_eyeballs_delay=happy_eyeballs_delay,
            **how,
        )


@breaks("tcp.connect-local-addr-ipv6")
class BindsOldAddressesOnly(Stock):
    """local_addr is forgotten if it is an IPv6 address."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        if local_addr is not None and ":" in local_addr[0]:
            local_addr = None
        return await super().create_connection(*args, local_addr=local_addr, **how)


@breaks("tcp.connect-factory-once")
class MakesAProtocolPerAttempt(EventLoop):
    """The factory is called for each address that is tried, before it is."""

    factory: Any = None

    async def create_connection(self, factory: Any, *args: Any, **how: Any) -> Any:  # type: ignore[override]
        self.factory = factory
        return await super().create_connection(lambda: self.protocol, *args, **how)

    async def _connect_one(self, *args: Any) -> Any:
        self.protocol = self.factory()
        return await super()._connect_one(*args)


@breaks("tcp.nodelay-everywhere")
class DelaysOverIpv6(Stock):
    """TCP_NODELAY is not set if the family is AF_INET6."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **how)
        if transport.get_extra_info("socket").family == socket.AF_INET6:
            _delayed(transport)
        return transport, protocol


@breaks("tcp.nodelay-everywhere")
class DelaysWhatWasAcceptedElsewhere(Stock):
    """TCP_NODELAY is not set by connect_accepted_socket()."""

    async def connect_accepted_socket(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().connect_accepted_socket(*args, **how)
        if transport.get_extra_info("socket").family != socket.AF_UNIX:
            _delayed(transport)
        return transport, protocol


@breaks("tcp.false-protocol")
class FalseProtocolsAreNone(Stock):
    """A protocol that is false is taken for none."""

    async def create_connection(self, factory: Any, *args: Any, **how: Any) -> Any:
        return await super().create_connection(lambda: factory() or asyncio.Protocol(), *args, **how)


@breaks("tcp.connect-happy-eyeballs")
class TakesNoDelayForNoRace(Stock):
    """A happy_eyeballs_delay of 0 is taken for none."""

    async def create_connection(self, *args: Any, happy_eyeballs_delay: Any = None, **how: Any) -> Any:
        return await super().create_connection(*args, happy_eyeballs_delay=happy_eyeballs_delay or None, **how)


@breaks("tcp.connect-interleave-default")
class TakesZeroForTheDefault(Stock):
    """An interleave of 0 is taken for none."""

    async def create_connection(self, *args: Any, interleave: Any = None, **how: Any) -> Any:
        return await super().create_connection(*args, interleave=interleave or None, **how)


@breaks("tcp.connect-sock-or-host")
class OverlooksPortZero(Stock):
    """A port of 0, or an empty host, is ignored if a socket is given."""

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **how: Any
    ) -> Any:
        if sock is not None:
            host, port = host or None, port or None
        return await super().create_connection(factory, host, port, sock=sock, **how)
