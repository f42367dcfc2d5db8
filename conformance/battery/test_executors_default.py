"""Chapter executors: which executor is the default one, how long it is, and what becomes of it and of its queue."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
import warnings
from typing import Any

import pytest

from conformance.battery.test_executors import CountingExecutor, FalsePool, run
from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.refusals import refused
from conformance.kit.waiting import until
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


async def threads_of(loop: Loop, *executors: Pool | None) -> list[str]:
    """The names of the threads in which these executors run a function, one after the other."""
    return [await loop.run_in_executor(executor, lambda: threading.current_thread().name) for executor in executors]


@requirement("executors.given-once", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_a_given_executor_is_not_the_default_one(loop: Loop) -> None:
    """The default executor is used if executor is None, whichever executor the calls before were given.

    If this fails: look for an executor that is kept as the default one because there was none yet.
    """

    async def scenario() -> list[str]:
        try:
            return await threads_of(loop, pool, None, pool, None)
        finally:
            await loop.shutdown_default_executor()

    with Pool(1, thread_name_prefix="given") as pool:
        names = loop.run_until_complete(scenario())
    assert [name.startswith("given") for name in names] == [True, False, True, False]


@requirement("executors.one-default", MUST, cite="asyncio-eventloop: loop.set_default_executor")
def test_the_default_executor_stays_the_default(loop: Loop) -> None:
    """The executor that was set as the default one is used by every call of run_in_executor() with None.

    If this fails: look for an executor that is made anew for each call, or forgotten at the end of a run.
    """

    async def scenario() -> list[str]:
        loop.set_default_executor(Pool(1, thread_name_prefix="chosen"))
        return await threads_of(loop, None, None, None)

    try:
        names = [*loop.run_until_complete(scenario()), *loop.run_until_complete(threads_of(loop, None))]
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
    assert (len(set(names)), names[0].startswith("chosen")) == (1, True)


@requirement("executors.default-stays", SHOULD, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_default_executor_is_made_once(loop: Loop) -> None:
    """The default executor that run_in_executor() has made is used from then on, in later runs too: its threads stay.

    If this fails: look for an executor that is made for each call or for each run. None has as many threads as there
    are calls here.
    """
    calls = 100
    threads = {loop.run_until_complete(loop.run_in_executor(None, threading.current_thread)) for _ in range(calls)}
    loop.run_until_complete(loop.shutdown_default_executor())
    assert len(threads) < calls


@requirement("executors.process-default", MUST, cite="asyncio-eventloop: loop.set_default_executor")
def test_the_default_executor_is_no_process_pool(loop: Loop) -> None:
    """executor must be an instance of ThreadPoolExecutor: a ProcessPoolExecutor is refused (since Python 3.11).

    If this fails: look for a test of the base class of executors.
    """
    with concurrent.futures.ProcessPoolExecutor(1) as pool, refused():
        loop.set_default_executor(pool)


@requirement("executors.shutdown-in-time", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor", since="3.12")
@pytest.mark.parametrize("way", ["by position", "by name", "whole", "none"])
def test_shutdown_gives_the_executor_its_time(loop: Loop, patience: Patience, way: str) -> None:
    """timeout is in seconds, an int or a float, or None for ever: an executor that has joined by then was waited for.

    If this fails: look for a time that is taken for milliseconds, a wait that ends at once, a None that is
    taken for 0, or a check of the type.
    """
    ended: list[int] = []

    def work() -> None:
        time.sleep(0.02)
        ended.append(1)

    async def scenario() -> None:
        future = loop.run_in_executor(None, work)
        limit = {"none": None, "whole": int(patience.seconds) + 1}.get(way, patience.seconds)
        shutdown: Any = loop.shutdown_default_executor
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await (shutdown(timeout=limit) if way == "by name" else shutdown(limit))
        assert ended == [1]
        await future

    loop.run_until_complete(scenario())


@requirement("executors.close-queue", SHOULD, cite="concurrent.futures: concurrent.futures.Executor.shutdown")
def test_close_leaves_the_queue_of_the_executor(loop: Loop, patience: Patience) -> None:
    """close() shuts down the executor without waiting: work that is in its queue is not cancelled, and done later.

    If this fails: look for a shutdown with cancel_futures=True.
    """
    started, released, done = threading.Event(), threading.Event(), threading.Event()
    loop.set_default_executor(Pool(1))

    def first() -> None:
        started.set()
        released.wait(patience.seconds)

    async def scenario() -> None:
        loop.run_in_executor(None, first)
        loop.run_in_executor(None, done.set)
        await until(patience, started.is_set, "the start of the work")

    loop.run_until_complete(scenario())
    loop.close()
    released.set()
    patience.wait(done, "the work that was queued")


@requirement("executors.set-default", MUST, cite="asyncio-eventloop: loop.set_default_executor")
@pytest.mark.parametrize("kind", [Pool, FalsePool])
def test_set_default_executor_sets_what_none_means(loop: Loop, kind: type[Pool]) -> None:
    """The default executor is used if executor is None: the one that set_default_executor() has set.

    If this fails: look for a pool of the loop's own that the setter does not replace, or a subclass that it refuses.
    """
    loop.set_default_executor(kind(1, thread_name_prefix="chosen"))
    assert run(loop, lambda: threading.current_thread().name).startswith("chosen")


@requirement("executors.set-default-type", MUST, cite="asyncio-eventloop: loop.set_default_executor")
@each("executor", [None, "pool", CountingExecutor()], ids=["None", "str", "Executor"])
def test_the_default_executor_must_be_a_thread_pool(loop: Loop, executor: Any) -> None:
    """executor must be an instance of ThreadPoolExecutor: anything else raises an exception (since Python 3.11).

    If this fails: look for the check that Python 3.11 made an error.
    """
    with refused():
        loop.set_default_executor(executor)


@requirement("executors.default-is-lazy", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_default_executor_is_a_thread_pool_made_when_needed(loop: Loop) -> None:
    """The default executor, a ThreadPoolExecutor, is lazily initialised by run_in_executor() if it was not set.

    If this fails: look for threads that are started with every loop.
    """
    loop.run_until_complete(asyncio.sleep(0))
    before = set(threading.enumerate())  # a loop may have a thread of its own
    assert run(loop, threading.current_thread) not in before


@requirement("executors.per-loop", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
@each("ended", ["shutdown_default_executor", "close"])
@each("chosen", [False, True])
def test_the_default_executor_of_another_loop_goes_on(make_loop: Factory, ended: str, chosen: bool) -> None:
    """The default executor that is closed is that of the loop: another loop's, or one set there, takes work as before.

    If this fails: look for an executor that all loops of the process share.
    """

    async def work(loop: Loop) -> Any:
        return await loop.run_in_executor(None, int, "42")

    loop, other = make_loop(), make_loop()
    if chosen:
        loop.set_default_executor(Pool(1))
    for each_loop in (loop, other):
        each_loop.run_until_complete(work(each_loop))
    if ended == "close":
        loop.close()
    else:
        loop.run_until_complete(loop.shutdown_default_executor())
    assert other.run_until_complete(work(other)) == 42
    other.run_until_complete(other.shutdown_default_executor())


@requirement("executors.other-thread", MUST, cite="asyncio-dev: Running Blocking Code")
@each("debug", [False, True])
def test_the_default_executor_runs_in_another_thread(make_loop: Factory, debug: bool) -> None:
    """By default func runs in another thread, which lets the loop go on.

    If this fails: look for a function that is called in the thread of the loop.
    """
    loop = make_loop()
    loop.set_debug(debug)
    assert run(loop, threading.get_ident) != threading.get_ident()


@requirement("executors.parallel", SHOULD, cite="asyncio-eventloop: loop.run_in_executor")
def test_functions_run_in_parallel_in_the_default_executor(loop: Loop, patience: Patience) -> None:
    """The default executor runs several functions at the same time.

    If this fails: look for a single worker thread.
    """
    barrier = threading.Barrier(4, timeout=patience.seconds)

    async def scenario() -> list[int]:
        try:
            return await asyncio.gather(*(loop.run_in_executor(None, barrier.wait) for _ in range(4)))
        finally:
            await loop.shutdown_default_executor()

    assert sorted(loop.run_until_complete(scenario())) == [0, 1, 2, 3]


@requirement("executors.close-shuts-down", MUST, cite="asyncio-eventloop: loop.close")
@each("chosen", [False, True])
@each("debug", [False, True])
def test_close_shuts_the_default_executor_down_without_waiting(
    make_loop: Factory, patience: Patience, chosen: bool, debug: bool
) -> None:
    """close() shuts down the default executor, but does not wait for the executor to finish: nor if it was set.

    If this fails: look for a close() that blocks on running work, or leaves idle threads for ever.
    """
    released = threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        started.set()
        released.wait(patience.seconds)

    started = threading.Event()
    loop = make_loop()
    loop.set_debug(debug)
    if chosen:
        loop.set_default_executor(Pool(1))

    async def scenario() -> None:
        loop.run_in_executor(None, work)
        await until(patience, started.is_set, "the start of the work")

    loop.run_until_complete(scenario())
    loop.close()
    assert threads[0].is_alive(), "close() waited for the work"
    released.set()
    patience.until(lambda: not threads[0].is_alive(), "the end of the idle thread")
