"""A forked child of the test's process that runs a function and says how it went."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from os import _exit as leave  # without the clean-up that belongs to the parent

from conformance.kit.patience import Patience


def forked(patience: Patience, work: Callable[[], object]) -> str:
    """What `work` returns in a forked child, as text, or the last line of its traceback.

    Raises AssertionError if the child does not end in time; it is killed then.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = str(work())
        except BaseException as error:
            said = traceback.format_exception_only(error)[-1].strip()
        finally:
            os.write(writing, said.encode()[:4000])
            sys.stderr.flush()
            leave(0)
    os.close(writing)
    try:
        _wait(child, time.monotonic() + patience.seconds)
        return os.read(reading, 4096).decode()
    finally:
        os.close(reading)


def _wait(child: int, deadline: float) -> None:
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError("the forked child did not end")
        time.sleep(0.001)
