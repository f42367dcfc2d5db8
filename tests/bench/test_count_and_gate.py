"""Counting and gating: what fails, what passes, and what must not be called a pass."""

from __future__ import annotations

import copy
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import count, gate
from bench.changes import changes, remarks
from bench.errors import DifferentRace
from tests.bench.conftest import Run

STOCK = "asyncio:SelectorEventLoop"


def _can_trace() -> bool:
    strace = shutil.which("strace")
    return (
        strace is not None and subprocess.run([strace, "-qq", "true"], capture_output=True, check=False).returncode == 0
    )


traced = pytest.mark.skipif(not _can_trace(), reason="strace is not installed, or may not trace here")


def counts(instructions: float = 1000.0, syscalls: float = 1.0, spread: float = 0.0, **entry: Any) -> dict[str, Any]:
    cell = {
        "state": "counted",
        "instructions": instructions,
        "spread": spread,
        "syscalls": syscalls,
        "calls": {"epoll_wait": syscalls},
    }
    return {
        "format": 1,
        "kind": "counts",
        "python": "3.12.1",
        "platform": "Linux",
        "tools": {"callgrind": "1", "strace": "1"},
        "loops": [{"label": "a", "spec": STOCK}],
        "workloads": [{"name": "tasks.tree", "version": "1", "cells": {"a": cell}} | entry],
    }


@pytest.mark.parametrize(
    ("new", "expected", "word"),
    [
        (counts(), "pass", ""),
        (counts(instructions=1009), "pass", ""),
        (counts(instructions=500, syscalls=0), "pass", ""),
        (counts(instructions=1011), "fail", "+1.1% instructions"),
        (counts(syscalls=1.05), "fail", "epoll_wait 1.00 to 1.05"),
        (counts(syscalls=1.04), "pass", ""),
        (counts(instructions=1030, spread=0.025), "inconclusive", "repeat"),
        (counts(version="2"), "inconclusive", "changed"),
        (counts(cells={"a": {"state": "dead", "reason": "RuntimeError: no"}}), "fail", "RuntimeError"),
        (counts(name="another"), "inconclusive", "not among the new counts"),
        (counts(cells={}), "inconclusive", "not among the new counts"),
        (counts(cells={"a": {"state": "counted"}}), "inconclusive", "no number in common"),
        (counts() | {"python": "3.13.0"}, "inconclusive", "3.13.0"),
        (counts() | {"loops": [{"label": "a", "python": "3.13.1"}]}, "inconclusive", "3.13.1"),
        (counts() | {"python": "3.13.0", "loops": [{"label": "a", "python": "3.12.1"}]}, "pass", ""),
        (counts() | {"platform": "Darwin"}, "inconclusive", "Darwin"),
    ],
)
def test_counts_are_judged_by_their_limits(new: dict[str, Any], expected: str, word: str) -> None:
    found = gate.counts(counts(), new, 0.01, 0.05)
    assert gate.outcome(found) == expected
    assert all(word in finding.reason for finding in found)


def race(low: float, high: float, noise: float = 0.01, **changed: Any) -> dict[str, Any]:
    """A race of one workload in which `new` takes between `low` and `high` times the reference's time."""
    ratio = (low * high) ** 0.5
    measured = {"ratio": ratio, "low": low, "high": high, "p": 0.01, "rounds": 20, "verdict": "", "seconds": 1e-6}
    floor = {"ratio": 1.0, "low": 1 - noise, "high": 1 + noise, "seconds": 1e-6}
    cells = {
        "stock": {"state": "measured", "cpu": {"seconds": 1e-6}},
        "new": {"state": "measured", "cpu": measured},
        "A-A": {"state": "measured", "cpu": floor},
    }
    return {
        "reference": "stock",
        "noise_arm": "A-A",
        "settings": {"margin": 0.03},
        "loops": [{"label": label, "spec": STOCK, "metadata": {"python_version": "3.12.1"}} for label in cells],
        "workloads": [{"name": "w", "version": "1", "cells": cells} | changed],
    }


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (race(0.98, 1.02), "pass"),
        (race(1.04, 1.06), "fail"),
        (race(1.01, 1.05), "inconclusive"),
        (race(0.98, 1.02, noise=0.04), "inconclusive"),
        (race(1.20, 1.30, noise=0.04), "inconclusive"),
    ],
)
def test_a_race_is_judged_by_its_intervals_and_its_noise_floor(summary: dict[str, Any], expected: str) -> None:
    assert gate.outcome(gate.race(summary, "new", 0.03)) == expected


