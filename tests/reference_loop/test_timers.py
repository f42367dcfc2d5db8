"""The heap of timers, alone: no clock, no loop."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from reference_loop.timers import Timers


class Timer:
    def __init__(self, name: object, timers: Timers[Timer] | None = None) -> None:
        self.name = name
        self._timers = timers
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        if self._timers is not None:
            self._timers.cancelled_hint += 1

    def cancelled(self) -> bool:
        return self._cancelled


def due(timers: Timers[Timer], now: float) -> list[object]:
    found: list[object] = []
    timers.pop_due(now, lambda timer: found.append(timer.name))
    return found


def test_nothing_is_due_in_an_empty_heap() -> None:
    timers: Timers[Timer] = Timers()
    assert timers.next_deadline() is None
    assert due(timers, float("inf")) == []


def test_a_timer_is_due_at_its_deadline_and_not_before() -> None:
    timers: Timers[Timer] = Timers()
    timers.add(1.0, Timer("a"))
    assert timers.next_deadline() == 1.0
    assert due(timers, 0.999999999) == []
    assert due(timers, 1.0) == ["a"]
    assert due(timers, 1.0) == []
    assert len(timers) == 0


def test_equal_deadlines_keep_the_order_in_which_they_were_added() -> None:
    timers: Timers[Timer] = Timers()
    for name in range(100):
        timers.add(1.0, Timer(name))
    assert due(timers, 1.0) == list(range(100))


def test_timers_are_never_compared_with_each_other() -> None:
    class Incomparable(Timer):
        def __lt__(self, other: object) -> bool:
            raise AssertionError("compared")

    timers: Timers[Timer] = Timers()
    for name in range(50):
        timers.add(name % 3, Incomparable(name))
    assert len(due(timers, 3)) == 50


def test_a_cancelled_timer_is_skipped_and_its_deadline_is_not_waited_for() -> None:
    timers: Timers[Timer] = Timers()
    first = Timer("first")
    timers.add(1.0, first)
    timers.add(2.0, Timer("second"))
    first.cancel()
    assert timers.next_deadline() == 2.0
    assert due(timers, 3.0) == ["second"]


def test_a_majority_of_cancelled_timers_is_swept_out() -> None:
    timers: Timers[Timer] = Timers()
    kept = Timer("kept")
    timers.add(10.0, kept)
    for _ in range(10_000):
        timer = Timer("cancelled", timers)
        timers.add(1_000_000.0, timer)
        timer.cancel()
    assert due(timers, 0.0) == []
    assert len(timers) == 1
    assert due(timers, 10.0) == ["kept"]


def test_hints_about_timers_that_have_fired_lose_nothing() -> None:
    timers: Timers[Timer] = Timers()
    fired = [Timer(name, timers) for name in range(1000)]
    for timer in fired:
        timers.add(0.0, timer)
    timers.add(1.0, Timer("later"))
    assert len(due(timers, 0.0)) == 1000
    for timer in fired:
        timer.cancel()
    assert due(timers, 0.5) == []
    assert due(timers, 1.0) == ["later"]


def test_a_deadline_that_is_no_number_blocks_nobody() -> None:
    timers: Timers[Timer] = Timers()
    timers.add(float("nan"), Timer("nan"))
    timers.add(1.0, Timer("one"))
    assert sorted(map(str, due(timers, 2.0))) == ["nan", "one"]


def test_clear_forgets_everything() -> None:
    timers: Timers[Timer] = Timers()
    timers.add(1.0, Timer("a"))
    timers.clear()
    assert len(timers) == 0
    assert timers.next_deadline() is None


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200), st.integers(0, 20))
def test_what_is_due_is_what_a_sorted_list_says(entries: list[tuple[int, bool]], now: int) -> None:
    timers: Timers[Timer] = Timers()
    expected = []
    for index, (deadline, cancelled) in enumerate(entries):
        timer = Timer((deadline, index), timers)
        timers.add(deadline, timer)
        if cancelled:
            timer.cancel()
        elif deadline <= now:
            expected.append((deadline, index))
    assert due(timers, now) == sorted(expected)
    remaining = [deadline for deadline, cancelled in entries if deadline > now and not cancelled]
    assert timers.next_deadline() == min(remaining, default=None)


def test_many_timers_added_in_any_order_come_out_in_order() -> None:
    timers: Timers[Timer] = Timers()
    deadlines = [random.Random(7).random() for _ in range(5000)]
    for deadline in deadlines:
        timers.add(deadline, Timer(deadline))
    assert due(timers, 1.0) == sorted(deadlines)
