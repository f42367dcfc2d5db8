"""Chapter subprocess: what the transport of a child does, and when it tells the protocol what."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import BIG, ChildEvents, finish, handed_over, spawned, stopped
from conformance.kit.patience import Patience
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL


def missing(transport: object, conforms_to: type) -> list[str]:
    """The public methods of the base class that the transport lacks; it need not inherit from it."""
    return [name for name in dir(conforms_to) if not name.startswith("_") and not hasattr(transport, name)]


@requirement("subprocess.returns-pair", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_starting_gives_a_transport_and_the_protocol(loop: Loop, patience: Patience, method: str) -> None:
    """The result is a pair of a transport that conforms to SubprocessTransport, and what protocol_factory returned.

    If this fails: look for a protocol that is made twice, or wrapped.
    """
    made: list[ChildEvents] = []

    def factory() -> ChildEvents:
        made.append(ChildEvents())
        return made[-1]

    pair = loop.run_until_complete(getattr(loop, method)(factory, "/bin/true"))
    transport, protocol = pair
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert isinstance(pair, tuple)
    assert made == [protocol]
    assert not missing(transport, asyncio.SubprocessTransport)


@requirement("subprocess.connection-made", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_connection_made_comes_first_and_once(loop: Loop, patience: Patience, method: str) -> None:
    """connection_made() is called once, with the transport that is returned, before everything else that happens to it.

    If this fails: look for output of a fast child that overtakes the announcement, or for a transport in a wrapper.
    """
    arguments = ["/bin/sh", "-c", "echo out"] if method == "subprocess_exec" else ["echo out"]
    transport, protocol = loop.run_until_complete(getattr(loop, method)(ChildEvents, *arguments, stdin=DEVNULL))
    try:
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    finally:
        transport.close()
    assert protocol.calls[0] == ("connection_made", transport)
    assert protocol.names.count("connection_made") == 1


@requirement("subprocess.pipes-when-made", SHOULD, cite="asyncio-protocol: SubprocessTransport.get_pipe_transport")
def test_the_pipes_are_there_when_the_connection_is_made(loop: Loop, patience: Patience) -> None:
    """In connection_made() the transports of the pipes are already there: Process takes its streams from them.

    If this fails: look for pipes that are connected after the announcement.
    """

    class Looks(ChildEvents):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.pipes = [transport.get_pipe_transport(fd) for fd in (0, 1, 2)]

    with spawned(loop, patience, "exit 0", protocol=Looks) as (_, protocol):
        assert None not in protocol.pipes


@requirement("subprocess.get-pid", MUST, cite="asyncio-protocol: SubprocessTransport.get_pid")
def test_get_pid_is_the_number_of_the_child(loop: Loop, patience: Patience) -> None:
    """get_pid() returns the subprocess process id as an integer.

    If this fails: look for the id of a helper that forks the child.
    """
    protocol = finish(loop, patience, "echo $$")
    assert protocol.transport.get_pid() == int(protocol.output[1])


@requirement("subprocess.returncode-none", MUST, cite="asyncio-protocol: SubprocessTransport.get_returncode")
def test_get_returncode_is_none_while_the_child_runs(loop: Loop, patience: Patience) -> None:
    """get_returncode() returns None if the subprocess hasn't returned, also inside the callbacks of its protocol.

    If this fails: look for a code that begins as 0.
    """
    codes: list[Any] = []

    class Asks(ChildEvents):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            codes.append(transport.get_returncode())

        def pipe_data_received(self, fd: int, data: bytes) -> None:
            super().pipe_data_received(fd, data)
            codes.append(self.transport.get_returncode())

    with spawned(loop, patience, "echo; read line", protocol=Asks) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.output[1], "the output")
        assert [*codes, transport.get_returncode()] == [None] * 3


@requirement("subprocess.returncode", MUST, cite="asyncio-protocol: SubprocessTransport.get_returncode")
@each("code", [0, 1, 3, 126, 127, 128, 129, 137, 143, 255])
def test_get_returncode_is_the_exit_code(loop: Loop, patience: Patience, code: int) -> None:
    """get_returncode() returns the subprocess return code as an integer.

    If this fails: look for the raw status of waitpid(), or for codes above 128 that are taken for signals.
    """
    told = finish(loop, patience, f"exit {code}").transport.get_returncode()
    assert told == code
    assert isinstance(told, int)
    assert not isinstance(told, bool)


@requirement("subprocess.returncode-signal", MUST, cite="asyncio-subprocess: subprocess.Process.returncode")
def test_a_child_killed_by_a_signal_has_a_negative_code(loop: Loop, patience: Patience) -> None:
    """A negative value -N indicates that the child was terminated by signal N.

    If this fails: look for 128 + N, as shells have it, or for the raw status.
    """
    told = finish(loop, patience, "kill -HUP $$").transport.get_returncode()
    assert told == -signal.SIGHUP
    assert isinstance(told, int)


@requirement("subprocess.pipe-transports", MUST, cite="asyncio-protocol: SubprocessTransport.get_pipe_transport")
def test_get_pipe_transport_gives_a_transport_of_the_right_direction(loop: Loop, patience: Patience) -> None:
    """get_pipe_transport() gives a writable transport for 0, and readable ones for 1 and 2.

    If this fails: look for transports that miss methods of ReadTransport or WriteTransport, or are exchanged.
    """
    with spawned(loop, patience, "cat; echo err >&2") as (transport, protocol):
        stdin, stdout, stderr = (transport.get_pipe_transport(fd) for fd in (0, 1, 2))
        assert not missing(stdin, asyncio.WriteTransport)
        assert not missing(stdout, asyncio.ReadTransport)
        assert not missing(stderr, asyncio.ReadTransport)
        stdin.write(b"through")
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output == {1: b"through", 2: b"err\n"}
        assert [transport.get_pipe_transport(fd) for fd in (0, 1, 2)] == [stdin, stdout, stderr], "after their end"


@requirement("subprocess.no-pipe-transport", MUST, cite="asyncio-protocol: SubprocessTransport.get_pipe_transport")
def test_get_pipe_transport_is_none_without_a_pipe(loop: Loop, patience: Patience) -> None:
    """get_pipe_transport() returns None for a stream that is no PIPE, and for any other fd.

    If this fails: look for a KeyError, or a transport made for a file.
    """
    streams = {"stdin": DEVNULL, "stdout": None, "stderr": asyncio.subprocess.STDOUT}
    with spawned(loop, patience, "exit 0", **streams) as (transport, _):  # type: ignore[arg-type]
        assert [transport.get_pipe_transport(fd) for fd in (0, 1, 2, 3)] == [None] * 4
    with spawned(loop, patience, "exit 0", stderr=asyncio.subprocess.STDOUT) as (transport, _):
        assert [transport.get_pipe_transport(fd) for fd in (2, 3, 1000, 1 << 40, -1, -3)] == [None] * 6


@requirement("subprocess.extra-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_the_transport_tells_its_subprocess(loop: Loop, patience: Patience) -> None:
    """get_extra_info('subprocess') gives the subprocess.Popen instance, whose poll() tells the return code at the end.

    If this fails: look for a loop that forks by itself and has no such object to give, or does not tell or keep it.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        popen = transport.get_extra_info("subprocess")
        assert isinstance(popen, subprocess.Popen)
        assert popen.pid == transport.get_pid()
        assert transport.get_extra_info("no such name") is None
        assert transport.get_extra_info("no such name", "default") == "default"
        transport.terminate()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert popen.poll() == -signal.SIGTERM
        assert transport.get_extra_info("subprocess") is popen


