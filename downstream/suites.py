"""Which tests of which project are run, and how: CPython's own of asyncio, and those of applications of asyncio."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from outcomes import Outcome, read

_HERE = Path(__file__).parent
# Modules of CPython that run at the same time on each loop: these tests sleep four fifths of their time.
_AT_ONCE = 3
# Processes that one module may end before that is taken for a fault of this program.
_ENDINGS = 10

_ASYNCIO = """
    buffered_proto context eager_task_factory events free_threading futures futures2 graph locks pep492 protocols queues
    runners sendfile server sock_lowlevel ssl sslproto staggered streams subprocess taskgroups tasks threads timeouts
    transports unix_events waitfor
"""

_CPYTHON = (
    *(f"test.test_asyncio.test_{name}" for name in _ASYNCIO.split()),
    "test.test_asyncgen",
    "test.test_contextlib_async",
    "test.test_coroutines",
    "test.test_unittest.test_async_case",
    "test.test_unittest.testmock.testasync",
    "unittest.test.test_async_case",  # where Python 3.11 has them
    "unittest.test.testmock.testasync",
)


@dataclass(frozen=True)
class Failure(Exception):
    """A suite could not be run at all."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def cpython_modules(wanted: list[str]) -> list[str]:
    """The modules that this Python has; `wanted` are endings of their names."""
    found = [name for name in _CPYTHON if _exists(name)]
    return [name for name in found if not wanted or any(name.endswith(each) for each in wanted)]


def run_cpython(modules: list[str], loop: str, folder: Path) -> dict[str, Outcome]:
    """Each module in a process of its own; outcomes and logs of all of them in a fresh folder."""
    _make_empty(folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda module: _run_module(module, loop, folder), modules)
        return {test: outcome for outcomes in found for test, outcome in outcomes.items()}


def _run_module(module: str, loop: str, folder: Path) -> dict[str, Outcome]:
    """A test that ends its process is skipped by the next process, which runs the rest."""
    outcomes = folder / f"{module}.jsonl"
    command = [sys.executable, "-X", "faulthandler", str(_HERE / "unittest_child.py"), str(outcomes), loop, module]
    with (folder / f"{module}.log").open("wb") as log:
        for _ in range(_ENDINGS):
            before = len(read(outcomes))
            # Tests of create_subprocess_exec() and others leave files in the working directory.
            finished = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, check=False)
            if finished.returncode == 0:
                return read(outcomes)
            if len(read(outcomes)) == before:
                break
    raise Failure(f"{module} cannot be run to its end on {loop}: see {log.name}")


def run_pytest(tests: Path, arguments: list[str], loop: str, folder: Path, patience: float) -> dict[str, Outcome]:
    """A project's suite in its own folder, by pytest with a plugin that substitutes the loop."""
    _make_empty(folder)
    outcomes = folder / "pytest.jsonl"
    environment = {**os.environ, "DOWNSTREAM_LOOP": loop, "DOWNSTREAM_OUTCOMES": str(outcomes)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_HERE), environment.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-p", "pytest_child", "-p", "no:cacheprovider", "-q", *arguments]
    with (folder / "pytest.log").open("wb") as log:
        try:
            subprocess.run(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=tests,
                env=environment,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.write(b"\nended after %d seconds\n" % patience)
    if not read(outcomes):
        raise Failure(f"The suite in {tests} cannot be run on {loop}: see {log.name}")
    return read(outcomes)


def _make_empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
