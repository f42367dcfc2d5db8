"""Broken loops of the chapter `lifecycle`: what is run, and which loop runs."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop

_singleton: list[asyncio.AbstractEventLoop] = []


@breaks("lifecycle.factory")
def returns_the_same_loop() -> asyncio.AbstractEventLoop:
    """The factory returns one loop for ever."""
    if not _singleton:
        _singleton.append(Stock())
    return _singleton[0]


class _Duck:
    """A loop by shape only."""

    def __init__(self) -> None:
        self.real = Stock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@breaks("lifecycle.abstract-base")
def is_no_abstract_event_loop() -> Any:
    """A loop that does not derive from AbstractEventLoop."""
    return _Duck()


class _After(Stock):
    """Changes what run_until_complete() gives back."""

    def after(self, result: Any) -> Any:
        return result

    def run_until_complete(self, future: Any) -> Any:
        return self.after(super().run_until_complete(future))


@breaks("lifecycle.result")
class CopiesTheResult(_After):
    """run_until_complete() returns another object than the coroutine did."""

    def after(self, result: Any) -> Any:
        return object() if type(result) is object else result


@breaks("lifecycle.exception")
class WrapsTheException(Stock):
    """run_until_complete() raises a copy of the exception."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError as error:
            raise type(error)(*error.args) from None


@breaks("lifecycle.exception-whole")
class RaisesWithoutTracebacks(Stock):
    """run_until_complete() raises the exception without its traceback."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError as error:
            raise error.with_traceback(None)  # noqa: B904 (the cause is the exception's own)


@breaks("lifecycle.exception-whole")
class RaisesWithoutCauses(Stock):
    """run_until_complete() raises the exception without its cause."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError as error:
            raise error from None


@breaks("lifecycle.runs-future")
class RefusesFutures(Stock):
    """run_until_complete() does not take a future that is no task and not done."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and not isinstance(future, asyncio.Task) and not future.done():
            raise TypeError("a coroutine is required")
        return super().run_until_complete(future)


@breaks("lifecycle.runs-done-future")
class WaitsForDoneFutures(Stock):
    """run_until_complete() of a future that is done waits for ever."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.done():
            self.run_forever()
        return super().run_until_complete(future)


@breaks("lifecycle.coroutine-becomes-task")
class DrivesCoroutinesWithoutATask(Stock):
    """The outermost coroutine does not see its task."""

    def run_until_complete(self, future: Any) -> Any:
        if getattr(future, "__name__", "") == "who":
            try:
                future.send(None)
            except StopIteration as stop:
                return stop.value
        return super().run_until_complete(future)


@breaks("lifecycle.refuses-nonsense")
class ReturnsNonsense(Stock):
    """run_until_complete() returns what it cannot run."""

    def run_until_complete(self, future: Any) -> Any:
        if isinstance(future, int | str):
            return future
        return super().run_until_complete(future)


@breaks("lifecycle.runs-awaitable")
class RunsCoroutinesAndFutures(Stock):
    """run_until_complete() refuses what can be awaited and is neither a coroutine nor a future."""

    def run_until_complete(self, future: Any) -> Any:
        if not asyncio.iscoroutine(future) and not asyncio.isfuture(future):
            raise TypeError(f"a future was expected, got {future!r}")
        return super().run_until_complete(future)


@breaks("lifecycle.foreign-future")
class TakesForeignFuturesForDone(Stock):
    """A future of another loop is not waited for."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.get_loop() is not self:
            return None
        return super().run_until_complete(future)


@breaks("lifecycle.stopped-before-done")
class ReturnsNoneWhenStopped(Stock):
    """run_until_complete() returns None when the loop is stopped first."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except RuntimeError:
            if asyncio.isfuture(future) and not future.done() and not self.is_closed() and not self.is_running():
                return None
            raise


@breaks("lifecycle.left-future")
class StopsForAnOldFuture(Stock):
    """run_until_complete() that was stopped leaves its callback with the future."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and not future.done() and not self.is_running():
            future.add_done_callback(lambda _: self.stop())
        return super().run_until_complete(future)


@breaks("lifecycle.nested-run")
class NestedRunsReturn(Stock):
    """run_forever() inside the running loop returns at once."""

    def run_forever(self) -> None:
        if not self.is_running():
            super().run_forever()


@breaks("lifecycle.one-loop-per-thread")
class RunsInsideAnotherLoop(Stock):
    """run_until_complete() inside another running loop raises no RuntimeError."""

    def run_until_complete(self, future: Any) -> Any:
        if not self.is_running() and asyncio._get_running_loop() is not None:
            return None
        return super().run_until_complete(future)


class _Marks(Stock):
    """Does something to the running-loop marker."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            self.after_run()

    def after_run(self) -> None:
        pass


@breaks("lifecycle.running-loop")
class CallbacksSeeNoRunningLoop(Stock):
    """In timers there is no running loop."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if delay or getattr(callback, "__name__", "") != "callback":
            return super().call_later(delay, callback, *args, context=context)

        def without() -> None:
            asyncio._set_running_loop(None)
            try:
                callback(*args)
            finally:
                asyncio._set_running_loop(self)

        return super().call_later(delay, without, context=context)


@breaks("lifecycle.running-loop-cleared")
class LeavesTheMarkerAfterAnError(Stock):
    """After a run that ended with an exception, the loop is still the running loop of the thread."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError:
            asyncio._set_running_loop(self)
            raise

    def close(self) -> None:
        if not self.is_running():
            asyncio._set_running_loop(None)
        super().close()


@breaks("lifecycle.get-event-loop-running")
class GetEventLoopIsAnother(Stock):
    """A coroutine that asks for the loop is given another one."""

    def run_until_complete(self, future: Any) -> Any:
        if getattr(future, "__name__", "") != "ask" or future.cr_code.co_names[-1] != "get_event_loop":
            return super().run_until_complete(future)
        other = Stock()
        try:
            asyncio._set_running_loop(other)
            future.send(None)
        except StopIteration as stop:
            return stop.value
        finally:
            asyncio._set_running_loop(None)
            other.close()
        return None


class _Sealed:
    """A loop of a type that has only the slots that it needs."""

    __slots__ = ("real",)

    def __init__(self) -> None:
        self.real = Stock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@breaks("lifecycle.weak-key")
def has_no_weak_references() -> Any:
    """A loop to which there can be no weak reference."""
    return _Sealed()


@breaks("lifecycle.weak-key")
class EqualsItsLike(Stock):
    """All loops are equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EqualsItsLike)

    def __hash__(self) -> int:
        return 0
