"""The counts of the soak add up over runs, by Python, loop and catalogue, and the page shows their sum."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.results import Column, Run
from tests import stability_page


def _run(catalogue: str, *loops: str) -> Run:
    columns = {Column(loop, "3.12.1"): {"label": loop} for loop in loops}
    found = [{"loop": loop, "python": "3.12.1", "id": "timers.order", "verdict": "conforms"} for loop in loops]
    requirements = {"timers.order": {"id": "timers.order", "level": "must"}}
    return Run({"catalogue": catalogue}, requirements=requirements, loops=columns, results=found * 3, footer={})


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    counts, page = tmp_path / "stability.json", tmp_path / "stability.md"
    monkeypatch.setattr(stability_page, "COUNTS", counts)
    monkeypatch.setattr(stability_page, "PAGE", page)
    return counts, page


def test_runs_of_one_catalogue_add_up(files: tuple[Path, Path]) -> None:
    for _ in range(4):
        stability_page.record(_run("abc", "one", "two"), [], {"timers.order": 0.01})
    page = files[1].read_text()
    assert "**8 batteries, 24 trials, 0 false failures.**" in page
    assert len([line for line in page.splitlines() if "| one" in line or "| two" in line]) == 2


def test_runs_of_another_catalogue_have_a_row_of_their_own(files: tuple[Path, Path]) -> None:
    stability_page.record(_run("abc", "one"), [], {})
    stability_page.record(_run("def", "one"), [("one", "timers.order")] * 2, {})
    page = files[1].read_text()
    assert "**2 batteries, 6 trials, 2 false failures.**" in page
    assert len([line for line in page.splitlines() if "| one" in line]) == 2


def test_what_failed_is_named(files: tuple[Path, Path]) -> None:
    stability_page.record(_run("abc", "one", "two"), [("two", "timers.order")], {})
    page = files[1].read_text()
    assert "1 false failures" in page
    assert re.search(r"timers.order +\| not known", page)
    assert [line.split("|")[-2].strip() for line in page.splitlines() if "| one" in line or "| two" in line] == [
        "0",
        "1",
    ]
