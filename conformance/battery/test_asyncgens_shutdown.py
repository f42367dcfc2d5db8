"""Chapter asyncgens: loop.shutdown_asyncgens(), and what is iterated after it."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.generators import Generator, count, see_the_exit, start
from conformance.kit.patience import Patience, turn
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _fail_when_closed(error: BaseException) -> Generator:
    try:
        yield 1
    finally:
        raise error


async def _does_not_end() -> Generator:
    try:
        yield 1
    finally:
        yield 2


def _start_by_hand(generator: Generator) -> None:
    """Iterate a generator that does not await before it yields, without a task."""
    with contextlib.suppress(StopIteration):
        generator.__anext__().send(None)


def _shut_down(loop: Loop, *generators: Generator) -> list[dict[str, Any]]:
    """What the exception handler is told of the shutdown of generators that fail; the last entry is about them."""
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    generators = generators or (_fail_when_closed(LookupError("while closing")),)
    loop.run_until_complete(start(*generators))
    loop.run_until_complete(loop.shutdown_asyncgens())
    return [*seen, {"generators": generators}]


@requirement("asyncgens.shutdown", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
@each("debug", [False, True])
def test_shutdown_asyncgens_closes_what_is_open(loop: Loop, debug: bool) -> None:
    """shutdown_asyncgens() schedules all open generators to close with aclose(), and ends when they are closed.

    If this fails: look for the register of generators that were iterated, perhaps cleared by each run, or without those
    that no task iterates, for a gather() that nobody awaits, for another exception than GeneratorExit thrown in, or for
    a second call that does nothing.
    """
    loop.set_debug(debug)
    trace: list[str] = []
    names = [f"{number:03}" for number in range(100)]
    generators = [generate(trace, name) for generate, name in zip((count, see_the_exit) * 50, names, strict=True)]
    loop.run_until_complete(start(*generators[:50]))
    turn(loop)
    loop.run_until_complete(start(*generators[50:89]))  # those of a second run, too
    loop.call_soon(_start_by_hand, generators[89])
    turn(loop)
    assert trace == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert sorted(trace) == names[:90]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loop.run_until_complete(start(*generators[90:]))
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert sorted(trace) == names


@requirement("asyncgens.shutdown-together", SHOULD, cite="PEP 525: Finalization")
def test_open_generators_are_closed_side_by_side(loop: Loop, patience: Patience) -> None:
    """shutdown_asyncgens() schedules all open generators to close: one does not wait until another has closed.

    If this fails: look for aclose() awaited in a row.
    """
    arrived: list[str] = []

    async def meets(name: str) -> Generator:
        try:
            yield 1
        finally:
            arrived.append(name)
            async with asyncio.timeout(patience.seconds):
                while len(arrived) < 2:
                    await asyncio.sleep(0)

    generators = [meets("a"), meets("b")]
    loop.run_until_complete(start(*generators))
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert sorted(arrived) == ["a", "b"]


@requirement("asyncgens.shutdown-nothing", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
def test_shutdown_asyncgens_with_nothing_open(loop: Loop) -> None:
    """With no generator open, shutdown_asyncgens() ends at once, and so it does when it is called again.

    If this fails: look for a gather() of nothing, or a flag that is meant to be set once.
    """
    results = [loop.run_until_complete(loop.shutdown_asyncgens()) for _ in range(2)]
    assert results == [None, None]


@requirement("asyncgens.shutdown-not-started", MUST, cite="PEP 525: Finalization")
def test_generators_that_were_not_started_are_left_alone(loop: Loop) -> None:
    """Open generators are those that were iterated: shutdown_asyncgens() leaves one that was not as it is.

    If this fails: look for generators that are registered when they are made.
    """
    trace: list[str] = []
    generator = count(trace)
    loop.run_until_complete(loop.shutdown_asyncgens())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loop.run_until_complete(start(generator))
    assert trace == []
    loop.run_until_complete(generator.aclose())
    assert trace == ["closed"]


@requirement("asyncgens.shutdown-inside", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
def test_shutdown_asyncgens_can_be_awaited_in_the_run_that_started_them(loop: Loop) -> None:
    """shutdown_asyncgens() is a coroutine: a task can await it while the loop goes on.

    If this fails: look for a shutdown that works between runs only.
    """
    trace: list[str] = []
    loop.set_debug(True)  # in which mode, too

    async def main() -> None:
        generators = [count(trace), count(trace)]
        await start(*generators)
        await asyncio.get_running_loop().shutdown_asyncgens()
        trace.append("main goes on")

    loop.run_until_complete(main())
    assert trace == ["closed", "closed", "main goes on"]


async def _warnings(*generators: Generator) -> list[int]:
    """How many warnings the first and the second iteration of all of them issued."""
    counts = []
    for value in (1, 2):
        # Round the iterations alone: a loop may warn of other things when it starts and stops.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert [await anext(generator) for generator in generators] == [value] * len(generators)
        counts.append(len(caught))
    for generator in generators:
        await generator.aclose()
    return counts


@requirement("asyncgens.warns", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
@each("debug", [False, True])
def test_iterating_after_the_shutdown_warns(loop: Loop, debug: bool) -> None:
    """After shutdown_asyncgens() the loop will issue a warning if a new asynchronous generator is iterated.

    If this fails: look for the flag that the firstiter hook is to look at.
    """
    loop.set_debug(debug)
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert loop.run_until_complete(_warnings(count([])))[0] == 1


@requirement("asyncgens.warns-for-each", MUST, cite="PEP 525: Finalization")
def test_the_warning_is_for_each_new_generator_once(loop: Loop) -> None:
    """The warning is issued whenever a new generator is iterated for the first time, and not at its next iterations.

    If this fails: look for a warning that is issued once per loop, or at each step.
    """
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert loop.run_until_complete(_warnings(count([]), count([]), count([]))) == [3, 0]


@requirement("asyncgens.warns-old-not", MUST, cite="PEP 525: Finalization")
def test_iterating_before_the_shutdown_does_not_warn(loop: Loop) -> None:
    """Before shutdown_asyncgens() generators are iterated without a warning.

    If this fails: look for a flag that is the wrong way round.
    """
    assert loop.run_until_complete(_warnings(count([]))) == [0, 0]


@requirement("asyncgens.error", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
def test_an_exception_while_closing_is_reported(loop: Loop, make_loop: Factory) -> None:
    """If closing a generator raises, the exception handler is called with the exception, once: so for each of several.

    If this fails: look for results of aclose() that nobody looks at, or only up to the first that raised, or for a
    generator that yields when it is closed.
    """
    reported = _shut_down(loop)[:-1]
    assert [type(context["exception"]) for context in reported] == [LookupError]
    errors = [LookupError("while closing the first"), ValueError("the second"), LookupError("the third")]
    reported = _shut_down(make_loop(), *map(_fail_when_closed, errors))[:-1]
    assert sorted(str(context["exception"]) for context in reported) == sorted(map(str, errors))
    reported = _shut_down(make_loop(), _does_not_end())[:-1]
    assert [type(context["exception"]) for context in reported] == [RuntimeError]


@requirement("asyncgens.error-key", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
def test_the_report_names_the_generator(loop: Loop) -> None:
    """The context's key asyncgen is the asynchronous generator that caused the exception.

    If this fails: look for the context that is given to call_exception_handler(), and for results and generators that
    are not in the same order.
    """
    errors = [LookupError(str(number)) for number in range(5)]
    *contexts, last = _shut_down(loop, *map(_fail_when_closed, errors))
    expected = dict(zip(map(str, errors), last["generators"], strict=True))
    assert len(contexts) == 5
    for context in contexts:
        assert context["asyncgen"] is expected[str(context["exception"])]


@requirement("asyncgens.error-isolated", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
@pytest.mark.parametrize("error", [LookupError("while closing"), asyncio.CancelledError()], ids=["error", "cancelled"])
@pytest.mark.parametrize("debug", [False, True], ids=["usual", "debug"])
def test_the_others_are_closed_although_one_fails(loop: Loop, watch: Any, error: BaseException, debug: bool) -> None:
    """All open generators are closed, also if closing one of them raises; shutdown_asyncgens() itself does not raise.

    If this fails: look for generators that are closed one after the other, up to the first exception, perhaps in debug
    mode only.
    """
    watch.allow("reported")
    loop.set_debug(debug)
    trace: list[str] = []
    generators = [count(trace, "a"), _fail_when_closed(error), count(trace, "b")]
    loop.run_until_complete(start(*generators))
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert sorted(trace) == ["a", "b"]


@requirement("asyncgens.shutdown-cancelled", SHOULD, cite="asyncio-exceptions: CancelledError")
def test_a_shutdown_can_be_cancelled(loop: Loop, patience: Patience) -> None:
    """A task that is cancelled while it awaits shutdown_asyncgens() gets the CancelledError, and is cancelled.

    If this fails: look for an `except` round the waiting that is meant for what the generators raise.
    """
    waits: list[str] = []

    async def wait_when_closed() -> Generator:
        try:
            yield 1
        finally:
            waits.append("for ever")
            await loop.create_future()

    generator = wait_when_closed()
    loop.run_until_complete(start(generator))
    task = loop.create_task(loop.shutdown_asyncgens())
    patience.in_turns.run_until(loop, lambda: waits, "the closing of the generator")
    assert not task.done()
    task.cancel()
    patience.in_turns.run_until(loop, task.done, "the end of the task that was cancelled")
    assert task.cancelled()


@requirement("asyncgens.per-loop", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
def test_a_loop_closes_its_own_generators_only(loop: Loop, make_loop: Factory) -> None:
    """A generator belongs to the loop in which it was first iterated: another loop's shutdown leaves it open.

    If this fails: look for a register of generators that all loops share.
    """
    trace: list[str] = []
    other = make_loop()
    mine, its = count(trace), count(trace, "of the other")
    loop.run_until_complete(start(mine))
    other.run_until_complete(start(its))
    other.run_until_complete(other.shutdown_asyncgens())
    assert trace == ["of the other"]
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert trace == ["of the other", "closed"]


@requirement("asyncgens.run-closes", MUST, cite="asyncio-runner: run", since="3.12")
def test_asyncio_run_finalizes_generators(make_loop: Factory) -> None:
    """asyncio.run() finalizes asynchronous generators before it closes the loop.

    If this fails: look for hooks that are not set in a run that a Runner starts.
    """
    trace: list[str] = []
    kept = [count(trace)]

    async def main() -> None:
        await start(*kept)

    run: Any = asyncio.run  # the keyword is new in 3.12
    run(main(), loop_factory=make_loop)
    assert trace == ["closed"]


@requirement("asyncgens.example-shutdown", MUST, cite="asyncio-eventloop: loop.shutdown_asyncgens")
def test_generators_are_closed_when_a_program_was_stopped(loop: Loop) -> None:
    """After run_forever() was stopped in the midst of a task's iteration, shutdown_asyncgens() closes the generator.

    Then the loop can be closed; the task ends by the end of its iteration, or is left.

    If this fails: look for a stop() that outlives run_forever(), or generators that one run alone remembers.
    """
    trace: list[str] = []

    async def iterate() -> None:
        async for number in generator:
            trace.append(f"got {number}")
            loop.stop()
            await loop.create_future()

    generator = count(trace)
    task = loop.create_task(iterate())
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        assert trace == ["got 1", "closed"]
        task.cancel()
        turn(loop, 2)
        loop.close()
    assert task.cancelled()
