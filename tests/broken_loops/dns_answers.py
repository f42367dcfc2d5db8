"""Broken loops of the chapter `dns`: answers in another order, or of somebody else."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("dns.getaddrinfo-order")
class SortsByFamily(Stock):
    """Addresses are sorted: those of IPv4 come first."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return sorted(await super().getaddrinfo(host, port, **hints), key=lambda info: (info[0], -info[1]))


@breaks("dns.getaddrinfo-own-answer")
class GivesItsCacheAway(Stock):
    """An answer is kept, and given to everybody who asks the same."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        kept: dict[Any, Any] = self.__dict__.setdefault("kept", {})
        key = (host, port, *sorted(hints.items()))
        if key not in kept:
            kept[key] = await super().getaddrinfo(host, port, **hints)
        return kept[key]
