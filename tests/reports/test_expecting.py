"""An expectation file made of results holds for these results, and keeps the words that somebody gave it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance import exits
from reports.cli import main
from tests.reports import samples


def _expect(path: Path, runs: Mapping[str, dict[str, str]], *arguments: str) -> dict[str, object]:
    """What `expect` writes for runs of the loop `a` on these Pythons; the gate then takes all of it for known."""
    files = [
        str(samples.write(path / f"{python}.jsonl", samples.run({"a": verdicts}, python=python)))
        for python, verdicts in runs.items()
    ]
    file = path / "known.toml"
    assert main(["expect", *files, "-o", str(file), *arguments]) == 0
    assert main(["gate", *files, "--expected", f"a={file}"]) == exits.CONFORMS
    return tomllib.loads(file.read_text())


def test_what_is_the_same_on_every_python_is_one_entry(tmp_path: Path) -> None:
    found = _expect(tmp_path, {"3.12.1": {"x.one": "deviates"}, "3.13.0": {"x.one": "deviates", "x.two": "conforms"}})
    assert found == {"x.one": {"expect": "deviates", "why": "what was seen"}}


def test_what_differs_is_an_entry_for_each_python(tmp_path: Path) -> None:
    runs = {"3.11.2": {"x.one": "conforms"}, "3.12.1": {"x.one": "hangs"}, "3.13.0": {"x.one": "crashes"}}
    found = _expect(tmp_path, runs)
    assert found == {
        "x.one": [
            {"expect": "hangs", "why": "what was seen", "when": {"python": "==3.12.*"}},
            {"expect": "crashes", "why": "what was seen", "when": {"python": "==3.13.*"}},
        ]
    }


def test_what_was_not_run_says_nothing(tmp_path: Path) -> None:
    found = _expect(
        tmp_path, {"3.12.1": {"x.one": "deviates"}, "3.13.0": {"x.one": "not applicable", "x.two": "conforms"}}
    )
    assert found == {"x.one": {"expect": "deviates", "why": "what was seen"}}


def test_reasons_and_links_that_the_file_has_are_kept(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text('["x.one"]\nexpect = "hangs"\nwhy = "a reason"\nlink = "https://a"\n')
    found = _expect(tmp_path, {"3.12.1": {"x.one": "deviates", "x.two": "deviates"}})
    assert found == {
        "x.one": {"expect": "deviates", "why": "a reason", "link": "https://a"},
        "x.two": {"expect": "deviates", "why": "what was seen"},
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [([], "choose one with --loop: a, b"), (["--loop=c"], "no run has it"), (["--loop=a"], "not TOML")],
    ids=["several loops", "unknown loop", "foreign file"],
)
def test_what_cannot_be_used_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = samples.write(tmp_path / "r.jsonl", samples.run({"a": {"x.one": "hangs"}, "b": {"x.one": "hangs"}}))
    output = tmp_path / "known.toml"
    output.write_text("[[[")
    assert main(["expect", str(file), "-o", str(output), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert output.read_text() == "[[["
