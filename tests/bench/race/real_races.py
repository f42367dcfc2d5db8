"""Real races of a loop against itself, and against itself with a handicap. Takes about a quarter of an hour.

Not collected by default, because a machine's neighbours decide here: `tox run -e race`, or
`pytest tests/bench/race/real_races.py`. The bounds leave room for a noisy machine; the figures are printed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main

STOCK = "asyncio:SelectorEventLoop"
SUITES = int(os.environ.get("RACE_SUITES", "2"))
WORKLOADS = ["scheduling", "timers.add_cancel", "timers.timeout", "tasks", "echo.protocol", "echo.streams"]
SOCKETS = ("tcp.",)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """(workload, cells) of every suite run."""
    found = []
    for _ in range(SUITES):
        out = tmp_path_factory.mktemp("race")
        arguments = ["run", "--loop", STOCK, "-o", str(out), "--margin", "1"]
        for percent in (2, 5, 10):
            arguments += ["--loop", f"slow{percent}={STOCK}", "--handicap", f"slow{percent}={percent}%"]
        assert main([*arguments, *WORKLOADS]) == 0
        summary = json.loads((Path(out) / "race.json").read_text())
        found += [(entry["name"], entry["cells"]) for entry in summary["workloads"]]
    return found


def share(cells: list[tuple[str, dict[str, Any]]], arm: str, sockets: bool) -> tuple[int, int]:
    """In how many cells the interval says that the arm is slower, of how many."""
    chosen = [found[arm]["cpu"] for name, found in cells if name.startswith(SOCKETS) == sockets]
    return sum(one["low"] > 1 for one in chosen), len(chosen)


def test_a_loop_does_not_differ_from_itself(cells: list[tuple[str, dict[str, Any]]]) -> None:
    found = [cell["A-A"]["cpu"] for _, cell in cells]
    excluding = sum(not one["low"] <= 1 <= one["high"] for one in found)
    large = sum(one["verdict"] in {"faster", "slower"} and not 0.97 < one["ratio"] < 1.03 for one in found)
    print(f"\nA/A: {excluding} of {len(found)} intervals exclude 1, {large} verdicts beyond 3 %")
    assert large == 0
    assert excluding <= 0.15 * len(found)


@pytest.mark.parametrize(
    ("arm", "sockets", "at_least"),
    [
        ("slow2", False, 0.6),
        ("slow2", True, 0.4),
        ("slow5", False, 0.9),
        ("slow5", True, 0.8),
        ("slow10", False, 1),
        ("slow10", True, 0.9),
    ],
)
def test_a_handicap_is_found(cells: list[tuple[str, dict[str, Any]]], arm: str, sockets: bool, at_least: float) -> None:
    found, of = share(cells, arm, sockets)
    print(f"\n{arm}, {'sockets' if sockets else 'no sockets'}: found in {found} of {of}")
    assert found >= at_least * of
