"""Broken loops of the chapter `tcp`: the addresses of a connection, their order, and their failures."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks


class _Connects(EventLoop):
    """Changes the arguments of a connection to an address."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return how

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        return await super().create_connection(factory, host, port, **self.changed(host, dict(how)))


@breaks("tcp.connect-family")
class ForgetsTheFamilyOfAConnection(_Connects):
    """The family is not looked at if there is a host."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "family": 0} if host == "127.0.0.1" else how


@breaks("tcp.connect-family")
class KnowsTheFamilyOfLocalhost(_Connects):
    """The family is not looked at if the host is localhost."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "family": 0} if host == "localhost" else how


@breaks("tcp.connect-proto")
class ForgetsTheProtocolOfAConnection(_Connects):
    """The protocol is not passed to the resolver."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "proto": 0}


@breaks("tcp.connect-flags")
class ForgetsTheFlagsOfAConnection(_Connects):
    """The flags are not passed to the resolver, if the host is a name."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "flags": 0} if host == "localhost" else how


@breaks("tcp.connect-unresolvable")
class CannotSayWhyNothingWasFound(EventLoop):
    """A numeric host that is none raises a plain OSError."""

    async def create_connection(self, factory: Any, host: Any = None, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_connection(factory, host, *args, **how)
        except socket.gaierror as error:
            if host != "256.1.1.1":
                raise
            raise OSError("no address found") from error


@breaks("tcp.connect-order")
class PrefersTheLastFamily(EventLoop):
    """Addresses without a host are tried from the last to the first."""

    async def _resolve(self, host: Any, port: Any, **how: Any) -> Any:
        found = await super()._resolve(host, port, **how)
        return found if host is not None or self.__dict__.get("racing") else found[::-1]

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        self.racing = "happy_eyeballs_delay" in how
        return await super().create_connection(*args, **how)


@breaks("tcp.connect-next-address")
class TriesTheFirstAddressOnly(EventLoop):
    """Only the first address is tried, and its error repeated for the others."""

    async def _connect_first(self, infos: Any, local_infos: Any, delay: Any) -> Any:
        if delay is not None or infos[0][4][0] == "127.0.0.1":
            return await super()._connect_first(infos, local_infos, delay)
        winner, errors = await super()._connect_first(infos[:1], local_infos, delay)
        return winner, errors * len(infos)


@breaks("tcp.connect-all-fail")
class AlwaysRaisesAGroup(EventLoop):
    """Several errors are raised as a group, whether or not that was asked for."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_connection(*args, **how)
        except OSError as error:
            if args[1:] and args[1] is None and "happy_eyeballs_delay" not in how:
                raise ExceptionGroup("no address", [error, error]) from None
            raise


@breaks("tcp.connect-all-errors", since="3.12")
class KeepsTheLastError(EventLoop):
    """The group holds the last error only."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_connection(*args, **how)
        except ExceptionGroup as group:
            raise ExceptionGroup(group.message, group.exceptions[-1:]) from None


@breaks("tcp.connect-local-addr")
class BindsToNumericAddressesOnly(_Connects):
    """A local address that is a name is not looked up."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        local = how.get("local_addr")
        if local:
            socket.inet_aton(local[0])
        return how


@breaks("tcp.connect-local-addr", "tcp.connect-local-addr-ipv6")
class BindsToNoNothing(_Connects):
    """A local address whose host is None is not looked up."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        local = how.get("local_addr")
        if local and local[0] is None:
            raise TypeError("the local host must be a string")
        return how


@breaks("tcp.connect-local-addr-in-use")
class IgnoresAFailedBind(EventLoop):
    """A socket that cannot be bound connects from any port."""

    async def create_connection(self, *args: Any, local_addr: Any = None, **how: Any) -> Any:
        with contextlib.suppress(OSError):
            return await super().create_connection(*args, local_addr=local_addr, **how)
        return await super().create_connection(*args, **how)


@breaks("tcp.connect-happy-eyeballs")
class TriesOneAfterTheOther(_Connects):
    """happy_eyeballs_delay changes nothing but the order."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        delay = how.pop("happy_eyeballs_delay", None)
        return how if delay is None else {"interleave": 1, **how}


@breaks("tcp.connect-happy-eyeballs-delay")
class StartsAllAtOnce(_Connects):
    """Every attempt starts at once."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "happy_eyeballs_delay": 0.0} if "happy_eyeballs_delay" in how and host is None else how


@breaks("tcp.connect-happy-eyeballs-delay")
class DoesNotWaitForTheSilent(asyncio.SelectorEventLoop):
    """The next attempt starts as soon as one does not complete at once."""

    async def create_connection(self, *args: Any, happy_eyeballs_delay: float | None = None, **how: Any) -> Any:
        delay = None if happy_eyeballs_delay is None else 0.0
        return await super().create_connection(*args, happy_eyeballs_delay=delay, **how)


class _Races(EventLoop):
    """Knows of the delay between attempts."""

    delay: float | None = None

    async def _connect_first(self, infos: Any, local_infos: Any, delay: Any) -> Any:
        self.delay = delay
        return await super()._connect_first(infos, local_infos, delay)


@breaks("tcp.connect-happy-eyeballs-failure")
class SleepsThroughTheDelay(_Races):
    """An attempt that was refused is not over before the delay is."""

    async def _connect_one(self, info: Any, local_infos: Any) -> Any:
        try:
            return await super()._connect_one(info, local_infos)
        except OSError:
            if info[4][0] == "::1":
                await asyncio.sleep(self.delay or 0)
            raise


@breaks("tcp.connect-happy-eyeballs-all-fail")
class RaisesTheGroupOfTheRace(_Races):
    """A race that nobody wins raises a group."""

    async def _race(self, *args: Any) -> Any:
        winner, errors = await super()._race(*args)
        if winner is None:
            raise ExceptionGroup("nobody answered", errors)
        return winner, errors


@breaks("tcp.connect-interleave")
class InterleavesOrNot(_Connects):
    """interleave is a switch: every count is 1."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {**how, "interleave": 1} if how.get("interleave") else how


@breaks("tcp.connect-interleave-default")
class NeverInterleavesByItself(_Connects):
    """Without interleave, addresses keep their order, happy eyeballs or not."""

    def changed(self, host: Any, how: dict[str, Any]) -> dict[str, Any]:
        return {"interleave": 0, **how}


@breaks("tcp.connect-port-range")
class PortsOfSixteenBits(EventLoop):
    """Of a port number that is too large, or negative, the lower sixteen bits count."""

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        return await super().create_connection(factory, host, port & 0xFFFF if isinstance(port, int) else port, **how)


class _ChangesGroups(EventLoop):
    """The group of create_connection() holds what `kept()` leaves of it."""

    def kept(self, errors: tuple[Exception, ...]) -> list[Exception]:
        raise NotImplementedError

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        try:
            return await super().create_connection(*args, **how)
        except ExceptionGroup as group:
            raise ExceptionGroup(group.message, self.kept(group.exceptions)) from None


@breaks("tcp.connect-all-errors", since="3.12")
class TheFirstErrorStandsForAll(_ChangesGroups):
    """The group holds the first error as often as there were errors."""

    def kept(self, errors: tuple[Exception, ...]) -> list[Exception]:
        return [errors[0]] * len(errors)


@breaks("tcp.connect-all-errors", since="3.12")
class ErrorsThatSayTheSameAreOne(_ChangesGroups):
    """Of errors with the same message the group holds one."""

    def kept(self, errors: tuple[Exception, ...]) -> list[Exception]:
        return list({str(error): error for error in errors}.values())
