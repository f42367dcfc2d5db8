"""Applications of asyncio whose own tests are run: where the tests come from, and which of them.

They are those of the version that is installed: in its source distribution, or else in the project's repository. What
is left out here does not use a loop, needs the network beyond the loopback, or measures.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from outcomes import Outcome
from suites import Failure, run_pytest

# The projects' own settings of pytest would need plugins that only measure, or turn warnings of newer versions of
# their other dependencies into errors.
_PLAIN = ("-o", "addopts=", "-W", "default")


@dataclass(frozen=True)
class Application:
    """A project's suite."""

    tests: tuple[str, ...]  # which, for pytest
    options: tuple[str, ...] = ()  # for pytest, whichever tests it runs
    patience: float = 1800  # seconds for the whole suite
    repository: str | None = None  # where the source distribution lacks the tests; its tags are the versions
    folder: str = "."  # of the sources: where pytest is started


APPLICATIONS = {
    "anyio": Application(("tests", "-k", "asyncio and not uvloop and not network")),
    "uvicorn": Application(("tests", "--ignore=tests/benchmarks", "--ignore=tests/supervisors", "-k", "not uvloop")),
    "aiohttp": Application(
        tuple(
            f"tests/test_{name}.py"
            for name in (
                "client_functional",
                "client_session",
                "client_ws_functional",
                "connector",
                "loop",
                "run_app",
                "web_functional",
                "web_runner",
                "web_sendfile_functional",
                "web_server",
                "web_websocket_functional",
            )
        )
    ),
    # The other folders of its tests do without asyncio, or test the deprecated implementation.
    "websockets": Application(("tests/asyncio",), repository="https://github.com/python-websockets/websockets.git"),
    # Each of its tests is there twice, once for asyncio's loop. In the folder above, Python would find the sources of
    # the package, which are not compiled.
    "uvloop": Application(
        (".", "-k", "AIO", "--ignore=test_aiohttp.py"),
        options=("--rootdir=.", "--import-mode=importlib"),
        folder="tests",
    ),
}


def prepare(name: str, folder: Path) -> None:
    """Fetch the sources of the installed version, unless they are there."""
    if name not in APPLICATIONS:
        raise Failure(f"There is no suite {name!r}: choose from cpython, {', '.join(APPLICATIONS)}")
    try:
        wanted = version(name)
    except PackageNotFoundError:
        raise Failure(f"Install {name} and what its tests need: see the tox environment `downstream`") from None
    if _sources(name, folder).exists():
        return
    try:
        _fetch(name, wanted, folder)
    except subprocess.CalledProcessError:
        raise Failure(
            f"The sources of {name} {wanted} cannot be fetched: unpack them as {_sources(name, folder)}"
        ) from None


def _fetch(name: str, wanted: str, folder: Path) -> None:
    if repository := APPLICATIONS[name].repository:
        subprocess.run(
            ["git", "clone", "-q", "--depth=1", "-b", wanted, repository, str(_sources(name, folder))], check=True
        )
        return
    archive = folder / f"{name}-{wanted}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name, f"{name}=={wanted}"]
        subprocess.run([*command, "-d", str(folder)], check=True)
    with tarfile.open(archive) as contents:
        contents.extractall(folder, filter="data")


def run_application(name: str, folder: Path, loop: str, results: Path, only: Sequence[str] = ()) -> dict[str, Outcome]:
    """The suite, or of it `only` the tests of these ids."""
    application = APPLICATIONS[name]
    arguments = [*_PLAIN, *application.options, *(only or application.tests)]
    return run_pytest(_sources(name, folder) / application.folder, arguments, loop, results, application.patience)


def _sources(name: str, folder: Path) -> Path:
    return folder / f"{name}-{version(name)}"