@requirement("subprocess.get-protocol", MUST, cite="asyncio-protocol: BaseTransport.get_protocol")
def test_the_protocol_can_be_asked_for(loop: Loop, patience: Patience) -> None:
    """get_protocol() returns the current protocol, also when close() was called: it is told of the end still.

    If this fails: look for the method of the base class, which is not implemented.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        assert transport.get_protocol() is protocol
        transport.close()
        assert transport.get_protocol() is protocol


@requirement("subprocess.set-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@each("before", [b"", b"to the first\n"])
def test_the_protocol_can_be_replaced(loop: Loop, patience: Patience, before: bytes) -> None:
    """set_protocol() sets a new protocol, which get_protocol() returns: it gets the output, the pipes' ends, the exit.

    If this fails: look for callbacks bound to the first protocol when the child was started, or has written something.
    """
    second = ChildEvents()
    with spawned(loop, patience, 'printf %s "$1"; read line; echo $line; echo error >&2', before) as (transport, first):
        patience.run_until(loop, lambda: first.output[1] == before, "the output for the first protocol")
        transport.set_protocol(second)
        got = transport.get_protocol()
        transport.get_pipe_transport(0).write(b"to the second\n")
        seen = handed_over(loop, patience, first, second)
    assert got is second
    assert second.output == {1: b"to the second\n", 2: b"error\n"}
    assert set(seen) == {"connection_made", *["pipe_data_received"] * bool(before)}
    assert first.output[1] == before
    assert sorted(set(second.names)) == [
        "connection_lost", "pipe_connection_lost", "pipe_data_received", "process_exited",
    ]  # fmt: skip
    assert second.names.count("pipe_connection_lost") == 3


@requirement(
    "subprocess.set-protocol-flow",
    MUST,
    cite=("asyncio-protocol: BaseTransport.set_protocol", "asyncio-protocol: BaseProtocol.pause_writing"),
)
def test_the_new_protocol_of_a_child_is_paused(loop: Loop, patience: Patience) -> None:
    """After set_protocol(), it is the new protocol of the child whose pause_writing() and resume_writing() are called.

    If this fails: look for the transport of standard input that has kept the protocol for which the child was started.
    """
    second = ChildEvents()
    with spawned(loop, patience, "exec cat", stdout=DEVNULL, stderr=DEVNULL) as (transport, first):
        transport.set_protocol(second)
        try:
            keep_limits_low(transport.get_pipe_transport(0))
            with stopped(transport):
                transport.get_pipe_transport(0).write(BIG)
                patience.run_until(loop, lambda: second.names + first.names, "pause_writing()")
            patience.run_until(loop, lambda: "resume_writing" in second.names + first.names, "resume_writing()")
        finally:
            transport.set_protocol(first)
    assert second.names == ["pause_writing", "resume_writing"]
    assert "pause_writing" not in first.names


@requirement("subprocess.send-signal", MUST, cite="asyncio-protocol: SubprocessTransport.send_signal")
def test_send_signal_sends_the_signal(loop: Loop, patience: Patience) -> None:
    """send_signal() sends the signal number to the subprocess.

    If this fails: look for a signal that is always SIGTERM, or is it if the number is 0, with which nothing is sent.
    """
    with spawned(loop, patience, "trap 'echo caught; exit 6' USR1; echo ready; while :; do read line; done") as pair:
        transport, protocol = pair
        patience.run_until(loop, lambda: protocol.output[1], "the trap's setting")
        transport.send_signal(0)
        transport.send_signal(signal.SIGUSR1)
        transport.get_pipe_transport(0).write(b"\n")
        patience.run_until(loop, lambda: protocol.exited and b"caught" in protocol.output[1], "the trap")
        assert transport.get_returncode() == 6


@requirement("subprocess.terminate", MUST, cite="asyncio-protocol: SubprocessTransport.terminate")
def test_terminate_sends_sigterm(loop: Loop, patience: Patience) -> None:
    """terminate() sends SIGTERM to the subprocess, and does so again if it is called again.

    If this fails: look for SIGKILL, which leaves the child no chance to tidy up, or a note that it was terminated.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        transport.terminate()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == -signal.SIGTERM
    script = "trap 'trap - TERM; echo first' TERM; echo ready; while :; do sleep 0.01; done"
    with spawned(loop, patience, script) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.output[1] == b"ready\n", "the trap")
        transport.terminate()
        patience.run_until(loop, lambda: protocol.output[1] == b"ready\nfirst\n", "the first signal")
        transport.terminate()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == -signal.SIGTERM


