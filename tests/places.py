"""Where the suite is tried as a dependency: one wheel, virtual environments with it, and projects in folders.

Nothing here imports the suite: what is tried is the wheel, as somebody's pip installed it. `tests/neighbours.py` and
`tests/gateways.py` say what is tried in these places.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
_SOURCES = ("pytest_loop_conformance.py", "conformance", "reference_loop", "bench", "reports", "README.md",
            "pyproject.toml")  # fmt: skip
_LOOP = "import asyncio\n\ndef new_loop():\n    return asyncio.SelectorEventLoop()\n"
_OWN_TEST = "def test_own():\n    assert True\n"
_OURS = ("PYTEST", "COV", "TOX", "VIRTUAL", "PYTHON")
_LONGEST = 110


@dataclass(frozen=True)
class Row:
    """What was tried and what happened. `right` is None if it could not be tried here."""

    name: str
    happened: str
    right: bool | None

    @property
    def mark(self) -> str:
        return {True: "yes", False: "NO", None: "not tried"}[self.right]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    output: str

    @property
    def last_line(self) -> str:
        lines = [line.strip("= ") for line in self.output.splitlines() if line.strip("= ")]
        return lines[-1] if lines else ""


class Places:
    """A directory with the wheel and everything made from it. What is made once is kept for the next command."""

    def __init__(self, base: Path) -> None:
        self.base = base
        base.mkdir(parents=True, exist_ok=True)
        base.chmod(0o755)
        self.wheel = self._build()

    def python(self, *packages: str, base: str = sys.executable) -> Path:
        """The interpreter of an environment with the wheel and these packages."""
        version = subprocess.run([base, "-c", "import platform; print(platform.python_version())"],
                                 capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        names = ["".join(c for c in package if c.isalnum()) for package in sorted(packages)]
        home = self.base / "-".join(["env", version, *names])
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not home.exists():
            check([base, "-m", "venv", str(home)])
            check([*pip, str(self.wheel), *packages])
        stamp = home / "wheel"
        if not stamp.exists() or stamp.stat().st_mtime < self.wheel.stat().st_mtime:
            check([*pip, "--force-reinstall", "--no-deps", str(self.wheel)])
            stamp.touch()
        return home / "bin" / "python"

    def project(self, name: str, files: Mapping[str, str] | None = None) -> Path:
        """A fresh project with a loop of its own (`myloop:new_loop`), a test of its own, and these files."""
        folder = self.base / "projects" / name
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in {"myloop.py": _LOOP, "test_own.py": _OWN_TEST, **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    def _build(self) -> Path:
        """The wheel, built from a copy: setuptools leaves folders in the tree that it builds from."""
        source, target = self.base / "source", self.base / "wheel"
        shutil.rmtree(source, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        source.mkdir()
        for name in _SOURCES:
            path = ROOT / name
            if path.is_dir():
                shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__", "published"))
            else:
                shutil.copy(path, source)
        check([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(source)])
        return next(target.glob("*.whl"))


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str | None] | None = None) -> Done:
    """Run as a user would: without the settings of whatever runs this. A value of None takes a variable away."""
    chosen = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    for key, value in (environment or {}).items():
        chosen.pop(key, None)
        if value is not None:
            chosen[key] = value
    done = subprocess.run(list(command), cwd=cwd, env=chosen, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600)  # fmt: skip
    return Done(done.returncode, done.stdout.decode(errors="replace"))


def judged(name: str, done: Done, right: bool, happened: str = "") -> Row:
    """The row of a command that ended; what it printed is shown if it went wrong."""
    if not right:
        print(textwrap.indent(done.output[-4000:], "    "), flush=True)
    line = happened or done.last_line
    return Row(name, f"exit {done.code}: {line if len(line) <= _LONGEST else line[: _LONGEST - 2] + ' …'}", right)


def check(command: Sequence[str]) -> None:
    """Run what must succeed; say what it printed if it does not. Raises CalledProcessError."""
    done = subprocess.run(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
        done.check_returncode()


def page(title: str, words: str, tables: Mapping[str, Sequence[Row]], versions: str) -> str:
    """The tables as a page of documentation, with the day and the machine they were measured on."""
    parts = [f"# {title}", words]
    for heading, rows in tables.items():
        shown = [(row.name, row.happened.replace("|", "\\|"), row.mark) for row in rows]
        table = tabulate(shown, headers=("tried", "what happened", "as it should"), tablefmt="github")
        parts += [f"## {heading}", table]
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    parts.append(f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} as {who}, with {versions}, "
                 f"Python {platform.python_version()}, on {platform.system()} {platform.release()}.")  # fmt: skip
    return "\n\n".join(parts) + "\n"
