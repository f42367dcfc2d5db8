"""Result files: what is written is read back, and no cut of a file at any byte gives a traceback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import exits, results
from conformance.verdicts import Verdict, worst

IDENTITY = {"label": "stock", "spec": "asyncio:SelectorEventLoop", "python": "3.12.1"}


def _write(path: Path, messages: list[str], exit_code: int = exits.DEVIATES) -> None:
    writer = results.ResultWriter(path, {"suite": "0"}, [{"id": "callbacks.fifo"}])
    writer.loop(IDENTITY)
    for message in messages:
        writer.result(
            {"loop": "stock", "python": "3.12.1", "id": "callbacks.fifo", "verdict": "deviates", "seen": message}
        )
    writer.close(exit_code)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(messages=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_what_is_written_is_read_back(tmp_path: Path, messages: list[str]) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, messages)
    run = results.read(path)
    assert [r["seen"] for r in run.results] == messages
    assert run.complete
    assert run.footer is not None
    assert run.footer["results"] == len(messages)


def test_a_file_cut_anywhere_is_incomplete_or_no_result_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, ["one", "zwei", "três\u2028"])
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with contextlib.suppress(results.ResultFileError):
            assert not results.read(path).complete


def test_a_run_that_the_user_interrupted_is_incomplete_in_spite_of_its_footer(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    _write(path, ["one"], exits.INTERRUPTED)
    assert not results.read(path).complete


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", results.NotAResultFile),
        ("hello\n", results.NotAResultFile),
        ("[]\n", results.NotAResultFile),
        ('{"kind": "header", "format": 99}\n', results.NewerFormat),
        ('{"kind": "header", "format": 1}\n{"kind": "nonsense"}\n', results.BrokenResultFile),
        ('{"kind": "header", "format": 1}\n{"kind"\n{"kind": "footer"}\n', results.BrokenResultFile),
        ('{"kind": "header", "format": 1}\n{"kind": "result", "verdict": "meh"}\n', results.BrokenResultFile),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str, error: type[Exception]) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(error, match="bad"):
        results.read(path)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(results.ResultFileError, match="cannot be read"):
        results.read(tmp_path / "nowhere.jsonl")


def test_the_worst_case_is_the_verdict_of_the_requirement() -> None:
    assert worst([Verdict.CONFORMS, Verdict.HANGS, Verdict.DEVIATES]) is Verdict.HANGS
    assert worst([Verdict.CONFORMS, Verdict.NOT_RUN]) is Verdict.CONFORMS
    assert worst([Verdict.NOT_APPLICABLE]) is Verdict.NOT_APPLICABLE


def test_lines_are_on_disk_as_they_are_found(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = results.ResultWriter(path, {}, [])
    writer.loop(IDENTITY)
    writer.result({"loop": "stock"})
    assert json.loads(path.read_text().splitlines()[-1])["kind"] == "result"
    writer.close(0)
