"""The race's side of the measured processes: start, command with patience, kill, and say why one died.

An `Arm` is one loop in one race: its spec, and the parent process that workers are forked from. Whatever a
worker does (hang with the GIL held, crash, exit, close its descriptors) becomes a `Died` with a reason and
costs nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.errors import UnusableArm
from conformance.loops import LoopSpec

START_PATIENCE = 30.0
WORDLESS = "the measured process ended without a word"

# The loop may live in an interpreter that does not have this package: load exactly these two packages from where
# they are, and let everything else (the loop, pyperf) come from that interpreter's own path. The current directory
# does not shadow the standard library; the loop's module is still found there, last. `-P` would do the same, but
# Python 3.10 refuses it before it can say that it is too old.
_BOOT = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0])
import importlib.util
for name, folder in {packages!r}.items():
    spec = importlib.util.spec_from_file_location(
        name, folder + "/__init__.py", submodule_search_locations=[folder])
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
from bench.worker import start
start(sys.argv[1])
"""


class Died(Exception):
    """A worker or its parent is gone. `how` is `hangs`, `crashes` or `fails`."""

    def __init__(self, how: str, reason: str) -> None:
        super().__init__(reason)
        self.how = how
        self.reason = reason


class Arm:
    """One loop in a race. `label` is unique; the A/A arm has the reference's spec under another label."""

    def __init__(self, label: str, spec: LoopSpec, handicap: float = 0.0) -> None:
        self.label = label
        self.spec = spec
        self.handicap = handicap
        self._parent: subprocess.Popen[bytes] | None = None
        self._starting = False
        self._worker: int | None = None
        self._buffer = bytearray()

    def launch(self, identify: bool = False) -> None:
        """Start the parent without waiting for it, so that those of all arms start side by side. Raises Died."""
        if self._parent is None:
            self._start(identify)
            self._starting = True

    def identify(self) -> dict[str, Any]:
        """The loop's identity and its interpreter's metadata. Raises UnusableArm."""
        try:
            self.launch(identify=True)
            answer: dict[str, Any] = {}
            while "exit" not in answer:
                message = self._receive(START_PATIENCE)
                if "failed" in message:
                    raise Died("fails", message["failed"])
                answer |= message
            if "identity" not in answer:
                raise Died("crashes", _ending(answer["exit"], self._output()))
        except (Died, OSError) as error:
            reason = str(error)
            prefix = "" if reason.startswith("--loop") else f"--loop={self.spec}: cannot make a loop: "
            raise UnusableArm(prefix + reason) from error
        finally:
            self.close()
        identity: dict[str, Any] = answer["identity"]
        return identity

    def open(self) -> None:
        """Wait until the parent is ready; start it if need be. Raises Died."""
        self.launch()
        if self._starting:
            message = self._receive(START_PATIENCE)
            if "started" not in message:
                self.close()
                raise Died("fails", message.get("failed", "the measured process did not start"))
            self._starting = False

    def watched(self, tool: list[str], environment: Mapping[str, str], settings: dict[str, Any]) -> None:
        """Start the interpreter under `tool` to count, see `bench.counting`. Raises Died."""
        self._start(identify=False, tool=tool, environment=environment, extra={"count": True} | settings)

    def messages(self, patience: float) -> Iterator[dict[str, Any]]:
        """What a watched process says, until it ends. Raises Died if it does not end well."""
        while True:
            try:
                yield self._receive(patience)
            except Died as death:
                if death.how == "crashes" and death.reason == WORDLESS:
                    return
                raise

    def begin(self, order: dict[str, Any]) -> bool:
        """Fork a worker, which begins to set its workload up; True. Raises Died."""
        self.open()
        self._send(order | {"handicap": self.handicap})
        return True

    def set_up(self, patience: float) -> dict[str, Any]:
        """Wait until the worker that was begun is set up. Raises Died."""
        self._worker = int(self._expect(("pid",), patience)["pid"])
        return self._expect(("set_up",), patience)

    def warm_up(self, patience: float) -> dict[str, Any]:
        """Let the worker warm up; returns its `ready` (or its `facts`). Raises Died."""
        self._send({"warm_up": True})
        return self._expect(("ready", "facts"), patience)

    def sample(self, loops: int, patience: float) -> dict[str, float]:
        """One sample. Raises Died."""
        self._send({"sample": loops})
        return self._expect(("wall",), patience)

    def end(self, patience: float) -> dict[str, Any]:
        """End the worker; returns its `bye`. Raises Died."""
        self._send({"end": True})
        answer: dict[str, Any] = self._expect(("bye",), patience)["bye"]
        self.wait(patience)
        return answer

    def wait(self, patience: float) -> None:
        """Until the worker is reaped. Raises Died."""
        self._expect(("exit",), patience)

    def kill(self) -> None:
        """End the worker and all that it forked, by its process group; the parent lives on if it can."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker, signal.SIGKILL)
        try:
            deadline = time.monotonic() + 5
            while "exit" not in self._receive(max(0.0, deadline - time.monotonic())):
                pass
        except Died:
            self.close()

    def close(self) -> None:
        """End the parent, and its worker if there is one."""
        if self._worker is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._worker, signal.SIGKILL)
            self._worker = None
        self._starting = False
        parent, self._parent = self._parent, None
        if parent is None:
            return
        os.close(self._to)
        try:
            parent.wait(0.5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(parent.pid, signal.SIGKILL)
            parent.wait()
        os.close(self._from)
        self._log.close()

    def _start(
        self,
        identify: bool,
        tool: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        here = Path(__file__).resolve().parent
        packages = {"bench": str(here), "conformance": str(here.parent / "conformance")}
        their_read, self._to = os.pipe()
        self._from, their_write = os.pipe()
        self._buffer.clear()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the parent process
        settings = {
            "read": their_read,
            "write": their_write,
            "spec": asdict(self.spec),
            "identify": identify,
            **extra,
        }
        boot = _BOOT.format(packages=packages)
        if environment is None:
            # tox sets a hash seed: all rounds of a race would have the same, and its second half another.
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
        try:
            self._parent = subprocess.Popen(
                [*tool, self.spec.python or sys.executable, "-c", boot, json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(their_read, their_write),
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            os.close(self._to)
            os.close(self._from)
            self._log.close()
            raise Died("fails", f"cannot start {self.spec.python}: {error.strerror}") from error
        finally:
            os.close(their_read)
            os.close(their_write)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            os.write(self._to, json.dumps(message).encode() + b"\n")
        except BrokenPipeError as error:
            raise Died("crashes", "the measured process is gone") from error

    def _expect(self, keys: tuple[str, ...], patience: float) -> dict[str, Any]:
        """The next message with one of `keys`. Raises Died for any other end."""
        message = self._receive(patience)
        if "failed" in message:
            self.kill()
            raise Died("fails", message["failed"])
        if "exit" in message:
            self._worker = None
            if "exit" not in keys:
                raise Died("crashes", _ending(message["exit"], self._output()))
        elif not any(key in message for key in keys):
            self.kill()
            raise Died("fails", f"unexpected answer of the measured process: {sorted(message)}")
        return message

    def _receive(self, patience: float) -> dict[str, Any]:
        deadline = time.monotonic() + patience
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise Died("hangs", f"no answer within {patience:.3g} s")
            chunk = os.read(self._from, 65536)
            if not chunk:
                raise Died("crashes", self._last_words())
            self._buffer += chunk
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise Died("fails", "the measured process wrote something foreign to the race's pipe") from error
        return message

    def _last_words(self) -> str:
        """How the parent ended, after its pipe was closed from the other side."""
        output, parent = self._output(), self._parent
        self._worker = None
        self.close()
        status = parent.returncode if parent else 0
        return _ending(status, output) if status else output or WORDLESS

    def _output(self) -> str:
        """The last line that the measured process printed."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 4096))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""


def _ending(status: int, output: str) -> str:
    if status < 0:
        try:
            text = f"killed by {signal.Signals(-status).name}"
        except ValueError:
            text = f"killed by signal {-status}"
    else:
        text = f"exited with status {status}"
    return f"{text} ({output})" if output else text
