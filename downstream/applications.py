"""Applications of asyncio whose source distributions contain their tests: where the tests come from, what is run.

The distribution is of the version that is installed. What is left out here does not use a loop, needs the network
beyond the loopback, or measures.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from suites import Failure, run_pytest


@dataclass(frozen=True)
class Application:
    """A project's suite."""

    arguments: tuple[str, ...]  # for pytest, in the folder of the source distribution
    patience: float = 1800  # seconds for the whole suite


# The projects' own settings of pytest would need plugins that only measure, or turn warnings of newer versions of
# their other dependencies into errors.
_PLAIN = ("-o", "addopts=", "-W", "default")

APPLICATIONS = {
    "anyio": Application((*_PLAIN, "tests", "-k", "asyncio and not uvloop and not network")),
    "uvicorn": Application((*_PLAIN, "tests", "--ignore=tests/benchmarks", "-k", "not uvloop")),
    "aiohttp": Application(
        (
            *_PLAIN,
            *(
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
            ),
        )
    ),
}


def prepare(name: str, folder: Path) -> None:
    """Fetch and unpack the source distribution, unless it is there."""
    if name not in APPLICATIONS:
        raise Failure(f"There is no suite {name!r}: choose from cpython, {', '.join(APPLICATIONS)}")
    try:
        wanted = version(name)
    except PackageNotFoundError:
        raise Failure(f"Install {name} and what its tests need: see the tox environment `downstream`") from None
    if _sources(name, folder).exists():
        return
    archive = folder / f"{name}-{wanted}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name, f"{name}=={wanted}"]
        subprocess.run([*command, "-d", str(folder)], check=True)
    with tarfile.open(archive) as contents:
        contents.extractall(folder, filter="data")


def run_application(name: str, folder: Path, loop: str, outcomes: Path, log: Path) -> None:
    application = APPLICATIONS[name]
    run_pytest(_sources(name, folder), list(application.arguments), loop, outcomes, log, application.patience)


def _sources(name: str, folder: Path) -> Path:
    return folder / f"{name}-{version(name)}"
