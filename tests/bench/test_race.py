"""Races over real processes, small enough for every run: what dies costs its own cell, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import files
from bench.journal import Journal
from bench.running import PACES
from bench.statistics import round_difference
from tests.bench.conftest import Run

STOCK = "asyncio:SelectorEventLoop"


def summary(directory: Path) -> dict[str, object]:
    return json.loads((directory / "race.json").read_text())  # type: ignore[no-any-return]


def cells(directory: Path, workload: str) -> dict[str, dict[str, object]]:
    found = {entry["name"]: entry for entry in summary(directory)["workloads"]}  # type: ignore[attr-defined]
    return found[workload]["cells"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("loop", "how", "reason"),
    [
        ("Hangs", "hangs", "no answer within 10 s"),
        ("Crashes", "crashes", "SIGSEGV"),
        ("Exits", "crashes", "status 7"),
        ("NoTimers", "fails", "NotImplementedError"),
    ],
)
def test_a_loop_that_dies_of_a_workload_costs_that_cell_only(
    bench: Run, tmp_path: Path, loop: str, how: str, reason: str
) -> None:
    arguments = ("run", "--loop", STOCK, "--loop", f"bad=wrong:{loop}", "-o", "out", "--rounds", 1, "--quick")
    # Long enough for a worker that starts beside other tests: a right loop must not be taken for one that hangs.
    result = bench(*arguments, "--patience", 10, "timers.add_cancel.live-0", "tasks.spawn_await")
    assert result.status == 0, result.err
    timers = cells(tmp_path / "out", "timers.add_cancel.live-0")
    assert (timers["bad"]["state"], timers["bad"]["how"]) == ("dead", how)
    assert reason in str(timers["bad"]["reason"])
    assert timers["asyncio.SelectorEventLoop"]["state"] == "measured"
    assert timers["A-A"]["state"] == "measured"
    assert cells(tmp_path / "out", "tasks.spawn_await")["bad"]["state"] == "measured"
    assert reason in result.out


def test_a_workload_whose_check_fails_has_no_time(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "--loop", "bad=wrong:Drops", "--loop", "echo=wrong:Echoes")
    result = bench(*arguments, "-o", "out", "--rounds", 1, "--quick", "call_soon.batch.no-args", "echo.sock.1KiB.c10")
    assert result.status == 0, result.err
    dropped = cells(tmp_path / "out", "scheduling.call_soon.batch.no-args")
    assert dropped["bad"]["how"] == "fails"
    assert "CheckFailed" in str(dropped["bad"]["reason"])
    assert dropped["echo"]["state"] == "measured"
    echoed = cells(tmp_path / "out", "tcp.echo.sock.1KiB.c10")
    assert "the echo differs" in str(echoed["echo"]["reason"])
    assert echoed["bad"]["state"] == "measured"


def test_why_the_client_cannot_connect_is_said_at_once(bench: Run, tmp_path: Path) -> None:
    loops = ("--loop", STOCK, "--loop", "bad=wrong:Plain", "--loop", "worse=wrong:PlainAndCrashes")
    result = bench("run", *loops, "-o", "out", "--rounds", 1, "--quick", "tls.echo.protocol", "tasks.spawn_await")
    assert result.status == 0, result.err
    found = cells(tmp_path / "out", "tls.echo.protocol")
    assert found["bad"]["how"] == "fails"
    assert "SSLError" in str(found["bad"]["reason"])
    assert (found["worse"]["how"], found["worse"]["reason"]) == ("crashes", "killed by SIGSEGV")
    assert found["A-A"]["state"] == "measured"
    assert cells(tmp_path / "out", "tasks.spawn_await")["bad"]["state"] == "measured"


def test_a_reference_that_dies_leaves_the_others_their_times_but_no_ratios(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", "bad=wrong:Exits", "--loop", STOCK, "-o", "out", "--rounds", 1, "--quick")
    result = bench(*arguments, "add_cancel.live-0")
    assert result.status == 0, result.err
    found = cells(tmp_path / "out", "timers.add_cancel.live-0")
    assert found["bad"]["state"] == found["A-A"]["state"] == "dead"
    assert set(found["asyncio.SelectorEventLoop"]["cpu"]) == {"seconds"}  # type: ignore[call-overload]


def test_every_arm_has_equally_many_values_and_pyperf_reads_all_files(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "--loop", "same=asyncio:SelectorEventLoop", "-o", "out", "--quick")
    result = bench(*arguments, "--rounds", 2, "tasks.spawn_await", "tcp.echo.protocol.1KiB.c10")
    assert result.status == 0, result.err
    files = [str(tmp_path / "out" / "pyperf" / f"{name}.json") for name in ("asyncio.SelectorEventLoop", "same", "A-A")]
    outputs = []
    for command in (
        ["compare_to", *files],
        ["compare_to", "--table", *files[:2]],
        ["compare_to", "--table", "--table-format=md", *files[:2]],
        ["stats", files[0]],
        ["check", files[1]],
        ["hist", files[0]],
        ["metadata", files[2]],
    ):
        done = subprocess.run([sys.executable, "-m", "pyperf", *command], capture_output=True, text=True, check=False)
        assert "ERROR" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or command[0] == "check"  # check may call a noisy machine unstable
        outputs.append(done.stdout)
    assert "tasks.spawn_await" in outputs[0] + outputs[2]
    assert "loop_spec: asyncio:SelectorEventLoop" in outputs[-1]
    suites = [json.loads(Path(file).read_text()) for file in files]
    counts = [[len(run["values"]) for b in suite["benchmarks"] for run in b["runs"]] for suite in suites]
    assert counts[0] == counts[1] == counts[2]
    assert len(counts[0]) == 2 * 4
    samples = PACES["quick"].samples
    assert {*counts[0]} <= {samples, (samples + 1) // 2}  # half, for all arms of a round in which one takes long
    latency = cells(tmp_path / "out", "tcp.echo.protocol.1KiB.c10")["same"]["latency"]
    assert latency["50"] <= latency["90"]  # type: ignore[index]


def test_an_arm_that_dies_of_everything_keeps_no_pyperf_file(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "--loop", "bad=wrong:Late", "-o", "out", "--quick", "--rounds", 2)
    (tmp_path / "wrong.py").write_text(
        "import asyncio, pathlib\n"
        "def Late():\n"
        "    if pathlib.Path('out/pyperf/bad.json').exists():\n"
        "        raise RuntimeError('no second round')\n"
        "    return asyncio.SelectorEventLoop()\n"
    )
    result = bench(*arguments, "tasks.tree")
    assert "no second round" in result.out
    assert sorted(path.name for path in (tmp_path / "out" / "pyperf").iterdir()) == [
        "A-A.json",
        "asyncio.SelectorEventLoop.json",
    ]


def test_a_race_that_was_cut_off_goes_on_and_ends_as_if_it_had_not_been(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", 3, "tasks.spawn_await", "tasks.tree")
    assert bench(*arguments).status == 0
    journal = tmp_path / "out" / "rounds.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith('{"finished"')][:-2]
    journal.write_text("".join(kept) + '{"round": {"workload": "tasks.tree", "rou')
    measured = Journal.read(journal)
    before = {name: sorted(rounds) for name, rounds in measured.rounds.items()}
    assert sum(map(len, before.values())) == 4
    assert "resuming the race of 2" in (resumed := bench(*arguments)).err
    assert ": 2 of 3 rounds are there" in resumed.err
    assert resumed.status == 0
    after = journal.read_text().splitlines(keepends=True)
    assert after[: len(kept)] == kept
    assert {name: sorted(rounds) for name, rounds in Journal.read(journal).rounds.items()} == {
        "tasks.spawn_await": [0, 1, 2],
        "tasks.tree": [0, 1, 2],
    }
    assert summary(tmp_path / "out")["complete"] is True
    # A finished race has nothing left to do and is shown again.
    again = bench(*arguments)
    assert again.status == 0
    assert "not run again: choose another -o" in again.err
    assert journal.read_text().splitlines(keepends=True) == after


def test_a_race_is_the_same_whatever_hash_seed_it_is_started_with(
    bench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seeded.py").write_text(
        "import asyncio, os\ndef new_loop():\n"
        "    assert 'PYTHONHASHSEED' not in os.environ\n    return asyncio.SelectorEventLoop()\n"
    )
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        result = bench("run", "--loop", "seeded:new_loop", "-o", "out", "--quick", "--rounds", 1, "tasks.tree")
        assert result.status == 0, result.err


def test_the_summary_follows_from_the_journal_alone(bench: Run, tmp_path: Path) -> None:
    assert bench("run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", 2, "tasks.spawn_await").status == 0
    first = summary(tmp_path / "out")
    (tmp_path / "out" / "race.json").unlink()
    before = sorted((tmp_path / "out").rglob("*"))
    assert bench("compare", "out").status == 0
    assert files.read(tmp_path / "out") == first
    assert sorted((tmp_path / "out").rglob("*")) == before  # who reads a race writes nothing
    journal = Journal.read(tmp_path / "out" / "rounds.jsonl")
    for one in journal.rounds["tasks.spawn_await"].values():
        arms = one["arms"]
        assert round_difference(arms["A-A"]["cpu"], arms["A-A"]["cpu"]) == 0
        assert len(arms["A-A"]["cpu"]) == PACES["quick"].samples


def test_an_arm_may_live_in_another_interpreter(bench: Run, tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    os.symlink(sys.executable, other)
    arm = f"other=asyncio:SelectorEventLoop@{other}"
    result = bench("run", "--loop", STOCK, "--loop", arm, "-o", "o ut", "--quick", "--rounds", 1, "tasks.spawn_await")
    assert result.status == 0, result.err
    assert cells(tmp_path / "o ut", "tasks.spawn_await")["other"]["state"] == "measured"
    assert "python -m reports html 'o ut' -o report.html" in result.out


def test_a_handicap_makes_an_arm_slower_by_that_much(bench: Run, tmp_path: Path) -> None:
    arguments = (
        "run",
        "--loop",
        STOCK,
        "--loop",
        "slow=asyncio:SelectorEventLoop",
        "--handicap",
        "slow=90%",
        "-o",
        "out",
    )
    assert bench(*arguments, "--quick", "tasks.spawn_await").status == 0
    found = cells(tmp_path / "out", "tasks.spawn_await")["slow"]["cpu"]
    assert found["ratio"] > 1.4  # type: ignore[index]


def test_a_handicap_of_the_reference_is_one_of_its_second_arm_too(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", f"stock={STOCK}", "--handicap", "stock=90%", "-o", "out", "--quick", "--rounds", 1)
    assert bench(*arguments, "tasks.tree").status == 0
    loops = summary(tmp_path / "out")["loops"]
    assert [(loop["label"], loop["handicap"]) for loop in loops] == [("stock", 0.9), ("A-A", 0.9)]  # type: ignore[attr-defined]


def measured_processes(directory: Path) -> list[int]:
    """Processes of a race that was started in `directory`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here, line = os.readlink(process / "cwd"), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if here == str(directory) and b"bench.worker" in line:
            found.append(int(process.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc")
def test_no_process_outlives_a_race(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "--loop", "bad=wrong:Hangs", "-o", "out", "--quick", "--rounds", 1)
    assert bench(*arguments, "--patience", 1, "timers.add_cancel.live-0", "tcp.echo.protocol.1KiB.c1").status == 0
    assert measured_processes(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc")
def test_a_race_that_is_killed_while_a_loop_hangs_leaves_no_process_behind(bench: Run, tmp_path: Path) -> None:
    boot = f"import sys; sys.path[:0] = {sys.path!r}; from bench.cli import main; main()"
    arguments = ["run", "--loop", "wrong:Hangs", "-o", "out", "--quick", "timers.add_cancel.live-0"]
    driver = subprocess.Popen([sys.executable, "-c", boot, *arguments], stderr=subprocess.DEVNULL)
    try:
        # Two parents and the worker that hangs while it is set up or measured.
        wait_for(lambda: len(measured_processes(tmp_path)) >= 3)
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not measured_processes(tmp_path))


def test_a_race_that_is_terminated_writes_what_it_has(bench: Run, tmp_path: Path) -> None:
    boot = f"import sys; sys.path[:0] = {sys.path!r}; from bench.cli import main; sys.exit(main())"
    arguments = ["run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", "500", "tasks.spawn_await"]
    driver = subprocess.Popen([sys.executable, "-c", boot, *arguments], stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "out" / "rounds.jsonl"
    try:
        wait_for(lambda: journal.exists() and '{"round"' in journal.read_text())
        driver.terminate()
        _, errors = driver.communicate(timeout=60)
    finally:
        driver.kill()
        driver.wait()
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert summary(tmp_path / "out")["complete"] is False
    assert "incomplete" in bench("compare", "out").out


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
