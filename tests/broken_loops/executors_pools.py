"""Broken loops of the chapter `executors`: what an executor is given, and the default one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import warnings
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("executors.processes")
class ClosesOverTheFunction(Stock):
    """run_in_executor() submits a function of its own, which calls the given one."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor, lambda: func(*args))


@breaks("executors.partial")
class DropsKeywordsOfPartials(Stock):
    """A partial is called without the keyword arguments that it has."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if isinstance(func, functools.partial):
            func = functools.partial(func.func, *func.args)
        return super().run_in_executor(executor, func, *args)


@breaks("executors.submits-once")
class TriesTheExecutorFirst(Stock):
    """An executor that is no pool of threads is given nothing to do first, to see whether it works."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None and not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            executor.submit(int)
        return super().run_in_executor(executor, func, *args)


@breaks("executors.default-size")
class AFewThreads(Stock):
    """The default executor has four threads."""

    count = 4

    def __init__(self) -> None:
        super().__init__()
        self.made = False

    def set_default_executor(self, executor: Any) -> None:
        self.made = True
        super().set_default_executor(executor)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is None and not self.made:
            self.set_default_executor(concurrent.futures.ThreadPoolExecutor(self.count))
        return super().run_in_executor(executor, func, *args)


@breaks("executors.default-most")
class ManyThreads(AFewThreads):
    """The default executor has sixty-four threads."""

    count = 64


@breaks("executors.default-again")
class KeepsTheFirstExecutor(Stock):
    """set_default_executor() has no effect once a default executor was set."""

    given = False

    def set_default_executor(self, executor: Any) -> None:
        if not self.given or not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            super().set_default_executor(executor)
        self.given = True


@breaks("executors.default-again")
class ShutsDownTheFormerDefault(Stock):
    """set_default_executor() shuts down the executor that was the default one."""

    def set_default_executor(self, executor: Any) -> None:
        former = self._default_executor  # type: ignore[attr-defined]
        super().set_default_executor(executor)
        if former is not None:
            former.shutdown(wait=False)


@breaks("executors.arguments")
class TheDefaultExecutorDropsNone(Stock):
    """A single argument that is None is dropped if the executor is the default one."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor, func, *(() if executor is None and args == (None,) else args))


@breaks("executors.any-callable")
class FalseFunctionsAreNone(Stock):
    """A function whose truth value is false is not called."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor, func or (lambda *_: None), *args)


@breaks("executors.exception-whole")
class ThreadsRaiseWithoutCauses(Stock):
    """An exception of a function in an executor comes without its cause."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def work() -> Any:
            try:
                return func(*args)
            except LookupError as error:
                raise error from None

        return super().run_in_executor(executor, work if func.__name__ == "fail" else func, *args)


@breaks("executors.exception-whole")
class ThreadsRaiseWithoutTracebacks(Stock):
    """An exception of a function in an executor comes without the traceback that it had there."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        def work() -> Any:
            try:
                return func(*args)
            except LookupError as error:
                raise error.with_traceback(None)  # noqa: B904 (the cause is the exception's own)

        return super().run_in_executor(executor, work if func.__name__ == "fail" else func, *args)


@breaks("executors.timed-out-terminates", since="3.12")
class LeavesTheExecutorThatIsLate(EventLoop):
    """When the timeout of shutdown_default_executor() is reached, the executor is left as it is, with idle threads."""

    def __init__(self) -> None:
        super().__init__()
        self.working: set[asyncio.Future[Any]] = set()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.working.add(future)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        if timeout is not None and self.working:
            self._executor_shut_down = True
            if (await asyncio.wait(self.working, timeout=timeout))[1]:
                warnings.warn("not in time", RuntimeWarning, stacklevel=2)
                return
        await super().shutdown_default_executor()
