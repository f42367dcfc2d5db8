"""Broken loops of the chapter `executors`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def call_as_if_running(loop: Any, func: Any, args: tuple[Any, ...]) -> Any:
    """Call a function while the loop is marked as the one that runs in this thread."""
    asyncio._set_running_loop(loop)
    try:
        return func(*args)
    finally:
        asyncio._set_running_loop(None)


class _Wraps(Stock):
    """Runs something else in the executor than it was asked to."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return super().run_in_executor(executor, self.changed(func, args))

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        return lambda: func(*args)


@breaks("executors.result")
class CopiesResults(_Wraps):
    """A plain object comes back as another one."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        def call() -> Any:
            result = func(*args)
            return object() if type(result) is object else result

        return call


@breaks("executors.arguments")
class DropsTheThirdArgument(_Wraps):
    """At most two arguments are passed."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        return lambda: func(*args[:2])


@breaks("executors.exception")
class WrapsExceptions(_Wraps):
    """An exception comes back as a copy."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        def call() -> Any:
            try:
                return func(*args)
            except LookupError as error:
                raise LookupError(*error.args) from None

        return call


class _OnTheSpot(Stock):
    """Calls some functions in the loop's thread."""

    def here(self, func: Any) -> bool:
        return False

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None or not self.here(func):
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        future.set_result(func(*args))
        return future


@breaks("executors.other-thread")
class CallsBuiltinsOnTheSpot(_OnTheSpot):
    """A builtin function is called in the thread of the loop."""

    def here(self, func: Any) -> bool:
        return func is threading.get_ident


@breaks("executors.loop-goes-on")
class WaitsForTheWork(Stock):
    """run_in_executor() returns when the work is done."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self.create_future()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            try:
                future.set_result(pool.submit(func, *args).result())
            except BaseException as error:
                future.set_exception(error)
        return future


@breaks("executors.no-running-loop")
class TheExecutorSeesTheLoop(_Wraps):
    """The running-loop marker is set in the worker's thread."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        return lambda: call_as_if_running(self, func, args)


@breaks("executors.callbacks-before-result")
class ResultsComeFirst(Stock):
    """What a function in the default executor schedules comes some turns after its result."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if not threading.current_thread().name.startswith("asyncio_"):
            return super().call_soon_threadsafe(callback, *args, context=context)
        if getattr(callback, "__module__", "") != "asyncio.futures":
            self.held.append(asyncio.Handle(callback, args, self, context))
            return self.held[-1]
        told = super().call_soon_threadsafe(callback, *args, context=context)
        held, self.held = self.held, []
        super().call_soon_threadsafe(self._after, 5, held)
        return told

    def _after(self, turns: int, held: list[Any]) -> None:
        if turns:
            self.call_soon(self._after, turns - 1, held)
            return
        for handle in held:
            if not handle.cancelled():
                handle._run()


@breaks("executors.returns-future")
class ReturnsACoroutine(Stock):
    """run_in_executor() returns a coroutine."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        if func is not int:
            return future

        async def wait() -> Any:
            return await future

        return wait()


@breaks("executors.starts-at-once")
class StartsWhenAwaited(Stock):
    """The method of an event is submitted only when its result is awaited."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if not isinstance(getattr(func, "__self__", None), threading.Event) or args:
            return super().run_in_executor(executor, func, *args)
        submit = super().run_in_executor

        class Lazy:
            def __await__(self) -> Any:
                return submit(executor, func).__await__()

        return Lazy()


@breaks("executors.given-executor")
class UsesTheDefaultForLambdas(Stock):
    """A thread pool that is given is ignored."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if isinstance(executor, concurrent.futures.ThreadPoolExecutor) and func.__name__ == "<lambda>":
            executor = None
        return super().run_in_executor(executor, func, *args)


@breaks("executors.any-executor")
class KnowsThreadPoolsOnly(Stock):
    """Only thread pools are accepted."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None and not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise TypeError("a thread pool is required")
        return super().run_in_executor(executor, func, *args)


@breaks("executors.set-default")
class IgnoresTheDefaultThatIsSet(Stock):
    """set_default_executor() checks its argument and forgets it."""

    def set_default_executor(self, executor: Any) -> None:
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise TypeError("a thread pool is required")


@breaks("executors.set-default-type")
class AcceptsAnyDefaultExecutor(Stock):
    """set_default_executor() takes any executor."""

    def set_default_executor(self, executor: Any) -> None:
        if isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            super().set_default_executor(executor)


@breaks("executors.default-is-lazy")
class StartsThreadsWithTheLoop(Stock):
    """The default executor is made, and its thread started, when the loop runs first."""

    pool: Any = None

    def run_forever(self) -> None:
        if self.pool is None:
            self.pool = concurrent.futures.ThreadPoolExecutor(1)
            self.pool.submit(int).result()
            self.set_default_executor(self.pool)
        super().run_forever()

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown()
        super().close()


@breaks("executors.parallel")
class HasOneWorker(Stock):
    """The default executor has one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))


@breaks("executors.context-not-copied")
class PassesTheContextOn(_Wraps):
    """run_in_executor() runs the function in a copy of the caller's context."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        context = contextvars.copy_context()
        return lambda: context.run(func, *args)


@breaks("executors.to-thread-context")
class ThreadsHaveAnEmptyContext(_Wraps):
    """A function runs in a new, empty context, whatever it brings."""

    def changed(self, func: Any, args: tuple[Any, ...]) -> Any:
        import functools

        if isinstance(func, functools.partial):
            inner, *rest = func.args
            return lambda: inner(*rest, **func.keywords)
        return super().changed(func, args)


@breaks("executors.cancel-pending")
class CancelDoesNotReachThePool(Stock):
    """Cancelling the future leaves the work in the queue."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        inner = super().run_in_executor(executor, func, *args)
        if executor is None:
            return inner
        outer = self.create_future()
        inner.add_done_callback(lambda done: outer.done() or outer.set_result(done.result()))
        return outer


@breaks("executors.closed-loop")
class SubmitsToAClosedLoop(Stock):
    """run_in_executor() on a closed loop returns a future that is never done."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if self.is_closed():
            return self.create_future()
        return super().run_in_executor(executor, func, *args)


@breaks("executors.other-thread")
class DebugsWorkInline(Stock):
    """In debug mode the default executor is the caller."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        if executor is not None or not self.get_debug():
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        future.set_result(func(*args))
        return future