def test_a_loop_that_died_fails_the_gate() -> None:
    summary = race(1.0, 1.0)
    summary["workloads"][0]["cells"]["new"] = {"state": "dead", "how": "hangs", "reason": "no answer"}
    assert gate.outcome(gate.race(summary, "new", 0.03)) == "fail"


def test_two_races_compare_by_their_ratios() -> None:
    def verdict(old: dict[str, Any], new: dict[str, Any]) -> str:
        (one,) = changes(old, new)
        return str(one["verdict"])

    assert verdict(race(0.47, 0.53), race(0.47, 0.53)) == "inconclusive"
    assert verdict(race(0.498, 0.502), race(0.498, 0.502)) == "no difference"
    assert verdict(race(0.49, 0.51), race(0.59, 0.61)) == "slower"
    assert verdict(race(0.59, 0.61), race(0.49, 0.51)) == "faster"
    assert verdict(race(0.5, 0.5), race(0.5, 0.5, version="2")) == "not comparable"
    dead = race(1.0, 1.0)
    dead["workloads"][0]["cells"]["new"] = {"state": "dead", "how": "crashes", "reason": "SIGSEGV"}
    assert verdict(race(1, 1), dead) == "gone"
    assert verdict(dead, race(1, 1)) == "appeared"


def many(count: int, low: float, high: float) -> dict[str, Any]:
    """A race of `count` workloads in which `new` has the same interval."""
    found = race(low, high)
    found["workloads"] = [found["workloads"][0] | {"name": str(number)} for number in range(count)]
    return found


def test_a_change_is_significant_over_all_workloads() -> None:
    """An interval that leaves 1 out by little is one of twenty, by chance."""
    past, now = race(0.98, 1.02), race(1.01, 1.07)
    assert [one["verdict"] for one in changes(past, now)] == ["slower"]
    past, now = many(20, 0.98, 1.02), many(20, 1.01, 1.07)
    assert {one["verdict"] for one in changes(past, now)} == {"inconclusive"}
    past, now = many(20, 0.98, 1.02), many(20, 1.10, 1.14)
    assert {one["verdict"] for one in changes(past, now)} == {"slower"}


def test_a_change_is_more_than_the_reference_differed_from_itself() -> None:
    past, now = race(0.98, 1.02), race(1.10, 1.14)
    now["workloads"][0]["cells"]["A-A"]["cpu"]["ratio"] = 1.2
    assert [one["verdict"] for one in changes(past, now)] == ["inconclusive"]


@pytest.mark.parametrize(
    "changed", [{"spec": "uvloop:new_event_loop"}, {"metadata": {"python_version": "3.13.0"}}], ids=["loop", "python"]
)
def test_races_of_different_references_do_not_compare(changed: dict[str, Any]) -> None:
    other = copy.deepcopy(race(1, 1))
    other["loops"][0] |= changed
    with pytest.raises(DifferentRace):
        changes(race(1, 1), other)


def test_what_differs_beside_the_loops_is_told() -> None:
    other = copy.deepcopy(race(1, 1))
    other["loops"][0] |= {"metadata": {"python_version": "3.12.9", "cpu_model_name": "another"}}
    told = remarks(race(1, 1), other)
    assert ["3.12.9" in told[0], "another" in told[1], len(told)] == [True, True, 2]
    assert remarks(other, other) == []


@traced
def test_system_calls_are_counted_and_gated(bench: Run, tmp_path: Path) -> None:
    globs = ("call_soon.chain", "add_cancel.live-0")
    arguments = ("count", "--only", "syscalls", "--loop", STOCK, "--loop", "bad=wrong:Exits", "-o", "base.json", *globs)
    result = bench(*arguments)
    assert result.status == 0, result.err
    cells = {entry["name"]: entry["cells"] for entry in json.loads(Path("base.json").read_text())["workloads"]}
    stock = cells["scheduling.call_soon.chain"]["asyncio.SelectorEventLoop"]
    # One callback per turn, and one poll per turn: never more; a loop may poll less often than that.
    assert 0 < stock["syscalls"] < 1.2
    assert cells["scheduling.call_soon.chain"]["bad"]["state"] == "counted"
    assert "status 7" in cells["timers.add_cancel.live-0"]["bad"]["reason"]
    assert bench("gate", "base.json", "--base", "base.json").status == 0
    changed = json.loads(Path("base.json").read_text())
    for entry in changed["workloads"]:
        entry["cells"]["asyncio.SelectorEventLoop"]["syscalls"] += 0.06
    Path("new.json").write_text(json.dumps(changed))
    failed = bench("gate", "new.json", "--base", "base.json")
    assert failed.status == 1
    assert "system calls" in failed.out


