"""The suite as a dependency: its wheel beside other plugins, in odd places, and over more than one process.

`tox run -e neighbours` tries every situation of `SITUATIONS` here and of `tests/gateways.py`, prints a line for each,
and writes `docs/environments.md`. Exit code 1 if anything happened that the situation does not allow.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import gateways
from tests.gateways import Attempt
from tests.places import ROOT, Places, Row, judged, page, run

PAGE = ROOT / "docs" / "environments.md"
SELECT = ("callbacks.*", "timers.*")
_WORDS = """\
The suite as a dependency: its wheel in clean environments beside other plugins, in odd places, and over more than one
process. Each runs the chapters `callbacks` and `timers` on a loop that the project in question defines, and either
works or says in one sentence what it needs. Made by `tox run -e neighbours`, which writes this page."""


@dataclass(frozen=True)
class Situation:
    """One way of being a dependency.

    `wrapper` is put before the command (`unshare …`); a situation whose wrapper cannot run here is not tried. `code`
    and `says` are what must come out; with `module`, `python -P -m module` runs instead of pytest.
    """

    name: str
    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = "project"
    environment: Mapping[str, str | None] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    as_module: bool = False
    module: str = ""
    with_loop: bool = True
    code: int = 0
    says: str = ""


def _settings(**values: str) -> dict[str, str]:
    lines = "\n".join(f"{key} = {value}" for key, value in values.items())
    return {"pyproject.toml": f"[tool.pytest.ini_options]\n{lines}\n"}


def _shell(script: str, *unshare: str) -> tuple[str, ...]:
    return (*unshare, "sh", "-c", script + '; exec "$@"', "sh")


_STRICT = _settings(filterwarnings='["error"]', xfail_strict="true", addopts='"--strict-markers --strict-config"')
_OWN_PACKAGES = {f"{name}/__init__.py": "mine = True\n" for name in ("conformance", "bench", "reports", "tests")}
_OWN_PATTERNS = _settings(python_files='"check_*.py"', python_functions='"check_*"', testpaths='["nowhere"]')
_NO_IPV6 = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null; ip link set lo up || exit 1"
_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_C = {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
_SYSTEM = "/usr/bin/python3"
_BUSY = ("pytest-asyncio", "anyio", "pytest-cov", "pytest-timeout", "pytest-randomly", "pytest-rerunfailures")

_VERSIONS = "import execnet, pytest, xdist\nfor m in pytest, xdist, execnet: print(m.__name__, m.__version__, end='; ')"

PLUGINS = (
    Situation("nothing else: the newest pytest and xdist", arguments=("-n", "2")),
    Situation("a consumer's own tests, without --loop", with_loop=False),
    Situation("strict settings, every warning an error", files=_STRICT),
    Situation("strict settings, -n 2", arguments=("-n", "2"), files=_STRICT),
    Situation("names and folders of tests set to others", files=_OWN_PATTERNS),
    Situation("pytest-asyncio, strict", ("pytest-asyncio",), files=_settings(asyncio_mode='"strict"')),
    Situation("pytest-asyncio, auto", ("pytest-asyncio",), files=_settings(asyncio_mode='"auto"')),
    Situation("anyio's plugin, auto", ("anyio", "trio"), files=_settings(anyio_mode='"auto"')),
    Situation("pytest-cov", ("pytest-cov",), ("--cov=.",)),
    Situation("pytest-cov, -n 2", ("pytest-cov",), ("--cov=.", "-n", "2")),
    Situation("pytest-timeout", ("pytest-timeout",), ("--timeout=60",)),
    Situation("pytest-timeout by thread", ("pytest-timeout",), ("--timeout=60", "--timeout-method=thread")),
    Situation("pytest-randomly", ("pytest-randomly",)),
    Situation("pytest-randomly, -n 2", ("pytest-randomly",), ("-n", "2")),
    Situation("pytest-rerunfailures", ("pytest-rerunfailures",), ("--reruns=2",)),
    Situation("all of these, -n 2", _BUSY, ("--cov=.", "--timeout=60", "-n", "2"), _settings(asyncio_mode='"auto"')),
    Situation("pytest-loop, which owns --loop", ("pytest-loop",), code=4, says="-p no:loop"),
    Situation("pytest-loop, -p no:loop", ("pytest-loop",), ("-p", "no:loop")),
    Situation("pytest-loop, without --loop", ("pytest-loop",), with_loop=False),
    Situation("the oldest: pytest 8.0, xdist 3.5", ("pytest==8.0.*", "pytest-xdist==3.5.*"), ("-n", "2")),
    Situation("no xdist: -p no:xdist", arguments=("-p", "no:xdist")),
)

PLACES = (
    Situation("own packages conformance, bench, reports, tests", files=_OWN_PACKAGES),
    Situation("own packages, -n 2", files=_OWN_PACKAGES, arguments=("-n", "2")),
    Situation("own packages, python -m pytest", files=_OWN_PACKAGES, as_module=True),
    Situation("own packages, python -m pytest, without --loop", files=_OWN_PACKAGES, as_module=True, with_loop=False),
    Situation("own packages, python -P -m bench", files=_OWN_PACKAGES, module="bench", arguments=("list",)),
    Situation("own packages, python -P -m reports", files=_OWN_PACKAGES, module="reports", arguments=("--help",)),
    Situation("a folder with spaces and other letters", folder="my pröject ö"),
    Situation("such a folder, -n 2", folder="my pröject ö", arguments=("-n", "2")),
    Situation("such a folder, a locale without UTF-8", folder="my pröject ö", environment=_C),
    Situation("no HOME", environment={"HOME": None}),
    Situation("no HOME, -n 2", environment={"HOME": None}, arguments=("-n", "2")),
    Situation("no environment but PATH", wrapper=("env", "-i", f"PATH={os.defpath}")),
    Situation("a locale without UTF-8", environment=_C),
    Situation("root", wrapper=_shell("test $(id -u) = 0 || exit 1")),
    Situation("not root, in a folder that it cannot write", wrapper=_AS_NOBODY),
    Situation("not root, -n 2", wrapper=_AS_NOBODY, arguments=("-n", "2")),
    Situation("a read-only disk, the environment on it too", wrapper=("READ-ONLY",)),
    Situation("a read-only disk, -n 2", wrapper=("READ-ONLY",), arguments=("-n", "2")),
    Situation("no IPv6", wrapper=_shell(_NO_IPV6, "unshare", "-n")),
    Situation("no network, not even loopback", wrapper=("unshare", "-n")),
    Situation("no /proc", wrapper=_shell("mount -t tmpfs none /proc || exit 1", "unshare", "-m")),
    Situation("no /proc, -n 2", wrapper=_shell("mount -t tmpfs none /proc || exit 1", "unshare", "-m"),
              arguments=("-n", "2")),
    Situation("64 descriptors", wrapper=_shell("ulimit -n 64")),
    Situation("64 descriptors, -n 2", wrapper=_shell("ulimit -n 64"), arguments=("-n", "2")),
    Situation("16 descriptors", wrapper=_shell("ulimit -n 16"), code=3, says="more descriptors than `ulimit -n`"),
)  # fmt: skip


def attempt(situation: Situation, places: Places, select: tuple[str, ...], base: str = sys.executable) -> Row:
    folder = places.project(situation.folder, situation.files)
    python = places.python(*situation.packages, base=base)
    wrapper = _read_only(places.base) if situation.wrapper == ("READ-ONLY",) else situation.wrapper
    if subprocess.run([*wrapper, str(python), "-c", "pass"], capture_output=True).returncode:
        if base != _SYSTEM and shutil.which(_SYSTEM):
            # The interpreter may lie in a home directory, say.
            return attempt(situation, places, select, _SYSTEM)
        return Row(situation.name, f"{' '.join(wrapper[:2])} cannot run this Python here", None)
    loop = ["--loop=myloop:new_loop", *select] if situation.with_loop else []
    runner = [str(python), "-m", "pytest", "-q"] if situation.as_module else [str(python.parent / "pytest"), "-q"]
    if situation.module:
        runner, loop = [str(python), "-P", "-m", situation.module], []
    done = run([*wrapper, *runner, *situation.arguments, *loop], folder, situation.environment)
    right = done.code == situation.code and situation.says in done.output and "Traceback" not in done.output
    return judged(situation.name, done, right)


def _read_only(base: Path) -> tuple[str, ...]:
    """Everything below `base` on a disk that nobody can write to, root included."""
    mount = f'mount --bind "{base}" "{base}" && mount -o remount,ro,bind "{base}" || exit 1; cd "$PWD"'
    return _shell(mount, "unshare", "-m")


class Found:
    """The rows, kept in a file, so that a run that was stopped goes on where it stopped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rows: dict[str, Row] = {}
        if file.exists():
            self.rows = {name: Row(name, *said) for name, said in json.loads(file.read_text()).items()}

    def add(self, row: Row) -> None:
        self.rows[row.name] = row
        print(f"{row.mark:9} {row.name}: {row.happened}", flush=True)
        self._file.write_text(
            json.dumps({name: (row.happened, row.right) for name, row in self.rows.items()}, indent=1)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the suite beside other plugins, in odd places, over gateways.")
    parser.add_argument("--only", default="", help="only situations whose name contains this, also if tried before")
    parser.add_argument("--work", type=Path, help="keep environments and rows in this directory, and go on there")
    options = parser.parse_args()
    attempts: dict[str, dict[str, Attempt]] = {
        "Beside other plugins": {one.name: _attempt(one) for one in PLUGINS},
        "In odd places": {one.name: _attempt(one) for one in PLACES},
        "Beyond one process": gateways.SITUATIONS,
    }
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        places = Places(options.work or Path(directory))
        found = Found(places.base / "rows.json")
        for name, try_it in [item for table in attempts.values() for item in table.items()]:
            if options.only in name and (options.only or name not in found.rows):
                found.add(try_it(name, places, SELECT))
        versions = run([str(places.python()), "-c", _VERSIONS], places.base).output.strip("; \n")
    tables = {
        heading: [found.rows[name] for name in table if name in found.rows] for heading, table in attempts.items()
    }
    if all(name in found.rows for table in attempts.values() for name in table):
        PAGE.write_text(page("Environments", _WORDS, tables, versions), encoding="utf-8")
    sys.exit(any(row.right is False for row in found.rows.values()))


def _attempt(situation: Situation) -> Attempt:
    return lambda _, places, select: attempt(situation, places, select)


if __name__ == "__main__":
    main()
