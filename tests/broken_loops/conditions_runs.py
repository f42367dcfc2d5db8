"""Broken loops that are wrong where a run stops or a loop is closed, in one condition, and about results that wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.executors import call_as_if_running

Stock = asyncio.SelectorEventLoop


@breaks("lifecycle.stop-finishes-due")
class AStopLeavesTheDueTimers(EventLoop):
    """stop() in a delayed callback leaves the timers that were due with it for the next run."""

    def stop(self) -> None:
        super().stop()
        due = [handle for handle in self._ready if isinstance(handle, asyncio.TimerHandle)]
        for handle in due if self.is_running() else ():
            self._ready.remove(handle)
            self._timers.add(handle.when(), handle)


@breaks("lifecycle.stop-before-run-due")
class AStopBeforeTheRunLeavesTheTimers(EventLoop):
    """If stop() is called before run_forever(), timers wait for the next run, due or not."""

    def run_forever(self) -> None:
        timers = self._timers
        if self._stopping:
            self._timers = type(timers)()
        try:
            super().run_forever()
        finally:
            self._timers = timers


class _AsksBefore(Stock):
    """Refuses to be closed once more where it should not ask."""

    def wrong(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        if self.is_closed() and self.wrong():
            raise RuntimeError("not from here")
        super().close()


@breaks("lifecycle.close-idempotent")
class ClosesAgainInTheMainThreadOnly(_AsksBefore):
    """close() of a closed loop raises in another thread."""

    def wrong(self) -> bool:
        return threading.current_thread() is not threading.main_thread()


@breaks("lifecycle.close-idempotent")
class ClosesAgainOutsideOfRunsOnly(_AsksBefore):
    """close() of a closed loop raises while another loop runs in the thread."""

    def wrong(self) -> bool:
        return asyncio._get_running_loop() is not None


@breaks("executors.close-shuts-down")
class CloseWaitsInDebugMode(Stock):
    """close() in debug mode waits for the threads of the executor."""

    def close(self) -> None:
        pool = self._default_executor  # type: ignore[attr-defined]
        super().close()
        if self.get_debug() and pool is not None:
            pool.shutdown(wait=True)


@breaks("executors.default-again")
class ANewDefaultExecutorWaitsForTheEndOfTheRun(EventLoop):
    """set_default_executor() in a run takes effect when that ends."""

    def set_default_executor(self, executor: Any) -> None:
        before = self._default_executor
        super().set_default_executor(executor)
        if self.is_running() and before is not None:
            self._default_executor, self.waiting = before, executor

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            self._default_executor = self.__dict__.pop("waiting", self._default_executor)


@breaks("executors.no-running-loop")
class PoolsOfTheProgramSeeTheLoop(Stock):
    """In a pool that run_in_executor() is given, the loop is the running one."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            return super().run_in_executor(executor, func, *args)

        return super().run_in_executor(executor, call_as_if_running, self, func, args)


@breaks("lifecycle.result")
class AFutureIsNoResult(Stock):
    """run_until_complete() returns the result of a future that is the result."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        return result.result() if asyncio.isfuture(result) and result.done() else result


@breaks("executors.result")
class WaitsForTheFutureThatIsTheResult(Stock):
    """run_in_executor() gives the result of a concurrent future that func returns."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None:
            return super().run_in_executor(executor, func, *args)

        def call() -> Any:
            result = func(*args)
            return result.result() if isinstance(result, concurrent.futures.Future) else result

        return super().run_in_executor(executor, call)


@breaks("executors.result")
class AwaitsWhatTheFunctionReturns(Stock):
    """run_in_executor() awaits what func returns if it can be awaited."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        async def call() -> Any:
            result = await working
            return await result if inspect.isawaitable(result) else result

        working = super().run_in_executor(executor, func, *args)
        return self.create_task(call()) if self.is_running() and executor is None else working


@breaks("threads.debug-wrong-thread")
class TheMainThreadIsNeverWrong(Stock):
    """In debug mode, the main thread may call a loop that runs in another."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if threading.current_thread() is threading.main_thread() and asyncio._get_running_loop() is not self:
            return super().call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("lifecycle.is-running")
class DoesNotRunWhileItReports(Stock):
    """is_running() is False in the exception handler."""

    reporting = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.reporting = True
        try:
            super().call_exception_handler(context)
        finally:
            self.reporting = False

    def is_running(self) -> bool:
        return super().is_running() and not self.reporting


@breaks("lifecycle.is-closed")
class StoppedIsClosed(EventLoop):
    """A loop that was stopped before it runs says that it is closed."""

    def is_closed(self) -> bool:
        return super().is_closed() or (self._stopping and not self.is_running())


@breaks("timers.closed-loop")
class ClosedLoopsTakeWhatIsDue(Stock):
    """call_later() on a closed loop accepts a delay that is negative."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if delay < 0 and self.is_closed():
            return asyncio.TimerHandle(self.time(), callback, args, self, context)
        return super().call_later(delay, callback, *args, context=context)


@breaks("threads.closed-loop")
class AsksTheRunningLoopWhetherItIsClosed(Stock):
    """call_soon_threadsafe() of a closed loop is accepted in a thread in which a loop runs."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.is_closed() and asyncio._get_running_loop() is not None:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("executors.returns-future")
class FuturesOfTheRunningLoop(Stock):
    """run_in_executor() returns a future of the loop that runs in the thread, if one does."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        running = asyncio._get_running_loop()
        if running in (None, self) or executor is None:
            return super().run_in_executor(executor, func, *args)
        return asyncio.wrap_future(executor.submit(func, *args), loop=running)


@breaks("executors.shutdown-waits-for-work")
class DoesNotWaitInDebugMode(Stock):
    """shutdown_default_executor() in debug mode does not wait."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.get_debug():
            self.call_soon(asyncio.ensure_future, super().shutdown_default_executor())
        else:
            await super().shutdown_default_executor()


@breaks("signals.remove-returns")
class TellsNothingInDebugMode(Stock):
    """remove_signal_handler() in debug mode returns None."""

    def remove_signal_handler(self, sig: int) -> bool:
        removed = super().remove_signal_handler(sig)
        return None if self.get_debug() else removed  # type: ignore[return-value]


@breaks("signals.stays")
class ExitsTakeTheSignalHandlersAlong(EventLoop):
    """A run that SystemExit ends removes the signal handlers."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit:
            self._remove_signal_handlers()
            raise


@breaks("context.exception-handler", since="3.12")
class ReportsFromEmptyContextsElsewhere(Stock):
    """The exception handler is run in the current context if the handle's is empty."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        handle: Any = context.get("handle")
        if handle is not None and not handle.get_context():
            context = {**context, "handle": asyncio.Handle(print, (), self, contextvars.copy_context())}
        super().call_exception_handler(context)
