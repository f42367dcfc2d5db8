"""Whatever a loop does to its process costs the requirement that was running, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import exits
from conformance.verdicts import WRONG
from tests.harness import run_pytest
from tests.hostile_loops import CRIMES

# Crimes that the requirement under test cannot see, because they end with the process of their trial.
_UNSEEN = {
    "WritesToOutput", "LeavesADaemonThreadThatRaises", "ChangesTheLocale", "ChangesTheWorkingDirectory",
    "ChangesTheUmask", "StopsTheCollector", "ReplacesStandardStreams", "ClosesOutput", "LeavesADaemon",
}  # fmt: skip
_CHAPTERS = ("callbacks", "dns", "executors", "signals")
_CHAPTER_OF = {"getaddrinfo": "dns", "getnameinfo": "dns", "run_in_executor": "executors",
               "add_signal_handler": "signals", "shutdown_default_executor": "executors"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CRIMES))
def test_a_crime_costs_its_own_chapter_at_most(name: str, tmp_path: Path) -> None:
    chapter = _CHAPTER_OF[CRIMES[name][0]]
    other = next(c for c in _CHAPTERS if c != chapter)
    finished = run_pytest(
        "-q",
        "-p",
        "no:randomly",
        f"--loop=hostile=tests.hostile_loops:{name}",
        f"--loop-results={tmp_path / 'r.jsonl'}",
        f"{chapter}.*",
        f"{other}.*",
        patience=2,
    )
    verdicts = finished.verdicts("hostile")
    assert finished.run is not None
    assert finished.run.complete, finished.output
    others = {id: v for id, v in verdicts.items() if not id.startswith(chapter)}
    assert set(others.values()) <= {"conforms", "not applicable", "not run"}, others
    wrong = {id for id, v in verdicts.items() if v in WRONG}
    assert "errored" not in verdicts.values(), finished.output
    if name not in _UNSEEN:
        assert wrong, finished.output
    assert finished.code == (exits.DEVIATES if wrong else exits.CONFORMS), finished.output


@pytest.mark.parametrize(
    ("factory", "verdict"), [("factory_that_hangs", "hangs"), ("factory_that_segfaults", "crashes")]
)
def test_a_factory_that_never_returns_is_one_deviation(factory: str, verdict: str, tmp_path: Path) -> None:
    finished = run_pytest(
        "-q", f"--loop=hostile=tests.hostile_loops:{factory}", f"--loop-results={tmp_path / 'r.jsonl'}",
        "lifecycle.factory", "callbacks.*", patience=2,
    )  # fmt: skip
    verdicts = finished.verdicts("hostile")
    assert verdicts.pop("lifecycle.factory") == verdict
    assert set(verdicts.values()) == {"not run"}
    assert finished.code == exits.DEVIATES


def test_a_loop_that_runs_nothing_hangs_everywhere_and_the_run_ends(tmp_path: Path) -> None:
    finished = run_pytest(
        "-q", "--loop=hostile=tests.hostile_loops:RunsNothing", f"--loop-results={tmp_path / 'r.jsonl'}",
        "callbacks.fifo", patience=1,
    )  # fmt: skip
    assert finished.verdicts("hostile") == {"callbacks.fifo": "hangs"}
    assert finished.code == exits.DEVIATES


def test_what_was_found_before_the_run_is_killed_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(
        "import asyncio, os, signal\n"
        "class Killer(asyncio.SelectorEventLoop):\n"
        "    def getnameinfo(self, *args, **kwargs):\n"
        "        os.kill(int(os.environ['VICTIM']), signal.SIGKILL)\n"
        "        return super().getnameinfo(*args, **kwargs)\n"
    )
    (tmp_path / "conftest.py").write_text("import os\nos.environ['VICTIM'] = str(os.getpid())\n")
    finished = run_pytest(
        "-q", "--loop=killer:Killer", "--loop-results=r.jsonl", "callbacks.fifo", "dns.*", cwd=tmp_path
    )
    assert finished.code < 0
    assert finished.run is not None
    assert not finished.run.complete
    assert finished.verdicts("killer.Killer")["callbacks.fifo"] == "conforms"
