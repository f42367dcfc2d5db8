"""Chapter timers: which of several is called first, and what they leave to others."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.protocols import raising
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("timers.fairness", SHOULD, cite="PEP 3156: Basic Callbacks")
def test_timers_that_set_themselves_again_starve_nobody(loop: Loop) -> None:
    """A timer that sets itself again and again without a delay keeps neither callbacks nor descriptors from their turn.

    If this fails: look for a loop that runs timers until none is due.
    """
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        served: list[str] = []

        def begin() -> None:
            # Now, and not before: the poll of this turn is over.
            right.send(b"x")
            loop.call_soon(served.append, "callback")
            again()

        def again() -> None:
            if len(set(served)) < 2 and budget.pop():
                loop.call_later(0, again)
            else:
                loop.stop()

        budget = [False] + [True] * 20_000
        loop.add_reader(left, served.append, "descriptor")
        loop.call_later(0, begin)
        loop.run_forever()
        loop.remove_reader(left)
        assert set(served) == {"callback", "descriptor"}


@requirement("timers.order", MUST, cite="PEP 3156: Basic Callbacks")
@each("debug", [False, True])
def test_timers_run_in_the_order_of_their_deadlines(loop: Loop, debug: bool) -> None:
    """Callbacks with different deadlines run in the order of the deadlines, not of the calls.

    If this fails: look for a list that is not sorted, or a heap whose comparison is wrong.
    """
    loop.set_debug(debug)
    trace: list[int] = []
    start = loop.time()
    for number in (5, 1, 4, 2, 3, 0):
        loop.call_at(start + 0.004 * number, trace.append, number)
    loop.call_at(start + 0.024, loop.stop)
    loop.run_forever()
    assert trace == [0, 1, 2, 3, 4, 5]


@requirement("timers.order-when-late", SHOULD, cite="PEP 3156: Basic Callbacks")
def test_timers_that_are_all_due_run_in_the_order_of_their_deadlines(loop: Loop) -> None:
    """Timers that became due while the loop was busy run in the order of their deadlines.

    If this fails: look for due timers collected in the order of the heap's array, or last first.
    """
    trace: list[int] = []
    start = loop.time() + 0.05  # what is overdue when it is scheduled has no order
    for number in range(100):
        number = number * 37 % 100
        loop.call_at(start + 0.002 * number, trace.append, number)  # a loop may count in milliseconds
    time.sleep(0.27)
    loop.call_at(start + 0.21, loop.stop)
    loop.run_forever()
    assert trace == list(range(100))


@requirement("timers.equal-deadlines", MAY, cite="asyncio-eventloop: loop.call_later")
def test_the_order_of_equal_deadlines_is_open(loop: Loop, answer: Any) -> None:
    """If two callbacks are scheduled for exactly the same time, the order in which they are called is undefined.

    If this fails: nothing is wrong; code that depends on the answer is.
    """
    trace: list[int] = []
    when = loop.time() + 0.001
    for number in range(20):
        loop.call_at(when, trace.append, number)
    loop.call_at(when + 0.001, loop.stop)
    loop.run_forever()
    orders = {"in the order of the calls": list(range(20)), "last call first": list(range(19, -1, -1))}
    answer(next((name for name, order in orders.items() if trace == order), "in another order"))


@requirement("timers.past-deadline", SHOULD, cite="PEP 3156: Basic Callbacks")
@each("method", ["call_later", "call_at"])
@each("ago", [0, 0.001, 5.0, 1e6])
def test_a_deadline_in_the_past_is_due_at_once(loop: Loop, patience: Patience, method: str, ago: float) -> None:
    """A negative delay, or a deadline in the past, is due at once.

    So is a deadline of 0, if the clock has passed it.

    If this fails: look for a delay stored in an unsigned integer, an error for negative ones or those before the
    clock's own beginning, or a zero that stands for none.
    """
    fired: list[int] = []
    when = -ago if method == "call_later" else loop.time() - ago if ago else min(0, loop.time())
    getattr(loop, method)(when, fired.append, 1)
    patience.run_until(loop, lambda: fired, "the overdue callback")


@requirement("timers.whole-seconds", MUST, cite=("PEP 3156: Specifying Times", "asyncio-eventloop: loop.call_later"))
@each("method", ["call_later", "call_at"])
def test_a_whole_number_is_in_seconds_too(loop: Loop, method: str) -> None:
    """A delay or a deadline may be an int or a float, and is in seconds either way.

    If this fails: look for an int that is taken for milliseconds, or for ticks of another clock.
    """
    fired: list[object] = []
    now = int(loop.time()) + 1 if method == "call_at" else 0
    handles = [getattr(loop, method)(kind(now + seconds), fired.append, seconds)
               for kind in (int, float) for seconds in (9, 15)]  # fmt: skip
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    for handle in handles:
        handle.cancel()
    assert fired == []


@requirement("timers.error-isolated", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_in_a_timer_does_not_stop_the_others(loop: Loop, watch: Any) -> None:
    """A delayed callback that raises is reported; the other timers run.

    If this fails: look for due timers that are lost when one of them raises.
    """
    watch.allow("reported")
    trace: list[str] = []
    start = loop.time()
    loop.call_at(start, raising(LookupError("of the timer")))
    loop.call_at(start + 0.0001, trace.append, "next")
    loop.call_at(start + 0.001, loop.stop)
    loop.run_forever()
    assert trace == ["next"]
    assert len(watch.reported) == 1


@requirement("timers.earlier-timer-wakes", MUST, cite="asyncio-eventloop: loop.call_later")
def test_a_timer_set_by_a_timer_shortens_the_wait(loop: Loop, patience: Patience) -> None:
    """A near timer that is set while the loop waits for a far one does not have to wait for it.

    If this fails: look for a poll timeout that is computed once and not when a nearer deadline arrives.
    """
    fired: list[str] = []
    far = loop.call_later(1000, fired.append, "far")
    loop.call_later(0.001, lambda: loop.call_later(0.001, fired.append, "near"))
    patience.run_until(loop, lambda: fired, "the near timer")
    far.cancel()
    assert fired == ["near"]
