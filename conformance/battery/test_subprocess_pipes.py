"""Chapter subprocess: the transports of a child's pipes, each by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import BIG, ChildEvents, spawned, stopped
from conformance.kit.oddities import Word, part
from conformance.kit.patience import Patience, turn
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement
from conformance.unreaped import until_ended

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL
PIPES = "asyncio-protocol: SubprocessTransport.get_pipe_transport"


@requirement("subprocess.stdin-limits", MUST, cite="asyncio-protocol: WriteTransport.set_write_buffer_limits")
def test_standard_input_has_limits_that_can_be_set(loop: Loop, patience: Patience) -> None:
    """The limits of standard input's transport can be set, are told, and decide when the child's protocol is paused.

    Neither of them can be negative, nor low above high; a high of zero forces low to zero. The protocol is paused once,
    until it is resumed.

    If this fails: look for a transport of a kind of its own, whose flow control is fixed, or looks at no argument.
    """
    with spawned(loop, patience, "exec cat", stdout=DEVNULL) as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        for high, low in ((-1, None), (10, -1), (10, 11)):
            with refused():
                stdin.set_write_buffer_limits(high=high, low=low)
        stdin.set_write_buffer_limits(high=0)
        assert stdin.get_write_buffer_limits() == (0, 0)
        stdin.set_write_buffer_limits(2 * len(BIG), 10)
        assert stdin.get_write_buffer_limits() == (10, 2 * len(BIG))
        with stopped(transport):
            stdin.write(BIG)
            turn(loop, 3)
            assert "pause_writing" not in protocol.names
            for _ in range(3):
                stdin.write(BIG)
            patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert stdin.get_write_buffer_size() <= 10
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]


@requirement("subprocess.stdin-buffers", MUST, cite="asyncio-protocol: WriteTransport.write")
def test_standard_input_takes_bytes_like_objects(loop: Loop, patience: Patience) -> None:
    """Standard input's transport takes bytes, bytearrays, memoryviews, and any iterable of them, in their order.

    As for other transports, write() returns None.

    If this fails: look for data that must be bytes, for lines that must be a list or go another way, or are more than
    one system call takes, or for empty data that is taken for the end.
    """
    with spawned(loop, patience, "cat") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        assert stdin.write(b"") is None
        stdin.writelines([])
        assert stdin.write(BIG) is None
        stdin.write(bytearray(b"one "))
        stdin.writelines(iter([b"two ", b"", bytearray(b"three "), memoryview(b"four")]))
        stdin.write(memoryview(b" five"))
        stdin.writelines([b"-"] * 3000)
        patience.run_until(loop, lambda: not stdin.get_write_buffer_size(), "an empty buffer")
        for odd in (Word, part):
            stdin.write(odd(b" and more."))
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == BIG + b"one two three four five" + 3000 * b"-" + 2 * b" and more."


@requirement("subprocess.stdin-rejects-text", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("data", ["text", 5, [b"list"]])
def test_standard_input_refuses_what_is_no_buffer(loop: Loop, patience: Patience, data: Any) -> None:
    """write() of standard input's transport raises TypeError (or AssertionError, as asyncio does) for no data bytes.

    Its writelines() does as well.

    If this fails: look for text that is encoded for the child, or an error that comes when the data is sent.
    """
    with spawned(loop, patience, "cat") as (transport, _):
        stdin = transport.get_pipe_transport(0)
        with pytest.raises((TypeError, AssertionError)):
            stdin.write(data)
        with pytest.raises((TypeError, AssertionError)):
            stdin.writelines([data])


@requirement("subprocess.stdin-abort", MUST, cite="asyncio-protocol: WriteTransport.abort")
@each("closing", [False, True])
def test_aborting_standard_input_drops_what_waits(loop: Loop, patience: Patience, closing: bool) -> None:
    """abort() of standard input's transport does not wait for the child to read: what is buffered is lost.

    So it is if the transport is closing already. pipe_connection_lost() is told None, as an abort() is no error.

    If this fails: look for an abort() that is close(), or one that ends the child, or that makes up an exception.
    """
    waits, goes_on = os.pipe()
    script = 'read line <"/dev/fd/$1"; cat | wc -c'
    with (
        os.fdopen(waits, "rb"),
        os.fdopen(goes_on, "wb", buffering=0) as end,
        spawned(loop, patience, script, str(waits), pass_fds=[waits]) as (transport, protocol),
    ):
        stdin = transport.get_pipe_transport(0)
        stdin.write(BIG)
        if closing:
            stdin.close()
        stdin.abort()
        assert stdin.is_closing()
        end.write(b"\n")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert [call[2] for call in protocol.calls if call[:2] == ("pipe_connection_lost", 0)] == [None]
        assert int(protocol.output[1]) < len(BIG)
        assert transport.get_returncode() == 0


@requirement("subprocess.output-close", MUST, cite=PIPES)
@each("fd", [1, 2])
def test_closing_an_output_closes_nothing_else(loop: Loop, patience: Patience, fd: int) -> None:
    """close() of the transport of stdout or stderr closes that pipe, which is told, and the child goes on without it.

    If this fails: look for an end of one pipe that is taken for the end of the child.
    """
    other = 3 - fd
    script = f"trap '' PIPE; read line; echo gone >&{fd}; echo there >&{other}; read line; exit 6"
    with spawned(loop, patience, script) as (transport, protocol):
        transport.get_pipe_transport(fd).close()
        patience.run_until(loop, lambda: "pipe_connection_lost" in protocol.names, "pipe_connection_lost()")
        assert protocol.calls[1:] == [("pipe_connection_lost", fd, None)]
        transport.get_pipe_transport(0).write(b"\n")
        patience.run_until(loop, lambda: b"there\n" in protocol.output[other], "the other output")
        assert transport.get_returncode() is None
        assert not transport.is_closing()
        transport.get_pipe_transport(0).write(b"\n")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.get_returncode() == 6
        assert fd not in {number for number, output in protocol.output.items() if output}


@requirement("subprocess.stdin-lost-early", SHOULD, cite="asyncio-protocol: SubprocessProtocol.pipe_connection_lost")
def test_a_child_that_closes_its_input_is_noticed(loop: Loop, patience: Patience) -> None:
    """pipe_connection_lost(0, …) is called when the child closes its standard input, also while nothing is written.

    The child goes on, and its outputs are read as before.

    If this fails: look for a pipe whose reader is looked at by writing only, or whose end is taken for that of all.
    """
    script = "trap 'echo out; echo err >&2' USR1; exec <&-; while :; do sleep 0.01; done"
    with spawned(loop, patience, script) as (transport, protocol):
        patience.run_until(loop, lambda: "pipe_connection_lost" in protocol.names, "the end of stdin")
        assert protocol.calls[1][:2] == ("pipe_connection_lost", 0)
        assert transport.get_returncode() is None
        transport.send_signal(signal.SIGUSR1)
        patience.run_until(loop, lambda: protocol.output[1] and protocol.output[2], "both outputs")
        assert protocol.names.count("pipe_connection_lost") == 1


@requirement("subprocess.close-with-grandchild", MUST, cite="asyncio-protocol: SubprocessTransport.close")
@each("last", ["wait", "exit 0"])
def test_close_does_not_wait_for_a_grandchild(loop: Loop, patience: Patience, last: str) -> None:
    """close() closes the transports of the pipes: connection_lost() follows, though a grandchild holds other ends.

    It does so if the child has returned as well.

    If this fails: look for pipes that are marked as closed and read to their end, or for a close() that does nothing
    once there is nobody to kill.
    """
    reading, writing = os.pipe()
    script = f'exec 3<"/dev/fd/$1" 4<&0; (read line <&3) & echo started; {last}'
    try:
        with spawned(loop, patience, script, str(reading), pass_fds=[reading]) as (transport, protocol):
            patience.run_until(loop, lambda: protocol.output[1], "the grandchild's start")
            if last != "wait":
                patience.run_until(loop, lambda: protocol.exited, "process_exited()")
            pipes = [transport.get_pipe_transport(fd) for fd in (0, 1, 2)]
            assert [pipe.is_closing() for pipe in pipes] == [False] * 3
            transport.close()
            assert [pipe.is_closing() for pipe in pipes] == [True] * 3
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            assert protocol.exited
    finally:
        os.close(reading)
        os.close(writing)


@requirement("subprocess.pause-inside", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@each("fd", [1, 2])
def test_output_can_be_paused_as_it_comes(loop: Loop, patience: Patience, fd: int) -> None:
    """After pause_reading() in pipe_data_received() no output of that pipe is passed on until resume_reading().

    If this fails: look for a pipe that is read until nothing is left in it, whatever its protocol said meanwhile.
    """

    class Pauses(ChildEvents):
        paused = early = 0

        def pipe_data_received(self, number: int, data: bytes) -> None:
            super().pipe_data_received(number, data)
            self.early += self.paused
            self.paused = 1
            self.transport.get_pipe_transport(fd).pause_reading()

    # It waits: what has come by the time of connection_made() may be on its way when the first of it is passed on.
    script = f"read line; head -c {len(BIG)} /dev/zero >&{fd}"
    with spawned(loop, patience, script, protocol=Pauses) as (transport, protocol):
        transport.get_pipe_transport(0).write(b"\n")
        while not protocol.lost:
            patience.run_until(loop, lambda: protocol.lost or protocol.paused, "output, or its end")
            turn(loop, 3)
            protocol.paused = 0
            transport.get_pipe_transport(fd).resume_reading()
        assert (protocol.early, protocol.output) == (0, {fd: bytes(len(BIG))})


@requirement("subprocess.write-after-loss-is-quiet", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("noticed", [True, False])
def test_input_for_a_child_that_is_gone_is_dropped(loop: Loop, patience: Patience, noticed: bool) -> None:
    """write() and close() of standard input's transport do not raise when the child has gone, noticed or not.

    If this fails: look for the error of the system that comes out of write(), which knows it before the protocol.
    """
    with spawned(loop, patience, "exit 3") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        if noticed:
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        else:
            with contextlib.suppress(ChildProcessError):  # a thread of the loop may wait for it
                until_ended(transport.get_pid())
        for _ in range(10):
            stdin.write(b"nobody")
        stdin.writelines([b"nobody"])
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        for _ in range(10):
            stdin.write(b"nobody")
        stdin.writelines([b"no", b"body"])
        stdin.write_eof()
        stdin.close()
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1
        assert transport.get_returncode() == 3


@requirement("subprocess.pipes-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
def test_the_pipes_of_a_child_are_closing_when_it_has_ended(loop: Loop, patience: Patience) -> None:
    """is_closing() of the transports of the pipes is false while they are open, and true when they are closed.

    If this fails: look for an answer that is the child's, or that close() alone changes.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        pipes = [transport.get_pipe_transport(fd) for fd in (0, 1, 2)]
        pipes[0].write(BIG)  # so that it is closing for a while
        for closed in ([False] * 3, [False, False, True], [True, False, True]):
            for pipe, close in zip(pipes, closed, strict=True):
                if close:
                    pipe.close()
            assert [pipe.is_closing() for pipe in pipes] == closed
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert [pipe.is_closing() for pipe in pipes] == [True] * 3
