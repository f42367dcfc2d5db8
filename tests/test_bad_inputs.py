"""Input that cannot be used is refused in words; `tests/bad_inputs.py` has the table."""

from __future__ import annotations

import pytest

from tests.bad_inputs import BAD, Bad, attempt


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.command} ({bad.wrong})")
def test_it_is_refused_in_one_sentence(bad: Bad) -> None:
    row = attempt(bad)
    assert row.right, row.happened
