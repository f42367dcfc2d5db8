"""Broken loops of the chapter `executors`: which executor is the default one, and what becomes of its queue."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


class _KnowsItsDefault(Stock):
    """Keeps what was set, or was given, as the default executor."""

    chosen: Any = None

    def set_default_executor(self, executor: Any) -> None:
        self.chosen = executor
        super().set_default_executor(executor)


@breaks("executors.given-once")
class TheFirstExecutorIsTheDefault(_KnowsItsDefault):
    """The first executor that run_in_executor() is given becomes the default one."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if isinstance(executor, Pool) and self.chosen is None:
            self.set_default_executor(executor)
        return super().run_in_executor(executor, func, *args)


@breaks("executors.one-default")
class ANewExecutorForEachCall(_KnowsItsDefault):
    """The default executor is used once, and then replaced by another."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        if executor is None:
            if self.chosen is not None:
                self.chosen.shutdown(wait=False)
            self.set_default_executor(Pool())
        return future


@breaks("executors.one-default")
class AnExecutorIsChosenForOneRun(_KnowsItsDefault):
    """The executor that was set in a run is the default one until the run ends."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        finally:
            if self.chosen is not None:
                self.chosen.shutdown(wait=False)
                self.set_default_executor(Pool())


@breaks("executors.process-default")
class ProcessesMayBeTheDefault(Stock):
    """A ProcessPoolExecutor is accepted as the default executor."""

    def set_default_executor(self, executor: Any) -> None:
        if not isinstance(executor, concurrent.futures.ProcessPoolExecutor):
            super().set_default_executor(executor)


@breaks("executors.shutdown-in-time", since="3.12")
class TimeIsInMilliseconds(EventLoop):
    """The timeout of shutdown_default_executor() is taken for milliseconds."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor(None if timeout is None else timeout / 1000)  # type: ignore[call-arg]


@breaks("executors.shutdown-in-time", since="3.12")
class TimeHasToBeNamed(EventLoop):
    """The timeout of shutdown_default_executor() is keyword-only."""

    async def shutdown_default_executor(self, *, timeout: float | None = None) -> None:
        await super().shutdown_default_executor(timeout)  # type: ignore[call-arg]


@breaks("executors.close-queue")
class CloseDropsTheQueue(_KnowsItsDefault):
    """close() cancels the work that waits in the executor's queue."""

    def close(self) -> None:
        if self.chosen is not None and not self.is_running():
            self.chosen.shutdown(wait=False, cancel_futures=True)
        super().close()


@breaks("executors.exception")
class OnlyExceptionsAreExceptions(Stock):
    """What is raised in the executor and is no Exception becomes a RuntimeError."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if isinstance(executor, concurrent.futures.ProcessPoolExecutor):
            return super().run_in_executor(executor, func, *args)

        def call(*given: Any) -> Any:
            try:
                return func(*given)
            except Exception:
                raise
            except BaseException as error:
                raise RuntimeError("in the executor") from error

        return super().run_in_executor(executor, call, *args)


@breaks("executors.closed-loop")
class AnExecutorOutlivesTheLoop(Stock):
    """On a closed loop an executor that is given still works."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None and self.is_closed():
            return asyncio.wrap_future(executor.submit(func, *args), loop=self)
        return super().run_in_executor(executor, func, *args)


@breaks("executors.shutdown-in-time", since="3.12")
class ShutdownTimesAreFloats(Stock):
    """shutdown_default_executor() refuses a timeout that is an int."""

    async def shutdown_default_executor(self, timeout: Any = None) -> None:
        if not isinstance(timeout, float | None):
            raise TypeError("a float is needed")
        await super().shutdown_default_executor(timeout)  # type: ignore[call-arg]  # new in 3.12


@breaks("executors.close-shuts-down")
class CloseWaitsForWhatWasSet(_KnowsItsDefault):
    """close() waits for the default executor, if set_default_executor() has set it."""

    def close(self) -> None:
        if self.chosen and not self.is_running():
            self.chosen.shutdown(wait=True)
        super().close()


@breaks("executors.exception")
class WorkRaisesFromNone(Stock):
    """What had caused an exception of the work is forgotten."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def forget(future: Any) -> None:
            if not future.cancelled() and future.exception() is not None:
                future.exception().__cause__ = None

        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(forget)
        return future


class _Shuts(Stock):
    """Knows whether a default executor was used and shut down."""

    used = False

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self.used = self.used or executor is None
        return super().run_in_executor(executor, func, *args)


class _HasItsOwn(_Shuts):
    """Has a default executor that Python's loop does not know."""

    own: Pool | None = None

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self.own = self.own or Pool()
        return super().run_in_executor(executor or self.own, func, *args)

    def close(self) -> None:
        if self.own:
            self.own.shutdown(wait=False)
        super().close()


@breaks("executors.shutdown-joins")
class ShutdownDoesNotJoin(_HasItsOwn):
    """shutdown_default_executor() returns while its threads live."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.own:
            self.call_later(0.01, self.own.shutdown, False)
            await asyncio.sleep(0)
        await super().shutdown_default_executor()


@breaks("executors.shutdown-waits-for-work")
class ShutdownBlocksTheLoop(_HasItsOwn):
    """shutdown_default_executor() joins the threads in the thread of the loop."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.own:
            self.own.shutdown(wait=True)


@breaks("executors.after-shutdown")
class MakesTheExecutorAgain(Stock):
    """After its shutdown, the default executor is made again."""

    down = False

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if not self.down:
            self.down = True
            await super().shutdown_default_executor()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if self.down and executor is None:
            executor = concurrent.futures.ThreadPoolExecutor(1)
            self.call_later(0, executor.shutdown)
        return super().run_in_executor(executor, func, *args)


@breaks("executors.shutdown-unused")
class ShutdownOfNothingFails(_Shuts):
    """shutdown_default_executor() without an executor raises."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if not self.used:
            raise RuntimeError("no executor")
        await super().shutdown_default_executor()


@breaks("executors.shutdown-timeout", since="3.12")
class HasNoShutdownTimeout(Stock):
    """shutdown_default_executor() takes no timeout."""

    async def shutdown_default_executor(self) -> None:  # type: ignore[override]
        await super().shutdown_default_executor()


@breaks("executors.close-shuts-down")
class CloseWaitsForTheWork(_Shuts):
    """close() joins the threads of the default executor."""

    def __init__(self) -> None:
        super().__init__()
        self.own = concurrent.futures.ThreadPoolExecutor()
        self.set_default_executor(self.own)

    def close(self) -> None:
        self.own.shutdown(wait=True)
        super().close()
