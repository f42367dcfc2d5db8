"""Broken loops of the chapter `schedules`: what goes wrong only where several things meet."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
_SLOT = 0.004


@breaks("schedules.callbacks")
class PutsTheFourthInFront(EventLoop):
    """A callback that finds three others in the queue is put before them."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = super().call_soon(callback, *args, context=context)
        if len(self._ready) == 4:
            self._ready.rotate(1)
        return handle


@breaks("schedules.stop")
class StopWaitsForItsTurn(Stock):
    """stop() is a callback itself, so that those scheduled before it in the same batch run as well."""

    def stop(self) -> None:
        self.call_soon(super().stop)


@breaks("schedules.timers")
class TurnsACoarseWheel(Stock):
    """Deadlines are rounded up to the next tick of a timer wheel, whose slots are stacks."""

    timers = 0

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self.timers += 1
        tick = math.ceil(when / _SLOT) * _SLOT
        return super().call_at(tick - self.timers * 1e-7, callback, *args, context=context)


class LastCallbackFirst(asyncio.Future[Any]):
    """A future that keeps its callbacks on a stack."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.stack: list[tuple[Any, Any]] = []

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        if self.done():
            super().add_done_callback(callback, context=context)
            return
        if not self.stack:
            super().add_done_callback(self.unwind)
        self.stack.append((callback, context))

    def unwind(self, _future: object) -> None:
        while self.stack:
            callback, context = self.stack.pop()
            self.get_loop().call_soon(callback, self, context=context)


@breaks("schedules.futures")
class KeepsCallbacksOfFuturesOnAStack(Stock):
    """The callbacks of a future are scheduled last first."""

    def create_future(self) -> asyncio.Future[Any]:
        return LastCallbackFirst(loop=self)


@breaks("schedules.tasks")
class StartsTasksBeforeAllElse(EventLoop):
    """The first step of a task is put before everything that is scheduled."""

    def create_task(self, coro: Any, **keywords: Any) -> Any:
        task = super().create_task(coro, **keywords)
        self._ready.rotate(1)
        return task


@breaks("schedules.eager-tasks", since="3.12")
class StartsNoTaskEagerly(Stock):
    """set_task_factory() does not know eager_task_factory."""

    def set_task_factory(self, factory: Any) -> None:
        super().set_task_factory(None)


class CancelledLater(asyncio.Task[Any]):
    """A task whose cancel() waits for the next iteration."""

    def cancel(self, msg: Any = None) -> bool:
        self.get_loop().call_soon(super().cancel, msg)
        return not self.done()


@breaks("schedules.cancellation")
class CancelsTasksOneIterationLater(Stock):
    """Task.cancel() takes effect one iteration later than it should."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **keywords: Any) -> Any:
        return CancelledLater(coro, loop=self, name=name, context=context)


@breaks("schedules.timeouts")
class SleepsShort(Stock):
    """A sleep of more than one timer tick ends a tick early."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_later(delay - 0.002 if delay > 0.002 else delay, callback, *args, context=context)


@breaks("schedules.threads")
class ServesThreadsLastFirst(EventLoop):
    """What a thread schedules is put before everything else, and so before what it scheduled earlier."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._ready.rotate(1)
        return handle


@breaks("schedules.everything")
class ForgetsItsTimersWhenItStops(EventLoop):
    """stop() drops the timers that are pending."""

    def stop(self) -> None:
        super().stop()
        self._timers.clear()
