"""Chapter subprocess: bytes to and from a child: its output in order, the end of its input, and pauses of both."""

from __future__ import annotations

import asyncio
import contextlib

from conformance.kit.cases import each
from conformance.kit.children import BIG, ChildEvents, finish, spawned, stopped
from conformance.kit.patience import Patience
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement
from conformance.unreaped import until_ended

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL


@requirement("subprocess.pipe-data-fd", MUST, cite="asyncio-protocol: SubprocessProtocol.pipe_data_received")
def test_output_comes_with_the_number_of_its_stream(loop: Loop, patience: Patience) -> None:
    """pipe_data_received(fd, data) is called when the child writes; fd is the integer descriptor in the child: 1 or 2.

    If this fails: look for the parent's own descriptors given instead.
    """
    protocol = finish(loop, patience, "echo out; echo err >&2")
    assert protocol.output == {1: b"out\n", 2: b"err\n"}


@requirement("subprocess.pipe-data-bytes", MUST, cite="asyncio-protocol: SubprocessProtocol.pipe_data_received")
def test_output_is_non_empty_bytes(loop: Loop, patience: Patience) -> None:
    """data is a non-empty bytes object containing the received data, as it is: nothing is taken for text.

    If this fails: look for a bytearray, perhaps only if there is much, for an empty read at the end of the stream, or
    for ends of lines that are translated.
    """
    protocol = finish(loop, patience, "echo out; echo err >&2; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
    chunks = [call[2] for call in protocol.calls if call[0] == "pipe_data_received"]
    assert {call[1] for call in protocol.calls if call[0] == "pipe_data_received"} == {1, 2}
    assert all(type(chunk) is bytes and chunk for chunk in chunks)
    lines = b"\xef\xbb\xbfone\r\ntwo\n\rthree\r\n\x1a\0\n"
    with spawned(loop, patience, "cat") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        stdin.write(lines)
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == lines


@requirement("subprocess.pipe-data-complete", MUST, cite="asyncio-protocol: SubprocessProtocol.pipe_data_received")
def test_all_output_arrives_in_order(loop: Loop, patience: Patience) -> None:
    """Everything that the child wrote arrives, in its order, however much it is, and before connection_lost().

    If this fails: look for pipes that are closed when the process ends, with data still in them.
    """
    with spawned(loop, patience, "cat") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        stdin.write(BIG)
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert bytes(protocol.output[1]) == BIG
        assert protocol.names[-1] == "connection_lost"


@requirement("subprocess.output-after-exit", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
@each(("end", "code"), [("exit 2", 2), ("kill -KILL $$", -9)])
def test_output_of_a_child_that_is_already_gone_is_read(loop: Loop, patience: Patience, end: str, code: int) -> None:
    """What a child wrote before it exited is still delivered when the loop looks only after its end.

    If this fails: look for a hang-up on the pipe that is handled before the data in it, or for pipes that are closed
    when the child is seen to have ended.
    """
    with spawned(loop, patience, f"echo last words; {end}", stdin=DEVNULL) as (transport, protocol):
        with contextlib.suppress(ChildProcessError):  # it has ended, and the loop knows
            until_ended(transport.get_pid())
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == b"last words\n"
        assert transport.get_returncode() == code
    with spawned(loop, patience, f"read line; echo last words; {end}") as (transport, protocol):
        stdin, stdout = map(transport.get_pipe_transport, (0, 1))
        stdout.pause_reading()
        stdin.write(b"\n")
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        stdout.resume_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == b"last words\n"


@requirement("subprocess.stdin-eof", MUST, cite="asyncio-protocol: SubprocessTransport.get_pipe_transport")
@each("data", [b"all", BIG])
@each("method", ["close", "write_eof"])
def test_ending_stdin_is_the_end_of_the_childs_input(loop: Loop, patience: Patience, method: str, data: bytes) -> None:
    """After close() or write_eof() of standard input's transport, the child reads what was written, and then the end.

    If this fails: look for a copy of the pipe's write end that the parent, or the child itself, keeps open, or for an
    end that does not wait for what is buffered.
    """
    with spawned(loop, patience, "cat; echo end") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        assert stdin.can_write_eof() is True
        stdin.write(data)
        getattr(stdin, method)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == data + b"end\n"


@requirement("subprocess.pipes-not-shared", MUST, cite=("subprocess: Popen", "PEP 446: Rationale"))
@each("close_fds", [True, False])
def test_a_child_does_not_hold_the_pipes_of_another(loop: Loop, patience: Patience, close_fds: bool) -> None:
    """A child inherits no pipe of a child that was started before: closing the first one's stdin ends it.

    If this fails: look for pipe ends that are inheritable between their making and the start.
    """
    second = spawned(loop, patience, "read line", close_fds=close_fds)
    with spawned(loop, patience, "cat") as (first, protocol), second:
        first.get_pipe_transport(0).close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost() of the first child")
        assert first.get_returncode() == 0


def _until_told(loop: Loop, patience: Patience, protocol: ChildEvents, name: str, times: int) -> None:
    patience.run_until(loop, lambda: protocol.names.count(name) == times, f"{name}()")


@requirement("subprocess.pause-writing", MUST, cite="asyncio-protocol: BaseProtocol.pause_writing")
@each("how", ["write", "writelines"])
def test_a_child_that_does_not_read_pauses_the_writer(loop: Loop, patience: Patience, how: str) -> None:
    """pause_writing() is called when standard input's buffer passes its limit, resume_writing() when it has drained.

    They are called in pairs, as often as that happens.

    If this fails: look for flow control that ends at the pipe's transport and does not reach the child's protocol, that
    works once, or for writelines() that leaves it out.
    """
    with spawned(loop, patience, "exec cat", stdout=DEVNULL) as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        keep_limits_low(stdin)
        for times in (1, 2, 3):
            with stopped(transport):
                stdin.write(BIG) if how == "write" else stdin.writelines([b"first", BIG])
                _until_told(loop, patience, protocol, "pause_writing", times)
            _until_told(loop, patience, protocol, "resume_writing", times)
            assert protocol.names[1:] == ["pause_writing", "resume_writing"] * times


@requirement("subprocess.pause-reading", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@each("fd", [1, 2])
def test_reading_the_output_can_be_paused(loop: Loop, patience: Patience, fd: int) -> None:
    """pause_reading() of stdout's or stderr's transport stops pipe_data_received(), resume_reading() starts it again.

    Both are idempotent, and is_reading() says which was last. The other output goes on meanwhile.

    If this fails: look for a pipe that is always read to its end, for a count of pauses, or one pause for both pipes.
    """
    other = 3 - fd
    with spawned(loop, patience, f"read line; echo out >&{fd}; echo on >&{other}") as (transport, protocol):
        output = transport.get_pipe_transport(fd)
        output.pause_reading()
        output.pause_reading()
        output.resume_reading()
        output.resume_reading()
        assert output.is_reading() is True
        output.pause_reading()
        assert output.is_reading() is False
        output.pause_reading()
        assert transport.get_pipe_transport(other).is_reading() is True
        transport.get_pipe_transport(0).write(b"\n")
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        patience.run_until(loop, lambda: protocol.output, "the other output")
        assert protocol.output == {other: b"on\n"}
        output.resume_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output == {fd: b"out\n", other: b"on\n"}


@requirement("subprocess.pause-closed", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@each("fd", [1, 2])
@each("paused", [False, True])
def test_a_closed_output_can_be_paused(loop: Loop, patience: Patience, fd: int, paused: bool) -> None:
    """pause_reading() of stdout's or stderr's transport can be called when that is closed, also after a pause.

    If this fails: look for a method that first asks whether the pipe is still open, and raises an error.
    """
    with spawned(loop, patience, "exit 0") as (transport, protocol):
        output = transport.get_pipe_transport(fd)
        if paused:
            output.pause_reading()
        output.close()
        output.pause_reading()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        output.pause_reading()
        assert output.is_reading() is False


@requirement("subprocess.resume-closed", SHOULD, cite="asyncio-protocol: ReadTransport.resume_reading")
@each("fd", [1, 2])
def test_a_closed_output_can_be_resumed(loop: Loop, patience: Patience, fd: int) -> None:
    """resume_reading() of stdout's or stderr's transport does nothing when that is closed.

    If this fails: look for an error that a closed pipe raises, or for a descriptor that is watched again after close().
    """
    with spawned(loop, patience, "exit 0") as (transport, protocol):
        output = transport.get_pipe_transport(fd)
        output.pause_reading()
        output.close()
        output.resume_reading()
        assert output.is_reading() is False
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        output.resume_reading()
        assert output.is_reading() is False
    assert "pipe_data_received" not in protocol.names
