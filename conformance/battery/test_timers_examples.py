"""Chapter timers: the documentation's examples that show the time again and again, with short steps."""

from __future__ import annotations

import asyncio
import itertools
import time

from conformance.kit.cases import each
from conformance.kit.patience import tolerance
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
LEAST = 0.003
"""Seconds between two steps, at least."""
STEPS = 5


def _coarse(loop: Loop) -> float:
    """Seconds by which the loop's clock may be wrong: that timers are never early is asked elsewhere."""
    return max(0.001, tolerance(loop))


def _assert_regular(shown: list[float], began: float, ended: float, step: float) -> None:
    """The time was shown no sooner than each step, and so not too often, until the last step before the end."""
    assert 1 <= len(shown) <= STEPS * step / LEAST + 1
    assert all(after - before >= LEAST for before, after in itertools.pairwise(shown))
    assert ended - began >= STEPS * step - step - (step - LEAST)


@requirement("timers.example-date", MUST, cite="asyncio-eventloop: Display the current date with call_later()")
@each("first", ["call_soon", "call_later"])
def test_a_callback_schedules_itself_until_the_end(loop: Loop, first: str) -> None:
    """A callback that reschedules itself by call_later(), with the same arguments, is called until it stops the loop.

    If this fails: look for a timer that is freed, or taken for the one that runs, when its callback has returned.
    """
    shown: list[float] = []
    step = LEAST + _coarse(loop)

    def display_date(end_time: float, given: Loop) -> None:
        shown.append(given.time())
        time.sleep(0.0005)
        if given.time() + step < end_time:
            given.call_later(step, display_date, end_time, given)
        else:
            given.stop()

    began = loop.time()
    end_time = began + STEPS * step
    if first == "call_soon":
        loop.call_soon(display_date, end_time, loop)
    else:
        loop.call_later(0, display_date, end_time, loop)
    loop.run_forever()
    _assert_regular(shown, began, loop.time(), step)


@requirement("timers.example-sleep", MUST, cite="asyncio-task: sleep")
def test_a_coroutine_sleeps_between_its_steps(loop: Loop) -> None:
    """A coroutine that shows the time, and sleeps for a step until the end is near, shows it at every step.

    If this fails: look for a sleep that is counted from the last deadline, or from the start of the iteration.
    """
    shown: list[float] = []
    step = LEAST + _coarse(loop)

    async def display_date() -> None:
        end_time = loop.time() + STEPS * step
        while True:
            time.sleep(0.003 * (len(shown) % 2))  # what it has to do does not always take the same time
            shown.append(loop.time())
            if loop.time() + step >= end_time and len(shown) > 2:  # on a busy machine, the first may be late
                break
            await asyncio.sleep(step)

    began = loop.time()
    loop.run_until_complete(display_date())
    _assert_regular(shown, began, loop.time(), step)
