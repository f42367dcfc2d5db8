"""Chapter executors: run_in_executor(): the call, its future, and where the function runs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
import threading
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.oddities import ODD_ARGUMENTS, ODD_ERRORS
from conformance.kit.patience import Patience
from conformance.kit.places import PLACES, at
from conformance.kit.protocols import raising
from conformance.kit.waiting import until
from conformance.loops import Factory
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


class FalsePool(Pool):
    """A subclass of the user's own, whose length is the number of its users: its truth value is false."""

    def __len__(self) -> int:
        return 0


def run(loop: Loop, function: Any, *args: Any, executor: Any = None) -> Any:
    """The result of the function in the executor; the default executor is shut down afterwards."""

    async def scenario() -> Any:
        try:
            return await loop.run_in_executor(executor, function, *args)
        finally:
            await loop.shutdown_default_executor()

    return loop.run_until_complete(scenario())


@requirement("executors.result", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_run_in_executor_gives_the_result(loop: Loop) -> None:
    """run_in_executor() arranges for func to be called in the executor; awaiting it gives the result, the very object.

    If this fails: look for a result that is copied between threads, left out if it is false, or taken for an exception
    or for something to be waited for.
    """
    values = [object(), 0, "", False, None, (), (None,), (1, 2), LookupError("returned"), LookupError, StopIteration(1)]
    left, done = asyncio.sleep(0), concurrent.futures.Future[None]()
    done.set_result(None)
    values += [left, done, done_future(loop)]

    async def scenario() -> list[object]:
        try:
            return [await loop.run_in_executor(None, values.__getitem__, number) for number in range(len(values))]
        finally:
            await loop.shutdown_default_executor()

    results = loop.run_until_complete(scenario())
    left.close()
    assert all(a is b for a, b in zip(results, values, strict=True)), results


@requirement("executors.arguments", MUST, cite="asyncio-eventloop: loop.run_in_executor")
@each("arguments", ODD_ARGUMENTS)
@each("debug", [False, True])
def test_run_in_executor_passes_its_arguments(loop: Loop, arguments: tuple[object, ...], debug: bool) -> None:
    """run_in_executor(executor, func, *args) calls func with args.

    If this fails: look for arguments that are packed, unpacked or dropped, perhaps by the default executor only.
    """
    loop.set_debug(debug)
    with Pool(1) as pool:
        for executor in (pool, None):
            seen = loop.run_until_complete(loop.run_in_executor(executor, lambda *args: args, *arguments))
            assert all(a is b for a, b in zip(seen, arguments, strict=True))


@requirement("executors.exception", MUST, cite="asyncio-eventloop: loop.run_in_executor")
@each("kind", ODD_ERRORS)
@each("place", PLACES)
def test_run_in_executor_raises_the_exception(make_loop: Factory, kind: str, place: str) -> None:
    """An exception of func is raised where the future is awaited, the very object.

    If this fails: look for an exception that is wrapped, or reported and not raised, perhaps as it is no Exception.
    """
    error, loop = ODD_ERRORS[kind], make_loop()
    cause = error.__cause__ = KeyError("the cause")
    with Pool(1) as pool, pytest.raises(type(error)) as caught:
        loop.run_until_complete(at(place, loop, lambda: loop.run_in_executor(pool, raising(error))))
    assert caught.value is error
    assert error.__cause__ is cause
    if place == "in a task":
        with pytest.raises(type(error)) as caught:
            run(loop, raising(error))
        assert caught.value is error
    loop.close()


@requirement("executors.loop-goes-on", MUST, cite="asyncio-dev: Running Blocking Code")
def test_the_loop_runs_while_the_executor_works(loop: Loop, patience: Patience) -> None:
    """The loop runs callbacks while a function blocks in the executor, and is woken when it ends.

    If this fails: look for a wait for the pool inside the loop.
    """
    released = threading.Event()
    loop.call_later(0.001, released.set)
    assert run(loop, released.wait, patience.seconds) is True


@requirement("executors.no-running-loop", SHOULD, cite="asyncio-eventloop: get_running_loop")
def test_there_is_no_running_loop_in_the_executor(loop: Loop) -> None:
    """In a function that runs in the executor there is no running loop.

    If this fails: look for a running-loop marker that belongs to the process, not to the thread, or that is set for the
    function, perhaps in a pool of the program's own only.
    """

    def ask() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "none"
        return "one"

    assert run(loop, ask) == "none"
    with Pool(1) as pool:
        assert run(loop, ask, executor=pool) == "none"


@requirement("executors.callbacks-before-result", MAY, cite="gh-144506")
def test_whether_the_result_comes_after_what_the_function_scheduled_is_open(loop: Loop, answer: Any) -> None:
    """Callbacks that func schedules by call_soon_threadsafe() may run before the result of run_in_executor() is there.

    If this fails: nothing is wrong; the order was never guaranteed.
    """
    trace: list[object] = []

    def work() -> str:
        for number in range(3):
            loop.call_soon_threadsafe(trace.append, number)
        return "result"

    async def scenario() -> None:
        trace.append(await loop.run_in_executor(None, work))
        await loop.shutdown_default_executor()

    loop.run_until_complete(scenario())
    answer(f"{trace.index('result')} of 3 callbacks before the result")


@requirement("executors.returns-future", MUST, cite="asyncio-eventloop: loop.run_in_executor")
@each("place", PLACES)
def test_run_in_executor_returns_a_future_of_the_loop(loop: Loop, place: str) -> None:
    """This method returns an asyncio.Future object, of this loop.

    If this fails: look for a concurrent.futures.Future, a coroutine that starts nothing until it is awaited, or a
    future of whichever loop runs.
    """
    with Pool(1) as pool:
        loop.set_default_executor(pool)
        for executor in (pool, None):
            future = at(place, loop, lambda executor=executor: loop.run_in_executor(executor, int))  # type: ignore[misc]
            assert asyncio.isfuture(future)
            assert future.get_loop() is loop
            assert loop.run_until_complete(future) == 0


@requirement("executors.starts-at-once", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_function_starts_without_being_awaited(loop: Loop, patience: Patience) -> None:
    """The function is called whether or not anybody awaits the future.

    If this fails: look for work that is submitted lazily.
    """

    async def scenario() -> None:
        called = threading.Event()
        future = loop.run_in_executor(None, called.set)
        await until(patience, called.is_set, "the call in the executor")
        await future
        await loop.shutdown_default_executor()

    loop.run_until_complete(scenario())


@requirement("executors.given-executor", MUST, cite="asyncio-eventloop: loop.run_in_executor")
@each("kind", [Pool, FalsePool])
@each("place", PLACES)
def test_run_in_executor_uses_the_executor_that_it_is_given(loop: Loop, kind: type[Pool], place: str) -> None:
    """The executor argument should be a concurrent.futures.Executor instance: func runs there.

    If this fails: look for the default executor used for everything, or for an executor whose truth value is false.
    """
    with Pool(1, thread_name_prefix="default") as default, kind(1, thread_name_prefix="given") as pool:
        loop.set_default_executor(default)
        future = at(place, loop, lambda: loop.run_in_executor(pool, lambda: threading.current_thread().name))
        assert loop.run_until_complete(future).startswith("given")


class CountingExecutor(concurrent.futures.Executor):
    """An executor of the user's own, which calls on the spot."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_result(fn(*args, **kwargs))
        return future


@requirement("executors.any-executor", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_any_executor_will_do(loop: Loop) -> None:
    """Any concurrent.futures.Executor instance will do, also one that is done before submit() returns.

    If this fails: look for a dependence on ThreadPoolExecutor.
    """
    executor = CountingExecutor()
    assert run(loop, int, "42", executor=executor) == 42
    assert executor.calls == 1


@requirement("executors.context-not-copied", SHOULD, cite="gh-78195")
def test_run_in_executor_does_not_pass_the_context_on(loop: Loop) -> None:
    """run_in_executor() runs the function in the context of the worker thread; to_thread() is what passes context on.

    If this fails: look for a context that is copied where none is documented to be.
    """
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")
    variable.set("of the loop")
    if getattr(sys.flags, "thread_inherit_context", False):
        pytest.skip("threads inherit the context of whoever starts them")
    assert run(loop, variable.get) == "default"


@requirement("executors.to-thread-context", MUST, cite="asyncio-task: to_thread")
def test_to_thread_passes_arguments_and_context_on(loop: Loop) -> None:
    """to_thread(func, *args, **kwargs) runs func in a separate thread, with the current context and all arguments.

    If this fails: look for a default executor that to_thread() cannot use.
    """
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")

    async def scenario() -> Any:
        variable.set("of the task")
        try:
            return await asyncio.to_thread(lambda *args, **kwargs: (variable.get(), args, kwargs), 1, key=2)
        finally:
            await loop.shutdown_default_executor()

    assert loop.run_until_complete(scenario()) == ("of the task", (1,), {"key": 2})


@requirement("executors.closed-loop", MUST, cite="asyncio-eventloop: loop.close")
def test_run_in_executor_on_a_closed_loop_is_an_error(loop: Loop) -> None:
    """run_in_executor() on a closed loop raises RuntimeError.

    If this fails: look for work that is submitted, and a result that never arrives.
    """
    loop.close()
    with Pool(1) as pool:
        for executor in (None, pool):
            with pytest.raises(RuntimeError):
                loop.run_in_executor(executor, int)


@requirement("executors.by-name", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_executor_and_function_may_be_given_by_name(loop: Loop) -> None:
    """run_in_executor() takes executor and func by name, too, and set_default_executor() executor.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    loop.set_default_executor(executor=concurrent.futures.ThreadPoolExecutor(1))
    assert loop.run_until_complete(loop.run_in_executor(executor=None, func=lambda: 42)) == 42
