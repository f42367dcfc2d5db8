"""Chapter executors: the end of executors, and of work in them, seen from the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import warnings
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.waiting import turns, until
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


@requirement("executors.shutdown-chosen", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
@each("user", ["the loop", "somebody else"])
def test_shutdown_joins_the_executor_that_was_set(make_loop: Factory, user: str) -> None:
    """shutdown_default_executor() closes the default executor also if set_default_executor() has set it.

    If this fails: look for a shutdown of the executor that the loop itself has made, or used, and no other.
    """
    loop = make_loop()
    pool = Pool(1)
    loop.set_default_executor(pool)
    if user == "the loop":
        thread = loop.run_until_complete(loop.run_in_executor(None, threading.current_thread))
    else:
        thread = pool.submit(threading.current_thread).result()
    loop.run_until_complete(loop.shutdown_default_executor())
    alive = thread.is_alive()
    pool.shutdown()
    assert not alive


@requirement("executors.close-chosen", MUST, cite="asyncio-eventloop: loop.close")
def test_close_shuts_the_executor_down_that_was_set(loop: Loop) -> None:
    """close() shuts down the executor, also if set_default_executor() has set it: it takes no more work.

    If this fails: look for a shutdown of the executor that the loop itself has made, and no other.
    """
    pool = Pool(1)
    loop.set_default_executor(pool)
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.close()
    try:
        with pytest.raises(RuntimeError):
            pool.submit(int)
    finally:
        pool.shutdown()


@requirement("executors.shutdown-again", SHOULD, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_shutdown_may_be_called_again(loop: Loop) -> None:
    """shutdown_default_executor() may be called again after an executor was shut down, as asyncio.run() does.

    If this fails: look for a thread that is joined twice, or an executor that was set to None.
    """

    async def scenario() -> None:
        await loop.run_in_executor(None, int)
        await loop.shutdown_default_executor()
        await loop.shutdown_default_executor()

    loop.run_until_complete(scenario())


@requirement("executors.shutdown-cancelled", SHOULD, cite="asyncio-exceptions: CancelledError")
def test_the_shutdown_can_be_cancelled(loop: Loop, patience: Patience, watch: Any) -> None:
    """A task that is cancelled while it awaits shutdown_default_executor() gets the CancelledError, and is cancelled.

    If this fails: look for an `except` round the waiting that is meant for what ends of itself, or in time.
    """
    watch.allow("reported")  # the end of the joining finds a future that was cancelled: gh-111358
    released = threading.Event()

    async def scenario() -> bool:
        loop.run_in_executor(None, released.wait, patience.seconds)
        shutdown = loop.create_task(loop.shutdown_default_executor())
        await turns(3)
        shutdown.cancel()
        threading.Timer(0.002, released.set).start()  # the cancelled shutdown may join before it ends
        await asyncio.wait([shutdown])
        return shutdown.cancelled()

    assert loop.run_until_complete(scenario())


@requirement("executors.shutdown-refuses", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
@pytest.mark.parametrize("when", ["while it waits", "afterwards", "another is set"])
def test_the_default_executor_takes_no_work_once_its_shutdown_began(loop: Loop, patience: Patience, when: str) -> None:
    """After the call a RuntimeError is raised if run_in_executor() is called while using the default executor.

    If this fails: look for a mark that is set only when the threads have ended, or that a new executor takes away.
    """
    released = threading.Event()

    async def refused() -> bool:
        try:
            await loop.run_in_executor(None, int)
        except RuntimeError:
            return True
        return False

    async def scenario() -> bool:
        work = loop.run_in_executor(None, released.wait, patience.seconds)
        shutdown = loop.create_task(loop.shutdown_default_executor())
        await turns(3)
        if when == "while it waits":
            try:
                return await refused()
            finally:
                released.set()
                await asyncio.gather(work, shutdown)
        released.set()
        await work
        await shutdown
        if when == "another is set":
            loop.set_default_executor(pool)
        return await refused()

    with Pool(1) as pool:
        assert loop.run_until_complete(scenario())


@requirement("executors.shutdown-others", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_other_executors_go_on_after_the_shutdown(loop: Loop) -> None:
    """Only the default executor is shut down: one that is given to run_in_executor() still works afterwards.

    If this fails: look for a mark that is asked before the executor is, or for a close() that ends all that were used.
    """

    async def scenario() -> int:
        before = await loop.run_in_executor(pool, int, "1")
        await loop.shutdown_default_executor()
        return before + await loop.run_in_executor(pool, int, "41")

    with Pool(1) as pool:
        assert loop.run_until_complete(scenario()) == 42
        loop.close()
        assert pool.submit(int, "7").result() == 7


@requirement("executors.shutdown-queue", MUST, cite="concurrent.futures: concurrent.futures.Executor.shutdown")
def test_work_that_waits_is_done_before_the_shutdown_ends(loop: Loop) -> None:
    """shutdown_default_executor() waits for the executor: work that is still in its queue is done, and not dropped.

    If this fails: look for a shutdown with cancel_futures=True.
    """
    done: list[int] = []
    gate = threading.Event()
    loop.set_default_executor(Pool(1))

    async def scenario() -> None:
        work = [loop.run_in_executor(None, gate.wait, 1.0)]
        work += [loop.run_in_executor(None, done.append, number) for number in range(3)]  # type: ignore[arg-type]
        loop.call_later(0.001, gate.set)
        await loop.shutdown_default_executor()
        await asyncio.wait(work)

    loop.run_until_complete(scenario())
    assert done == [0, 1, 2]


@requirement("executors.shutdown-joins-all", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_each_shutdown_waits_for_the_threads(loop: Loop, patience: Patience) -> None:
    """Whoever calls shutdown_default_executor() waits for the threads to be joined, also while another does so already.

    If this fails: look for a mark that it was called, upon which the second call returns at once.
    """
    threads: list[threading.Thread] = []
    released = threading.Event()

    def work() -> None:
        threads.append(threading.current_thread())
        released.wait(patience.seconds)

    async def scenario() -> None:
        future = loop.run_in_executor(None, work)
        await until(patience, lambda: threads, "the call in the executor")
        first = loop.create_task(loop.shutdown_default_executor())
        await asyncio.sleep(0)
        loop.call_later(0.002, released.set)
        await loop.shutdown_default_executor()
        assert not threads[0].is_alive()
        await first
        await future

    loop.run_until_complete(scenario())


@requirement("executors.shutdown-joins", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_shutdown_default_executor_joins_its_threads(loop: Loop) -> None:
    """shutdown_default_executor() closes the default executor and waits for it to join all of its threads.

    If this fails: look for a shutdown without waiting.
    """
    threads: list[threading.Thread] = []

    async def scenario() -> None:
        await loop.run_in_executor(None, lambda: threads.append(threading.current_thread()))
        await loop.shutdown_default_executor()

    loop.run_until_complete(scenario())
    assert not threads[0].is_alive()


@requirement("executors.shutdown-waits-for-work", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
@pytest.mark.parametrize("debug", [False, True], ids=["usual", "in debug mode"])
def test_shutdown_default_executor_waits_for_running_work(loop: Loop, patience: Patience, debug: bool) -> None:
    """shutdown_default_executor() waits until the work that is running has ended, without blocking the loop.

    If this fails: look for work that is abandoned, or a join in the thread of the loop.
    """
    released = threading.Event()
    loop.set_debug(debug)

    async def scenario() -> Any:
        future = loop.run_in_executor(None, released.wait, patience.seconds)
        loop.call_later(0.002, released.set)
        await loop.shutdown_default_executor()
        assert released.is_set(), "it did not wait"
        return await future

    assert loop.run_until_complete(scenario()) is True


@requirement("executors.after-shutdown", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_the_default_executor_cannot_be_used_after_its_shutdown(loop: Loop) -> None:
    """Once this method has been called, using the default executor with run_in_executor() raises RuntimeError.

    If this fails: look for an executor that is made again.
    """

    async def scenario() -> None:
        await loop.shutdown_default_executor()
        with pytest.raises(RuntimeError):
            await loop.run_in_executor(None, int)

    loop.run_until_complete(scenario())


@requirement("executors.shutdown-unused", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor")
def test_shutdown_of_an_unused_executor_returns(loop: Loop) -> None:
    """shutdown_default_executor() returns at once when no default executor was ever made; it may be called twice.

    If this fails: look for a wait for threads that do not exist.
    """

    async def scenario() -> None:
        await loop.shutdown_default_executor()
        await loop.shutdown_default_executor()

    loop.run_until_complete(scenario())


@requirement(
    "executors.timed-out-refuses", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor", since="3.12"
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_shutdown_that_gave_up_is_one_all_the_same(loop: Loop) -> None:
    """After a call that its timeout ended, too, run_in_executor() with the default executor raises RuntimeError.

    If this fails: look for a mark of the shutdown that is set only when all threads were joined.
    """
    released = threading.Event()

    async def scenario() -> None:
        # Not for long: of a loop that does not give up, the rest can be asked as well.
        future = loop.run_in_executor(None, released.wait, 0.2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                await loop.shutdown_default_executor(timeout=0.001)  # type: ignore[call-arg]  # 3.12
            with pytest.raises(RuntimeError):
                await loop.run_in_executor(None, int)
        finally:
            released.set()
        await future

    loop.run_until_complete(scenario())


@requirement(
    "executors.shutdown-timeout",
    MUST,
    cite=("asyncio-eventloop: loop.shutdown_default_executor", "gh-111358"),
    since="3.12",
)
@each("timeout", [0.005, 0])
def test_shutdown_gives_up_after_its_timeout(make_loop: Factory, patience: Patience, timeout: float) -> None:
    """timeout is the time in seconds the executor will be given to finish joining; then RuntimeWarning is emitted.

    If this fails: look for the parameter that Python 3.12 added, or for a timeout of 0 taken for none.
    """
    loop, released = make_loop(), threading.Event()

    async def scenario() -> None:
        future = loop.run_in_executor(None, released.wait, patience.seconds)
        with pytest.warns(RuntimeWarning):
            await loop.shutdown_default_executor(timeout=timeout)  # type: ignore[call-arg]  # 3.12
        released.set()
        await future

    running = loop.create_task(scenario())
    try:
        patience.in_turns.run_until(loop, running.done, "the end of the shutdown")
        running.result()
    finally:
        released.set()
