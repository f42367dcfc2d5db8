"""The rule of flow control, alone: no transport, no loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_loop.flow import WriteFlow


def test_the_defaults_are_64_kib_and_a_quarter_of_it() -> None:
    flow = WriteFlow()
    assert (flow.low, flow.high) == (16 * 1024, 64 * 1024)


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [
        (100, 20, (20, 100)),
        (100, None, (25, 100)),
        (None, 20, (20, 80)),
        (0, None, (0, 0)),
        (0, 0, (0, 0)),
        (None, None, (16 * 1024, 64 * 1024)),
    ],
)
def test_a_limit_that_is_not_given_follows_from_the_other(
    high: int | None, low: int | None, expected: tuple[int, int]
) -> None:
    flow = WriteFlow()
    flow.set_limits(high, low)
    assert (flow.low, flow.high) == expected


@pytest.mark.parametrize(("high", "low"), [(10, 11), (-1, None), (5, -1)])
def test_impossible_limits_are_refused_and_change_nothing(high: int, low: int | None) -> None:
    flow = WriteFlow()
    with pytest.raises(ValueError, match=r"high .* must be >= low"):
        flow.set_limits(high, low)
    assert (flow.low, flow.high) == (16 * 1024, 64 * 1024)


def test_the_writer_pauses_above_the_high_water_mark_and_resumes_at_the_low_one() -> None:
    flow = WriteFlow()
    flow.set_limits(high=100, low=20)
    assert not flow.must_pause(100)
    assert flow.must_pause(101)
    assert not flow.must_pause(102), "told once is enough"
    assert not flow.may_resume(21)
    assert flow.may_resume(20)
    assert not flow.may_resume(0), "told once is enough"


def test_with_a_high_water_mark_of_zero_every_byte_pauses_until_it_is_sent() -> None:
    flow = WriteFlow()
    flow.set_limits(high=0)
    assert flow.must_pause(1)
    assert not flow.may_resume(1)
    assert flow.may_resume(0)


@given(st.lists(st.integers(0, 200)))
def test_pauses_and_resumes_alternate_whatever_the_buffer_does(sizes: list[int]) -> None:
    flow = WriteFlow()
    flow.set_limits(high=100, low=20)
    told: list[str] = []
    for size in sizes:
        if flow.must_pause(size):
            told.append("pause")
        if flow.may_resume(size):
            told.append("resume")
        assert flow.paused or size <= 100
        assert not flow.paused or size > 20
    assert told == ["pause", "resume"] * (len(told) // 2) + ["pause"] * (len(told) % 2)
