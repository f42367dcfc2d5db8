"""Chapter executors: work that is cancelled, by whoever waits for it or by its executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.waiting import turns, until
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Pool = concurrent.futures.ThreadPoolExecutor


@requirement("executors.cancel-pending", SHOULD, cite="concurrent.futures: concurrent.futures.Future.cancel")
def test_cancelling_the_future_cancels_work_that_has_not_started(loop: Loop, patience: Patience) -> None:
    """Cancelling the future of work that waits in the executor's queue cancels the work.

    If this fails: look for futures that are chained in one direction only.
    """
    released, ran = threading.Event(), threading.Event()

    async def scenario() -> None:
        with Pool(1) as pool:
            blocker = loop.run_in_executor(pool, released.wait, patience.seconds)
            waiting = loop.run_in_executor(pool, ran.set)
            waiting.cancel()
            await turns(20)  # a loop may take a while to tell the executor
            await asyncio.sleep(0.01)
            released.set()
            await blocker
            with pytest.raises(asyncio.CancelledError):
                await waiting

    loop.run_until_complete(scenario())
    assert not ran.is_set()


@requirement("executors.cancelled-there", SHOULD, cite="concurrent.futures: concurrent.futures.Executor.shutdown")
def test_work_that_its_executor_cancels_is_cancelled(loop: Loop, patience: Patience) -> None:
    """If the executor cancels work, as shutdown(cancel_futures=True) does, the loop's future is cancelled.

    If this fails: look for a callback that asks the executor's future for its result, and not whether it has one.
    """
    released = threading.Event()

    async def scenario() -> None:
        running = loop.run_in_executor(pool, released.wait, patience.seconds)
        waiting = loop.run_in_executor(pool, int)
        pool.shutdown(wait=False, cancel_futures=True)
        released.set()
        await until(patience, waiting.done, "the end of the work that was cancelled")
        assert waiting.cancelled()
        assert await running is True

    pool = Pool(1)
    loop.run_until_complete(scenario())


@requirement("executors.cancel-running", SHOULD, cite="concurrent.futures: concurrent.futures.Future.cancel")
@each("fails", [False, True], ids=["result", "exception"])
def test_the_result_of_work_that_was_cancelled_is_dropped(loop: Loop, patience: Patience, fails: bool) -> None:
    """A function that runs cannot be cancelled: it runs to its end, and what comes of it is dropped in silence.

    If this fails: look for a result that is set on a future that is cancelled.
    """
    started, released = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        released.wait(patience.seconds)
        if fails:
            raise LookupError("of work that was cancelled")

    async def scenario() -> None:
        future = loop.run_in_executor(pool, work)
        await until(patience, started.is_set, "the start of the work")
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        released.set()
        await loop.run_in_executor(pool, int)  # behind it in the queue
        await turns(3)

    with Pool(1) as pool:
        loop.run_until_complete(scenario())
