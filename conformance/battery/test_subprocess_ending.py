"""Chapter subprocess: whom an end reaches: the protocol, in the loop's thread, and no process but the child."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import threading
import time
import weakref
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ReactsToChild, finish, handed_over, spawned
from conformance.kit.patience import Patience, turn
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Threads(ChildEvents):
    """Keeps the thread of each call, and the running loop."""

    def __init__(self) -> None:
        super().__init__()
        self.where: dict[str, tuple[int, object]] = {}
        self._note("the factory")

    def _note(self, name: str) -> None:
        self.where[name] = (threading.get_ident(), asyncio.get_running_loop())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._note("connection_made")
        super().connection_made(transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._note("pipe_data_received")
        super().pipe_data_received(fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._note("pipe_connection_lost")
        super().pipe_connection_lost(fd, exc)

    def process_exited(self) -> None:
        self._note("process_exited")
        super().process_exited()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("connection_lost")
        super().connection_lost(exc)


@requirement("subprocess.called-by-the-loop", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_the_protocol_is_called_in_the_loops_thread(loop: Loop, patience: Patience) -> None:
    """An event loop executes all callbacks in its thread: those of a child's protocol too, while the loop runs.

    So it does with the protocol's factory.

    If this fails: look for a thread that waits for the child and calls process_exited() itself.
    """
    protocol = finish(loop, patience, "echo out; exit 1", protocol=_Threads)
    assert len(protocol.where) == 6
    assert set(protocol.where.values()) == {(threading.get_ident(), loop)}


@requirement("subprocess.never-started", MUST, cite="asyncio-protocol: Base Protocol")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_the_protocol_of_a_failed_start_is_not_called(loop: Loop, method: str) -> None:
    """Callbacks are called per successful connection: a protocol whose child could not be started is told nothing.

    If this fails: look for a transport that is made, and closed again, before the program has been executed.
    """
    made: list[ChildEvents] = []

    def factory() -> ChildEvents:
        made.append(ChildEvents())
        return made[-1]

    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(getattr(loop, method)(factory, "/nonexistent/program", executable="/nonexistent/one"))
    turn(loop, 5)
    loop.run_until_complete(asyncio.sleep(0.003))
    assert [name for protocol in made for name in protocol.names] == []


@requirement("subprocess.kills-one", SHOULD, cite=("asyncio-protocol: SubprocessTransport.kill", "subprocess: Popen"))
@each("method", ["kill", "terminate", "send_signal", "close"])
def test_a_grandchild_is_not_killed_with_the_child(loop: Loop, patience: Patience, method: str) -> None:
    """kill(), terminate(), send_signal() and close() are for the subprocess, and for no other process of its group.

    If this fails: look for killpg(), or a negative number, where the child leads a group or a session.
    """
    reading, writing = os.pipe()
    script = 'exec 3<&0; (read line <&3; echo survived >"/dev/fd/$1") & echo started; wait'
    with os.fdopen(reading, "rb", buffering=0) as end:
        try:
            with spawned(loop, patience, script, str(writing), start_new_session=True, pass_fds=[writing]) as child:
                transport, protocol = child
                patience.run_until(loop, lambda: protocol.output[1], "the grandchild's start")
                getattr(transport, method)(*([signal.SIGTERM] if method == "send_signal" else []))
                patience.run_until(loop, lambda: protocol.exited, "process_exited()")
                if method != "close":  # which has ended the grandchild's input
                    transport.get_pipe_transport(0).write(b"\n")
        finally:
            os.close(writing)
        assert end.read() == b"survived\n"


@requirement("subprocess.close-unread", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("debug", [False, True])
def test_what_is_unread_at_close_is_not_passed_on(loop: Loop, patience: Patience, debug: bool) -> None:
    """After close() no more data will be received: what the child has written, and nobody has read, is dropped.

    If this fails: look for pipes that are read to their end before they are closed.
    """
    loop.set_debug(debug)
    told, tell = os.pipe()
    with os.fdopen(told, "rb", buffering=0) as end:
        try:
            script = 'read line; echo out; echo err >&2; echo written >"/dev/fd/$1"; read line'
            with spawned(loop, patience, script, str(tell), pass_fds=[tell]) as (transport, protocol):
                for fd in (1, 2):
                    transport.get_pipe_transport(fd).pause_reading()
                transport.get_pipe_transport(0).write(b"\n")
                patience.run_until(loop, lambda: select.select([end], [], [], 0)[0], "what the child wrote")
                assert end.read(8) == b"written\n"
                transport.close()
                patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
                turn(loop, 2)
        finally:
            os.close(tell)
    assert "pipe_data_received" not in protocol.names


@requirement("subprocess.write-when-made", MUST, cite="asyncio-protocol: WriteTransport.write")
@each("data", [b"all", bytes(300_000)], ids=["few", "many"])
def test_input_may_be_written_when_the_connection_is_made(loop: Loop, patience: Patience, data: bytes) -> None:
    """write() and close() of standard input's transport may be called in connection_made(): the child reads it all.

    If this fails: look for pipes that work only when the protocol has been told of them.
    """

    class Writes(ChildEvents):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            stdin = transport.get_pipe_transport(0)
            stdin.write(data)
            stdin.close()

    with spawned(loop, patience, "cat", protocol=Writes) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert (transport.get_returncode(), protocol.output[1]) == (0, data)


@requirement("subprocess.pipes-extra-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_the_transports_of_the_pipes_tell_their_pipes(loop: Loop, patience: Patience) -> None:
    """get_extra_info('pipe') of the transports of stdin, stdout and stderr gives a pipe object, each its own.

    For what they do not know they give the default.

    If this fails: look for transports of a child's pipes that are not those of connect_read_pipe().
    """
    with spawned(loop, patience, "read line") as (transport, _):
        pipes: list[Any] = [transport.get_pipe_transport(fd).get_extra_info("pipe") for fd in (0, 1, 2)]
        numbers = {pipe.fileno() for pipe in pipes}
        assert len(numbers) == 3
        assert not numbers & {0, 1, 2}
        for fd in (0, 1, 2):
            assert transport.get_pipe_transport(fd).get_extra_info("no such name", "default") == "default"


@requirement("subprocess.set-protocol-when-made", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_a_child_may_change_hands_as_it_is_made(loop: Loop, patience: Patience) -> None:
    """set_protocol() inside connection_made() of a child takes effect: all that comes then is told to the new protocol.

    If this fails: look for callbacks that are bound before the first of them is called.
    """
    second = ChildEvents()
    replaced = lambda: ReactsToChild("connection_made", lambda child: child.set_protocol(second))  # noqa: E731
    with spawned(loop, patience, "read line; echo", protocol=replaced) as (transport, first):
        transport.get_pipe_transport(0).write(b"\n")
        seen = handed_over(loop, patience, first, second)
    assert seen == ["connection_made"]
    assert second.output[1] == b"\n"
    assert (second.exited, second.names.count("pipe_connection_lost")) == (True, 3)


@requirement("subprocess.wait-before-pipes", SHOULD, cite=("asyncio-subprocess: subprocess.Process.wait", "gh-119710"))
def test_wait_does_not_wait_for_the_pipes(loop: Loop, patience: Patience) -> None:
    """wait() waits for the child process to terminate: not for a grandchild that holds its output open.

    If this fails: look for a wait that ends with connection_lost(), which comes when the last pipe has ended.
    """

    script = "read line; exec 3<&0; cat <&3 & exit 4"
    process = loop.run_until_complete(asyncio.create_subprocess_exec("/bin/sh", "-c", script, stdin=PIPE, stdout=PIPE))
    assert process.stdin is not None
    assert process.stdout is not None
    waiting = loop.create_task(process.wait())
    try:
        turn(loop, 2)
        process.stdin.write(b"\n")
        patience.run_until(loop, lambda: process.returncode is not None, "the child's end")
        patience.in_turns.run_until(loop, waiting.done, "the end of wait()")
        assert waiting.result() == 4
        process.stdin.write(b"from the grandchild")
    finally:
        waiting.cancel()
        process.stdin.close()
        output = loop.run_until_complete(asyncio.wait_for(process.stdout.read(), patience.seconds))
    assert output == b"from the grandchild"


@requirement("subprocess.collected-kills", MUST, cite="asyncio-eventloop: loop.subprocess_exec", needs=("shell",))
@each("closed", [False, True], ids=["open loop", "closed loop"])
def test_a_child_is_killed_when_its_transport_is_collected(
    make_loop: Factory, patience: Patience, watch: Any, closed: bool
) -> None:
    """If the transport is garbage collected, the child process is killed if it is still running.

    A loop may keep the transport until the child has ended, also when it was closed itself: nothing is asked then.

    If this fails: look for a finalizer that frees what the transport has, and leaves the child to itself.
    """
    # A ResourceWarning, as the transport was not closed; and what a loop forgets that was closed before it.
    watch.allow("unraisable", "descriptor")
    loop = make_loop()
    reading, writing = os.pipe()  # which has ended when the child has
    try:
        starting = loop.subprocess_exec(
            asyncio.SubprocessProtocol, "/bin/sh", "-c", "exec sleep 3600", pass_fds=[writing],
            stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        try:
            transport: Any = loop.run_until_complete(starting)[0]
        finally:
            os.close(writing)
        pid, collected = transport.get_pid(), _collected(transport)
        del transport, starting
        turn(loop, 3)
        if closed:
            loop.close()
        gc.collect()
        try:
            if collected():
                patience.until(lambda: _ended(reading), "the end of the child")
        finally:
            if not _ended(reading):
                os.kill(pid, signal.SIGKILL)
            if _ended(reading, patience.seconds):
                _see_off(loop, pid)
    finally:
        os.close(reading)


def _ended(reading: int, seconds: float = 0) -> bool:
    """Whether nobody has the other end of the pipe any more, to which nothing is written."""
    return bool(select.select([reading], [], [], seconds)[0])


def _see_off(loop: Loop, pid: int) -> None:
    """Leave no zombie of a child that has ended: the loop may wait for it, but nothing says that it does."""
    with contextlib.suppress(ChildProcessError):
        for _ in range(100 if hasattr(os, "waitid") else 0):  # macOS has none before Python 3.13
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            time.sleep(0.001)
            if not loop.is_closed():
                turn(loop)
        os.waitpid(pid, 0)


def _collected(transport: Any) -> Callable[[], bool]:
    """Whether the transport is known to be gone: of one that cannot be referred to weakly nobody knows."""
    try:
        reference = weakref.ref(transport)
    except TypeError:
        return lambda: False
    return lambda: reference() is None
