"""Running the battery as a user does: a pytest of its own, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance import results

ROOT = Path(__file__).parents[1]

# In tox the installed wheel is under test, not the checkout in which the tests lie: -P keeps the current directory
# out of sys.path, and the checkout comes last, for plugins and loops of `tests`.
_START = f"import sys, pytest; sys.path.append({str(ROOT)!r}); sys.exit(pytest.main(sys.argv[1:]))"


@dataclass(frozen=True)
class Finished:
    """What a pytest run left: exit code, output, and the result file as read (None if it wrote none)."""

    code: int
    output: str
    run: results.Run | None

    def verdicts(self, label: str) -> dict[str, str]:
        """Requirement id → verdict, on the loop of that label."""
        assert self.run is not None
        return {id: cell.verdict.value for (id, column), cell in self.run.cells().items() if column.label == label}


def run_pytest(
    *arguments: str, cwd: Path = ROOT, patience: float = 10, timeout: float = 300, env: dict[str, str] | None = None
) -> Finished:
    """`pytest *arguments`, from a directory whose modules are importable. A result file that was asked for is read."""
    command = [sys.executable, "-P", "-c", _START, "-p", "no:cacheprovider", f"--loop-patience={patience}", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=cwd,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        env=environment | (env or {}),
    )
    file = next((a.partition("=")[2] for a in arguments if a.startswith("--loop-results=")), None)
    run = results.read(cwd / file) if file and (cwd / file).exists() else None
    return Finished(done.returncode, done.stdout, run)