@traced
def test_a_process_that_ends_without_a_word_costs_its_cell_and_is_not_started_for_it_again(bench: Run) -> None:
    arguments = ("count", "--only", "syscalls", "--loop", "bad=wrong:Quits", "-o", "counts.json")
    result = bench(*arguments, "add_cancel.live-0", "call_soon.chain")
    assert result.status == 0, result.err
    cells = {entry["name"]: entry["cells"]["bad"] for entry in json.loads(Path("counts.json").read_text())["workloads"]}
    assert cells["scheduling.call_soon.chain"]["state"] == "counted"
    assert "without a word" in cells["timers.add_cancel.live-0"]["reason"]


def test_one_cell_that_was_not_counted_again_keeps_the_others_from_passing() -> None:
    base, cells = counts(), counts()["workloads"][0]["cells"]
    base["workloads"].append({"name": "tasks.gone", "version": "1", "cells": cells})
    assert gate.outcome(gate.counts(base, counts(), 0.01, 0.05)) == "inconclusive"


@traced
def test_gate_counts_anew_when_only_a_base_is_given(bench: Run) -> None:
    arguments = ("count", "--only", "syscalls", "--loop", STOCK, "-o", "base.json", "tasks.future_wake_up")
    assert bench(*arguments).status == 0
    result = bench("gate", "--base", "base.json")
    assert result.status == 0, result.out
    base = json.loads(Path("base.json").read_text())
    assert base["loops"][0]["python"] == platform.python_version()
    base["workloads"][0]["name"] = "tasks.left_the_catalogue"
    Path("base.json").write_text(json.dumps(base))
    assert bench("gate", "--base", "base.json").status == 3


def test_a_missing_tool_is_named_with_its_package(bench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = bench("count", "--loop", STOCK, "tasks.tree")
    assert result.status == 2
    assert "apt-get install valgrind" in result.err


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "race"}', '{"kind": "counts", "format": 2}', '{"kind": "counts"}']
)
def test_a_base_that_is_none(bench: Run, text: str) -> None:
    Path("base.json").write_text(text)
    result = bench("gate", "--base", "base.json")
    assert result.status == 2
    assert "base.json" in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"tools": None},
        {"loops": [{}]},
        {"loops": 3},
        {"workloads": [{}]},
        {"workloads": [{"name": "tasks.tree", "version": "1", "cells": {"a": {}}}]},
        {"workloads": [{"name": "tasks.tree", "version": "1", "cells": {"a": {"state": "counted", "syscalls": 1}}}]},
    ],
)
def test_a_base_that_is_damaged_inside(bench: Run, damage: dict[str, Any]) -> None:
    Path("base.json").write_text(json.dumps(counts() | damage))
    result = bench("gate", "--base", "base.json")
    assert result.status == 2
    assert "base.json is damaged" in result.err
    assert len(result.err.splitlines()) == 1


@traced
def test_the_file_of_counts_is_made_sure_of_before_anything_is_counted(
    bench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("count", "--only", "syscalls", "--loop", STOCK, "tasks.tree", "-o")
    assert bench(*arguments, "new/directory/base.json").status == 0
    assert (tmp_path / "new" / "directory" / "base.json").exists()

    def counted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(count, "count", counted)
    for place in ("new", "new/directory/base.json/base.json"):
        refused = bench(*arguments, place)
        assert refused.status == 2
        assert "choose another -o" in refused.err
    interrupted = bench(*arguments, "other.json")
    assert (interrupted.status, interrupted.err) == (130, "bench: interrupted\n")
    assert not (tmp_path / "other.json").exists()


def test_nothing_to_judge_or_to_count(bench: Run) -> None:
    assert bench("gate").status == 2
    assert bench("gate", "--base", "missing.json").status == 2
    assert bench("count", "--loop", STOCK, "system.subprocess").status == 2
