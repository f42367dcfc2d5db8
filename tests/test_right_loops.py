"""A right loop never fails, however unlike asyncio's it is. The whole battery over all of them: `tox run -e right`."""

from __future__ import annotations

from conformance import exits
from tests.harness import run_pytest
from tests.right_loops import arguments


def test_loops_that_use_the_room_of_the_contract_conform() -> None:
    finished = run_pytest(*arguments(), "timers.*", "watchers.*", timeout=900)
    assert finished.code == exits.CONFORMS, finished.output[-5000:]
