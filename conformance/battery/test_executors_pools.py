"""Chapter executors: what an executor is given by run_in_executor(), and the default one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import pickle
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import odd_callables
from conformance.kit.patience import Patience
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


def _add(*numbers: int, base: int = 0) -> int:
    return base + sum(numbers)


class _Elsewhere(concurrent.futures.Executor):
    """Calls what survives pickling, as a pool of processes would; keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        self.given.append((fn, args, kwargs))
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        try:
            fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@requirement("executors.processes", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_code_can_run_in_another_process(loop: Loop) -> None:
    """run_in_executor() can be used with a ProcessPoolExecutor: what it submits can be pickled if func and args can.

    If this fails: look for a closure round the function, which does not leave this process.
    """
    assert loop.run_until_complete(loop.run_in_executor(_Elsewhere(), _add, 1, 2)) == 3


@requirement("executors.partial", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_keyword_arguments_are_passed_by_partial(loop: Loop) -> None:
    """Use functools.partial() to pass keyword arguments to func.

    If this fails: look for functions that must be plain, or calls without the bound keywords.
    """
    executors = [None, _Elsewhere()]
    work = [loop.run_in_executor(executor, functools.partial(_add, 1, base=10), 2) for executor in executors]
    assert loop.run_until_complete(asyncio.wait_for(asyncio.gather(*work), None)) == [13, 13]


@requirement("executors.any-callable", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_any_callable_can_run_in_an_executor(loop: Loop) -> None:
    """func is any callable: a function, a method, a class, an object, also one whose truth value is false.

    If this fails: look for a type check for functions, or a test of the function's truth.
    """
    trace: list[object] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for executor in (pool, None):
            for name, function in odd_callables(trace).items():
                loop.run_until_complete(loop.run_in_executor(executor, function, name))
    assert trace == [*odd_callables(trace)] * 2
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.submits-once", SHOULD, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_executor_is_asked_once(loop: Loop) -> None:
    """run_in_executor() arranges for func to be called in the executor: it submits one call, without keywords.

    If this fails: look for a call that is submitted again, or keywords that an Executor passes on to func.
    """
    executor = _Elsewhere()
    loop.run_until_complete(loop.run_in_executor(executor, _add, 1))
    assert len(executor.given) == 1
    assert executor.given[0][2] == {}


@requirement("executors.default-size", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_default_executor_has_the_default_number_of_threads(loop: Loop, patience: Patience) -> None:
    """The loop does not configure max_workers of the executor that it creates: ThreadPoolExecutor sets the default.

    If this fails: look for a number of threads, such as that of the processors, or five times that.
    """
    # The default counts the processors of the machine, or (since 3.13) those that this process may use.
    usable = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    count = min(32, usable + 4)
    together = threading.Barrier(count)
    work = [loop.run_in_executor(None, together.wait, patience.seconds) for _ in range(count)]
    results = loop.run_until_complete(asyncio.gather(*work, return_exceptions=True))
    assert sorted(map(str, results)) == sorted(map(str, range(count)))
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.default-most", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_default_executor_has_no_more_threads_than_the_default(loop: Loop) -> None:
    """max_workers of the executor that the loop creates is ThreadPoolExecutor's default: no more work runs at once.

    If this fails: look for a number of threads, such as five times that of the processors, or for a pool without bound.
    """
    enough = 80  # ThreadPoolExecutor makes a thread for each piece of work that finds none idle, up to its maximum
    goes_on = threading.Event()

    def threads_of(submit: Callable[[Callable[[], object]], object]) -> int:
        working = set()

        def work() -> None:
            working.add(threading.get_ident())
            goes_on.wait()

        for _ in range(enough):
            submit(work)
        loop.run_until_complete(asyncio.sleep(0.02))  # in which all that may run at once begins
        return len(working)

    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            most = threads_of(pool.submit)
            goes_on.set()
        goes_on.clear()
        assert threads_of(lambda work: loop.run_in_executor(None, work)) <= most
    finally:
        goes_on.set()
        loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.default-again", MUST, cite="asyncio-eventloop: loop.set_default_executor")
@pytest.mark.parametrize("when", ["between runs", "in a run"])
def test_the_default_executor_can_be_replaced(loop: Loop, when: str) -> None:
    """set_default_executor() sets executor as the default one, also when another was set, which stays as it is.

    If this fails: look for an executor that is kept once it was used, or until the run ends, or shut down when another
    takes its place.
    """

    def name() -> str:
        return threading.current_thread().name.partition("_")[0]

    async def ask(pool: concurrent.futures.ThreadPoolExecutor | None = None) -> str:
        if pool is not None:
            loop.set_default_executor(pool)
        return await loop.run_in_executor(None, name)

    names = [loop.run_until_complete(ask())]
    pools = [concurrent.futures.ThreadPoolExecutor(1, prefix) for prefix in ("first", "second")]
    for pool in pools:
        if when == "between runs":
            loop.set_default_executor(pool)
        names.append(loop.run_until_complete(ask(pool if when == "in a run" else None)))
    assert pools[0].submit(name).result() == "first"
    for pool in pools:
        pool.shutdown()
    assert names[1:] == ["first", "second"]
    assert names[0] not in ("first", "second")


@requirement("executors.example-pools", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_one_program_uses_several_executors(loop: Loop) -> None:
    """A program runs code in the default executor, then in a pool of threads, then of processes, each left at its end.

    If this fails: look for an executor that is kept for the calls that follow, or a pool that waits for the loop.
    """

    def blocking_io() -> bytes:
        with open("/dev/zero", "rb") as file:
            return file.read(100)

    async def main() -> list[Any]:
        given = asyncio.get_running_loop()
        results: list[Any] = [await given.run_in_executor(None, blocking_io)]
        for _ in range(2):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                results.append(await given.run_in_executor(pool, blocking_io))
        with _Elsewhere() as elsewhere:
            results.append(await given.run_in_executor(elsewhere, _add, *range(1000)))
        return [*results, await given.run_in_executor(None, blocking_io), elsewhere.given[0][1]]

    results = loop.run_until_complete(main())
    assert results == [bytes(100)] * 3 + [499500, bytes(100), tuple(range(1000))]
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.example-to-thread", MUST, cite="asyncio-task: to_thread")
def test_the_loop_goes_on_while_a_thread_blocks(loop: Loop, patience: Patience) -> None:
    """While to_thread() runs a blocking function, a coroutine beside it sleeps and goes on, and gather() gets both.

    If this fails: look for a loop that waits for its executor, or looks at its timers only when the work is done.
    """
    began, goes_on = threading.Event(), threading.Event()

    def blocking_io() -> str:
        began.set()
        patience.wait(goes_on, "a step of the loop")
        return "complete"

    async def sleeps() -> str:
        while not began.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)
        goes_on.set()
        return "slept"

    async def main() -> list[str]:
        return list(await asyncio.gather(asyncio.to_thread(blocking_io), sleeps()))

    assert loop.run_until_complete(main()) == ["complete", "slept"]
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.exception-whole", SHOULD, cite="asyncio-eventloop: loop.run_in_executor")
@each("default", [True, False])
def test_an_exception_of_a_function_comes_out_whole(loop: Loop, default: bool) -> None:
    """The exception of func keeps its cause, its notes and its traceback, which leads to the line that raised it.

    If this fails: look for a border between threads that takes the object and leaves what hangs on it.
    """
    cause = OSError("the cause")

    def fail() -> None:
        error = LookupError("of the function")
        error.add_note("a note")
        raise error from cause

    with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(LookupError) as caught:
        loop.run_until_complete(loop.run_in_executor(None if default else pool, fail))
    assert caught.value.__cause__ is cause
    assert caught.value.__notes__ == ["a note"]
    assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("executors.submit-raises", SHOULD, cite="concurrent.futures: concurrent.futures.Executor.submit")
def test_an_executor_that_refuses_is_an_error(loop: Loop) -> None:
    """If submit() raises, since the executor was shut down, who asks for run_in_executor() gets the exception.

    If this fails: look for an exception that is dropped, with a future that nobody ends.
    """

    async def scenario() -> Any:
        return await loop.run_in_executor(pool, int)

    pool = Pool(1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        loop.run_until_complete(scenario())
