"""Chapter timers: call_later() and call_at(), and when a delayed callback may run."""

from __future__ import annotations

import asyncio
import functools
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ARGUMENTS
from conformance.kit.patience import Patience, grain, resolution, tolerance, turn
from conformance.kit.peers import unix_pair
from conformance.kit.places import PLACES, at
from conformance.kit.refusals import refused
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DAY = 24 * 3600.0
WRAPPED = [2**bits / unit + 0.0005 for bits in (31, 32) for unit in (1, 1e3, 1e6)]
WRAPPED += [2**bits / unit for bits in (63, 64) for unit in (1e6, 1e9)]
"""Just above what 31 or 32 bits hold of seconds, milliseconds and microseconds, or 63 or 64 of micro- and nanoseconds.

Some write such a number of seconds, or the largest integer that they know of, where they mean that it never ends.
"""


class _Seconds(float):
    """A number of a class of its own, as those of other libraries are."""


@requirement("timers.later-runs", MUST, cite="asyncio-eventloop: loop.call_later")
@each("delay", [0, 0.0, 0.001, 1e-9, _Seconds(0.001), False])
def test_call_later_calls_the_callback(loop: Loop, patience: Patience, delay: float) -> None:
    """call_later() schedules the callback to be called after delay seconds, which can be an int or a float.

    If this fails: look for a delay that must be a float, or one that is rounded to "never".
    """
    fired: list[int] = []
    loop.call_later(delay, fired.append, 1)
    patience.run_until(loop, lambda: fired, "the delayed callback")


@requirement("timers.at-runs", MUST, cite="asyncio-eventloop: loop.call_at")
@each("kind", [int, float, _Seconds])
def test_call_at_calls_the_callback(loop: Loop, patience: Patience, kind: Callable[[float], float]) -> None:
    """call_at() schedules the callback at the absolute timestamp when (an int or a float) of loop.time().

    If this fails: look for a deadline taken for a delay, or measured by another clock than time().
    """
    fired: list[int] = []
    loop.call_at(kind(loop.time()), fired.append, 1)
    patience.run_until(loop, lambda: fired, "the callback")


@requirement("timers.later-never-early", MUST, cite="asyncio-eventloop: loop.call_later")
@each("delay", [0.0004, 0.001, 0.0042, 0.009])
@each("place", PLACES)
def test_a_delayed_callback_does_not_run_early(loop: Loop, delay: float, place: str) -> None:
    """A callback given to call_later() does not run before delay seconds have passed on the loop's clock.

    If this fails: look for a deadline computed from a cached clock, a timeout rounded down to milliseconds, or a way
    of its own for calls from inside a run.
    """
    ran_at: list[float] = []
    asked_at: list[float] = []

    def callback() -> None:
        ran_at.append(loop.time())
        loop.stop()

    def work() -> None:
        time.sleep(0.001)  # a clock that is cached between turns is stale now
        asked_at.append(loop.time())
        loop.call_later(delay, callback)

    at(place, loop, work)
    if not ran_at:
        loop.run_forever()
    assert ran_at[0] - asked_at[0] >= delay - tolerance(loop)


@requirement("timers.later-never-early-real", MUST, cite="asyncio-eventloop: loop.call_later")
def test_a_delayed_callback_does_not_run_early_by_the_systems_clock(loop: Loop) -> None:
    """A callback given to call_later() does not run before delay seconds of real, monotonic time have passed.

    If this fails: look for a loop clock that stands still while a callback runs: a delay counted from it is too short.
    """
    ran_at: list[float] = []

    def callback() -> None:
        ran_at.append(time.monotonic())
        loop.stop()

    def schedule() -> None:
        time.sleep(delay + 0.001)
        asked_at.append(time.monotonic())
        loop.call_later(delay, callback)

    tick = grain(loop)
    delay = 0.005 + tick
    asked_at: list[float] = []
    loop.call_soon(schedule)
    loop.run_forever()
    assert ran_at[0] - asked_at[0] >= delay - 0.001 - tick - resolution()


