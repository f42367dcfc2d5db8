"""Broken loops of the chapter `runner`."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("runner.run", since="3.12")
class IsNotTheRunningLoop(Stock):
    """Inside asyncio.run(), the running loop is another object."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        self.call_soon(asyncio._set_running_loop, _other)
        return super().create_task(coro, **kwargs)


_other = Stock()


@breaks("runner.several-runs")
class RunsOnce(Stock):
    """A second run_until_complete() of a coroutine function `second` sees an empty context."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__name__", "") == "second":
            kwargs.pop("context", None)
        return super().create_task(coro, **kwargs)


@breaks("runner.context")
class IgnoresTheContextOfTasks(Stock):
    """create_task(context=…) copies the context."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__name__", "") == "ask" and kwargs.get("context") is not None:
            kwargs["context"] = kwargs["context"].copy()
        return super().create_task(coro, **kwargs)


@breaks("runner.debug")
class IgnoresSetDebug(Stock):
    """set_debug() has no effect."""

    def set_debug(self, enabled: bool) -> None:
        super().set_debug(False)


@breaks("runner.exception")
class ReportsInsteadOfRaising(Stock):
    """A LookupError of the main coroutine is reported and not raised."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except LookupError as error:
            self.call_exception_handler({"message": "failed", "exception": error})
            return None


class _Unknown(Stock):
    """Ends before what is left has ended."""

    def run_until_complete(self, future: Any) -> Any:
        if isinstance(future, asyncio.Future) and type(future).__name__ == "_GatheringFuture":
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            return None
        return super().run_until_complete(future)


@breaks("runner.close-cancels", "runner.leftover-errors")
class DoesNotRunToEndWhatIsLeft(_Unknown):
    """The run in which leftover tasks end returns at once."""


@breaks("runner.close-asyncgens")
class ShutdownOfAsyncgensDoesNothing(Stock):
    """shutdown_asyncgens() does nothing."""

    async def shutdown_asyncgens(self) -> None:
        await asyncio.sleep(0)


@breaks("runner.close-executor")
class ShutdownOfTheExecutorDoesNothing(Stock):
    """shutdown_default_executor() does nothing."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        await asyncio.sleep(0)


@breaks("runner.close-closes-loop")
class RefusesToClose(Stock):
    """close() does nothing the first time."""

    asked = False

    def close(self) -> None:
        if self.asked:
            super().close()
        self.asked = True


@breaks("runner.leftover-errors")
class ForgetsTheTask(Stock):
    """The exception handler is not told the task."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        context.pop("task", None)
        super().call_exception_handler(context)


@breaks("runner.sigint-cancels-main")
class RaisesKeyboardInterruptByItself(Stock):
    """SIGINT raises KeyboardInterrupt wherever the loop is."""

    def run_until_complete(self, future: Any) -> Any:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return super().run_until_complete(future)
        except KeyboardInterrupt:
            if isinstance(future, asyncio.Task):
                future.cancel()
                future.add_done_callback(lambda done: done.cancelled())
                for task in asyncio.all_tasks(self):
                    task.get_coro().close()  # type: ignore[union-attr]
            raise


@breaks("runner.sigint-wakes")
class SigintDoesNotWake(EventLoop):
    """A signal does not wake a loop that waits."""

    def run_forever(self) -> None:
        wakeup = threading.main_thread() is threading.current_thread()
        handler = signal.getsignal(signal.SIGINT)
        if wakeup and callable(handler):
            signal.signal(signal.SIGINT, lambda *args: self._pending.append(args))
        self._pending: list[Any] = []
        super().run_forever()


@breaks("runner.second-sigint")
class SecondSigintIsLost(Stock):
    """While a task runs, SIGINT is only counted."""

    def run_until_complete(self, future: Any) -> Any:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            hits: list[int] = []

            def once(number: int, frame: Any) -> None:
                hits.append(number)
                if len(hits) == 1:
                    handler(number, frame)

            signal.signal(signal.SIGINT, once)
        return super().run_until_complete(future)


@breaks("runner.sigint-handler-restored")
class KeepsSigint(Stock):
    """The loop leaves a SIGINT handler of its own behind."""

    def run_forever(self) -> None:
        super().run_forever()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, lambda *_: self.stop())


@breaks("runner.in-thread")
class NeedsTheMainThread(Stock):
    """A run sets a signal handler."""

    def run_forever(self) -> None:
        signal.signal(signal.SIGUSR2, signal.getsignal(signal.SIGUSR2))
        super().run_forever()


@breaks("runner.nested")
class SetsNoMarker(Stock):
    """While it runs, the loop is not the running loop of its thread."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        self.call_soon(asyncio._set_running_loop, None)
        return super().create_task(coro, **kwargs)


@breaks("runner.exception")
class MakesExitsAnew(Stock):
    """SystemExit and GeneratorExit of the main coroutine are raised as new ones of the same type."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except (SystemExit, GeneratorExit) as error:
            raise type(error) from None
