"""A process for each trial, and the keepers that make, watch and end them.

pytest (or an xdist worker) forks *keepers* for each loop after collection, so that what importing one loop's module
does to a process is no other loop's; a keeper forks one child per trial (see `keeping`), one at a time.
A keeper has a session of its own and no other thread, so a fork from it is safe and a loop that kills its process
group or its parent hits the keeper at worst, which is then replaced. Whatever a loop does to its process ends with the
process: hangs with or without the GIL, segmentation faults, os._exit, closed descriptors, threads, handlers, children.

Messages between the processes are lines of JSON. The median trial takes 22 ms with two workers of two keepers on two
shared cores (Python 3.12). Alone, 3 ms are the fork, and 5 the fixtures, the loop and the test.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from conformance.keeping import Serve, keep
from conformance.verdicts import Verdict

_HANGS_BEFORE_HURRY = 5
_HURRY = 5
_SHORTEST = 2.0
_FAREWELL = 3.0
"""Seconds in which a keeper that was told to end does so. One that stands in an import hears nothing."""
_TICK = 0.5

_CONNECTIONS: set[socket.socket] = set()
"""pytest's ends of all its keepers: no keeper may hold another's open, which tells that one that pytest lives."""


class KeeperDied(Exception):
    """The keeper was killed, by the loop of the trial that was running."""


class KeeperNotReady(Exception):
    """What the keeper prepares before its first trial does not end."""


class Keeper:
    """pytest's side: asks for trials and gets their outcomes."""

    def __init__(
        self, serve: Serve, prepare: Callable[[Path], None] = lambda _: None, deadline: float = math.inf
    ) -> None:
        """`serve` runs in the child, `prepare` once in the keeper (see `keep`).

        `deadline` is how many seconds answer() waits for `prepare`, which may run code that is not ours.
        """
        self._serve = serve
        self._prepare = prepare
        self._deadline = deadline
        self._ready = False
        self._scratch = ""
        self._pid = 0
        self._request = ""
        self._connection: socket.socket | None = None
        self._lines: BinaryIO | None = None

    @property
    def busy(self) -> bool:
        """Whether a job was begun and its answer has not been taken."""
        return bool(self._request)

    def begin(self, request: str, patience: float) -> None:
        """Start the job for `request`. One that was begun and whose answer nobody took is ended."""
        if self._request:
            self.close()
        if self._connection is None:
            self._start()
        assert self._connection is not None
        self._request = request
        message = json.dumps({"request": request, "patience": patience}).encode() + b"\n"
        with self._whole_conversation(), contextlib.suppress(OSError):  # answer() will say that it is dead
            self._connection.sendall(message)

    def answer(self) -> dict[str, Any]:
        """The answer of the job that was begun. Raises KeeperDied or KeeperNotReady; the next gets a new keeper."""
        assert self._lines is not None
        line = b""
        with self._whole_conversation(), contextlib.suppress(OSError):
            if not self._ready:
                self._wait_until_ready()
            line = self._lines.readline()
        if not line.endswith(b"\n"):
            self.close()
            raise KeeperDied
        self._request = ""
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the keeper, and with it the child that it may be watching."""
        self._request = ""
        if self._connection is None:
            return
        assert self._lines is not None
        _CONNECTIONS.discard(self._connection)
        self._lines.close()
        self._connection.close()
        self._connection = None
        ended = False
        try:
            ended = self._ends_in(_FAREWELL if self._ready else 0.0)
        finally:  # Ctrl-C may come again while it is waited for
            if not ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                self._ends_in(math.inf)
            shutil.rmtree(self._scratch, ignore_errors=True)  # a keeper that was killed has left it

    def _ends_in(self, seconds: float) -> bool:
        """Wait for the keeper's process, and say whether it ended."""
        deadline = time.monotonic() + seconds
        pause = 0.0005
        with contextlib.suppress(ChildProcessError):
            while not os.waitpid(self._pid, os.WNOHANG)[0]:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
        return True

    def _wait_until_ready(self) -> None:
        """Read the keeper's first line. Raises KeeperNotReady; what the dead do not say, the caller will not read."""
        assert self._connection is not None
        assert self._lines is not None
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        spent = 0.0
        while not poll.poll(_TICK * 1000):
            spent += _TICK  # by ticks, as patience is: the whole machine may have stood still
            if spent >= self._deadline:
                raise KeeperNotReady
        self._lines.readline()
        self._ready = True

    @contextlib.contextmanager
    def _whole_conversation(self) -> Iterator[None]:
        """Where Ctrl-C comes between question and answer, what came next on the line would answer no question."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        self._ready = False
        self._scratch = ""
        with contextlib.suppress(OSError):  # each trial will try it again, and say so
            self._scratch = tempfile.mkdtemp(prefix="loop-conformance-")
        self._pid = _fork()
        if self._pid == 0:
            for other in (ours, *_CONNECTIONS):
                os.close(other.detach())  # by number: the file objects that read from them would keep them open
            keep(theirs, self._serve, self._prepare, self._scratch)
        theirs.close()
        _CONNECTIONS.add(ours)
        self._connection, self._lines = ours, ours.makefile("rb")


def _fork() -> int:
    # xdist's workers have a receiver thread, so Python 3.12+ warns. The copy is used only for forking again, and
    # touches nothing that thread could have locked: it writes to descriptors of its own.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Patience:
    """How long a trial of one loop may take, in seconds.

    A loop that has hung `_HANGS_BEFORE_HURRY` times gets a fifth of the patience from then on: a loop that runs
    nothing would otherwise cost the full patience for every requirement.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._hangs: dict[str, int] = {}

    def of(self, loop: str) -> float:
        hurried = self._hangs.get(loop, 0) >= _HANGS_BEFORE_HURRY
        return min(self._seconds, max(self._seconds / _HURRY, _SHORTEST)) if hurried else self._seconds

    def hurry(self, loop: str) -> None:
        """The loop could not even run a coroutine that returns at once: do not wait long for the rest."""
        self._hangs[loop] = _HANGS_BEFORE_HURRY

    def saw(self, loop: str, verdict: Verdict) -> None:
        if verdict is Verdict.HANGS:
            self._hangs[loop] = self._hangs.get(loop, 0) + 1
