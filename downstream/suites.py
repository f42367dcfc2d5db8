"""Which tests of which project are run, and how: CPython's own of asyncio, and those of applications of asyncio."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from outcomes import read

_HERE = Path(__file__).parent

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


def run_cpython(module: str, loop: str, outcomes: Path, log: Path) -> None:
    """One module in a process of its own, and in another one for the rest when a test ends it."""
    command = [sys.executable, "-X", "faulthandler", str(_HERE / "unittest_child.py"), str(outcomes), loop, module]
    with log.open("ab") as output:
        for _ in range(10):
            before = len(read(outcomes))
            finished = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent, check=False)
            if finished.returncode == 0:
                return
            if len(read(outcomes)) == before:
                raise Failure(f"{module} cannot be run on {loop}: see {log}")


def run_pytest(tests: Path, arguments: list[str], loop: str, outcomes: Path, log: Path, patience: float) -> None:
    """A project's suite in its own folder, by pytest with a plugin that substitutes the loop."""
    environment = {**os.environ, "DOWNSTREAM_LOOP": loop, "DOWNSTREAM_OUTCOMES": str(outcomes)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_HERE), environment.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-p", "pytest_child", "-p", "no:cacheprovider", "-q", *arguments]
    with log.open("wb") as output:
        try:
            subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=tests,
                env=environment,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            output.write(b"\nended after %d seconds\n" % patience)
    if not read(outcomes):
        raise Failure(f"The suite in {tests} cannot be run on {loop}: see {log}")


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
