"""Chapter timers: time(), the clock of the loop."""

from __future__ import annotations

import asyncio
import time

from conformance.kit.cases import each
from conformance.kit.patience import grain, turn
from conformance.kit.places import PLACES, at
from conformance.kit.threads import Helper
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DAY = 24 * 3600.0


@requirement("timers.time-is-float", MUST, cite="asyncio-eventloop: loop.time")
def test_time_is_a_float(loop: Loop) -> None:
    """time() returns the current time as a float.

    If this fails: look for a clock that returns integers.
    """
    assert isinstance(loop.time(), float)


@requirement("timers.time-monotonic", MUST, cite="asyncio-eventloop: loop.time")
def test_time_never_runs_backwards(loop: Loop) -> None:
    """time() is according to the event loop's internal monotonic clock: it never decreases, in callbacks or outside.

    If this fails: look for two clocks, one inside and one outside a run, one for each thread, or a cached one that is
    older.
    """
    seen = [loop.time()]

    def look(left: int) -> None:
        seen.append(loop.time())
        if left:
            loop.call_soon(look, left - 1)
        else:
            loop.stop()

    loop.call_soon(look, 100)
    loop.run_forever()
    for place in PLACES:
        seen.append(loop.time())
        seen.append(at(place, loop, loop.time))
    seen.append(loop.time())
    assert seen == sorted(seen)


@requirement("timers.time-advances", SHOULD, cite="uvloop#29")
def test_time_goes_on_while_a_callback_runs(loop: Loop) -> None:
    """time() advances while a callback blocks the loop.

    If this fails: look for a clock that is read once per iteration.
    """
    seen: list[float] = []

    def block() -> None:
        seen.append(loop.time())
        time.sleep(0.02)
        seen.append(loop.time())

    loop.call_soon(block)
    turn(loop)
    assert seen[1] - seen[0] >= 0.018 - grain(loop)


@requirement("timers.seconds", MUST, cite="asyncio-eventloop: loop.time")
@each("ran", [False, True])
def test_the_unit_of_time_is_the_second(loop: Loop, ran: bool) -> None:
    """time() counts seconds: it advances at least as fast as a real delay of some milliseconds.

    If this fails: look for a clock in milliseconds, or one scaled by mistake, or that stands still until the loop runs.
    """
    if ran:
        turn(loop)
    tolerance = 0.002 + grain(loop)
    before, real = loop.time(), time.monotonic()
    time.sleep(0.01 + 2 * tolerance)
    after, passed = loop.time(), time.monotonic() - real
    later = time.monotonic() - real
    assert 0.01 + tolerance <= after - before <= later + tolerance, (after - before, passed)


@requirement("timers.same-thread-clock", SHOULD, cite="asyncio-eventloop: loop.time")
@each("meanwhile", ["the loop waits", "a callback blocks the loop"])
def test_time_can_be_asked_from_another_thread(loop: Loop, meanwhile: str) -> None:
    """time() may be asked from any thread, also while the loop runs, and is the current time there, too.

    If this fails: look for a clock kept in thread-local state, or for one that is read once per iteration, or not at
    all for others than the thread of the loop.
    """
    seen: list[float] = []

    def work() -> None:
        try:
            seen.append(loop.time())
            time.sleep(0.02)
            seen.append(loop.time())
        finally:
            loop.call_soon_threadsafe(loop.stop)

    helper = Helper(work)
    seen.append(loop.time())
    loop.call_soon(helper.start)
    if meanwhile == "a callback blocks the loop":
        loop.call_soon(helper.join)
    loop.run_forever()
    helper.result()
    seen.append(loop.time())
    assert seen == sorted(seen)
    assert seen[2] - seen[1] >= 0.018 - grain(loop)