@requirement("timers.at-never-early", MUST, cite="asyncio-eventloop: loop.call_at")
def test_call_at_does_not_run_early(loop: Loop) -> None:
    """A callback given to call_at() does not run before loop.time() has reached when.

    If this fails: look for a poll timeout rounded down, after which due timers are guessed instead of asked.
    """
    lateness: list[float] = []

    def look(when: float) -> None:
        lateness.append(loop.time() - when)

    for _ in range(4):  # on a busy machine a loop that wakes too early may still be late: ask again
        start = loop.time()
        for number in range(1, 8):
            when = start + number * 0.0013
            loop.call_at(when, functools.partial(look, when))
        loop.call_at(start + 0.012, loop.stop)
        loop.run_forever()
    assert len(lateness) == 4 * 7
    assert min(lateness) >= -tolerance(loop)


@requirement("timers.never-inline", MUST, cite="asyncio-eventloop: loop.call_later")
@each("delay", [0, -1])
def test_a_timer_that_is_due_does_not_run_on_the_spot(loop: Loop, delay: int) -> None:
    """call_later() schedules: even a callback that is due at once is not called inside call_later().

    If this fails: look for a shortcut for zero delays.
    """
    trace: list[str] = []

    def inner() -> None:
        trace.append("inner")
        loop.stop()

    def outer() -> None:
        loop.call_later(delay, inner)
        trace.append("outer")

    loop.call_soon(outer)
    loop.run_forever()
    assert trace == ["outer", "inner"]


@requirement("timers.arguments", MUST, cite="asyncio-eventloop: loop.call_later")
@each("method", ["call_later", "call_at"])
@each("place", PLACES)
def test_delayed_callbacks_get_their_arguments(loop: Loop, patience: Patience, method: str, place: str) -> None:
    """The optional positional args are passed to the callback when it is called.

    If this fails: look for arguments that call_later() drops or packs into one tuple, a single tuple that is taken
    for all arguments, or a None that is taken for none.
    """
    seen: list[tuple[int, tuple[object, ...]]] = []
    when = 0 if method == "call_later" else loop.time()

    def work() -> None:
        for number, arguments in enumerate(ODD_ARGUMENTS):
            getattr(loop, method)(when, lambda *args, number=number: seen.append((number, args)), *arguments)

    at(place, loop, work)
    patience.run_until(loop, lambda: len(seen) == len(ODD_ARGUMENTS), "the last callback")
    assert sorted(seen, key=lambda each: each[0]) == list(enumerate(ODD_ARGUMENTS))


@requirement("timers.once", MUST, cite="asyncio-eventloop: loop.call_later")
def test_a_delayed_callback_runs_exactly_once(loop: Loop, patience: Patience) -> None:
    """The callback will be called exactly once, one that was scheduled twice for the same time once per call.

    If this fails: look for a repeating timer of the library underneath that is not stopped, for timers that are kept by
    their deadlines or merged when they are equal, or for a callback that can have one deadline only.
    """
    calls: list[int] = []
    loop.call_later(0.001, calls.append, 1)
    patience.run_until(loop, lambda: calls, "the callback")
    time.sleep(0.003)
    turn(loop, 5)
    assert calls == [1]
    when = loop.time() + 0.001
    note = calls.append
    for number in (2, 2, 3):
        loop.call_at(when, note, number)
    patience.run_until(loop, lambda: len(calls) >= 4, "the last callback")
    time.sleep(0.003)
    turn(loop, 5)
    assert sorted(calls) == [1, 2, 2, 3]
    for delay in (0.003, 0.001, 0.002):
        loop.call_later(delay, note, 4)
    patience.run_until(loop, lambda: len(calls) >= 7, "the same callback, at three times")


@requirement("timers.survive-stop", MUST, cite="asyncio-eventloop: loop.stop")
def test_timers_outlive_a_stopped_loop(loop: Loop, patience: Patience) -> None:
    """A timer that was set before the loop stopped runs when the loop runs again.

    If this fails: look for timers that belong to one run of the loop.
    """
    fired: list[int] = []
    early = tolerance(loop)
    for delay in (0.002, 0.02, 0.2, 2):
        # On a busy machine the loop may be due before it stops; then nothing was asked.
        deadline = loop.time() + delay
        handle = loop.call_at(deadline, fired.append, 1)
        turn(loop, 2)
        if loop.time() < deadline - early:
            break
        handle.cancel()
        fired.clear()
    assert not fired
    time.sleep(max(0.0, deadline - loop.time()) + 0.001)
    assert not fired
    patience.run_until(loop, lambda: fired, "the timer after a restart")


