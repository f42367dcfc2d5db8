"""The terminal, Markdown, JUnit, badge and scripts: right for the golden results, harmless for hostile ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance import catalogue, results
from conformance.verdicts import Verdict
from reports import badge, entries, junit, markdown, matrix, page, reproducers, show, sources
from reports.cli import main
from reports.errors import UnknownLoop
from reports.sources import BatteryFile, Sources
from tests.reports import samples

HOSTILE = "</script><script>alert(1)</script> | `x` <b> \x00\x1b[31m \u2028 ``` ]]> &amp; \"'"


def _golden() -> Sources:
    return sources.read([samples.BATTERY, samples.RACE])


def _hostile() -> Sources:
    made = samples.run({"a": {word.replace(" ", "-") + ".x": word for word in Verdict}}, seen=HOSTILE)
    for requirement in made.requirements.values():
        requirement |= {"statement": HOSTILE, "hint": HOSTILE, "source": HOSTILE}
    return Sources([BatteryFile(Path("r.jsonl"), made)], [])


def test_the_terminal_shows_runs_and_races() -> None:
    text = show.show(_golden())
    rerun = "pytest --loop=uvloop:new_event_loop timers.when-at"
    for words in ("timers.when-at", rerun, "c conforms", "geometric mean"):
        assert words in text


def test_an_incomplete_run_says_so_in_the_terminal() -> None:
    made = samples.run({"a": {"x.one": "conforms"}}, complete=False)
    assert "incomplete" in show.show(Sources([BatteryFile(Path("r.jsonl"), made)], []))


def test_the_terminal_tells_what_is_expected_from_what_is_new() -> None:
    made = samples.run({"a": {"x.one": "deviates", "x.two": "hangs"}})
    made.results[0]["expected"] = "known since long"
    lines = show.show(Sources([BatteryFile(Path("r.jsonl"), made)], [])).splitlines()
    assert ["(expected)" in line for line in lines if line.startswith("x.")] == [True, False]


def test_a_spec_that_is_none_is_shown() -> None:
    made = samples.run({"a": {"x.one": "deviates"}})
    for loop in made.loops.values():
        loop["spec"] = "a"
    found = Sources([BatteryFile(Path("r.jsonl"), made)], [])
    for text in (show.show(found), markdown.markdown(found), junit.junit(found)):
        assert "pytest --loop=a x.one" in text


def test_markdown_tells_each_new_deviation_with_its_rerun_line() -> None:
    text = markdown.markdown(_golden())
    assert "**timers.when-at** (MUST) deviates on uvloop 3.12.1" in text
    assert "$ pytest --loop=uvloop:new_event_loop timers.when-at" in text
    assert "tcp.echo.protocol.1KiB.c10" in text


def test_markdown_of_anything_has_straight_tables_and_closed_blocks() -> None:
    text = markdown.markdown(_hostile())
    assert text.count("````") % 2 == 0
    outside = "".join(text.split("````")[::2])
    assert "<script" not in outside.replace("\\<", "")
    tables = [block.splitlines() for block in outside.split("\n\n") if block.startswith("|")]
    assert tables
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(junit.junit(_golden()).partition("\n")[2])
    suites = {suite.get("name", "").split(" ")[0]: suite for suite in root}
    assert suites["reference_loop"].get("failures") == "0"
    failures = suites["uvloop"].findall("testcase/failure")
    assert len(failures) == int(suites["uvloop"].get("failures", "")) > 0
    assert all("rerun: pytest" in (failure.text or "") for failure in failures)
    names = [case.get("name") for case in suites["uvloop"].findall("testcase")]
    assert "callbacks.arguments[10]" in names
    assert len(names) == len(set(names))


def test_junit_of_anything_is_XML_and_knows_every_verdict() -> None:
    root = ElementTree.fromstring(junit.junit(_hostile()).partition("\n")[2])
    kinds = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert kinds["conforms.x"] == []
    assert kinds["hangs.x"] == ["failure"]
    assert kinds["errored.x"] == ["error"]
    assert kinds["not-run.x"] == ["skipped"]


def test_an_expected_deviation_is_no_failure_in_junit_and_no_news_in_markdown() -> None:
    made = samples.run({"a": {"x.one": "deviates"}})
    made.results[0]["expected"] = "known since long"
    found = Sources([BatteryFile(Path("r.jsonl"), made)], [])
    assert "Nothing deviates beyond what is expected" in markdown.markdown(found)
    skipped = ElementTree.fromstring(junit.junit(found).partition("\n")[2]).find(".//skipped")
    assert skipped is not None
    assert "known since long" in skipped.get("message", "")


@pytest.mark.parametrize(
    ("verdicts", "message", "color"),
    [
        ({"x.one": "conforms", "x.two": "conforms"}, "keeps all 2 MUST", "brightgreen"),
        ({"x.one": "conforms", "x.two": "hangs"}, "1 of 2 MUST", "red"),
        ({"x.one": "conforms", "x.two": "errored"}, "not known", "lightgrey"),
        ({"x.one": "not run"}, "not known", "lightgrey"),
        ({"x.one": "conforms", "x.may": "answer: no"}, "keeps all 1 MUST", "brightgreen"),
    ],
)
def test_a_badge_counts_what_must_be_kept(verdicts: dict[str, str], message: str, color: str) -> None:
    found = badge.badge(matrix.build([samples.run({"a": verdicts}, levels={"x.may": "may"})]), None)
    assert (found.message, found.color) == (message, color)
    assert json.loads(found.endpoint()) == {
        "schemaVersion": 1, "label": "asyncio contract", "message": message, "color": color,
    }  # fmt: skip
    assert ElementTree.fromstring(found.svg()).tag.endswith("svg")


def test_a_badge_knows_expected_deviations_and_incomplete_runs() -> None:
    made = samples.run({"a": {"x.one": "deviates"}})
    made.results[0]["expected"] = "known"
    assert badge.badge(matrix.build([made]), "a").color == "yellow"
    made.footer = None
    assert badge.badge(matrix.build([made]), "a").message == "incomplete run"


@pytest.mark.parametrize(
    ("verdict", "message", "color"),
    [("conforms", "1 of 2 MUST asked", "lightgrey"), ("deviates", "0 of 1 MUST", "red")],
)
def test_a_badge_of_a_part_of_the_battery_claims_nothing_of_the_rest(verdict: str, message: str, color: str) -> None:
    made = samples.run({"a": {"x.one": verdict}})
    made.requirements |= {id: samples.requirement(id) for id in ("x.two", "ecosystem.one")}
    found = badge.badge(matrix.build([made]), None)
    assert (found.message, found.color) == (message, color)


def test_a_badge_needs_to_know_which_loop() -> None:
    found = matrix.build([results.read(samples.BATTERY)])
    assert badge.badge(found, "uvloop").color == "red"
    for label in (None, "nobody"):
        with pytest.raises(UnknownLoop):
            badge.badge(found, label)


def test_columns_that_deviate_alike_are_told_together() -> None:
    found = matrix.build([results.read(samples.BATTERY)])
    entry = entries.entry(found, "executors.shutdown-timeout")
    assert entry.letters == "DcD"
    assert [[column.label for column in one.columns] for one in entry.found] == [
        ["asyncio.SelectorEventLoop", "uvloop"], ["reference_loop"],
    ]  # fmt: skip


def test_scripts_run_without_the_suite(tmp_path: Path) -> None:
    loaded = catalogue.load()
    known = {id: loaded[id] for id in [*sorted(loaded)[::12], "callbacks.fifo", "callbacks.arguments"]}
    made = {id: reproducers.script(known[id].as_dict(), "asyncio:SelectorEventLoop") for id in known}
    assert all(compile(script, id, "exec") for id, script in made.items() if script)
    assert sum(bool(script) for script in made.values()) > len(made) / 2
    for id in ("callbacks.fifo", "callbacks.arguments"):
        (tmp_path / "script.py").write_text(made[id])
        command = [sys.executable, "-I", "-c", _WITHOUT_THE_SUITE, str(tmp_path / "script.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "conforms\n"), done.stderr


def test_a_script_fails_as_the_battery_does_if_the_loop_reports_what_nobody_did(tmp_path: Path) -> None:
    (tmp_path / "reporting.py").write_text(
        "import asyncio\n"
        "class Loop(asyncio.SelectorEventLoop):\n"
        "    def close(self):\n"
        "        self.call_exception_handler({'message': 'for nothing'})\n"
        "        super().close()\n"
    )
    text = reproducers.script(catalogue.load()["callbacks.fifo"].as_dict(), "reporting:Loop")
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the loop called its exception handler: {'message': 'for nothing'}" in done.stderr


@pytest.mark.parametrize(
    ("seen", "where", "has_script"),
    [
        ("not true: assert 1 == 2", "test_callbacks.py:27", True),
        ("the loop called its exception handler: 'for nothing', None", "conftest.py:130", True),
        ("an exception was lost in the loop or a finalizer: KeyError()", "conftest.py:135", False),
        ("after loop.close(), the loop left 1 file descriptor(s) open", "conftest.py:138", False),
    ],
)
def test_there_is_no_script_of_what_it_would_not_see(seen: str, where: str, has_script: bool) -> None:
    made = samples.run({"asyncio": {"callbacks.fifo": "deviates"}}, seen=seen)
    made.requirements["callbacks.fifo"] = catalogue.load()["callbacks.fifo"].as_dict()
    made.results[0]["where"] = where
    text = page.html(Sources([BatteryFile(Path("r.jsonl"), made)], []), "A title")
    assert ("Stand-alone script" in text) is has_script


_WITHOUT_THE_SUITE = """
import runpy, sys
sys.modules["conformance"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_a_requirement_of_another_catalogue_has_no_script() -> None:
    requirement = catalogue.load()["callbacks.fifo"].as_dict() | {"source": "def test(loop): pass"}
    assert reproducers.script(requirement, "asyncio:SelectorEventLoop") == ""


def test_reproduce_says_in_one_sentence_what_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "callbacks.fifo", "--loop", "asyncio:SelectorEventLoop"]) == 0
    assert "__main__" in capsys.readouterr().out
    for arguments in (["no.such", "--loop", "a:b"], ["callbacks.fifo", "--loop", "nonsense"]):
        assert main(["reproduce", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
