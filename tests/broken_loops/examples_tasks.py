"""Broken loops that only a whole program shows: the documentation's examples of tasks, futures and timeouts."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
import weakref
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures
from tests.broken_loops.tasks import OwnTasks, Task

Stock = asyncio.SelectorEventLoop


class _OfTimeouts(Stock):
    """A loop that does something else with the timers of asyncio.timeout()."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timeout = getattr(callback, "__self__", None)
        if isinstance(timeout, asyncio.Timeout):
            when, callback = self.changed(when, callback, timeout)
        return super().call_at(when, callback, *args, context=context)

    def changed(self, when: float, callback: Any, _timeout: asyncio.Timeout) -> tuple[float, Any]:
        return when, callback


@breaks("timeouts.example-at")
class TimeoutsComeAgain(_OfTimeouts):
    """A task whose timeout has come is cancelled once more, two milliseconds later."""

    def changed(self, when: float, callback: Any, _timeout: asyncio.Timeout) -> tuple[float, Any]:
        task = asyncio.current_task()

        def come() -> None:
            callback()
            if task:
                self.call_later(0.002, task.cancel)

        return when, come


@breaks("timeouts.example-reschedule")
class NoTimeoutIsNone(_OfTimeouts):
    """A timeout that was None when its block was entered does not come, whenever it is rescheduled to."""

    def __init__(self) -> None:
        super().__init__()
        self.known: weakref.WeakSet[asyncio.Timeout] = weakref.WeakSet()

    def changed(self, when: float, callback: Any, timeout: asyncio.Timeout) -> tuple[float, Any]:
        entering = sys._getframe(3).f_code.co_name == "__aenter__"
        if not entering and timeout not in self.known:
            return when + 3600, callback
        self.known.add(timeout)
        return when, callback


@breaks("timeouts.example-request")
class OneTimeoutForATask(_OfTimeouts):
    """The second timeout of a task does not come if the first did and the task was made by another."""

    def __init__(self) -> None:
        super().__init__()
        self.came: weakref.WeakSet[Any] = weakref.WeakSet()

    def changed(self, when: float, callback: Any, _timeout: asyncio.Timeout) -> tuple[float, Any]:
        task = asyncio.current_task()

        def come() -> None:
            self.came.add(task)
            callback()

        return (when + 3600 if task in self.came else when), come


@breaks("timers.example-sleep")
class SleepsFromTheLastDeadline(Stock):
    """asyncio.sleep() is counted from the end of the task's last sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        task = asyncio.current_task() if self.is_running() else None
        if task is None or getattr(callback, "__name__", "") != "_set_result_unless_cancelled":
            return super().call_later(delay, callback, *args, context=context)
        self.ends[task] = self.ends.get(task, self.time()) + delay
        return self.call_at(self.ends[task], callback, *args, context=context)


@breaks("tasks.example-say-after")
class EqualSleepsEndBackwards(Stock):
    """The clock ticks every sixteen milliseconds, and what is due at the same tick fires last in, first out."""

    due: list[Any]

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") != "_set_result_unless_cancelled":
            return super().call_at(when, callback, *args, context=context)
        when = (when // 0.016 + 1) * 0.016
        self.due = getattr(self, "due", [])

        def fire() -> None:
            if not self.due:
                self.call_soon(self.fire_all)
            self.due.insert(0, (callback, args))

        return super().call_at(when, fire, context=context)

    def fire_all(self) -> None:
        due, self.due = self.due, []
        for callback, args in due:
            callback(*args)


@breaks("tasks.example-factorial")
class OneTaskAtATime(Stock):
    """A task that a task makes begins when the one that was made before it has ended."""

    last: Any = None

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        before = self.last
        if asyncio.current_task() is None or not asyncio.iscoroutine(coro) or self.get_task_factory():
            return super().create_task(coro, **kwargs)

        async def begins_later() -> Any:
            if before:
                await asyncio.wait([before])
            return await coro

        self.last = super().create_task(begins_later(), **kwargs)
        return self.last


class _Proxy:
    """Stands for a task, and is another object."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)


@breaks("tasks.example-background")
class SetsGetAnotherTask(OwnTasks):
    """A done callback that is the method of a built-in object gets a proxy of the task."""

    class own(Task):
        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            if isinstance(fn, types.BuiltinMethodType):
                super().add_done_callback(lambda task: fn(_Proxy(task)), context=context)
            else:
                super().add_done_callback(fn, context=context)


