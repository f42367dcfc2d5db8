"""The scripts of docs/deviations accuse loops: one that keeps the contract passes them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT

SCRIPTS = sorted((ROOT / "docs" / "deviations").glob("*.py"))


def test_the_page_names_each_script() -> None:
    page = (ROOT / "docs" / "deviations" / "README.md").read_text()
    assert len(SCRIPTS) == 5
    assert all(f"({script.name})" in page for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_reference_loop_passes(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(script), "reference_loop:new_event_loop"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
