"""Broken loops of the chapter `dns`: answers in another order, or of somebody else."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("dns.getaddrinfo-order")
class SortsByFamily(Stock):
    """Addresses are sorted: those of IPv4 come first."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return sorted(await super().getaddrinfo(host, port, **hints), key=lambda info: (info[0], -info[1]))


@breaks("dns.getaddrinfo-forms")
class KnowsOneForm(Stock):
    """An address that has digits and dots only, but not four numbers, is no address."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        if isinstance(host, str) and host.replace(".", "").isdigit() and host.count(".") != 3:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return await super().getaddrinfo(host, port, **hints)


@breaks("dns.getaddrinfo-forms")
class TakesAnEmptyNameForNone(Stock):
    """An empty host is that of this machine."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return await super().getaddrinfo(host or None, port, **hints)


@breaks("dns.getaddrinfo-own-answer")
class GivesItsCacheAway(Stock):
    """An answer is kept, and given to everybody who asks the same."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        kept: dict[Any, Any] = self.__dict__.setdefault("kept", {})
        key = (host, port, *sorted(hints.items()))
        if key not in kept:
            kept[key] = await super().getaddrinfo(host, port, **hints)
        return kept[key]


@breaks("dns.scope")
class AnswersWithoutZones(Stock):
    """getaddrinfo() gives IPv6 addresses with a scope id of 0."""

    async def getaddrinfo(self, *args: Any, **hints: Any) -> Any:
        found = await super().getaddrinfo(*args, **hints)
        return [(*info[:4], (*info[4][:3], 0) if len(info[4]) == 4 else info[4]) for info in found]


@breaks("dns.scope")
class NamesWithoutZones(Stock):
    """getnameinfo() looks at host and port only."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await super().getnameinfo(tuple(sockaddr[:2]), flags)


@breaks("dns.getaddrinfo-cancelled")
class WaitsForTheResolver(Stock):
    """A lookup that is cancelled ends when the resolver has answered."""

    async def getaddrinfo(self, *args: Any, **hints: Any) -> Any:
        asking = asyncio.ensure_future(super().getaddrinfo(*args, **hints))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asking
            raise


@breaks("dns.getaddrinfo-cancelled")
class AsksOnceForAll(Stock):
    """Who asks what is being asked already waits for the same answer, and is cancelled with the others."""

    asking: asyncio.Future[Any] | None = None

    async def getaddrinfo(self, *args: Any, **hints: Any) -> Any:
        if self.asking is None or self.asking.done():
            self.asking = asyncio.ensure_future(super().getaddrinfo(*args, **hints))
        return await self.asking
