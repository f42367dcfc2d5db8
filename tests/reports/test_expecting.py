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


def test_what_still_holds_and_what_was_not_asked_stay_as_they_are(tmp_path: Path) -> None:
    text = """# our own words
["x.far"]  # kept
expect = "hangs"
why = "not run here"

["y.*"]
expect = ["conforms", "deviates"]
why = "now and then"

[["x.one"]]
expect = "deviates"
why = "on 3.11"
link = "https://311"
when = { python = "==3.11.*" }

[["x.one"]]
expect = "hangs"
why = "on 3.12"
when = { python = "==3.12.*" }
"""
    (tmp_path / "known.toml").write_text(text)
    old = {"x.one": "deviates", "y.two": "deviates", "x.far": "not run"}
    _expect(tmp_path, {"3.11.2": old, "3.12.1": old | {"x.one": "hangs"}})
    assert (tmp_path / "known.toml").read_text() == text
    found = _expect(tmp_path, {"3.11.2": old, "3.12.1": old | {"x.one": "crashes"}, "3.13.0": old})
    assert found["x.one"] == [
        {"expect": "crashes", "why": "on 3.12", "when": {"python": "==3.12.*"}},
        {"expect": "deviates", "why": "what was seen", "when": {"python": "==3.13.*"}},
        {"expect": "deviates", "why": "on 3.11", "link": "https://311", "when": {"python": "==3.11.*"}},
    ]
    assert "# our own words" in (tmp_path / "known.toml").read_text()


def test_what_conforms_again_goes_and_the_head_says_what_ran_last(tmp_path: Path) -> None:
    _expect(tmp_path, {"3.12.1": {"x.one": "deviates", "x.two": "deviates"}})
    found = _expect(tmp_path, {"3.13.1": {"x.one": "conforms", "x.two": "deviates"}})
    assert found == {"x.two": {"expect": "deviates", "why": "what was seen"}}
    head = (tmp_path / "known.toml").read_text().splitlines()[:3]
    assert head[1:] == ["# of the battery on Python 3.13.", ""]


def test_versions_of_a_loop_on_one_python_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        str(samples.write(tmp_path / f"{version}.jsonl", samples.run({"a": {"x.one": verdict}}, version=version)))
        for version, verdict in (("1.0", "deviates"), ("2.0", "conforms"))
    ]
    assert main(["expect", *files, "-o", str(tmp_path / "known.toml")]) == 2
    assert "several runs of a on Python 3.12" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['"x.one" = "y"', '"x.one" = [1]', '["x.one"]\nexpect = "hangs"', "[[[", None])
def test_a_file_that_cannot_be_mended_is_one_sentence(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = samples.write(tmp_path / "r.jsonl", samples.run({"a": {"x.one": "hangs"}}))
    output = tmp_path / "known.toml" if text else tmp_path
    if text:
        output.write_text(text)
    assert main(["expect", str(file), "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), "choose another -o" in error) == (1, True)


def test_inline_tables_can_be_joined_by_others(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(
        '"x.one" = [{ expect = "hangs", why = "a reason", when = { python = "==3.12.*" } }]\n'
    )
    found = _expect(tmp_path, {"3.12.1": {"x.one": "hangs"}, "3.13.1": {"x.one": "crashes"}})
    assert found["x.one"] == [
        {"expect": "crashes", "why": "what was seen", "when": {"python": "==3.13.*"}},
        {"expect": "hangs", "why": "a reason", "when": {"python": "==3.12.*"}},
    ]


def test_an_empty_array_is_filled(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text('"x.one" = []\n')
    assert _expect(tmp_path, {"3.12.1": {"x.one": "hangs"}})["x.one"] == {"expect": "hangs", "why": "what was seen"}


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
