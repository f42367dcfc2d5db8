"""Chapter timers: the handle of a delayed callback, and how it is cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import time

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, grain, turn
from conformance.kit.places import PLACES, at
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DAY = 24 * 3600.0
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


@requirement("timers.later-handle", MUST, cite=("asyncio-eventloop: loop.call_later", "uvloop#482"))
@each("delay", [0, -1, 0.001, 1000])
@each("place", PLACES)
def test_call_later_returns_a_timer_handle(loop: Loop, delay: float, place: str) -> None:
    """call_later() returns an instance of asyncio.TimerHandle, also for a delay that is zero or negative.

    If this fails: look for such delays that are handed to call_soon() and return a plain Handle.
    """
    handle = at(place, loop, lambda: loop.call_later(delay, lambda: None))
    assert isinstance(handle, asyncio.TimerHandle)
    handle.cancel()


@requirement("timers.at-handle", MUST, cite="asyncio-eventloop: loop.call_at")
def test_call_at_returns_a_timer_handle(loop: Loop) -> None:
    """call_at() returns an instance of asyncio.TimerHandle.

    If this fails: look for a handle class of the loop's own that does not derive from the public one.
    """
    handle = loop.call_at(loop.time() + 1000, lambda: None)
    assert isinstance(handle, asyncio.TimerHandle)
    handle.cancel()


@requirement("timers.when-at", MUST, cite="asyncio-eventloop: TimerHandle.when")
@each("place", PLACES)
def test_when_is_the_deadline_of_call_at(loop: Loop, place: str) -> None:
    """TimerHandle.when() returns the scheduled callback time as float seconds: the when that call_at() was given.

    If this fails: look for a deadline stored as an integer or as a delay, or another unit for an int.
    """
    whole = loop.call_at(int(loop.time()) + 1000, lambda: None)
    assert abs(whole.when() - loop.time() - 1000) < 10
    whole.cancel()
    even = loop.call_at(float(int(loop.time()) + 1000), lambda: None)
    assert isinstance(even.when(), float)
    even.cancel()
    deadline = loop.time() + 1234.56789
    handle = at(place, loop, lambda: loop.call_at(deadline, lambda: None))
    assert handle.when() == pytest.approx(deadline, abs=0.002 + grain(loop))
    assert isinstance(handle.when(), float)
    handle.cancel()


@requirement("timers.when-later", MUST, cite="asyncio-eventloop: TimerHandle.when")
@each("delay", [1000.0, 1000, 1.75, 0.25, 100_000.5, 30 * DAY, 60 * DAY])
@each("place", PLACES)
def test_when_of_call_later_uses_the_time_reference_of_the_loop(loop: Loop, delay: float, place: str) -> None:
    """TimerHandle.when() is an absolute timestamp with the same time reference as loop.time(), for call_later() too.

    If this fails: look for a when() that returns the delay, time by another clock, another unit for an int, or
    milliseconds in 32 bits, which are over after 25 or 50 days.
    """
    before = loop.time()
    handle = at(place, loop, lambda: loop.call_later(delay, lambda: None))
    after = loop.time()
    assert before + delay - 0.002 <= handle.when() <= after + delay + 0.002
    assert isinstance(handle.when(), float)
    handle.cancel()


@requirement(
    "timers.when-at-once", MUST, cite=("asyncio-eventloop: loop.call_later", "asyncio-eventloop: TimerHandle.when")
)
@each("delay", [0, 0.0, 0.0001])
def test_a_timer_without_delay_is_a_timer(loop: Loop, delay: float) -> None:
    """call_later() returns a TimerHandle, which tells its when(), also if there is no delay to speak of.

    If this fails: look for a short way to call_soon(), whose handle is another.
    """
    before = loop.time()
    handle = loop.call_later(delay, lambda: None)
    assert before + delay - 0.002 <= handle.when() <= loop.time() + delay + 0.002
    handle.cancel()


@requirement("timers.cancel", MUST, cite="asyncio-eventloop: loop.call_later")
@each("place", PLACES)
def test_a_cancelled_timer_does_not_run(loop: Loop, patience: Patience, place: str) -> None:
    """The TimerHandle that call_later() and call_at() return can be used to cancel the callback, and no other.

    If this fails: look for a cancel() that does not reach the timer of the library underneath, or that finds another
    timer of the same deadline.
    """
    trace: list[str] = []

    def work() -> list[asyncio.TimerHandle]:
        start = loop.time()
        loop.call_at(start + 0.001, trace.append, "before")
        handles = [loop.call_at(start + 0.002, trace.append, "cancelled")]
        handles += [loop.call_later(delay, trace.append, "cancelled") for delay in (0, 0.002)]
        loop.call_at(start + 0.003, trace.append, "after")
        for handle in handles:
            handle.cancel()
        return handles

    cancelled = at(place, loop, work)
    patience.run_until(loop, lambda: {"before", "after"} <= {*trace}, "the timers that were not cancelled")
    assert sorted(trace) == ["after", "before"]  # in which order is another question
    assert all(handle.cancelled() for handle in cancelled)
    trace.clear()
    same = loop.time()
    handles = [loop.call_at(same, trace.append, name) for name in "abcde"]
    for number in (1, 4):
        handles[number].cancel()
    patience.run_until(loop, lambda: len(trace) >= 3, "the timers that were not cancelled")
    turn(loop, 3)
    assert sorted(trace) == ["a", "c", "d"]


@requirement("timers.cancel-twin", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_of_equal_timers_the_one_that_is_cancelled_does_not_run(loop: Loop, patience: Patience) -> None:
    """cancel() cancels its own callback, also if another timer has the same deadline, function and arguments.

    If this fails: look for a timer that is searched for with ==: two with different contexts can be equal.
    """
    seen: list[str] = []

    def ask(seen: list[str]) -> None:
        seen.append(VARIABLE.get())

    when = loop.time()
    handles = []
    for name in ("first", "second", "third"):
        context = contextvars.Context()
        context.run(VARIABLE.set, name)
        handles.append(loop.call_at(when, ask, seen, context=context))
    handles[1].cancel()
    assert [handle.cancelled() for handle in handles] == [False, True, False]
    patience.run_until(loop, lambda: len(seen) >= 2, "the timers that were not cancelled")
    turn(loop, 3)
    assert sorted(seen) == ["first", "third"]


@requirement("timers.cancel-due", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_a_timer_can_be_cancelled_by_one_that_is_due_with_it(loop: Loop) -> None:
    """A timer can cancel another that is due in the same iteration: of two that cancel each other, one runs.

    If this fails: look for due timers moved to a batch that is not checked again.
    """
    trace: list[str] = []
    start = loop.time()

    def cancel_the_other(name: str) -> None:
        trace.append(name)
        for timer in timers:
            timer.cancel()

    timers = [loop.call_at(start + number * 0.0001, cancel_the_other, "victim") for number in range(2)]
    time.sleep(0.02)  # a clock may tick every 16 ms only
    turn(loop, 3)
    assert trace == ["victim"]


@requirement("timers.cancel-many", SHOULD, cite="gh-66397")
def test_cancelling_most_of_many_timers_keeps_the_rest(loop: Loop) -> None:
    """When most of thousands of timers are cancelled, those that remain still run, in order.

    If this fails: look for a heap that is compacted wrongly, or a cancelled-timers counter that goes astray.
    """
    trace: list[int] = []
    start = loop.time() + 0.1  # what is overdue when it is scheduled has no order
    twice = sorted([*range(2000)] * 2)  # each deadline is that of two timers
    handles = [loop.call_at(start + number * 3e-5, trace.append, number) for number in twice]
    for number, handle in zip(twice, handles, strict=True):
        if number % 100:
            handle.cancel()
    loop.call_at(start + 0.07, loop.stop)
    loop.run_forever()
    assert trace == sorted([*range(0, 2000, 100)] * 2)


@requirement("timers.cancel-many-first", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_cancelling_the_first_of_many_timers_keeps_the_rest_apart(loop: Loop, patience: Patience) -> None:
    """When the first of many timers are cancelled, of the rest those that are due run, and those that are not do not.

    If this fails: look for cancelled timers that are taken out of a heap, which is then a heap no more.
    """
    fired: list[int] = []
    start = loop.time()
    numbers = [number * 619 % 1000 for number in range(1000)]
    due = [number for number in numbers if 800 <= number < 900]
    handles = {}
    for number in numbers:
        deadline = start + 0.002 if number < 900 else start + number
        handles[number] = loop.call_at(deadline + number * 1e-6, fired.append, number)
    for number in range(800):
        handles[number].cancel()
    patience.run_until(loop, lambda: len(fired) >= len(due), "the timers that are due")
    assert sorted(fired) == sorted(due)


@requirement("timers.cancel-after-run", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_cancelling_a_timer_that_ran_has_no_effect(loop: Loop, patience: Patience) -> None:
    """If the callback has already been executed, cancel() has no effect; other timers are not disturbed.

    If this fails: look for a timer slot that was reused by another timer.
    """
    fired: list[str] = []
    first = loop.call_later(0, fired.append, "first")
    patience.run_until(loop, lambda: fired, "the first timer")
    second = loop.call_later(0.001, fired.append, "second")
    first.cancel()
    first.cancel()
    patience.run_until(loop, lambda: len(fired) == 2, "the second timer")
    assert not second.cancelled()


@requirement("timers.cancel-after-close", SHOULD, cite="asyncio-eventloop: Handle.cancel")
@each("delay", [0, 0.001, 1000])
def test_a_timer_can_be_cancelled_after_its_loop_was_closed(make_loop: Factory, delay: float) -> None:
    """A handle may be cancelled after close(), which has discarded its callback: nothing is raised.

    If this fails: look for a timer of the library underneath that close() has freed, or a check for a closed loop.
    What cleans up late, in finally or __del__(), cannot know.
    """
    loop = make_loop()
    handles = [loop.call_later(delay, lambda: None), loop.call_soon(lambda: None)]
    loop.close()
    for handle in handles:
        handle.cancel()
        assert handle.cancelled() is True


@requirement("timers.cancelled-far-timer", SHOULD, cite="asyncio-eventloop: Handle.cancel")
def test_a_cancelled_timer_does_not_keep_the_loop_from_waiting_for_the_next(loop: Loop, patience: Patience) -> None:
    """The nearest timer may be cancelled: the loop waits for the next one, and runs it.

    If this fails: look for the cancelled head of a heap that hides those behind it.
    """
    fired: list[str] = []
    head = loop.call_later(0.001, fired.append, "head")
    loop.call_later(0.003, fired.append, "next")
    head.cancel()
    patience.run_until(loop, lambda: fired, "the next timer")
    assert fired == ["next"]
