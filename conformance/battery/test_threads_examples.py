"""Chapter threads: the documentation's examples of other threads that use a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from conformance.kit.patience import Patience
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("threads.example-submit", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_a_thread_submits_a_coroutine_and_waits(loop: Loop, patience: Patience) -> None:
    """A thread that to_thread() started submits a coroutine to the loop that waits for it, and gets its result.

    If this fails: look for a loop that its executor's threads cannot wake, or a lock that is held meanwhile.
    """

    def in_a_thread(given: Loop) -> int:
        time.sleep(0.003)  # until the loop has nothing else to do
        coro = asyncio.sleep(0.002, result=3)
        return asyncio.run_coroutine_threadsafe(coro, given).result(patience.seconds)

    async def amain() -> list[int]:
        given = asyncio.get_running_loop()
        return await asyncio.gather(*(asyncio.to_thread(in_a_thread, given) for _ in range(3)))

    assert loop.run_until_complete(amain()) == [3, 3, 3]
    loop.run_until_complete(loop.shutdown_default_executor())


@requirement("threads.example-too-long", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_a_thread_cancels_what_takes_too_long(loop: Loop, patience: Patience) -> None:
    """A thread that has waited for result(timeout) in vain cancels the future, which cancels the task in the loop.

    An exception of the coroutine is raised by result(), and a result returned.

    If this fails: look for a cancellation that does not wake the loop, or a timeout that ends the task by itself.
    """
    trace: list[str] = []
    began, ended = threading.Event(), threading.Event()

    async def takes_long() -> None:
        began.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise
        finally:
            ended.set()

    async def fails() -> None:
        raise LookupError

    def work() -> None:
        try:
            submit()
        finally:
            loop.call_soon_threadsafe(loop.stop)

    def submit() -> None:
        future = asyncio.run_coroutine_threadsafe(takes_long(), loop)
        patience.wait(began, "the start of the task")
        with pytest.raises(TimeoutError):
            future.result(0.005)
        trace.append("too long")
        assert future.cancel()
        patience.wait(ended, "the end of the task")
        with pytest.raises(LookupError):
            asyncio.run_coroutine_threadsafe(fails(), loop).result(patience.seconds)
        assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 42), loop).result(patience.seconds) == 42

    helper = in_thread(work)
    loop.run_forever()
    helper.result()
    assert trace == ["too long", "cancelled"]


@contextlib.contextmanager
def _loop_in_thread(make_loop: Factory) -> Iterator[Loop]:
    made: concurrent.futures.Future[Loop] = concurrent.futures.Future()

    async def main() -> None:
        stop_event = asyncio.Event()
        given = asyncio.get_running_loop()
        stops.append(stop_event.set)
        made.set_result(given)
        await stop_event.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(main())

    stops: list[object] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        complete = pool.submit(run)
        for future in concurrent.futures.as_completed((made, complete)):
            if future is complete:
                complete.result()
                continue
            given = made.result()
            try:
                yield given
            finally:
                given.call_soon_threadsafe(stops[0])  # type: ignore[arg-type]  # it is the method of an event


@requirement("threads.example-loop-in-thread", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_a_loop_runs_in_another_thread(make_loop: Factory, patience: Patience) -> None:
    """A loop that asyncio.Runner runs in a thread of a pool takes coroutines, until an event of its own is set.

    If this fails: look for what only the main thread may do at the start, or for a call that does not wake the loop.
    """
    with _loop_in_thread(make_loop) as given:
        futures = [asyncio.run_coroutine_threadsafe(asyncio.sleep(0.002, result=n), given) for n in range(3)]
        assert [future.result(patience.seconds) for future in futures] == [0, 1, 2]
    assert given.is_closed()


@requirement("threads.example-cancel", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_a_thread_cancels_a_future_by_the_loop(loop: Loop) -> None:
    """Another thread cancels a future or a task by call_soon_threadsafe(future.cancel), and who awaits it is told.

    If this fails: look for a method of a built-in type that is not called, or what it schedules that waits for others.
    """

    def cancel(given: asyncio.Future[None]) -> None:
        time.sleep(0.003)  # until the loop has nothing else to do
        loop.call_soon_threadsafe(given.cancel)

    async def main(kind: str) -> str:
        given: asyncio.Future[None] = (
            loop.create_future() if kind == "future" else loop.create_task(asyncio.sleep(3600))
        )
        await asyncio.sleep(0)
        helper = in_thread(lambda: cancel(given))
        try:
            await given
        except asyncio.CancelledError:
            helper.result()
            return "cancelled"
        return "went on"

    for kind in ("future", "task"):
        # Without a timeout, which would wake the loop.
        assert loop.run_until_complete(main(kind)) == "cancelled"
