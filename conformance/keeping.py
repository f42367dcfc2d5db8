"""The keeper's side and the child's side of a trial: fork, watch, end, and a verdict for those who cannot speak.

Nothing here returns into pytest: the keeper serves until pytest hangs up, a child until its one job is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import gc
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from conformance.trial import BATTERY, Outcome, redirect_output
from conformance.verdicts import Verdict

_TICK = 0.5
_OUTPUT_LIMIT = 8000
_MEMORY_LIMIT = 4 << 30
_PR_SET_PDEATHSIG = 1
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
# What faulthandler says first when the time is up. It reads the stacks of threads that run on, and may die of that.
_TIME_IS_UP = re.compile(r"^Timeout \(\d", re.MULTILINE)
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')

Job = Callable[[], Outcome | dict[str, Any]]
Serve = Callable[[str, float], Job]
"""From a request and its patience (seconds) to the job to run, in the child."""


def keep(connection: socket.socket, serve: Serve, prepare: Callable[[Path], None], scratch: str) -> NoReturn:
    """Serve requests until pytest hangs up. Never returns into pytest's stack.

    `prepare` gets `scratch`, a directory that the trials may use ("": there is none). It ends with the keeper, however
    pytest ended.
    """
    try:
        # What exists by now is never collected here: collecting would copy every page that it lives on.
        gc.freeze()
        os.setsid()
        _forget_signals()
        faulthandler.disable()
        # Not the consumer's filters: with "filterwarnings = error" a module that warns could not be imported here.
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # each trial will try what failed here again, and say so
            if scratch:
                prepare(Path(scratch))
        # Here rather than in each child: half a millisecond each, and one for the codec of every host name.
        with contextlib.suppress(OSError):
            libc()
        "localhost".encode("idna")
        _needs_more_memory()
        # Nor is what was made since, but for its garbage.
        gc.collect()
        gc.freeze()
        connection.sendall(b"ready\n")
        for line in connection.makefile("rb"):
            message = json.loads(line)
            try:
                answer = _one_child(connection, serve, message["request"], message["patience"])
            except Exception:
                answer = Outcome(
                    Verdict.ERRORED, seen="the keeper of the trials failed", output=traceback.format_exc()
                ).as_dict()
            connection.sendall(json.dumps(answer).encode() + b"\n")
    except ConnectionError:
        pass  # pytest, or the worker that asked, is dead
    except BaseException:
        traceback.print_exc()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)


def _forget_signals() -> None:
    """Signals are as in a fresh Python: what pytest, nohup or a shell made of them is no business of a loop's."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _one_child(connection: socket.socket, serve: Serve, request: str, patience: float) -> dict[str, Any]:
    started = time.monotonic()
    reading, writing = os.pipe()
    with tempfile.TemporaryFile(buffering=0) as output:
        child = os.fork()
        if child == 0:
            os.close(reading)
            # By number: close() would wait for the file object that _keep reads from.
            os.close(connection.detach())
            _be_the_child(serve, request, patience, writing, output.fileno())
        os.close(writing)
        answer, in_time, status = _await_answer(connection, reading, child, patience)
        os.close(reading)
        if status is None:
            status = _end(child, let_it_exit=in_time and answer is None)
        else:
            _kill_group(child)
        output.seek(0, os.SEEK_SET)
        text = output.read().decode(errors="backslashreplace")
    outcome = _judge(answer, in_time, status, text, patience)
    return (
        outcome
        if isinstance(outcome, dict)
        else replace(outcome, seconds=round(time.monotonic() - started, 4)).as_dict()
    )


def _await_answer(
    connection: socket.socket, reading: int, child: int, patience: float
) -> tuple[bytes | None, bool, int | None]:
    """The child's line (None if it ended without one), whether it came in time, and the child's status if it is known.

    Mostly the pipe says that the child has ended. Where a grandchild holds it open, the child is asked at each tick.

    Patience is spent in ticks that this process saw pass. Time during which the whole machine stood still, or
    during which the keeper itself was not scheduled, is not the loop's fault and is not counted.
    """
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    poll.register(connection, 0)  # only POLLHUP: pytest is gone
    received = b""
    spent = 0.0
    status: int | None = None
    while spent < patience:
        before = time.monotonic()
        events = poll.poll(0 if status is not None else _TICK * 1000)
        if not events:
            if status is not None:
                return None, True, status
            pid, ended = os.waitpid(child, os.WNOHANG)
            status = ended if pid else None  # once more round: its last words may lie in the pipe
        for fd, event in events:
            if fd == connection.fileno() and event & (select.POLLHUP | select.POLLERR):
                return None, False, status
            if fd == reading:
                chunk = os.read(reading, 65536)
                received += chunk
                if received.endswith(b"\n"):
                    return received, True, status
                if not chunk:
                    return None, True, status
        spent += min(time.monotonic() - before, _TICK)
    return None, False, status


