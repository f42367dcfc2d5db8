"""Broken loops of the chapter `udp`: arguments of create_datagram_endpoint() that are forgotten beside another."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.beside import Forgets


@breaks("udp.reuse-port")
class WhoBroadcastsSharesNoPort(Forgets):
    """reuse_port is not looked at with allow_broadcast."""

    where, forgets = "allow_broadcast", "reuse_port"


@breaks("udp.allow-broadcast")
class WhoSharesAPortDoesNotBroadcast(Forgets):
    """allow_broadcast is not looked at with reuse_port."""

    where, forgets = "reuse_port", "allow_broadcast"


@breaks("udp.local-addr")
class WhoBroadcastsIsAnywhere(asyncio.SelectorEventLoop):
    """local_addr is not looked at with allow_broadcast and remote_addr."""

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        if remote_addr and how.get("allow_broadcast"):
            local_addr = None
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)


@breaks("udp.broadcast-off")
class BroadcastsEverAfter(asyncio.SelectorEventLoop):
    """When one endpoint is allowed to broadcast, all that come after it are."""

    allowed = False

    async def create_datagram_endpoint(self, *args: Any, **how: Any) -> Any:
        self.allowed = self.allowed or bool(how.get("allow_broadcast"))
        if self.allowed and how.get("sock") is None:
            how["allow_broadcast"] = True
        return await super().create_datagram_endpoint(*args, **how)
