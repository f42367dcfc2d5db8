"""Broken loops of the chapter `dns`."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Asks(Stock):
    """Changes the hints before, or the answer after the lookup."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return self.answer(await super().getaddrinfo(*self.question(host, port), **self.hints(dict(hints))))

    def question(self, host: Any, port: Any) -> tuple[Any, Any]:
        return host, port

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return hints

    def answer(self, found: list[Any]) -> list[Any]:
        return found


@breaks("dns.getaddrinfo")
class TakesNoBytesForAHost(_Asks):
    """A host given as bytes is put into a string by str()."""

    def question(self, host: Any, port: Any) -> tuple[Any, Any]:
        return str(host) if isinstance(host, bytes) else host, port


@breaks("dns.getaddrinfo-types")
class GivesAddressesAsLists(_Asks):
    """The address of an answer of one entry is a list."""

    def answer(self, found: list[Any]) -> list[Any]:
        return found if len(found) > 1 or ":" in found[0][4][0] else [(*found[0][:4], _AlmostATuple(found[0][4]))]


class _AlmostATuple(tuple[Any, ...]):
    """A structure of the loop's own."""


@breaks("dns.getaddrinfo-family")
class ForgetsTheFamily(_Asks):
    """The family is not passed to the resolver."""

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return {**hints, "family": 0} if not hints.get("flags") else hints


@breaks("dns.getaddrinfo-type")
class AlwaysAsksForStreams(_Asks):
    """The kind of the socket is SOCK_STREAM unless a protocol was given."""

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return {**hints, "type": 0 if hints.get("proto") else socket.SOCK_STREAM}


@breaks("dns.getaddrinfo-proto")
class ForgetsTheProtocol(_Asks):
    """The protocol is not passed to the resolver."""

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return {**hints, "proto": 0}


@breaks("dns.getaddrinfo-flags")
class AlwaysResolvesForConnecting(_Asks):
    """AI_PASSIVE is dropped."""

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return {**hints, "flags": hints.get("flags", 0) & ~socket.AI_PASSIVE}


@breaks("dns.getaddrinfo-canonical-name")
class HasNoNameForNone(_Asks):
    """A canonical name that was not asked for is None in an IPv4 answer that is limited to that family."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        found = await super().getaddrinfo(host, port, **hints)
        if hints.get("family") and host == "127.0.0.1":
            return [(*entry[:3], entry[3] or None, entry[4]) for entry in found]
        return found


@breaks("dns.getaddrinfo-ipv6")
class CutsAddressesToHostAndPort(_Asks):
    """An IPv6 address has two items when it is all of the answer."""

    def answer(self, found: list[Any]) -> list[Any]:
        return [(*entry[:4], entry[4][:2]) for entry in found] if len(found) == 1 else found


@breaks("dns.getaddrinfo-keywords-only")
class TakesHintsByPosition(Stock):
    """The hints are taken by position too."""

    async def getaddrinfo(  # type: ignore[override]
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        return await super().getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)


@breaks("dns.getaddrinfo-error")
class RaisesAPlainOSError(Stock):
    """A numeric address that is none raises OSError."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        try:
            return await super().getaddrinfo(host, port, **hints)
        except socket.gaierror as error:
            if host == "256.256.256.256":
                raise OSError(*error.args) from None
            raise


@breaks("dns.coroutines")
class ReturnsATask(Stock):
    """getnameinfo() returns a task that is under way."""

    def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return self.create_task(super().getnameinfo(sockaddr, flags))


@breaks("dns.getaddrinfo-does-not-block")
class ResolvesInItsOwnThread(Stock):
    """The resolver is called in the loop's thread."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        return socket.getaddrinfo(host, port, **hints)


@breaks("dns.getaddrinfo-cancelled")
class AnswersACancelledLookup(Stock):
    """The answer is set on the future whether or not it was cancelled meanwhile."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        future = self.create_future()
        task = self.create_task(super().getaddrinfo(host, port, **hints))
        task.add_done_callback(lambda task: future.set_exception(task.exception() or _Answer(task.result())))
        try:
            return await future
        except _Answer as answer:
            return answer.args[0]


class _Answer(Exception):
    """Carries an answer."""


@breaks("dns.getaddrinfo-concurrent")
class HasOneRequestStructure(Stock):
    """The question of a lookup is kept on the loop until its turn comes."""

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        self.host = host
        await asyncio.sleep(0)
        return await super().getaddrinfo(self.host, port, **hints)


@breaks("dns.getnameinfo")
class GivesThePortAsANumber(Stock):
    """The service is looked up by number only, without being asked to."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        if flags:
            return await super().getnameinfo(sockaddr, flags)
        return await super().getnameinfo(sockaddr, socket.NI_NUMERICSERV)


@breaks("dns.getnameinfo-flags")
class TakesFlagsByNameOnly(Stock):
    """The flags of getnameinfo() are keyword-only."""

    async def getnameinfo(self, sockaddr: Any, *late: int, flags: int = 0) -> Any:
        if late and len(sockaddr[0]) == 9:
            raise TypeError("getnameinfo() takes 1 positional argument")
        return await super().getnameinfo(sockaddr, *late or (flags,))


@breaks("dns.getnameinfo-error")
class ResolvesTheNameFirst(Stock):
    """A name is taken for the loopback."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        if sockaddr[0].startswith("no."):
            sockaddr = ("127.0.0.1", *sockaddr[1:])
        return await super().getnameinfo(sockaddr, flags)


@breaks("dns.getnameinfo-ipv6")
class TakesAddressesOfTwoItems(Stock):
    """getnameinfo() refuses an address that has more than a host and a port."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        host, port = sockaddr
        return await super().getnameinfo((host, port), flags)


@breaks("dns.getaddrinfo")
class KnowsNoServices(_Asks):
    """A port that is no number is an OSError of another kind."""

    def question(self, host: Any, port: Any) -> tuple[Any, Any]:
        if isinstance(port, str) and not port.isdigit():
            raise OSError("no number")
        return host, port


@breaks("dns.getaddrinfo")
class TakesNoBytesForAPort(_Asks):
    """A port given as bytes is refused."""

    def question(self, host: Any, port: Any) -> tuple[Any, Any]:
        if isinstance(port, bytes):
            raise TypeError("text or a number was expected")
        return host, port


@breaks("dns.getaddrinfo")
class KnowsAsciiOnly(_Asks):
    """A host that is not ASCII is refused before IDNA has seen it."""

    def question(self, host: Any, port: Any) -> tuple[Any, Any]:
        if isinstance(host, str):
            host.encode("ascii")
        return host, port


@breaks("dns.getaddrinfo-flags")
class LooksServicesUp(_Asks):
    """AI_NUMERICSERV is dropped."""

    def hints(self, hints: dict[str, Any]) -> dict[str, Any]:
        return {**hints, "flags": hints.get("flags", 0) & ~socket.AI_NUMERICSERV}


@breaks("dns.getnameinfo-flags")
class NeedsNoName(Stock):
    """NI_NAMEREQD is dropped."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await super().getnameinfo(sockaddr, flags & ~socket.NI_NAMEREQD)


@breaks("dns.getnameinfo-flags")
class KnowsServicesOfStreamsOnly(Stock):
    """NI_DGRAM is dropped."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await super().getnameinfo(sockaddr, flags & ~socket.NI_DGRAM)
