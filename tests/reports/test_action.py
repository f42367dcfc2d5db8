"""The composite action, tried on a small project: its own loop, its own settings, its own folder `conformance`.

The steps that run on GitHub's side (caches, artefacts) cannot run here; the scripts of all others do, as they stand in
action.yml, but for the installation: the suite is what these tests run on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import reports
from conformance import exits
from reports.cli import main
from tests.harness import ROOT
from tests.reports import samples

CONSUMER = Path(__file__).parent / "consumer"
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")


def scripts() -> dict[str, str]:
    """Step name → the script of the step."""
    found = {}
    for step in re.split(r"^    - name: ", ACTION, flags=re.MULTILINE)[1:]:
        name, _, rest = step.partition("\n")
        if match := re.search(r"^      run: \|\n((?:        .*\n|\n)+)", rest, flags=re.MULTILINE):
            found[name] = textwrap.dedent(match[1])
    return found


@dataclass
class Job:
    """What a job left behind."""

    code: int
    annotations: list[str]
    summary: str
    output: Path
    printed: str


def job(project: Path, loop: str, expected: str = "conformance/known.toml") -> Job:
    """Run the action's scripts in the project, as a runner would."""
    environment = _environment(project) | {
        "LOOP": loop,
        "EXPECTED": expected,
        "GATE": "must",
        "ARGUMENTS": "callbacks.closed-loop callbacks.handle-type",
        "OUTPUT": "out",
    }
    steps = scripts()
    printed = _bash(steps["Run the battery"], project, environment)
    code = (project / "github-output").read_text().strip().rpartition("exit-code=")[2]
    printed += _bash(steps["Annotate, summarise, compare"], project, environment)
    judged = subprocess.run(["bash", "-c", steps["Judge"]], cwd=project, env=environment | {"CODE": code})
    annotations = [line for line in printed.splitlines() if line.startswith("::")]
    summary = (project / "summary").read_text() if (project / "summary").exists() else ""
    return Job(judged.returncode, annotations, summary, project / "out", printed)


def _environment(project: Path) -> dict[str, str]:
    tools = project / "tools"
    tools.mkdir(exist_ok=True)
    # Not links: an interpreter that is called by another path does not find its own virtual environment.
    for name, command in (("python", ""), ("pytest", "-P -m pytest")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        (tools / name).chmod(0o755)
    for name in ("summary", "github-output"):
        (project / name).unlink(missing_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "GITHUB_"))}
    if Path(reports.__file__).is_relative_to(ROOT):
        inherited["PYTHONPATH"] = str(ROOT)  # a checkout, not an installed wheel, is under test
    return inherited | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(project / "github-output"),
        "GITHUB_STEP_SUMMARY": str(project / "summary"),
    }


def _bash(script: str, cwd: Path, environment: dict[str, str]) -> str:
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    shutil.copytree(CONSUMER, made)
    # Under its real name it would be one of our own tests.
    (made / "conformance" / "theirs.py").rename(made / "conformance" / "test_theirs.py")
    return made


def test_the_action_passes_a_loop_that_does_what_is_known_and_fails_it_when_it_gets_worse(project: Path) -> None:
    good = job(project, "theirs=theirloop:Loop")
    assert good.code == exits.CONFORMS, good.printed
    assert good.annotations == []
    assert "Nothing deviates beyond what is expected" in good.summary
    assert "What changed" not in good.summary
    assert (good.output / "report.html").exists()
    # Of a part of the battery.
    assert "MUST asked" in json.loads(next(good.output.glob("badge-theirs-*.json")).read_text())["message"]
    assert "test_that_must_not_run" not in good.printed

    assert (good.output / "base.jsonl").read_text() == (good.output / "results.jsonl").read_text()
    worse = job(project, "theirs=theirloop:WorseLoop")
    assert worse.code == exits.DEVIATES, worse.printed
    assert any("callbacks.handle-type" in line and line.startswith("::error ") for line in worse.annotations)
    assert "What changed" in worse.summary


def test_a_loop_that_does_not_import_fails_the_job_and_nothing_else(project: Path) -> None:
    found = job(project, "theirloop:Missing", expected="")
    assert found.code == exits.USAGE
    assert found.summary == ""


def test_a_change_against_the_base_is_in_the_summary(tmp_path: Path) -> None:
    old = samples.write(tmp_path / "old.jsonl", samples.run({"a": {"x.one": "conforms"}}))
    new = samples.write(tmp_path / "new.jsonl", samples.run({"a": {"x.one": "deviates"}}))
    for base, words in ((old, "### new failure (1)"), (tmp_path / "none", "Not compared with the base: ")):
        assert main(["ci", str(new), "-o", str(tmp_path / "out"), "--base", str(base)]) == 0
        assert words in (tmp_path / "out" / "summary.md").read_text()


def test_every_input_that_a_script_uses_is_given_to_it_as_a_variable() -> None:
    assert not [name for name, script in scripts().items() if "${{" in script]
    inputs = set(re.findall(r"inputs\.([a-z-]+)", ACTION))
    declared = set(re.findall(r"^  ([a-z-]+):\n    description", ACTION.partition("outputs:")[0], flags=re.MULTILINE))
    assert inputs == declared


def test_the_page_of_the_documentation_names_what_there_is() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    named = set(re.findall(r"-m reports ([a-z]+)", text))
    assert {"ci", "gate", "diff"} <= named
    for name in named:
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
