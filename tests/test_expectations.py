"""Expectation files: strict both ways, conditional, and rewritten without losing a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import exits, expectations
from conformance.verdicts import Verdict
from tests.harness import run_pytest

BROKEN = "--loop=broken=tests.broken_loops.callbacks:EveryTenthCallbackComesLate"
STOCK = "--loop=asyncio:SelectorEventLoop"
ONE = "callbacks.fifo"
ENTRY = f'["{ONE}"]\nexpect = "deviates"\nwhy = "every tenth comes late"\n'


def _file(directory: Path, text: str) -> Path:
    path = directory / "expected.toml"
    path.write_text(text)
    return path


def test_an_expected_deviation_does_not_fail_the_run(tmp_path: Path) -> None:
    finished = run_pytest(BROKEN, f"--loop-expected={_file(tmp_path, ENTRY)}", ONE)
    assert finished.code == exits.CONFORMS, finished.output
    assert "1 expected deviation" in finished.output


def test_another_verdict_than_the_expected_one_fails_the_run(tmp_path: Path) -> None:
    finished = run_pytest(BROKEN, f"--loop-expected={_file(tmp_path, ENTRY.replace('deviates', 'hangs'))}", ONE)
    assert finished.code == exits.DEVIATES


def test_an_expected_deviation_that_conforms_is_stale(tmp_path: Path) -> None:
    finished = run_pytest(STOCK, f"--loop-expected={_file(tmp_path, ENTRY)}", ONE)
    assert finished.code == exits.STALE, finished.output
    assert "stale expectation: callbacks.fifo" in finished.output


@pytest.mark.parametrize("loop", [STOCK, BROKEN])
def test_what_varies_is_expected_either_way(tmp_path: Path, loop: str) -> None:
    path = _file(tmp_path, ENTRY.replace('"deviates"', '["conforms", "deviates"]'))
    assert run_pytest(loop, f"--loop-expected={path}", ONE).code == exits.CONFORMS
    expectations.update(path, {}, [ONE], {})
    assert ONE in path.read_text()


def test_a_label_limits_a_file_to_its_loop(tmp_path: Path) -> None:
    path = _file(tmp_path, ENTRY)
    assert run_pytest(BROKEN, STOCK, f"--loop-expected=broken={path}", ONE).code == exits.CONFORMS


def test_a_label_of_no_loop_is_a_usage_error(tmp_path: Path) -> None:
    finished = run_pytest(BROKEN, f"--loop-expected=brocken={_file(tmp_path, ENTRY)}", ONE)
    assert finished.code == exits.USAGE, finished.output
    assert "no loop of this run has the label 'brocken'" in finished.output


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ('{ python = ">=3.11" }', exits.CONFORMS),
        ('{ python = "<3" }', exits.DEVIATES),
        ('{ platform = "plan9" }', exits.DEVIATES),
        ('{ version = "<0.1" }', exits.DEVIATES),
    ],
)
def test_conditions_decide_whether_an_entry_speaks(tmp_path: Path, when: str, code: int) -> None:
    path = _file(tmp_path, f"{ENTRY}when = {when}\n")
    assert run_pytest(BROKEN, f"--loop-expected={path}", ONE).code == code


def test_the_platform_is_the_runs_and_not_the_judges(tmp_path: Path) -> None:
    path = _file(tmp_path, f'{ENTRY}when = {{ platform = "darwin" }}\n')
    loaded = expectations.load(str(path), [ONE])
    assert loaded.of(ONE, "any", {"platform": "macOS-14.5-arm64-arm-64bit"})
    assert not loaded.of(ONE, "any", {"platform": "Linux-6.1-x86_64"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not toml", "not TOML"),
        ('["no.such-id"]\nexpect = "deviates"\nwhy = "x"\n', "matches no requirement"),
        (f'["{ONE}"]\nexpect = "deviates"\n', "a reason in 'why'"),
        (f'["{ONE}"]\nexpect = "conforms"\nwhy = "x"\n', "expect one of"),
        (f'["{ONE}"]\nexpect = "fails"\nwhy = "x"\n', "fails"),
        (f"{ENTRY}wen = 1\n", "unknown key 'wen'"),
        (f'{ENTRY}when = {{ python = "three" }}\n', "three"),
        (f'{ENTRY}when = {{ moon = "full" }}\n', "takes the keys"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(expectations.ExpectationError) as caught:
        expectations.load(str(path), [ONE])
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_updating_keeps_reasons_and_comments_and_drops_what_conforms(tmp_path: Path) -> None:
    path = _file(tmp_path, f'# ours\n{ENTRY}# theirs\n["timers.x"]\nexpect = "hangs"\nwhy = "reason"\n')
    expectations.update(
        path, {ONE: Verdict.CRASHES, "new.one": Verdict.DEVIATES}, ["timers.x"], {"new.one": "saw this\nand that"}
    )
    loaded = expectations.load(str(path), [ONE, "new.one"])
    assert {(e.pattern, *e.verdicts, e.why) for e in loaded.entries} == {
        (ONE, Verdict.CRASHES, "every tenth comes late"),
        ("new.one", Verdict.DEVIATES, "saw this"),
    }
    assert "# ours" in path.read_text()


OTHERS = [
    {"python": "3.12.1", "version": "1.0"},
    {"python": "3.13.0", "version": "1.0"},
]


@pytest.mark.parametrize("array", [False, True])
def test_updating_leaves_what_does_not_speak_of_the_loops_that_ran(tmp_path: Path, array: bool) -> None:
    text = f'{ENTRY}when = {{ python = ">=3.13" }}\n'
    path = _file(tmp_path, text.replace(f'["{ONE}"]', f'[["{ONE}"]]') if array else text)
    expectations.update(path, {}, [ONE], {}, OTHERS[:1])
    assert "every tenth comes late" in path.read_text()
    expectations.update(path, {ONE: Verdict.HANGS}, [], {ONE: "saw this"}, OTHERS[:1])
    loaded = expectations.load(str(path), [ONE])
    assert [loaded.of(ONE, "any", identity).why for identity in OTHERS] == ["saw this", "every tenth comes late"]  # type: ignore[union-attr]
    expectations.update(path, {}, [ONE], {}, OTHERS[:1])
    assert [entry.why for entry in expectations.load(str(path), [ONE]).entries] == ["every tenth comes late"]
    expectations.update(path, {}, [ONE], {}, OTHERS[1:])
    assert not expectations.load(str(path), [ONE]).entries


def test_a_file_that_a_run_wrote_makes_the_next_run_green(tmp_path: Path) -> None:
    path = tmp_path / "written.toml"
    run_pytest(BROKEN, f"--loop-expected={path}", "--update-expected", ONE)
    assert run_pytest(BROKEN, f"--loop-expected={path}", ONE).code == exits.CONFORMS


def test_the_shipped_files_load() -> None:
    from conformance import catalogue

    known = catalogue.load()
    for path in expectations.SHIPPED.glob("*.toml"):
        assert expectations.load(path.stem, known).path == path