@requirement(
    "timers.far-future", SHOULD, cite=("asyncio-eventloop: loop.call_later", "asyncio-eventloop: loop.call_at")
)
@each("method", ["call_later", "call_at"])
@each("delay", [DAY, 25 * DAY, 50 * DAY, 400 * DAY, 1e9, 10**9, 10**10, sys.maxsize, *WRAPPED])
def test_a_timer_in_the_far_future_neither_fires_nor_fails(loop: Loop, delay: float, method: str) -> None:
    """A delay of days or years is accepted, does not fire, and does not keep nearer timers from running.

    If this fails: look for milliseconds in 32 bits: 24.9 or 49.7 days wrap to what is past, or due soon. So do 36 or
    72 minutes in microseconds, 68 or 136 years in seconds, and 292 or 584 years in nanoseconds of 64 bits.
    """
    fired: list[str] = []
    when = delay if method == "call_later" else type(delay)(loop.time()) + delay
    handle = getattr(loop, method)(when, fired.append, "far")
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert fired == []
    handle.cancel()


@requirement("timers.far-future-idle", SHOULD, cite=("asyncio-eventloop: loop.call_later", "uvloop#259"))
@each("delay", [DAY, 50 * DAY, 400 * DAY, 1e9])
def test_a_loop_whose_only_timer_is_far_away_waits_for_events(loop: Loop, delay: float) -> None:
    """A loop that has nothing to do but a timer in the far future waits for events, and runs what they schedule.

    If this fails: look for a timeout that the system call does not take: limit it, and wait again.
    """
    handle = loop.call_later(delay, pytest.fail, "the timer fired")
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        loop.add_reader(ours, loop.stop)
        loop.run_forever()
        loop.remove_reader(ours)
    handle.cancel()


@requirement("timers.infinite-delay", MAY, cite="asyncio-eventloop: loop.call_later")
@pytest.mark.parametrize("delay", [math.inf, math.nan], ids=["inf", "nan"])
def test_what_an_infinite_delay_does_is_open(loop: Loop, answer: Any, delay: float) -> None:
    """The documentation does not say what an infinite or undefined delay does.

    If this fails: nothing is wrong; what libraries depend on is said by timers.infinite.
    """
    fired: list[str] = []
    try:
        handle = loop.call_later(delay, fired.append, "fired")
        loop.call_later(0.002, loop.stop)
        loop.run_forever()
    except (ValueError, OverflowError) as error:
        answer(f"{delay}: raises {type(error).__name__}")
    else:
        handle.cancel()
        answer(f"{delay}: {'fires' if fired else 'does not fire'}")


@requirement("timers.none-delay", SHOULD, cite="gh-91539")
@each("method", ["call_later", "call_at"])
def test_a_deadline_of_none_is_a_type_error(loop: Loop, method: str) -> None:
    """call_later() and call_at() raise an exception when the delay or deadline is None.

    If this fails: look for None taken for zero, or an error that surfaces inside the loop later.
    """
    with refused():
        getattr(loop, method)(None, lambda: None)


@requirement("timers.closed-loop", MUST, cite="asyncio-eventloop: loop.close")
@each("method", ["call_later", "call_at"])
def test_setting_a_timer_on_a_closed_loop_is_an_error(loop: Loop, method: str) -> None:
    """call_later() and call_at() raise RuntimeError if called on a loop that's been closed.

    If this fails: look for a timer that is set on a loop that can never run it, or a shorter way for what is due.
    """
    loop.close()
    for when in (1000, 0, -1):
        with pytest.raises(RuntimeError):
            getattr(loop, method)(when, lambda: None)


@requirement("timers.by-name", MUST, cite="asyncio-eventloop: Scheduling delayed callbacks")
def test_the_time_of_a_timer_may_be_given_by_name(loop: Loop) -> None:
    """call_later() and call_at() take their documented parameters delay, when and callback by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    trace: list[str] = []
    loop.call_later(delay=0.001, callback=lambda: trace.append("call_later"))
    loop.call_at(when=loop.time() + 0.003, callback=loop.stop)
    loop.run_forever()
    assert trace == ["call_later"]
