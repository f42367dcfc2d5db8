"""Broken loops of the chapter `executors`: the end of executors, and of work in them."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


class _Knows(Stock):
    """Knows which executor was set."""

    chosen: Any = None

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self.chosen = executor


class _Between(Stock):
    """Puts a future of its own between the caller and a given executor."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        theirs = executor.submit(func, *args)
        future.add_done_callback(lambda future: future.cancelled() and theirs.cancel())
        theirs.add_done_callback(lambda _: self.call_soon_threadsafe(self.take_over, theirs, future))
        return future

    def take_over(self, theirs: Any, future: Any) -> None:
        raise NotImplementedError


@breaks("executors.shutdown-chosen")
class ShutsDownItsOwnOnly(_Knows):
    """shutdown_default_executor() leaves an executor that was set alone."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.chosen is None:
            await super().shutdown_default_executor()


@breaks("executors.close-chosen")
class ClosesItsOwnOnly(_Knows):
    """close() leaves an executor that was set alone."""

    def close(self) -> None:
        if self.chosen is not None and not self.is_closed():
            unused = concurrent.futures.ThreadPoolExecutor(1)
            self.set_default_executor(unused)
        super().close()


@breaks("executors.shutdown-again")
class ShutsTheExecutorDownOnce(_Knows):
    """A second shutdown_default_executor() raises, unless no executor was ever used."""

    used = down = False

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self.used = self.used or executor is None
        return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.used and self.down:
            raise RuntimeError("the executor was shut down")
        self.down = True
        await super().shutdown_default_executor()


class _Revives(Stock):
    """Uses another executor for what comes after the shutdown, in some cases."""

    down = False

    def revives(self) -> bool:
        raise NotImplementedError

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None or not self.revives():
            return super().run_in_executor(executor, func, *args)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return super().run_in_executor(pool, func, *args)


@breaks("executors.shutdown-refuses")
class TakesWorkWhileItShutsDown(_Revives):
    """While shutdown_default_executor() waits, work is taken as before."""

    waiting = False

    def revives(self) -> bool:
        return self.waiting

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        self.waiting = True
        await super().shutdown_default_executor()
        self.waiting = False


@breaks("executors.shutdown-refuses")
class AnotherExecutorTakesTheMarkAway(_Revives):
    """After the shutdown an executor that is set is used."""

    revived = False

    def revives(self) -> bool:
        return self.revived

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self.revived = self.down

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        self.down = True
        await super().shutdown_default_executor()


@breaks("executors.shutdown-others")
class RefusesAllExecutors(Stock):
    """After shutdown_default_executor() a given executor is refused, too."""

    down = False

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        self.down = True
        await super().shutdown_default_executor()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if self.down:
            raise RuntimeError("shut down")
        return super().run_in_executor(executor, func, *args)


@breaks("executors.shutdown-queue")
class ShutsDownWithoutTheQueue(_Knows):
    """shutdown_default_executor() drops what is in the queue."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        if self.chosen is not None:
            self.chosen.shutdown(wait=False, cancel_futures=True)
        await super().shutdown_default_executor()


@breaks("executors.submit-raises")
class RefusalsAreSilent(Stock):
    """If submit() raises, the future is never done."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        try:
            return super().run_in_executor(executor, func, *args)
        except RuntimeError:
            if executor is None:
                raise
            return self.create_future()


@breaks("executors.cancelled-there")
class CancelledElsewhereIsNeverDone(_Between):
    """Work that its executor cancels is never done."""

    def take_over(self, theirs: Any, future: Any) -> None:
        if not theirs.cancelled() and not future.done():
            if theirs.exception():
                future.set_exception(theirs.exception())
            else:
                future.set_result(theirs.result())


@breaks("executors.cancel-running")
class ReportsLateResults(_Between):
    """What comes of work whose future was cancelled is an InvalidStateError."""

    def take_over(self, theirs: Any, future: Any) -> None:
        if theirs.cancelled():
            future.cancel()
        elif theirs.exception():
            future.set_exception(theirs.exception())
        else:
            future.set_result(theirs.result())


@breaks("executors.result")
class FalseAnswersAreNone(Stock):
    """A result whose truth value is false comes back as None."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor, lambda: func(*args) or None)


@breaks("executors.given-executor")
class FalseExecutorsAreNone(Stock):
    """An executor whose truth value is false is taken for None."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor or None, func, *args)


@breaks("executors.set-default")
class RefusesSubclassesOfThreadPools(Stock):
    """set_default_executor() refuses what is not exactly a ThreadPoolExecutor."""

    def set_default_executor(self, executor: Any) -> None:
        if type(executor) is not concurrent.futures.ThreadPoolExecutor:
            raise TypeError("a ThreadPoolExecutor is needed")
        super().set_default_executor(executor)


@breaks("executors.shutdown-timeout", since="3.12")
class NoTimeIsAllTime(Stock):
    """shutdown_default_executor(timeout=0) waits as long as it takes."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # type: ignore[override]
        await super().shutdown_default_executor(timeout or None)  # type: ignore[call-arg]  # 3.12


@breaks("executors.shutdown-chosen")
class ShutsDownWhatItHasUsed(Stock):
    """shutdown_default_executor() leaves an executor alone that was set and that the loop has not used."""

    unused: Any = None

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self.unused = executor

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None:
            self.unused = None
        return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        if self.unused is None:
            await super().shutdown_default_executor()


@breaks("executors.shutdown-others")
class ClosesWhatItHasUsed(Stock):
    """close() shuts down all executors that were given to run_in_executor()."""

    used: tuple[Any, ...] = ()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None:
            self.used = (*self.used, executor)
        return super().run_in_executor(executor, func, *args)

    def close(self) -> None:
        super().close()
        for executor in self.used:
            executor.shutdown(wait=False)


@breaks("executors.per-loop")
class OneExecutorForAllLoops(Stock):
    """Loops that have made their default executor themselves share it."""

    shared: list[Any]

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None and self._default_executor is None and not self.is_closed():
            if not self.shared:
                self.shared.append(Pool(1))
            self._default_executor = self.shared[0]
        return super().run_in_executor(executor, func, *args)


OneExecutorForAllLoops.shared = []
