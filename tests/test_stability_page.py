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
    requirements = {f"timers.{letter}": {"level": "must"} for letter in catalogue}
    return Run({"catalogue": catalogue}, requirements=requirements, loops=columns, results=found * 3, footer={})


_SUM = "**"  # how the line begins that stands over the first table


def _rows(page: str, above: str) -> list[list[str]]:
    """The cells of the first table below the line that begins with `above`."""
    _, _, rest = page.partition(f"\n{above}")
    lines = rest[rest.index("\n|") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[3:]]


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
    assert [row[1:5] for row in _rows(page, _SUM)] == [["one", "4", "12", "0"], ["two", "4", "12", "0"]]


def test_runs_of_another_catalogue_have_a_row_of_their_own(files: tuple[Path, Path]) -> None:
    stability_page.record(_run("abc", "one"), [], {})
    stability_page.record(_run("abcd", "one"), [("one", "timers.order")] * 2, {})
    page = files[1].read_text()
    assert "**2 batteries, 6 trials, 2 false failures.**" in page
    assert [row[1:5] for row in _rows(page, _SUM)] == [["one", "2", "6", "2"]]
    assert len(_rows(page, "## By catalogue")) == 2


def test_what_failed_is_named(files: tuple[Path, Path]) -> None:
    stability_page.record(_run("abc", "one", "two"), [("two", "timers.order")], {})
    page = files[1].read_text()
    assert "1 false failure." in page
    assert re.search(r"timers.order +\| not known", page)
    assert [row[4] for row in _rows(page, _SUM)] == ["0", "1"]
