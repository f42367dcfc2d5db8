"""Chapter subprocess: what a protocol does to its child inside the callbacks that tell of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ReactsToChild, handed_over, spawned
from conformance.kit.patience import Patience
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "subprocess.signal-inside",
    MUST,
    cite=(
        "asyncio-protocol: SubprocessTransport.send_signal",
        "asyncio-protocol: SubprocessTransport.terminate",
        "asyncio-protocol: SubprocessTransport.kill",
    ),
)
@each("method", ["kill", "terminate", "send_signal"])
@each("where", ["connection_made", "pipe_data_received"])
def test_a_callback_may_send_a_signal(loop: Loop, patience: Patience, method: str, where: str) -> None:
    """kill(), terminate() and send_signal() may be called by a callback of the protocol: the child gets the signal.

    If this fails: look for a child that is known to the transport only when the callback has returned.
    """
    number = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "send_signal": signal.SIGUSR1}[method]
    arguments = (number,) if method == "send_signal" else ()
    inside = lambda: ReactsToChild(where, lambda child: getattr(child, method)(*arguments), once=True)  # noqa: E731
    with spawned(loop, patience, "echo out; read line", protocol=inside) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.lost, "connection_lost() of a child that got a signal")
        assert transport.get_returncode() == -number


@requirement(
    "subprocess.write-inside",
    MUST,
    cite=("asyncio-protocol: WriteTransport.write", "asyncio-protocol: SubprocessProtocol.pipe_data_received"),
)
@each("fd", [1, 2])
def test_a_callback_may_answer_the_child(loop: Loop, patience: Patience, fd: int) -> None:
    """write() of standard input's transport may be called in pipe_data_received(): the child reads each answer.

    If this fails: look for input that is sent, or for a pipe that is watched, only when the callback was not called.
    """
    numbers = itertools.count(1)

    def answer(child: Any) -> None:
        child.get_pipe_transport(0).write(b"%d\n" % next(numbers))

    script = f"echo 0 >&{fd}; while read count; do test $count = 4 && exit 9; echo $count >&{fd}; done"
    inside = lambda: ReactsToChild("pipe_data_received", answer)  # noqa: E731
    with spawned(loop, patience, script, protocol=inside) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.lost, "connection_lost() of a child that was answered")
        assert (transport.get_returncode(), protocol.output) == (9, {fd: b"0\n1\n2\n3\n"})


@requirement("subprocess.set-protocol-inside", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_a_callback_may_replace_the_protocol(loop: Loop, patience: Patience) -> None:
    """set_protocol() inside pipe_data_received() takes effect: all that follows is told to the new protocol.

    If this fails: look for a protocol that is kept while it is being called.
    """
    second = ChildEvents()

    def replace(child: Any) -> None:
        if child.get_protocol().output[1] != b"one\n":
            return  # the rest of it is to come
        child.set_protocol(second)
        assert child.get_protocol() is second
        child.get_pipe_transport(0).write(b"on\n")

    inside = lambda: ReactsToChild("pipe_data_received", replace)  # noqa: E731
    with spawned(loop, patience, "echo one; read line; echo two", protocol=inside) as (_, first):
        seen = handed_over(loop, patience, first, second)
    assert set(seen) == {"connection_made", "pipe_data_received"}
    assert first.output == {1: b"one\n"}
    assert second.output == {1: b"two\n"}
    assert second.names.count("process_exited") == second.names.count("connection_lost") == 1


@requirement("subprocess.told-later", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
@each("way", ["close", "kill", 0, 1, 2])
def test_the_ends_of_a_child_are_told_by_the_loop(loop: Loop, patience: Patience, way: str | int) -> None:
    """close() and kill() return before a callback is called, and so does close() of a pipe's transport.

    If this fails: look for a callback delivered on the caller's stack: no callback starts while another is running.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        if isinstance(way, str):
            getattr(transport, way)()
        else:
            transport.get_pipe_transport(way).close()
        assert protocol.names == ["connection_made"]
        told = "connection_lost" if isinstance(way, str) else "pipe_connection_lost"
        patience.run_until(loop, lambda: told in protocol.names, told)


@requirement("subprocess.loss-told-later", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
def test_input_that_nobody_reads_returns_before_that_is_told(loop: Loop, patience: Patience) -> None:
    """write() of standard input's transport returns before pipe_connection_lost() is called, if the child has gone.

    If this fails: look for an error of the system call that is told where it was found, on the caller's stack.
    """
    with spawned(loop, patience, "exec sleep 100") as (transport, protocol):
        os.kill(transport.get_pid(), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the loop may have a thread that was quicker
            os.waitid(os.P_PID, transport.get_pid(), os.WEXITED | os.WNOWAIT)
        transport.get_pipe_transport(0).write(b"for nobody")
        assert "pipe_connection_lost" not in protocol.names
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert [call[1] for call in protocol.calls if call[0] == "pipe_connection_lost"].count(0) == 1
