"""Chapter asyncgens: generators that are collected half-way, whenever that is, and in whichever thread."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.generators import Generator, count, see_the_exit, start
from conformance.kit.patience import Patience
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns, until
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("asyncgens.collected", MUST, cite="PEP 525: Finalization")
def test_a_collected_generator_is_closed(loop: Loop, patience: Patience) -> None:
    """A generator that is collected half-way is closed by the loop: what it awaits in finally is awaited.

    If this fails: look for the finalizer hook, which must schedule aclose(): that throws GeneratorExit.
    """
    trace: list[str] = []

    async def main(generator: Generator) -> None:
        await start(generator)
        del generator
        gc.collect()
        await until(patience, lambda: trace, "the closing of the generator")

    for generate in (count, see_the_exit):
        loop.run_until_complete(main(generate(trace)))
        assert trace.pop() == "closed"
    assert trace == []


@requirement("asyncgens.collected-after-shutdown", SHOULD, cite="PEP 525: Finalization")
def test_a_generator_collected_after_the_shutdown_is_closed(loop: Loop, patience: Patience) -> None:
    """A generator that is begun after shutdown_asyncgens() and collected half-way is closed, too, while the loop runs.

    If this fails: look for a finalizer that does nothing once the generators were shut down.
    """
    trace: list[str] = []

    async def main() -> None:
        await loop.shutdown_asyncgens()
        generator = count(trace)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            await start(generator)
        del generator
        gc.collect()
        await until(patience, lambda: trace, "the closing of the generator")

    loop.run_until_complete(main())


@requirement("asyncgens.collected-during-shutdown", SHOULD, cite="PEP 525: Finalization")
@pytest.mark.parametrize("begun", ["before", "meanwhile"])
def test_a_generator_collected_during_the_shutdown_is_closed(loop: Loop, patience: Patience, begun: str) -> None:
    """A generator that is collected while shutdown_asyncgens() goes on is closed, too, and once.

    If this fails: look for a finalizer that relies on the shutdown, or for a shutdown that relies on the finalizer.
    """
    trace: list[str] = []
    may_end = loop.create_future()

    async def wait_when_closed() -> Generator:
        try:
            yield 1
        finally:
            trace.append("waiting")
            await may_end

    async def main() -> None:
        waiting, generator = wait_when_closed(), count(trace)
        await start(waiting)
        if begun == "before":
            await start(generator)
        shutdown = loop.create_task(loop.shutdown_asyncgens())
        if begun == "meanwhile":
            await until(patience, lambda: "waiting" in trace, "the closing of the generator that is kept")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                await start(generator)
        del generator
        gc.collect()
        await until(patience, lambda: len(trace) == 2, "the closing of the generator that was collected")
        assert not shutdown.done()
        may_end.set_result(None)
        await shutdown
        await turns(5)

    loop.run_until_complete(main())
    assert sorted(trace) == ["closed", "waiting"]


@requirement("asyncgens.collected-in-task", SHOULD, cite="PEP 525: Finalization")
def test_a_collected_generator_is_closed_by_a_task(loop: Loop, patience: Patience) -> None:
    """aclose() of a collected generator runs in a task of its own, so that asyncio.timeout() works in its finally.

    One that waits in its finally keeps no other from being closed.

    If this fails: look for aclose() that is driven by hand, in the finalizer, or for one task that closes them all.
    """
    seen: list[Any] = []
    may_end = asyncio.Event()

    async def generate() -> Generator:
        try:
            yield 1
        finally:
            async with asyncio.timeout(None):
                await asyncio.sleep(0)
            seen.append(asyncio.current_task())
            may_end.set()

    async def generate_and_wait() -> Generator:
        try:
            yield 1
        finally:
            await may_end.wait()
            seen.append(asyncio.current_task())

    async def main() -> None:
        waiting, generator = generate_and_wait(), generate()
        await start(waiting, generator)
        del waiting
        gc.collect()
        del generator
        gc.collect()
        await until(patience, lambda: len(seen) == 2, "the closing of the generators")
        assert len({*seen, asyncio.current_task()}) == 3
        assert all(isinstance(task, asyncio.Task) for task in seen)

    loop.run_until_complete(main())


@requirement("asyncgens.collected-in-thread", MUST, cite="PEP 525: Finalization")
@each("debug", [False, True])
def test_a_generator_collected_in_another_thread_is_closed_in_the_loop(
    loop: Loop, patience: Patience, debug: bool
) -> None:
    """A generator whose last reference another thread drops is closed in the loop's thread, and the loop wakes for it.

    If this fails: look for a finalizer that schedules without call_soon_threadsafe().
    """

    async def generate(closed: asyncio.Future[int]) -> Generator:
        try:
            yield 1
        finally:
            closed.set_result(threading.get_ident())

    async def main() -> None:
        for _ in range(5):  # a loop that is not asleep yet needs no waking
            closed: asyncio.Future[int] = loop.create_future()
            kept = [generate(closed)]
            await start(*kept)

            def drop(kept: list[Generator] = kept) -> None:
                time.sleep(0.002)
                kept.clear()

            helper = in_thread(drop)
            watchdog = loop.call_later(patience.seconds, closed.cancel)
            assert await closed == threading.get_ident()
            watchdog.cancel()
            helper.result()

    loop.set_debug(debug)
    loop.run_until_complete(main())


@requirement("asyncgens.collected-between-runs", SHOULD, cite="PEP 525: Finalization")
@each("stopped", [False, True])
def test_a_generator_collected_while_the_loop_stands_is_closed_when_it_runs(
    loop: Loop, patience: Patience, stopped: bool
) -> None:
    """A generator that is collected while the loop does not run, or after stop(), is closed in the next run.

    If this fails: look for a finalizer that works with the running loop, of which there is none, or does nothing as the
    loop is about to stop.
    """
    trace: list[str] = []
    kept = [count(trace)]

    def drop() -> None:
        kept.clear()
        gc.collect()

    loop.run_until_complete(start(*kept))
    if stopped:
        loop.call_soon(loop.stop)
        loop.call_soon(drop)
        loop.run_forever()
    else:
        drop()
    patience.run_until(loop, lambda: trace, "the closing of the generator")
    assert trace == ["closed"]


@requirement("asyncgens.collected-in-another-run", SHOULD, cite="PEP 525: Finalization")
def test_a_generator_collected_while_another_loop_runs_is_closed_by_its_own(
    loop: Loop, make_loop: Factory, patience: Patience
) -> None:
    """A generator that is collected while another loop runs in the thread is closed by its own loop, in its next run.

    If this fails: look for a finalizer that asks for the running loop, instead of being that of one loop.
    """
    closed_in: list[Loop] = []

    async def generate() -> Generator:
        try:
            yield 1
        finally:
            closed_in.append(asyncio.get_running_loop())

    async def drop() -> None:
        kept.clear()
        gc.collect()
        await turns(5)

    kept = [generate()]
    loop.run_until_complete(start(*kept))
    make_loop().run_until_complete(drop())
    patience.run_until(loop, lambda: closed_in, "the closing of the generator")
    assert closed_in == [loop]


@requirement("asyncgens.collected-after-close", SHOULD, cite="PEP 525: Finalization")
def test_a_generator_collected_after_the_loop_was_closed_is_harmless(loop: Loop) -> None:
    """A generator that is collected after its loop was closed is not closed any more, and nothing is raised.

    If this fails: look for a finalizer that schedules on a closed loop: the exception is lost in the collector.
    """
    trace: list[str] = []
    kept = [count(trace)]
    loop.run_until_complete(start(*kept))
    loop.close()
    kept.clear()
    gc.collect()
    assert trace == []


@requirement("asyncgens.collected-error", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_while_a_collected_generator_closes_is_reported(loop: Loop, patience: Patience) -> None:
    """If closing a collected generator raises, the exception reaches the loop's exception handler.

    If this fails: look for the result of aclose(), which nobody asks for.
    """
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: seen.append(context))

    async def fail() -> Generator:
        try:
            yield 1
        finally:
            raise LookupError("while closing")

    def reported() -> bool:
        gc.collect()
        return bool(seen)

    async def main() -> None:
        generator = fail()
        await start(generator)
        del generator
        await until(patience, reported, "the call of the exception handler")

    loop.run_until_complete(main())
    assert [type(context.get("exception")) for context in seen] == [LookupError]