def _end(child: int, let_it_exit: bool) -> int:
    """Kill the child's process group and return the child's wait status."""
    if let_it_exit:
        # It closed its end of the pipe, which mostly means that it is exiting; how it exits is the verdict.
        for _ in range(200):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                _kill_group(child)
                return status
            time.sleep(0.005)
    _kill_group(child)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _judge(answer: bytes | None, in_time: bool, status: int, output: str, patience: float) -> Outcome | dict[str, Any]:
    tail = output[-_OUTPUT_LIMIT:]
    if answer is not None:
        try:
            data: dict[str, Any] = json.loads(answer)
        except ValueError:  # a loop that closes numbers twice may write to one that was opened meanwhile
            seen = "something was written to a descriptor that is not the loop's: what the test found cannot be read"
            return Outcome(Verdict.DEVIATES, seen=seen, output=tail)
        if "label" in data:  # a probe
            return data
        outcome = Outcome.from_dict(data)
        return outcome if outcome.verdict is Verdict.CONFORMS else replace(outcome, output=outcome.output or tail)
    if not in_time or (os.WIFSIGNALED(status) and _TIME_IS_UP.search(output)):
        return Outcome(
            Verdict.HANGS,
            seen=f"still running after {patience:g} s of patience{_standing_at(output)}",
            where=_battery_frame(output),
            output=tail,
        )
    if os.WIFSIGNALED(status):
        seen = f"the process died of {_name_of(os.WTERMSIG(status))}{_standing_at(output)}"
    else:
        seen = f"the process ended by itself (exit status {os.waitstatus_to_exitcode(status)}) before the test did"
    return Outcome(Verdict.CRASHES, seen=seen, where=_battery_frame(output), output=tail)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals, of which two have names
        return f"signal {number}"


def _standing_at(output: str) -> str:
    """Where the main thread stood, by the stacks that faulthandler left in the output."""
    _, _, stacks = output.rpartition("(most recent call first):")
    match = _FRAME.search(stacks)
    return f", in {match['function']} ({os.path.basename(match['file'])}:{match['line']})" if match else ""


def _battery_frame(output: str) -> str:
    for match in _FRAME.finditer(output):
        if match["file"].startswith(str(BATTERY)):
            return f"{os.path.basename(match['file'])}:{match['line']}"
    return ""


def _be_the_child(serve: Serve, request: str, patience: float, writing: int, output: int) -> NoReturn:
    child = os.getpid()
    try:
        answer = json.dumps(_outcome(serve, request, patience, output)).encode() + b"\n"
        if os.getpid() == child:  # a fork of a loop's that comes back here has nothing to say
            os.write(writing, answer)
    finally:
        os._exit(0)


def _outcome(serve: Serve, request: str, patience: float, output: int) -> dict[str, Any]:
    try:
        os.setpgid(0, 0)
        _die_with_the_keeper()
        _limit_memory()
        redirect_output(output)
        # A duplicate, so that a loop that closes descriptor 2 does not silence its own post-mortem.
        stacks = os.dup(output)
        faulthandler.enable(stacks)
        faulthandler.dump_traceback_later(max(patience - 0.3, patience * 0.9), file=stacks)
        result = serve(request, patience)()
        return result.as_dict() if isinstance(result, Outcome) else result
    except BaseException:
        seen = "the suite failed around the test"
        return Outcome(Verdict.ERRORED, seen=seen, output=traceback.format_exc()).as_dict()


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library of this process. Raises OSError where it cannot be had."""
    return ctypes.CDLL(None)


def _die_with_the_keeper() -> None:
    """A loop that kills its parent must not live on as an orphan. Linux only; elsewhere it ends with its test."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory() -> None:
    """A loop that fills memory gets MemoryError, not the machine. No core files: they take seconds to write."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if _needs_more_memory():
            return
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or hard > _MEMORY_LIMIT:
            resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_LIMIT, hard))


@functools.cache
def _needs_more_memory() -> bool:
    """Whether this process has reserved more than the limit already, as one with AddressSanitizer has: terabytes."""
    try:
        reserved = re.search(r"^VmData:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return reserved is not None and int(reserved[1]) << 10 > _MEMORY_LIMIT
