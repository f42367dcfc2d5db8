"""Broken loops of the chapters `tasks` and `cancellation`: wrong of one kind of result, of coroutine or of number."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.tasks import OwnFactory, OwnTasks, Stock, Task, of_chapter
from tests.broken_loops.tasks_conditions import failed


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


@breaks("cancellation.message")
class TheFirstMessageStays(Cancelling):
    """Each CancelledError of a task has the message of the first request."""

    class own(Task):
        first: tuple[Any, ...] = ()

        def cancel(self, msg: Any = None) -> bool:
            self.first = self.first or (msg,)
            return super().cancel(self.first[0])


@breaks("tasks.await")
class LateComersGetACopy(OwnTasks):
    """Awaiting a task that is done already raises a copy of its exception."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            if failed(self):
                error: Any = self.exception()
                raise type(error)(*error.args)
            return (yield from super().__await__())

        __iter__ = __await__


@breaks("tasks.print-stack")
class FalseStreamsAreNone(OwnTasks):
    """print_stack() prints to sys.stderr if the truth value of the given file is false."""

    class own(Task):
        def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
            super().print_stack(limit=limit, file=file or None)


@breaks("cancellation.itself")
class NeverDoneWithoutAnAwait(Cancelling):
    """A task that cancels itself and then returns is never done."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        async def step() -> Any:
            result = await coro
            if me.cancelling():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                await self.create_future()
            return result

        me = super().create_task(step() if getattr(coro, "__name__", "") == "end" else coro, **kwargs)
        return me


@breaks("tasks.names-differ")
class TasksAreNamedAfterTheirMakers(Stock):
    """A task without a name that a task makes has the name of that."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        if name is None and self.is_running() and of_chapter(coro) and (maker := asyncio.current_task()):
            name = maker.get_name()
        return super().create_task(coro, name=name, **kwargs)


@breaks("tasks.exception")
class FailuresAreCopiedTheSecondTime(OwnTasks):
    """result() raises a copy of the exception if it is asked again."""

    class own(Task):
        asked = False

        def result(self) -> Any:
            if failed(self) and self.asked:
                raise copy.copy(self.exception())  # type: ignore[misc]  # which is one
            self.asked = self.done()
            return super().result()


@breaks("tasks.runs-unawaited")
class TasksMadeAfterStopAreCancelled(Stock):
    """A task that is made after stop(), and before the run ends, is cancelled."""

    stopping = False

    def stop(self) -> None:
        self.stopping = self.is_running()
        super().stop()

    def run_forever(self) -> None:
        super().run_forever()
        self.stopping = False

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if self.stopping:
            task.cancel()
        return task
