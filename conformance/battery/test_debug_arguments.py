"""Chapter debug: what works without debug mode works in it."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ended
from conformance.kit.oddities import odd_callables
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events
from conformance.kit.signals import send
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL
DEBUG = "asyncio-dev: Debug Mode"
_ALL = {"soon", "later", "at", "threadsafe", "signal", "readable", "in a thread"}


@requirement("debug.any-callable", MUST, cite=DEBUG, needs=("unix",))
def test_debug_mode_takes_every_callable(loop: Loop, patience: Patience, watch: Any) -> None:
    """In debug mode callbacks, signal handlers, readers and an executor's work may be any callable, as without it.

    If this fails: look for a message or a log line that asks a callable for the name which only functions have.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    trace: list[Any] = []
    loop.set_debug(True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"readable")
        for kind, callback in odd_callables(trace).items():
            trace.clear()
            loop.call_soon(callback, "soon")
            loop.call_later(0, callback, "later")
            loop.call_at(loop.time(), callback, "at")
            loop.call_soon_threadsafe(callback, "threadsafe")
            loop.add_signal_handler(signal.SIGUSR1, callback, "signal")
            loop.call_soon(send)
            loop.add_reader(ours, callback, "readable")
            loop.run_until_complete(loop.run_in_executor(None, callback, "in a thread"))
            patience.run_until(loop, lambda: set(trace) >= _ALL, kind)
            loop.remove_reader(ours)
            loop.remove_signal_handler(signal.SIGUSR1)


def _program(loop: Loop, patience: Patience) -> bytes:
    starting = loop.subprocess_exec(ChildEvents, b"/bin/sh", b"-c", b"printf '\xff'", stdin=DEVNULL)
    return bytes(ended(loop, patience, starting).output[1])


def _command(loop: Loop, patience: Patience) -> bytes:
    starting = loop.subprocess_shell(ChildEvents, b"printf '\xff'", stdin=DEVNULL)
    return bytes(ended(loop, patience, starting).output[1])


def _file(loop: Loop, patience: Patience) -> bytes:
    with tempfile.TemporaryFile() as file:
        starting = loop.subprocess_exec(ChildEvents, "/bin/sh", "-c", "printf '\\377'", stdin=DEVNULL, stdout=file)
        ended(loop, patience, starting)
        file.seek(0)
        return file.read()


def _sockets(loop: Loop, patience: Patience) -> bytes:
    ours, theirs = socket.socketpair()
    writer, _ = loop.run_until_complete(loop.connect_write_pipe(Events, theirs))
    reader, protocol = loop.run_until_complete(loop.connect_read_pipe(Events, ours))
    writer.write(memoryview(b"\xff"))
    patience.run_until(loop, lambda: protocol.received, "the data")
    reader.close()
    writer.abort()
    turn(loop, 4)
    return bytes(protocol.received)


_KINDS = {"program": _program, "command": _command, "file": _file, "sockets": _sockets}


@requirement("debug.any-argument", MUST, cite=DEBUG, needs=("shell",))
@each("kind", _KINDS)
def test_debug_mode_takes_what_is_not_text(loop: Loop, patience: Patience, kind: str) -> None:
    """In debug mode programs and commands may be bytes, files may have no name, and pipes may be sockets.

    If this fails: look for a log line of a start that joins strings, or asks files for their names.
    """
    loop.set_debug(True)
    assert _KINDS[kind](loop, patience) == b"\xff"
