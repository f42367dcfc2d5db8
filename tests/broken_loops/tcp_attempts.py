"""Broken loops of the chapter `tcp`: attempts that race, and errors of several addresses."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("tcp.connect-happy-eyeballs-parallel")
class DelaysAreTimeouts(Stock):
    """With happy_eyeballs_delay an attempt that is not complete in time is given up."""

    delay: float | None = None

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.delay = kwargs.get("happy_eyeballs_delay")
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        try:
            await asyncio.wait_for(super().sock_connect(sock, address), self.delay)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "too late") from None


class _Combines(Stock):
    """Makes one exception of a group in another way; `all_errors` is what was asked for."""

    def raised(self, group: ExceptionGroup[Exception], all_errors: bool) -> Exception:
        raise NotImplementedError

    async def create_connection(
        self, protocol_factory: Any, *args: Any, all_errors: bool = False, **kwargs: Any
    ) -> Any:
        connect: Any = super().create_connection
        try:
            return await connect(protocol_factory, *args, all_errors=True, **kwargs)
        except ExceptionGroup as group:
            error = self.raised(group, all_errors)
        raise error


@breaks("tcp.connect-all-errors-of-one", since="3.12")
class GroupsAreOfSeveral(_Combines):
    """With all_errors a single error is raised as it is."""

    def raised(self, group: ExceptionGroup[Exception], all_errors: bool) -> Exception:
        return group if all_errors and len(group.exceptions) > 1 else group.exceptions[0]


@breaks("tcp.connect-errors-combined", since="3.12")
class TheFirstErrorIsEnough(_Combines):
    """Of several errors the first one is raised."""

    def raised(self, group: ExceptionGroup[Exception], all_errors: bool) -> Exception:
        return group if all_errors else group.exceptions[0]


@breaks("tcp.connect-errors-combined", since="3.12")
class TheLastErrorIsEnough(_Combines):
    """Of several errors the last one is raised."""

    def raised(self, group: ExceptionGroup[Exception], all_errors: bool) -> Exception:
        return group if all_errors else group.exceptions[-1]


@breaks("tcp.connect-errors-same", since="3.12")
class CombinesWhateverThereIs(_Combines):
    """Several errors are combined to one without a number, also if all of them say the same."""

    def raised(self, group: ExceptionGroup[Exception], all_errors: bool) -> Exception:
        if all_errors or len(group.exceptions) == 1:
            return group if all_errors else group.exceptions[0]
        return OSError("Multiple exceptions: " + ", ".join(map(str, group.exceptions)))
