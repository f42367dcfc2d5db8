"""What changed, and what fails a gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import exits
from conformance.results import Run
from reports import badge, diff, differences, gate, matrix
from reports.cli import main
from reports.diff import Difference
from reports.errors import NothingToReport, UnknownLoop
from reports.sources import BatteryFile, RaceFile, Sources
from tests.reports import samples


def _diff(old: dict[str, str], new: dict[str, str], **options: str) -> Difference:
    return diff.diff(_sources(samples.run({"a": old})), _sources(samples.run({"a": new}, **options)))  # type: ignore[arg-type]


def _sources(*runs: Run) -> Sources:
    return Sources([BatteryFile(Path("r.jsonl"), run) for run in runs], [])


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("conforms", "deviates", "new failure"),
        ("conforms", "hangs", "new failure"),
        ("not run", "crashes", "new failure"),
        ("deviates", "conforms", "fixed"),
        ("not implemented", "conforms", "fixed"),
        ("deviates", "crashes", "still failing"),
        ("not run", "conforms", "newly run"),
        ("conforms", "not run", "no longer run"),
        ("deviates", "errored", "no longer run"),
        ("answer: yes", "answer: no", "other answer"),
    ],
)
def test_a_change_has_a_name(old: str, new: str, kind: str) -> None:
    found = _diff({"x.one": old}, {"x.one": new})
    assert [change.kind for change in found.requirements] == [kind]
    assert kind in differences.as_text(found)
    assert kind in differences.as_markdown(found)
    assert found.worse is (kind == "new failure")


def test_what_did_not_change_is_counted_and_not_told() -> None:
    found = _diff({"x.one": "conforms", "x.two": "not run"}, {"x.one": "conforms", "x.two": "not applicable"})
    assert (found.requirements, found.same) == ([], 2)
    assert differences.as_text(found).startswith("Nothing changed")


def test_a_requirement_that_only_one_catalogue_has_is_newly_run_or_no_longer() -> None:
    found = _diff({"x.old": "deviates"}, {"x.new": "conforms"}, catalogue="two")
    assert {change.id: change.kind for change in found.requirements} == {
        "x.old": "no longer run", "x.new": "newly run",
    }  # fmt: skip


def test_a_change_of_the_requirement_itself_is_said() -> None:
    found = _diff({"x.one": "conforms"}, {"x.one": "deviates"}, catalogue="two", statement="Another sentence.")
    assert found.requirements[0].note == "the requirement changed"


def test_versions_are_compared_and_said() -> None:
    found = _diff({"x.one": "conforms"}, {"x.one": "conforms"}, version="2.0")
    assert found.notes == ["a on Python 3.12.1: version 1.0 against 2.0"]


def test_an_incomplete_run_is_said_and_what_it_lacks_is_not_fixed() -> None:
    old = samples.run({"a": {"x.one": "deviates", "x.two": "deviates"}})
    new = samples.run({"a": {"x.one": "deviates"}}, complete=False)
    found = diff.diff(_sources(old), _sources(new))
    assert found.of("fixed") == []
    assert [change.id for change in found.of("no longer run")] == ["x.two"]
    assert "incomplete" in " ".join(found.notes)


def test_results_with_no_loop_in_common_are_one_sentence() -> None:
    with pytest.raises(NothingToReport):
        diff.diff(_sources(samples.run({"a": {}})), _sources(samples.run({"b": {}})))


def test_a_workload_that_changed_is_not_comparable_and_a_slower_one_is_slower() -> None:
    old, new = samples.race(), samples.race()
    changed, slower = new["workloads"][0], new["workloads"][1]
    changed["version"] = "another"
    times = slower["cells"]["uvloop"]["cpu"]
    for key in ("ratio", "low", "high"):
        times[key] *= 2
    found = diff.diff(*(Sources([], [RaceFile(samples.RACE, race)]) for race in (old, new)))
    verdicts = {(one["workload"], one["loop"]): one["verdict"] for one in found.workloads}
    assert verdicts[changed["name"], "uvloop"] == "not comparable"
    assert verdicts[slower["name"], "uvloop"] == "slower"
    assert found.worse


def test_diff_exits_with_one_on_request_only(tmp_path: Path) -> None:
    old = samples.write(tmp_path / "old.jsonl", samples.run({"a": {"x.one": "conforms"}}))
    new = samples.write(tmp_path / "new.jsonl", samples.run({"a": {"x.one": "deviates"}}))
    assert main(["diff", str(old), str(new)]) == 0
    assert main(["diff", str(old), str(new), "--exit-code"]) == 1
    assert main(["diff", str(old), str(old), "--exit-code"]) == 0


@pytest.mark.parametrize(
    ("verdicts", "level", "code"),
    [
        ({"x.one": "conforms"}, "must", exits.CONFORMS),
        ({"x.one": "deviates"}, "must", exits.DEVIATES),
        ({"x.one": "deviates"}, "none", exits.CONFORMS),
        ({"x.should": "hangs", "x.one": "conforms"}, "must", exits.CONFORMS),
        ({"x.should": "hangs", "x.one": "conforms"}, "should", exits.DEVIATES),
        ({"x.one": "errored"}, "must", exits.SUITE_FAILED),
        ({"x.one": "errored", "x.two": "crashes"}, "must", exits.SUITE_FAILED),
        ({"x.one": "not run"}, "must", exits.SUITE_FAILED),
        ({}, "must", exits.SUITE_FAILED),
    ],
)
def test_the_gate_judges_a_run(verdicts: dict[str, str], level: str, code: int) -> None:
    reasons = gate.gate(_sources(samples.run({"a": verdicts}, levels={"x.should": "should"})), level, [], None)
    assert gate.code(reasons) == code
    assert bool(reasons) is (code != exits.CONFORMS)


@pytest.mark.parametrize(
    "made",
    [
        samples.run({"a": {"x.one": "conforms"}}, complete=False),
        samples.run({"a": {"x.one": "conforms"}}, exit=exits.INTERRUPTED),
    ],
    ids=["killed", "interrupted"],
)
def test_an_incomplete_run_neither_passes_nor_has_a_green_badge(made: Run) -> None:
    assert gate.code(gate.gate(_sources(made), "must", [], None)) == exits.SUITE_FAILED
    found = badge.badge(matrix.build([made]), None)
    assert (found.message, found.color) == ("incomplete run", "lightgrey")


@pytest.mark.parametrize(("verdict", "code"), [("deviates", 0), ("hangs", exits.DEVIATES), ("conforms", exits.STALE)])
def test_the_gate_is_strict_about_expectations_both_ways(verdict: str, code: int, tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text('["x.one"]\nexpect = "deviates"\nwhy = "it is so"\n')
    made = samples.run({"a": {"x.one": verdict, "x.two": "conforms"}})
    assert gate.code(gate.gate(_sources(made), "must", [str(known)], None)) == code
    made.results[0]["expected"] = "the run knew it too"
    assert gate.code(gate.gate(_sources(made), "must", [str(known)], None)) == code


@pytest.mark.parametrize("where", [("Linux", "macOS"), ("macOS", "Linux")])
def test_an_expectation_is_stale_wherever_the_loop_conforms(where: tuple[str, str], tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text('["x.one"]\nexpect = "deviates"\nwhy = "it is so"\n')
    right, wrong = (
        samples.run({"a": {"x.one": verdict}}, platform=platform)
        for platform, verdict in zip(where, ("conforms", "deviates"), strict=True)
    )
    assert [reason.code for reason in gate.gate(_sources(right, wrong), "must", [str(known)], None)] == [exits.STALE]


@pytest.mark.parametrize("code", [exits.STALE, exits.SUITE_FAILED])
def test_without_a_file_the_run_s_own_exit_code_holds(code: int) -> None:
    made = samples.run({"a": {"x.one": "conforms"}}, exit=code)
    assert [reason.code for reason in gate.gate(_sources(made), "must", [], None)] == [code]


def test_without_a_file_the_run_s_own_expectations_hold() -> None:
    made = samples.run({"a": {"x.one": "deviates"}})
    made.results[0]["expected"] = "it is so"
    assert gate.gate(_sources(made), "must", [], None) == []


def test_an_expectation_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = samples.write(tmp_path / "r.jsonl", samples.run({"a": {"x.one": "conforms"}}))
    for text in ("not TOML", '["x.one"]\nexpect = "deviates"\n', '["no.such"]\nexpect = "hangs"\nwhy = "?"\n'):
        (tmp_path / "known.toml").write_text(text)
        assert main(["gate", str(run), "--expected", str(tmp_path / "known.toml")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert main(["gate", str(run), "--expected", str(tmp_path / "nothing.toml")]) == 2


@pytest.mark.parametrize(
    ("factor", "limit", "code"),
    [(1.0, 0.10, exits.CONFORMS), (4.0, 0.10, exits.DEVIATES), (1.0, 0.0001, exits.SUITE_FAILED)],
)
def test_the_gate_judges_a_race_by_its_limit(factor: float, limit: float, code: int) -> None:
    race = samples.race()
    for workload in race["workloads"]:
        for key in ("ratio", "low", "high"):
            workload["cells"]["uvloop"]["cpu"][key] *= factor
    race["workloads"] = [w for w in race["workloads"] if w["name"].startswith("scheduling")]
    found = Sources([], [RaceFile(samples.RACE, race)])
    assert gate.code(gate.gate(found, "must", [], gate.Limit("uvloop", limit))) == code
    with pytest.raises(UnknownLoop):
        gate.gate(found, "must", [], gate.Limit("nobody", limit))


@pytest.mark.parametrize("limit", ["five", "nan", "0", "-1"])
def test_a_limit_that_is_none_is_told_in_a_sentence(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["gate", str(samples.RACE), "--loop=uvloop", f"--limit={limit}"])
    assert "give a percentage between 0 and 1000" in capsys.readouterr().err


def test_a_limit_without_a_race_does_not_pass() -> None:
    right = _sources(samples.run({"a": {"x.one": "conforms"}}))
    assert gate.code(gate.gate(right, "must", [], gate.Limit("a", 0.05))) == exits.SUITE_FAILED
