"""Broken loops of the chapter `lifecycle`: the current loop, the policy, the list of methods, what close() lets go."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("lifecycle.set-event-loop")
class LosesItsPlaceAsTheCurrentLoop(Stock):
    """While this loop is the current one, get_event_loop() gives another one."""

    def __init__(self) -> None:
        super().__init__()
        set_event_loop = asyncio.set_event_loop
        asyncio.set_event_loop = lambda loop: set_event_loop(Stock() if loop is self else loop)


@breaks("lifecycle.stays-current")
class StopsBeingCurrent(Stock):
    """A run ends with set_event_loop(None) if this loop was the current one."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            try:
                mine = asyncio.get_event_loop() is self
            except RuntimeError:
                mine = False
            if mine:
                asyncio.set_event_loop(None)


@breaks("lifecycle.other-stays-current")
class ClosesTheCurrentLoopToo(Stock):
    """close() leaves the thread without a current event loop, whichever that was."""

    def close(self) -> None:
        super().close()
        asyncio.set_event_loop(None)


@breaks("lifecycle.other-not-running")
class MakesItselfRunning(Stock):
    """A loop that is made while another one runs becomes the running one."""

    def __init__(self) -> None:
        super().__init__()
        if asyncio._get_running_loop() is not None:
            asyncio._set_running_loop(self)


@breaks("lifecycle.no-current")
class MakesItselfCurrent(Stock):
    """A loop that runs in a thread that is not the main one becomes its current event loop."""

    def run_forever(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            asyncio.set_event_loop(self)
        super().run_forever()


@breaks("lifecycle.policy-untouched", until="3.13")
class InstallsItsPolicy(Stock):
    """The first run replaces a policy that makes no loops of this kind."""

    def run_forever(self) -> None:
        if "new_event_loop" not in vars(type(asyncio.get_event_loop_policy())):
            asyncio.set_event_loop_policy(None)
        super().run_forever()


@breaks("lifecycle.policy-makes", until="3.13")
class WantsNoOtherPolicy(Stock):
    """The loop does not run under a policy that makes loops its own way."""

    def run_forever(self) -> None:
        if "new_event_loop" in vars(type(asyncio.get_event_loop_policy())):
            raise RuntimeError("set the event loop policy of this loop first")
        super().run_forever()


@breaks("lifecycle.methods")
class LacksAMethod(Stock):
    """sock_recvfrom_into() is inherited from AbstractEventLoop."""

    sock_recvfrom_into = asyncio.AbstractEventLoop.sock_recvfrom_into


@breaks("lifecycle.is-running-elsewhere")
class RunsInItsThreadOnly(Stock):
    """is_running() is False in any thread but the one that runs the loop."""

    def is_running(self) -> bool:
        try:
            return asyncio.get_running_loop() is self
        except RuntimeError:
            return False


@breaks("lifecycle.stop-before-run-io")
class StopsBeforeIo(EventLoop):
    """A run that was stopped before it began runs what was scheduled, and does not poll."""

    def run_forever(self) -> None:
        if not self._stopping:
            return super().run_forever()
        self._poller.poll, poll = lambda timeout, deliver: None, self._poller.poll
        try:
            return super().run_forever()
        finally:
            self._poller.poll = poll


class _KeepsWhenClosed(Stock):
    """A closed loop keeps what waited in one of its queues."""

    kept: Any

    def __init__(self) -> None:
        super().__init__()
        self.kept = []


@breaks("lifecycle.close-clears")
class KeepsPendingCallbacks(_KeepsWhenClosed):
    """Callbacks that were pending when the loop was closed are kept as long as the loop."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") == "callback" and not args:
            self.kept.append(callback)
        return super().call_soon(callback, *args, context=context)


@breaks("lifecycle.close-clears")
class KeepsPendingTimers(_KeepsWhenClosed):
    """Timers that were pending when the loop was closed are kept as long as the loop."""

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == "callback" and not args:
            self.kept.append(callback)
        return super().call_later(delay, callback, *args, context=context)


@breaks("lifecycle.result")
class FalseResultsAreNone(Stock):
    """run_until_complete() returns None if the result is false."""

    def run_until_complete(self, future: Any) -> Any:
        return super().run_until_complete(future) or None


@breaks("lifecycle.result")
class RaisesWhatWasReturned(Stock):
    """run_until_complete() raises a result that is an exception."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        if isinstance(result, BaseException):
            raise result
        return result


@breaks("lifecycle.exception")
class TakesGroupsApart(Stock):
    """run_until_complete() raises the only exception of a group, and not the group."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise


@breaks("lifecycle.runs-future")
class CancelledFuturesReturn(Stock):
    """run_until_complete() of a future that is no task, and was cancelled, returns None."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except asyncio.CancelledError:
            if isinstance(future, asyncio.Task) or not asyncio.isfuture(future):
                raise
            return None


@breaks("lifecycle.running-loop")
class WritersHaveNoLoop(Stock):
    """In writers there is no running loop."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        def call() -> None:
            asyncio._set_running_loop(None)
            try:
                callback(*args)
            finally:
                asyncio._set_running_loop(self)

        return super().add_writer(fd, call)


@breaks("lifecycle.is-running")
class RunsNoMoreOnceStopped(EventLoop):
    """is_running() is False from stop() on, while the present batch still runs."""

    def is_running(self) -> bool:
        return super().is_running() and not self._stopping


@breaks("lifecycle.close-while-running")
class ClosesForOtherThreads(Stock):
    """close() of a running loop is silently ignored if another thread asks."""

    def close(self) -> None:
        if self.is_running() and asyncio._get_running_loop() is not self:
            return
        super().close()


@breaks("lifecycle.closed-cannot-run")
class AsksFirstWhetherItIsDone(Stock):
    """run_until_complete() of a future that is done returns its result, be the loop closed or not."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.isfuture(future) and future.done() and self.is_closed():
            return future.result()
        return super().run_until_complete(future)


@breaks("lifecycle.stop-finishes-batch")
class TasksStopAtOnce(EventLoop):
    """stop() in a task leaves what is ready behind it for the next run."""

    def stop(self) -> None:
        super().stop()
        if asyncio._get_running_loop() is self and asyncio.current_task(self) is not None:
            waiting = [self._ready.popleft() for _ in range(len(self._ready))]
            for _ in waiting:
                self.call_soon(int)
            self.left = waiting

    left: Any = ()

    def run_forever(self) -> None:
        self._ready.extend(self.left)
        self.left = ()
        super().run_forever()


@breaks("lifecycle.stop-before-run-io")
class PollsForReadersOnly(Stock):
    """A run that was stopped before it began does not look at writers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def stop(self) -> None:
        super().stop()
        self.asked = not self.is_running()

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_writer(fd, lambda: None if self.asked else callback(*args))

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            self.asked = False


@breaks("lifecycle.close-inside-another")
class ClosesInPeace(Stock):
    """close() raises while any loop runs in the thread."""

    def close(self) -> None:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("a loop is running")
        super().close()


@breaks("executors.close-chosen")
class KeepsWhatItWasGiven(EventLoop):
    """close() does not shut down an executor that was set."""

    given: Any = None

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self.given = executor

    def _abandon_executor(self) -> None:
        if self.given is None:
            super()._abandon_executor()
