"""Every requirement fails on the loop that is broken on purpose, and hardly any other requirement does."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from conformance import catalogue, results
from conformance.verdicts import WRONG, Level
from tests.broken_loops import BrokenLoop, every
from tests.harness import run_pytest

_STOCK = "stock=asyncio:SelectorEventLoop"
_PATIENCE = 2.5
"""Seconds: so much does each broken loop cost that does not answer."""
_MORE_CHANCES = 3
"""To be caught, alone: what fires too early, or in a wrong order, is hidden by a machine on which all is late."""
_MORE_PATIENCE = 10.0
"""For those, since random programs are drawn as long as half of it lasts."""


def _by_module() -> dict[str, list[BrokenLoop]]:
    modules: dict[str, list[BrokenLoop]] = defaultdict(list)
    for loop in every():
        if loop.applies:
            modules[loop.module].append(loop)
    return modules


def battery(loops: list[str], ids: list[str], file: Path, patience: float) -> results.Run:
    """Run the requirements over the broken loops that name them, and over the others; what was found."""
    finished = run_pytest(
        "-q",
        "-p",
        "tests.broken_loops.only_named",
        # It imports the broken loops, some of which import parts of the battery, before the battery is asked for.
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        f"--loop-results={file}",
        *(f"--loop={spec}" for spec in loops),
        *ids,
        patience=patience,
        timeout=900,
    )
    assert finished.code in (0, 1), finished.output[-3000:]
    assert finished.run is not None
    return finished.run


def survivors(loops: list[BrokenLoop], file: Path, patience: float) -> list[tuple[BrokenLoop, str]]:
    """The broken loops that a requirement which they break let pass, and what it saw."""
    ids = sorted({id for loop in loops for id in loop.breaks})
    run = battery([loop.spec for loop in loops] + [_STOCK], ids, file, patience)
    cells = run.cells()
    columns = {column.label: column for column in run.loops}
    survived = []
    for loop in loops:
        for id in loop.breaks:
            cell = cells[id, columns[loop.name]]
            if run.requirements[id]["level"] == Level.MAY and cell.verdict not in WRONG:
                # Nothing is forbidden at this level: the proof is that another behaviour gets another answer.
                stock = cells[id, columns["stock"]].worst.get("answer")
                if cell.worst.get("answer") == stock:
                    survived.append((loop, f"{loop.name}: {id} is answered as on the stock loop: {stock}"))
            elif cell.verdict not in WRONG:
                survived.append((loop, f"{loop.name}: {id} {cell.verdict} {cell.worst.get('seen', '')}"))
    return survived


@pytest.mark.parametrize("module", sorted(_by_module()))
def test_broken_loops_fail_the_requirement_that_names_their_sentence(module: str, tmp_path: Path) -> None:
    known = catalogue.load()
    lacking = {need.why for loop in _by_module()[module] for id in loop.breaks for need in known[id].needs
               if need.library and not need.present()}  # fmt: skip
    if lacking:
        pytest.skip("; ".join(sorted(lacking)))
    survived = survivors(_by_module()[module], tmp_path / "results.jsonl", _PATIENCE)
    for attempt in range(_MORE_CHANCES):
        if survived:
            again = list({loop.name: loop for loop, _ in survived}.values())
            survived = survivors(again, tmp_path / f"again{attempt}.jsonl", _MORE_PATIENCE)
    assert not survived, "\n".join(said for _, said in survived)
