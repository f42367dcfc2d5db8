"""Chapter subprocess: signals of all numbers, and what the callbacks of a child's protocol may do."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, spawned
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL
_NAMES = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGABRT", "SIGSEGV", "SIGALRM", "SIGUSR2", "SIGRTMIN", "SIGRTMAX"]
_IGNORED = ("SIGINT", "SIGQUIT", "SIGHUP")
_NUMBERS = {name: int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)}


@requirement("subprocess.signal-numbers", MUST, cite="asyncio-protocol: SubprocessTransport.send_signal")
@pytest.mark.parametrize("name", _NUMBERS)
def test_any_signal_number_can_be_sent(loop: Loop, patience: Patience, tmp_path: Path, name: str) -> None:
    """send_signal() sends the signal number, a plain int too; -N indicates that signal N has terminated the child.

    If this fails: look for a signal that must be a member of signal.Signals, for the flag of a core dump in the code,
    or for a mask of 32 bits.
    """
    number = _NUMBERS[name]
    # A process in the background may ignore some, and its children then do: one that it handles has its default there.
    before = signal.signal(number, lambda *_: None) if name in _IGNORED else None
    try:
        with spawned(loop, patience, "read line", cwd=tmp_path) as (transport, protocol):  # where it may dump its core
            transport.send_signal(number)
            patience.run_until(loop, lambda: protocol.exited, "process_exited()")
            assert transport.get_returncode() == -number
    finally:
        if before is not None:
            signal.signal(number, before)


@requirement("subprocess.stopped", MUST, cite="asyncio-protocol: SubprocessProtocol.process_exited")
def test_a_child_that_is_stopped_has_not_exited(loop: Loop, patience: Patience) -> None:
    """process_exited() is called when the child process has exited, and not when a signal stops or continues it.

    If this fails: look for waitpid() with WUNTRACED, or for SIGCHLD taken for an end.
    """
    with spawned(loop, patience, "read line; echo $line; exit 3") as (transport, protocol):
        for number in (signal.SIGSTOP, signal.SIGCONT):
            transport.send_signal(number)
            loop.run_until_complete(asyncio.sleep(0.003))
        assert not protocol.exited
        assert transport.get_returncode() is None
        transport.get_pipe_transport(0).write(b"goes on\n")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert (bytes(protocol.output[1]), transport.get_returncode()) == (b"goes on\n", 3)


@requirement("subprocess.close-without-pipes", MUST, cite="asyncio-protocol: SubprocessTransport.close")
@each("pipe", ["none", "stdin", "stdout", "stderr"])
def test_close_kills_a_child_without_pipes(loop: Loop, patience: Patience, pipe: str) -> None:
    """close() kills the subprocess by calling kill() if it hasn't returned yet, also if it has no pipes, or one only.

    If this fails: look for a child that is expected to end with its pipes, or to obey SIGTERM.
    """
    streams = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL}
    streams.pop(pipe, None)
    script = "trap '' TERM; while :; do sleep 10; done"
    with spawned(loop, patience, script, **streams) as (transport, protocol):  # type: ignore[arg-type]
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.get_returncode() == -signal.SIGKILL


class _Closes(ChildEvents):
    """Closes the transport in one of its callbacks, or raises there."""

    def __init__(self, where: str, error: Exception | None = None) -> None:
        super().__init__()
        self.where, self.error = where, error

    def called(self, name: str) -> None:
        if name == self.where:
            if self.error is not None:
                raise self.error
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.called("connection_made")

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        super().pipe_data_received(fd, data)
        self.called("pipe_data_received")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        super().pipe_connection_lost(fd, exc)
        self.called("pipe_connection_lost")

    def process_exited(self) -> None:
        super().process_exited()
        self.called("process_exited")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.called("connection_lost")


_CALLBACKS = ["connection_made", "pipe_data_received", "pipe_connection_lost", "process_exited"]


@requirement("subprocess.close-inside", MUST, cite="asyncio-protocol: SubprocessTransport.close")
@pytest.mark.parametrize("where", _CALLBACKS)
def test_a_callback_may_close_the_child(loop: Loop, patience: Patience, where: str) -> None:
    """close() may be called by every callback of the protocol: it kills, process_exited() and connection_lost() follow.

    If this fails: look for an end that is told only if it was the loop that noticed it, or a close() put off for ever.
    """
    # Only a kill can end a child that has stopped; one that speaks to a closed pipe before that goes on.
    last = "exit 0" if where == "process_exited" else "exec >&-; kill -STOP $$"
    with spawned(loop, patience, f"trap '' PIPE; echo out; {last}", protocol=lambda: _Closes(where)) as (
        transport,
        protocol,
    ):
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert transport.get_returncode() == (0 if where == "process_exited" else -signal.SIGKILL)
    assert protocol.names[0] == "connection_made"
    assert protocol.names[-1] == "connection_lost"
    assert protocol.names.count("process_exited") == 1
    assert protocol.names.count("connection_lost") == 1


@requirement("subprocess.error-reported", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@pytest.mark.parametrize("where", [*_CALLBACKS[1:], "connection_lost"])
def test_an_exception_of_a_callback_is_reported(loop: Loop, patience: Patience, watch: Any, where: str) -> None:
    """An exception of a callback of the protocol goes to the exception handler; connection_lost() is called still.

    If this fails: look for a protocol that is called where nobody catches its exception, or all of them are dropped.
    """
    watch.allow("reported")
    error = LookupError("of the protocol")
    with spawned(loop, patience, "echo out", stdin=DEVNULL, protocol=lambda: _Closes(where, error)) as (_, protocol):
        patience.run_until(loop, lambda: watch.reported and protocol.exited, "the report")
    assert error in [context.get("exception") for context in watch.reported]


@requirement("subprocess.pause-when-made", SHOULD, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_output_can_be_paused_from_the_beginning(loop: Loop, patience: Patience) -> None:
    """After pause_reading() in connection_made() no output is passed on until resume_reading().

    If this fails: look for pipes that begin to read when the protocol was told, whatever it did.
    """

    class Pauses(ChildEvents):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.get_pipe_transport(1).pause_reading()

    with spawned(loop, patience, "read line; echo out", protocol=Pauses) as (transport, protocol):
        transport.get_pipe_transport(0).write(b"\n")
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        turn(loop, 3)
        assert not protocol.output
        transport.get_pipe_transport(1).resume_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == b"out\n"
