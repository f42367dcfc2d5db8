"""Several runs in one matrix: what is joined, what is marked, and that no order or repetition matters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import results
from conformance.results import Run
from conformance.verdicts import Verdict
from reports import diff, matrix, merged, sources
from reports.cli import main
from reports.errors import NothingToReport
from reports.sources import BatteryFile, RaceFile, Sources
from tests.reports import samples

VERDICTS = st.sampled_from([verdict.value for verdict in Verdict] + ["answer: yes", "answer: no"])
RUNS = st.builds(
    samples.run,
    st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(["x.one", "x.two", "y.one"]), VERDICTS, min_size=1, max_size=3),
        min_size=1,
        max_size=2,
    ),
    started=st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    catalogue=st.sampled_from(["one", "two"]),
    complete=st.booleans(),
    version=st.sampled_from(["1.0", "2.0"]),
    seen=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _sources(*runs: Run) -> Sources:
    return Sources([BatteryFile(Path("run"), run) for run in runs], [])


def test_runs_of_one_catalogue_make_one_matrix() -> None:
    first = samples.run({"a": {"x.one": "conforms"}})
    second = samples.run({"b": {"x.one": "deviates"}}, started="2026-01-02T00:00:00Z")
    found = matrix.build([first, second])
    assert [column.label for column in found.columns] == ["a", "b"]
    assert [cell and cell.verdict for cell in found.row("x.one")] == ["conforms", "deviates"]
    assert not any(column.marks for column in found.columns)


def test_parts_of_one_battery_are_joined_into_one_column() -> None:
    parts = [samples.run({"a": {"x.one": "conforms"}}), samples.run({"a": {"y.one": "hangs"}})]
    found = matrix.build(parts)
    assert len(found.columns) == 1
    assert {id: cell.verdict for id, cell in found.columns[0].cells.items()} == {"x.one": "conforms", "y.one": "hangs"}


def test_a_requirement_that_failed_in_one_of_two_runs_has_the_worse_verdict() -> None:
    runs = [samples.run({"a": {"x.one": word}}, started=f"2026-01-0{n}T00:00:00Z") for n, word in
            ((1, "conforms"), (2, "deviates"), (3, "conforms"))]  # fmt: skip
    found = matrix.build(runs)
    assert len(found.columns) == 1
    assert found.columns[0].cells["x.one"].verdict is Verdict.DEVIATES


def test_an_incomplete_run_keeps_a_marked_column_of_its_own() -> None:
    whole, cut = samples.run({"a": {"x.one": "conforms"}}), samples.run({"a": {"x.one": "crashes"}}, complete=False)
    columns = matrix.build([whole, cut]).columns
    assert sorted(column.marks for column in columns) == [(), (matrix.INCOMPLETE,)]
    assert len({column.key for column in columns}) == 2


def test_a_run_of_another_catalogue_is_marked_and_so_is_what_it_asked_in_other_words() -> None:
    old = samples.run({"a": {"x.one": "deviates"}}, catalogue="old", statement="It was another sentence.")
    new = samples.run({"a": {"x.one": "conforms"}}, catalogue="new", started="2026-02-01T00:00:00Z")
    found = matrix.build([old, new])
    assert [column.marks for column in found.columns] == [(), (matrix.OTHER_CATALOGUE,)]
    assert found.requirements["x.one"]["statement"] == "A sentence."
    assert [cell and cell.differs for cell in found.row("x.one")] == [False, True]


def test_versions_of_a_loop_are_columns_of_their_own_in_a_fixed_order() -> None:
    runs = [samples.run({"z": {"x.one": "conforms"}}, version=version) for version in ("2.0", "1.0")]
    assert [column.version for column in matrix.build(runs).columns] == ["1.0", "2.0"]
    assert matrix.build(runs[::-1]).columns == matrix.build(runs).columns


@QUICK
@given(st.lists(RUNS, max_size=4))
def test_the_matrix_depends_neither_on_order_nor_on_repetition(runs: list[Run]) -> None:
    once = matrix.build(runs)
    again = matrix.build([*runs[::-1], *runs])
    assert again.columns == once.columns
    assert list(again.requirements) == list(once.requirements)


@QUICK
@given(st.lists(RUNS, max_size=2), st.lists(RUNS, max_size=2), st.lists(RUNS, max_size=2))
def test_merging_is_associative_and_free_of_order(tmp_path: Path, a: list[Run], b: list[Run], c: list[Run]) -> None:
    def merge(*parts: tuple[list[Run], list[dict[str, object]]]) -> tuple[list[Run], list[dict[str, object]]]:
        path = tmp_path / "m.json"
        merged.write(path, [run for runs, _ in parts for run in runs], [race for _, races in parts for race in races])
        return merged.read(path)

    race = {"name": "a race is kept as it is"}
    one, two, three = (a, [race]), (b, []), (c, [race])
    left = merge(merge(one, two), three)
    assert merged.union(*left) == merged.union(*merge(one, merge(two, three)))
    assert merged.union(*left) == merged.union(*merge(three, one, two, one))


@QUICK
@given(RUNS)
def test_what_is_written_is_read_back(tmp_path: Path, run: Run) -> None:
    file = samples.write(tmp_path / "r.jsonl", run)
    read = sources.read([file]).batteries[0].run
    assert (read.header, read.requirements, read.loops, read.results, read.footer) == (
        run.header, run.requirements, run.loops, run.results, run.footer,
    )  # fmt: skip
    merged.write(tmp_path / "m.json", [read], [])
    again = sources.read([tmp_path / "m.json"]).batteries[0].run
    assert matrix.build([again]).columns == matrix.build([run]).columns


@QUICK
@given(st.lists(RUNS, min_size=1, max_size=3))
def test_nothing_differs_from_itself(runs: list[Run]) -> None:
    found = diff.diff(_sources(*runs), _sources(*runs))
    assert {change.kind for change in found.requirements} <= {"still failing"}
    assert all(change.old == change.new for change in found.requirements)
    assert not found.workloads
    assert not found.worse


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1"])
def test_races_do_not_differ_from_themselves(python: str) -> None:
    def races() -> Sources:
        return Sources([], [RaceFile(samples.RACE, race) for race in (samples.race(), _race_of_slow_uvloop(python))])

    assert diff.diff(races(), races()) == diff.Difference()


def test_a_race_without_a_counterpart_is_said_and_compared_with_none() -> None:
    one, other = (RaceFile(samples.RACE, race) for race in (samples.race(), _race_of_slow_uvloop("3.11.7")))
    found = diff.diff(Sources([], [one]), Sources([], [one, other]))
    assert (found.worse, found.notes) == (False, ["race: no old race is of asyncio:SelectorEventLoop on Python 3.11"])
    found = diff.diff(Sources([], [one, other]), Sources([], [one]))
    assert not found.worse
    assert "no new race is compared" in found.notes[0]
    with pytest.raises(NothingToReport):
        diff.diff(Sources([], [one]), Sources([], [other]))


def _race_of_slow_uvloop(python: str) -> dict[str, Any]:
    race = samples.race()
    for loop in race["loops"]:
        loop["metadata"]["python_version"] = f"{python} (64-bit)"
    for workload in race["workloads"]:
        times = workload["cells"]["uvloop"].get("cpu", {})
        times |= {key: 2 * times[key] for key in ("ratio", "low", "high") if times.get(key)}
    return race


def test_the_golden_run_is_read_as_it_was_written() -> None:
    run = results.read(samples.BATTERY)
    found = matrix.build([run])
    assert [column.label for column in found.columns] == ["asyncio.SelectorEventLoop", "reference_loop", "uvloop"]
    assert json.loads(samples.BATTERY.read_text().splitlines()[-1])["results"] == len(run.results)


def test_a_merged_file_may_lie_in_a_new_directory(tmp_path: Path) -> None:
    output = tmp_path / "new" / "all.json"
    assert main(["merge", str(samples.BATTERY), "-o", str(output)]) == 0
    assert len(sources.read([output]).batteries) == 1


def test_a_merged_file_beside_its_parts_shows_nothing_twice(tmp_path: Path) -> None:
    run = samples.run({"b": {"x.one": "deviates"}, "a": {"x.two": "conforms"}})
    samples.write(tmp_path / "r.jsonl", run)
    (tmp_path / "race").mkdir()
    (tmp_path / "race" / "race.json").write_text(json.dumps(samples.race(), indent=1))
    merged.write(tmp_path / "all.json", [run], [samples.race()])
    found = sources.read([tmp_path])
    assert (len(found.batteries), len(found.races)) == (1, 1)


def test_a_directory_gives_its_merged_files_too(tmp_path: Path) -> None:
    merged.write(tmp_path / "all.json", [samples.run({"a": {"x.one": "conforms"}})], [samples.race()])
    (tmp_path / "other.json").write_text("{}")
    found = sources.read([tmp_path])
    assert (len(found.batteries), len(found.races)) == (1, 1)