@requirement("subprocess.kill", MUST, cite="asyncio-protocol: SubprocessTransport.kill")
def test_kill_sends_sigkill(loop: Loop, patience: Patience) -> None:
    """kill() sends SIGKILL to the subprocess, also to one that has been stopped.

    If this fails: look for SIGTERM, which a child may ignore, or for terminate() after which kill() does nothing.
    """
    with spawned(loop, patience, "trap '' TERM; echo ignored; read line") as (transport, protocol):
        patience.run_until(loop, lambda: protocol.output[1], "the output")
        transport.terminate()
        transport.kill()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == -signal.SIGKILL
    with spawned(loop, patience, "read line") as (transport, protocol):
        transport.send_signal(signal.SIGSTOP)
        transport.kill()
        patience.run_until(loop, lambda: protocol.exited, "process_exited() of a child that was stopped")
        assert transport.get_returncode() == -signal.SIGKILL


@requirement("subprocess.signal-after-exit", SHOULD, cite="asyncio-protocol: SubprocessTransport.send_signal")
@pytest.mark.parametrize("name", ["terminate", "kill", "send_signal"])
def test_signalling_a_child_that_is_gone_hits_nobody(loop: Loop, patience: Patience, name: str) -> None:
    """After connection_lost(), send_signal(), terminate() and kill() raise ProcessLookupError or do nothing.

    If this fails: look for os.kill() on a number that may belong to another process by now.
    """
    transport = finish(loop, patience, "exit 0").transport
    with contextlib.suppress(ProcessLookupError):
        getattr(transport, name)(*([signal.SIGTERM] if name == "send_signal" else []))
    assert transport.get_returncode() == 0