@breaks("tasks.example-as-completed")
class CompletesInOrder(OwnTasks):
    """A task is done for as_completed() when those that were made before it are done."""

    class own(Task):
        last: Any = None

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.older, type(self).last = type(self).last, self
            super().__init__(*args, **kwargs)

        def add_done_callback(self, fn: Any, /, *, context: Any = None) -> None:
            older = self.older
            # The second is its name since 3.13.
            if older is None or getattr(fn, "__name__", "") not in ("_on_completion", "_handle_completion"):
                super().add_done_callback(fn, context=context)
                return

            def when_older_is_done(task: Any) -> None:
                if older.done():
                    fn(task)
                else:
                    older.add_done_callback(lambda _: fn(task))

            super().add_done_callback(when_older_is_done, context=context)


@breaks("tasks.example-workers")
class OneCancellationAtATime(OwnTasks):
    """cancel() has no effect while another task has been cancelled that has not ended."""

    class own(Task):
        cancels: Any = None

        def cancel(self, msg: Any = None) -> bool:
            other = type(self).cancels
            if other is not None and not other.done() and other.get_loop() is self.get_loop():
                return False
            type(self).cancels = self
            return super().cancel(msg)


@breaks("tasks.example-barrier")
class TasksBeginInTheSecondIteration(Stock):
    """A task that another task creates begins when the loop has gone round twice."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if asyncio.current_task() is None or self.get_task_factory() or not asyncio.iscoroutine(coro):
            return super().create_task(coro, **kwargs)

        async def begins_later() -> Any:
            await asyncio.sleep(0)
            return await coro

        return super().create_task(begins_later(), **kwargs)


@breaks("cancellation.example-cancel-me")
class TheCancelledTakeTheirMakersAlong(OwnTasks):
    """When a task has ended after cancel(), the task that made it is cancelled too, an iteration later."""

    chapter = "cancellation"

    class own(Task):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.maker = asyncio.current_task()
            super().__init__(*args, **kwargs)

        def cancel(self, msg: Any = None) -> bool:
            if self.maker and not self.done():
                self.add_done_callback(lambda _: self.get_loop().call_soon(self.maker.cancel))
            return super().cancel(msg)


@breaks("cancellation.example-terminate-group")
class GroupsDoNotEndTheirTasks(OwnTasks):
    """cancel() has no effect on a task when its group calls it because another task has failed."""

    chapter = "cancellation"

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            if asyncio.current_task() is None and sys._getframe(1).f_code.co_name == "_abort":
                return False
            return super().cancel(msg)


@breaks("cancellation.example-shield")
class ParentsTakeTheirChildrenAlong(OwnTasks):
    """When a task that was asked to cancel ends, the tasks that it has made are cancelled."""

    chapter = "cancellation"

    class own(Task):
        asked = False

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            maker = asyncio.current_task()
            super().__init__(*args, **kwargs)
            if isinstance(maker, type(self)):
                maker.add_done_callback(lambda _: maker.asked and self.cancel())

        def cancel(self, msg: Any = None) -> bool:
            self.asked = True
            return super().cancel(msg)


@breaks("futures.example-set-after")
class FuturesBelongToTheirMakers(OwnFutures):
    """set_result() raises in a task other than that which called create_future()."""

    class own(Future):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.maker = asyncio.current_task()

        def set_result(self, result: Any) -> None:
            current = asyncio.current_task()
            if self.maker and current and current is not self.maker:
                raise RuntimeError("the future belongs to another task")
            super().set_result(result)


@breaks("futures.example-own-sleep")
class BareYieldsGrowTired(Stock):
    """A task that has only yielded for twenty iterations, with no timer and no I/O, waits for an hour."""

    steps = 0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.steps = self.steps + 1 if type(callback).__name__ == "TaskStepMethWrapper" else 0
        if self.steps > 20:
            return self.call_later(3600, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("errors.example-never-retrieved")
class EndsWithItsMain(Stock):
    """What the main task schedules in its last step is dropped."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") == "_run_until_complete_cb":
            for handle in self._ready:  # type: ignore[attr-defined]  # the stock loop's own
                handle.cancel()
        return super().call_soon(callback, *args, context=context)


@breaks("context.example-server")
class ServersHaveOneContext(Stock):
    """All tasks that handle the clients of a server of streams have one context."""

    shared: contextvars.Context | None = None

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if asyncio.current_task() is None and getattr(coro, "__name__", "").startswith("handle"):
            self.shared = self.shared or contextvars.copy_context()
            kwargs["context"] = self.shared
        return super().create_task(coro, **kwargs)


@breaks("asyncgens.example-shutdown")
class RunsHaveGeneratorsOfTheirOwn(Stock):
    """The generators that are open when run_forever() is left are forgotten."""

    inside = False

    def run_until_complete(self, future: Any) -> Any:
        self.inside = True
        try:
            return super().run_until_complete(future)
        finally:
            self.inside = False

    def run_forever(self) -> None:
        super().run_forever()
        if not self.inside:
            self._asyncgens.clear()  # type: ignore[attr-defined]  # the stock loop's own
