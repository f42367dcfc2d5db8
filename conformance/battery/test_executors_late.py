"""Chapter executors: work that ends when its loop is gone, or stands, or wants to end the program."""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.logs import logged
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("executors.late-result-is-quiet", SHOULD, cite="asyncio-eventloop: loop.close")
@each("fails", [False, True])
def test_work_that_ends_after_close_disturbs_nobody(make_loop: Any, patience: Patience, fails: bool) -> None:
    """close() does not wait for the executor to finish: work that ends later raises nothing in its thread.

    If this fails: look for a result that is handed to a loop without a look whether it is closed.
    """
    loop = make_loop()
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait(patience.seconds)
        if fails:
            raise LookupError

    with logged(name="concurrent.futures") as records:
        with ThreadPoolExecutor(1) as pool:
            loop.run_in_executor(pool, work)
            patience.wait(begun, "the beginning of the work")
            loop.close()
            over.set()
        assert [record.getMessage() for record in records] == []


@requirement(
    "executors.timed-out-terminates", MUST, cite="asyncio-eventloop: loop.shutdown_default_executor", since="3.12"
)
@each("chosen", [False, True])
def test_an_executor_that_was_given_up_is_terminated(make_loop: Any, patience: Patience, chosen: bool) -> None:
    """If the timeout is reached, the default executor is terminated: it takes no work, and its threads end with theirs.

    If this fails: look for a shutdown that asks only whether the threads are idle, and leaves them when they are not.
    """
    loop = make_loop()
    pool = ThreadPoolExecutor(2)
    threads: list[threading.Thread] = []
    released = threading.Event()

    def work() -> None:
        threads.append(threading.current_thread())
        released.wait(0.2)  # not for long: of a loop that does not give up, the rest can be asked as well

    async def scenario() -> None:
        if chosen:
            loop.set_default_executor(pool)
        working = [loop.run_in_executor(None, work) for _ in range(2)]
        await until(patience, lambda: len(threads) == 2, "the start of the work")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            await loop.shutdown_default_executor(timeout=0.001)
        released.set()
        await asyncio.wait(working)

    try:
        loop.run_until_complete(scenario())
        if chosen:
            with pytest.raises(RuntimeError):
                pool.submit(int)
        patience.until(lambda: not any(thread.is_alive() for thread in threads), "the end of the threads")
    finally:
        pool.shutdown(wait=False)


@requirement("executors.exits", SHOULD, cite=("asyncio-eventloop: loop.run_in_executor", "gh-66894"))
@each("kind", [SystemExit, KeyboardInterrupt, GeneratorExit], ids=lambda kind: kind.__name__)
def test_exits_of_work_are_raised_where_it_is_awaited(loop: Loop, kind: type[BaseException]) -> None:
    """SystemExit and KeyboardInterrupt of func are raised where the future is awaited, as any exception of it is.

    If this fails: look for a worker that catches no more than Exception, so that nobody is told, or that ends by it.
    """
    error = kind("of the work")

    async def main() -> list[Any]:
        seen: list[Any] = []
        for work in (raising(error), lambda: "next"):
            try:
                seen.append(await loop.run_in_executor(None, work))
            except BaseException as raised:
                seen.append(raised)
        return seen

    assert loop.run_until_complete(main()) == [error, "next"]


@requirement("executors.between-runs", MUST, cite="asyncio-eventloop: loop.run_in_executor")
@each("ran", [False, True])
@each("given", [False, True])
def test_work_that_ends_between_two_runs_has_its_result(
    make_loop: Any, patience: Patience, ran: bool, given: bool
) -> None:
    """Work that ends while the loop does not run, be it stopped or not started, has its result in the next run.

    If this fails: look for a worker that asks whether the loop runs, before it tells what has come of its work.
    """
    loop = make_loop()
    pool = ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    released = threading.Event()
    future = loop.run_in_executor(pool if given else None, released.wait, patience.seconds)
    if ran:
        turn(loop, 3)
    released.set()
    pool.shutdown()  # and with it all that the worker does
    patience.in_turns.run_until(loop, future.done, "the end of the future")
    assert future.result() is True
