"""Bad input gets one sentence and status 2; nothing prints a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import table
from bench.table import duration
from tests.bench.conftest import Run

STOCK = "asyncio:SelectorEventLoop"
LABEL = "asyncio.SelectorEventLoop"


def refused(bench: Run, *arguments: object) -> str:
    """The sentence that the command line refuses these arguments with."""
    result = bench(*arguments)
    assert result.status == 2, result
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1
    return result.err


@pytest.mark.parametrize(
    ("loop", "word"),
    [
        ("nonsense", "module:factory"),
        ("no_such_module:Loop", "no_such_module"),
        ("asyncio:NoSuchLoop", "NoSuchLoop"),
        ("wrong:no_loop", "no event loop"),
        ("wrong:raises", "no loop today"),
        ("wrong:dies", "status 3"),
        ("asyncio:SelectorEventLoop@/no/such/python", "/no/such/python"),
        ("asyncio:SelectorEventLoop@/bin/true", "cannot make a loop"),
    ],
)
def test_a_loop_that_cannot_be_made_is_named_before_anything_is_measured(
    bench: Run, tmp_path: Path, loop: str, word: str
) -> None:
    sentence = refused(bench, "run", "--loop", f"bad={loop}" if ":" in loop else loop, "-o", "out", "tasks.tree")
    assert word in sentence
    assert not (tmp_path / "out").exists()


def test_a_python_that_is_too_old_is_told_so(bench: Run, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    # Python 3.10 as far as the race can see: it does not know the option -P either.
    old.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || exit 2\nshift\nexec {sys.executable} -c '
        '\'import sys; sys.version_info = (3, 10, 13); sys.version = "3.10.13 (old)"; exec(sys.argv[1])\' "$@"\n'
    )
    old.chmod(0o755)
    sentence = refused(bench, "run", "--loop", f"x={STOCK}@{old}", "-o", "out", "tasks.tree")
    assert "Python 3.11 or newer is needed, this is 3.10.13" in sentence


def test_modules_of_the_current_directory_do_not_shadow_the_standard_library(bench: Run, tmp_path: Path) -> None:
    for name in ("json", "signal", "asyncio", "pyperf"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadowed')")
    arguments = ("run", "--loop", "mine=wrong:Exits", "-o", "out", "--quick", "--rounds", 1, "tasks.tree")
    assert bench(*arguments).status == 0


def test_an_unknown_workload(bench: Run) -> None:
    assert "bench list" in refused(bench, "run", "--loop", STOCK, "-o", "out", "no.such.*")
    assert "no.such" in refused(bench, "list", "no.such")


def test_two_loops_of_one_label(bench: Run) -> None:
    assert "label" in refused(bench, "run", "--loop", STOCK, "--loop", STOCK, "-o", "out")
    assert "A-A" in refused(bench, "run", "--loop", f"A-A={STOCK}", "-o", "out")


def test_labels_whose_files_would_have_one_name(bench: Run) -> None:
    two = ("--loop", f"a b={STOCK}", "--loop", f"a-b={STOCK}")
    assert "'a b' and 'a-b'" in refused(bench, "run", *two, "-o", "out", "tasks.tree")
    assert "'A-A' and 'A A'" in refused(bench, "run", "--loop", f"A A={STOCK}", "-o", "out", "tasks.tree")


def test_a_handicap_for_nobody(bench: Run) -> None:
    assert "label" in refused(bench, "run", "--loop", STOCK, "--handicap", "x=5%", "-o", "out")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("--rounds 0", "at least 1"),
        ("--rounds 1.5", "whole number"),
        ("--rounds x", "'x' is no number"),
        ("--margin 200", "between 0 and 100"),
        ("--margin x", "'x' is no number"),
        ("--patience 0", "above 0"),
        ("--patience nan", "'nan' is no number"),
        ("--handicap a=x", "'x' is no number"),
        ("--handicap 5%", "the label of a --loop first"),
        ("--quick --rigorous", "not allowed with"),
    ],
)
def test_numbers_that_make_no_sense_are_usage_errors(bench: Run, wrong: str, words: str) -> None:
    result = bench("run", "--loop", STOCK, "-o", "out", *wrong.split(), "no.such.workload")
    assert result.status == 2
    assert "Traceback" not in result.err
    assert words in result.err
    assert "invalid" not in result.err


def test_an_output_directory_that_cannot_be_written(bench: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "choose another -o" in refused(bench, "run", "--loop", STOCK, "-o", "file/out", "tasks.tree")


def test_a_directory_without_a_race(bench: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no race" in refused(bench, "compare", "empty")
    assert "no race" in refused(bench, "compare", "missing")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"kind": "battery"}',
        '{"kind": "race", "format": 99}',
        "\x00\xff",
        '{"kind": "race", "format": 1}',
    ],
)
def test_a_summary_that_is_none(bench: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "race.json").write_bytes(text.encode("latin-1"))
    assert "race.json" in refused(bench, "compare", tmp_path)


def test_a_summary_that_is_damaged_inside(bench: Run, tmp_path: Path) -> None:
    assert bench("run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", 1, "tasks.tree").status == 0
    whole = (tmp_path / "out" / "race.json").read_text()
    for key in ("loops", "workloads", "facts", "groups", "noise", "settings", "reference"):
        for damage in ([{}], {}, [3], 3, "x"):
            (tmp_path / "race.json").write_text(json.dumps(json.loads(whole) | {key: damage}))
            sentence = refused(bench, "compare", "race.json")
            assert key in sentence or "other loops" in sentence
    for path in (("cells",), ("cells", LABEL), ("cells", LABEL, "state"), ("cells", LABEL, "cpu"), ("version",)):
        broken = json.loads(whole)
        place = broken["workloads"][0]
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        (tmp_path / "race.json").write_text(json.dumps(broken))
        assert "damaged" in refused(bench, "gate", "race.json", "--loop", "A-A")


HEADER = '{"race": {"format": 1}}\n'
JOURNALS = ["", "{\n", "3\n", '{"other": 1}\n', '{"race": {"format": 99}}\n', HEADER, HEADER + '{"round": 3}\n']


@pytest.mark.parametrize("text", JOURNALS)
def test_a_journal_that_is_none(bench: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "rounds.jsonl").write_text(text)
    assert "rounds.jsonl" in refused(bench, "compare", tmp_path)
    assert "rounds.jsonl" in refused(bench, "run", "--loop", STOCK, "-o", tmp_path, "tasks.tree")


def test_no_cut_of_a_journal_gives_a_traceback(bench: Run, tmp_path: Path) -> None:
    assert bench("run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", 2, "tasks.tree").status == 0
    journal = tmp_path / "out" / "rounds.jsonl"
    data = journal.read_bytes()
    for cut in {*range(0, len(data), max(1, len(data) // 15)), len(data) - 1}:
        journal.write_bytes(data[:cut])
        (tmp_path / "out" / "race.json").unlink(missing_ok=True)
        assert bench("compare", "out").status in {0, 2}


def test_results_of_another_race_are_not_mixed_in(bench: Run, tmp_path: Path) -> None:
    arguments = ("run", "--loop", STOCK, "-o", "out", "--quick", "--rounds", 1)
    assert bench(*arguments, "tasks.tree").status == 0
    assert "other workloads" in refused(bench, *arguments, "tasks.spawn_await")
    assert "other settings (pinned)" in refused(bench, *arguments, "--no-pin", "tasks.tree")
    assert "other loops:" in refused(bench, *arguments, "--loop", "x=asyncio:new_event_loop", "tasks.tree")
    mine = ("run", "--loop", "mine=wrong:Exits", "-o", "mine", "--quick", "--rounds", 1, "tasks.tree")
    assert bench(*mine).status == 0
    with (tmp_path / "wrong.py").open("a") as file:
        file.write("# Another build.")
    assert "other loops (mine build)" in refused(bench, *mine)
    journal = tmp_path / "out" / "rounds.jsonl"
    journal.write_text(journal.read_text().replace('"python_version": "', '"python_version": "other ', 1))
    assert f"other loops ({LABEL} metadata python_version)" in refused(bench, *arguments, "tasks.tree")


def test_races_with_nothing_in_common_do_not_compare(bench: Run) -> None:
    for out, workload in (("one", "tasks.tree"), ("two", "tasks.spawn_await")):
        loops = ("--loop", STOCK, "--loop", "x=asyncio:new_event_loop")
        assert bench("run", *loops, "-o", out, "--quick", "--rounds", 1, workload).status == 0
    assert "nothing to compare" in refused(bench, "compare", "one", "two")
    assert bench("compare", "one", "one").status == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1234.0, "1234 s"),
        (1.0, "1 s"),
        (0.9996, "1 s"),
        (0.0009996, "1 ms"),
        (0.000123456, "123 us"),
        (9.996e-7, "1 us"),
        (9.994e-7, "999 ns"),
        (0.0123, "12.3 ms"),
    ],
)
def test_durations_have_three_digits_and_the_unit_that_fits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("cpu", "wall", "text"),
    [
        ("no difference", "slower", "1.40 SLOWER"),
        ("faster", "slower", "1.40 SLOWER"),
        ("slower", "slower", "1.40"),
        ("slower", "inconclusive", "1.40"),
    ],
)
def test_a_loop_that_waits_is_told_by_its_wall_time(cpu: str, wall: str, text: str) -> None:
    assert table.wall({"cpu": {"verdict": cpu}, "wall": {"ratio": 1.4, "verdict": wall}}) == text


def test_list_shows_every_workload_with_its_unit(bench: Run) -> None:
    result = bench("list")
    assert result.status == 0
    assert "tcp.echo.protocol.1KiB.c10" in result.out
    assert "tcp.echo.protocol.1MiB.c1000" not in result.out
    assert "tcp.echo.protocol.1MiB.c1000" in bench("list", "--sweep").out
    assert "message echoed" in result.out
    described = json.dumps(bench("list", "call_soon*").out)
    assert "scheduling.call_soon.chain" in described
    assert "tasks" not in described
