"""Broken loops of the chapters `tasks` and `cancellation`: wrong of one kind of result, of coroutine or of number."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.tasks import OwnFactory, OwnTasks, Task


@breaks("tasks.result")
class TuplesOfOneAreUnpacked(OwnTasks):
    """Awaiting a task whose result is a tuple of one gives what is in it."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            result = yield from super().__await__()
            return result[0] if isinstance(result, tuple) and len(result) == 1 else result

        __iter__ = __await__


@breaks("tasks.result")
class ReturnedFuturesAreResolved(OwnTasks):
    """result() of a task that returned a future that is done gives that future's result."""

    class own(Task):
        def result(self) -> Any:
            result = super().result()
            return result.result() if asyncio.isfuture(result) and result.done() else result


@breaks("tasks.any-coroutine")
class FactoriesGetNativeCoroutines(OwnFactory):
    """With a task factory, create_task() refuses a coroutine that is an object of another class."""

    def ask(self, coro: Any, **kwargs: Any) -> Any:
        if not inspect.iscoroutine(coro):
            raise TypeError("no native coroutine")
        return super().ask(coro, **kwargs)


@breaks("cancellation.refused")
class RefusedRequestsAreCounted(Cancelling):
    """cancelling() counts a call to cancel() of a task that is done."""

    class own(Task):
        refused = 0

        def cancel(self, msg: Any = None) -> bool:
            self.refused += self.done()
            return super().cancel(msg)

        def cancelling(self) -> int:
            return super().cancelling() + self.refused


@breaks("cancellation.count")
class CountsInAByte(Cancelling):
    """cancelling() counts up to 255."""

    class own(Task):
        def cancelling(self) -> int:
            return min(255, super().cancelling())
