"""`gate`: an exit code for CI from result files alone, with the reasons in words. The codes are `conformance.exits`'s.

A run is judged by expectations (those it was run with, or the files given here) and a race by a limit. What is not
known never passes: a run that is incomplete, or that ran nothing, is the suite's failure and not the loop's success.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import gate as bench_gate
from conformance import exits, expectations, results
from conformance.expectations import Expectations
from conformance.verdicts import Level, Verdict
from reports import matrix
from reports.entries import rerun
from reports.errors import ReportError, UnknownLoop
from reports.matrix import Column, Matrix
from reports.sources import BatteryFile, RaceFile, Sources

LEVELS = {"must": {Level.MUST}, "should": {Level.MUST, Level.SHOULD}, "none": set[Level]()}
_WORST_FIRST = (exits.SUITE_FAILED, exits.DEVIATES, exits.STALE, exits.CONFORMS)


class UnusableExpectations(ReportError):
    """An expectation file that cannot be used."""


@dataclass(frozen=True)
class Reason:
    """Why the gate does not open: the exit code that it asks for, and a sentence."""

    code: int
    sentence: str


@dataclass(frozen=True)
class Limit:
    """How much slower a loop of a race may surely be than the reference, as a share."""

    label: str
    share: float
    metric: str = "cpu"


def gate(sources: Sources, level: str, expected: Sequence[str], limit: Limit | None) -> list[Reason]:
    """All reasons, none if everything is as it must be. Raises UnusableExpectations, UnknownLoop."""
    found = matrix.build(file.run for file in sources.batteries)
    reasons = []
    files = _expectations(expected, found)
    for column in found.columns:
        reasons += list(_column(column, found, LEVELS[level], files))
        reasons += list(_stale(column, files))
    for run in sources.batteries:
        reasons += list(_run(run, files, reasons))
    if limit:
        for race in sources.races:
            reasons += list(_race(race, limit))
        if not sources.races:
            reasons.append(Reason(exits.SUITE_FAILED, "--limit judges a race, and none is here: give its directory"))
    elif not found.columns:
        reasons.append(Reason(exits.SUITE_FAILED, "nothing to judge: no battery run, and no race with --limit"))
    return reasons


def code(reasons: Iterable[Reason]) -> int:
    """The exit code: the worst of the reasons'."""
    found = {reason.code for reason in reasons}
    return next((one for one in _WORST_FIRST if one in found), exits.CONFORMS)


def _expectations(arguments: Sequence[str], found: Matrix) -> list[Expectations]:
    try:
        return [expectations.load(argument, found.requirements) for argument in arguments]
    except expectations.ExpectationError as error:
        raise UnusableExpectations(str(error).replace("--loop-expected", "--expected")) from error
    except OSError as error:
        raise UnusableExpectations(f"--expected: {error.filename} cannot be read ({error.strerror})") from error


def _column(column: Column, found: Matrix, levels: set[Level], files: Sequence[Expectations]) -> Iterable[Reason]:
    who = _who(column)
    if column.marks:
        yield Reason(exits.SUITE_FAILED, f"{who}: {', '.join(column.marks)}; run the battery again")
    if all(cell.verdict in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE) for cell in column.cells.values()):
        yield Reason(exits.SUITE_FAILED, f"{who}: nothing was run, so nothing is known")
    identity = {key: str(value) for key, value in column.identity.items()}
    for id, cell in sorted(column.cells.items()):
        level = Level(found.requirements[id]["level"])
        if cell.verdict is Verdict.ERRORED:
            yield Reason(exits.SUITE_FAILED, f"{who}: {id} errored, the suite itself failed: {_first(cell.worst)}")
        if not cell.wrong or level not in levels or (not files and cell.expected):
            continue
        entry = next((one for file in files if (one := file.of(id, column.label, identity))), None)
        if entry is None or cell.verdict not in entry.verdicts:
            but = f", where {' or '.join(sorted(entry.verdicts))} is expected" if entry else ""
            yield Reason(
                exits.DEVIATES,
                f"{who}: {id} ({level.upper()}) {cell.verdict}{but}: {_first(cell.worst)}\n"
                f"    {rerun(id, column.spec, column.label)}",
            )


def _stale(column: Column, files: Sequence[Expectations]) -> Iterable[Reason]:
    key = results.Column(column.label, column.python)
    identity = {name: str(value) for name, value in column.identity.items()}
    cells = {
        (id, key): results.Cell(cell.verdict, tuple(dict(one) for one in cell.results))
        for id, cell in column.cells.items()
    }
    for one in expectations.stale(files, cells, {key: identity}):
        yield Reason(exits.STALE, f"{one.id} conforms on {_who(column)} now: remove it from {one.path}")


def _run(file: BatteryFile, files: Sequence[Expectations], found: Sequence[Reason]) -> Iterable[Reason]:
    """What only the run itself knew: its own expectations, and that it broke down."""
    ended = file.run.footer["exit"] if file.run.footer else None
    if ended == exits.STALE and not files:
        yield Reason(exits.STALE, f"{_name(file.path)}: an expectation of the run no longer held: the loop got better")
    if ended == exits.SUITE_FAILED and code(found) != exits.SUITE_FAILED:
        yield Reason(exits.SUITE_FAILED, f"{_name(file.path)}: the run ended with exit code {ended}; run it again")


def _race(file: RaceFile, limit: Limit) -> Iterable[Reason]:
    race = file.summary
    labels = [loop["label"] for loop in race["loops"]]
    if limit.label not in labels or limit.label == race["reference"]:
        others = ", ".join(label for label in labels if label not in (race["reference"], race["noise_arm"]))
        raise UnknownLoop(f"--loop={limit.label}: {_name(file.path)} raced {others} against {race['reference']}")
    findings = bench_gate.race(race, limit.label, limit.share, limit.metric)
    # A slowness that is sure is not taken back by another workload that is not.
    failed = bench_gate.outcome(findings) == bench_gate.FAIL
    for finding in findings:
        words = f"{finding.loop}, {finding.workload}: {finding.reason}"
        if finding.outcome == bench_gate.FAIL:
            yield Reason(exits.DEVIATES, f"slower than the limit of {limit.share:.0%}: {words}")
        elif finding.outcome == bench_gate.INCONCLUSIVE:
            yield Reason(exits.DEVIATES if failed else exits.SUITE_FAILED, f"inconclusive: {words}")


def _who(column: Column) -> str:
    return f"{column.label} on Python {column.python}"


def _first(result: Mapping[str, Any]) -> str:
    return str(result.get("seen", "")).split("\n")[0][:200]


def _name(path: Path) -> str:
    return path.name or str(path)
