"""Chapter subprocess: the ends and the closing of a child and its pipes, as its protocol sees them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import BIG, ChildEvents, finish, spawned
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement
from conformance.unreaped import until_ended

Loop = asyncio.AbstractEventLoop
Factory = Callable[[], Loop]
DEVNULL = asyncio.subprocess.DEVNULL


@requirement("subprocess.pipe-lost", MUST, cite="asyncio-protocol: SubprocessProtocol.pipe_connection_lost")
def test_every_pipe_says_that_it_is_lost(loop: Loop, patience: Patience) -> None:
    """pipe_connection_lost(fd, exc) is called once for each pipe that is closed; fd is the descriptor that was closed.

    If this fails: look for one call for all, or none for standard input.
    """
    protocol = finish(loop, patience, "exit 0", stdin=asyncio.subprocess.PIPE)
    assert sorted(call[1] for call in protocol.calls if call[0] == "pipe_connection_lost") == [0, 1, 2]


@requirement("subprocess.pipe-lost-reason", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each("script", ["echo out", "echo out; exit 3", "kill -KILL $$"])
def test_a_pipe_that_ends_has_no_error(loop: Loop, patience: Patience, script: str) -> None:
    """At a regular end of the output, exc of pipe_connection_lost() and of connection_lost() is None.

    If this fails: look for the end of the file, or the child's own code, reported as an error.
    """
    protocol = finish(loop, patience, script)
    assert [call[-1] for call in protocol.calls if "connection_lost" in call[0]] == [None, None, None]


@requirement("subprocess.pipe-lost-early", MUST, cite="asyncio-protocol: SubprocessProtocol.pipe_connection_lost")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_a_stream_that_the_child_closes_is_lost_while_it_runs(loop: Loop, patience: Patience, method: str) -> None:
    """pipe_connection_lost() is called when a pipe is closed, with that one's number, also while the child goes on.

    If this fails: look for pipes that are looked at only when the process has ended, or whose numbers are exchanged.
    """
    script = "exec >&-; read line"
    arguments = ["/bin/sh", "-c", script] if method == "subprocess_exec" else [script]
    transport, protocol = loop.run_until_complete(getattr(loop, method)(ChildEvents, *arguments))
    try:
        patience.run_until(loop, lambda: "pipe_connection_lost" in protocol.names, "the end of stdout")
        assert protocol.calls[1:] == [("pipe_connection_lost", 1, None)]
        assert transport.get_returncode() is None
    finally:
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("subprocess.exited-once", MUST, cite="asyncio-protocol: SubprocessProtocol.process_exited")
@each("script", ["exit 0", "exit 1", "kill -KILL $$"])
def test_process_exited_is_called_once(loop: Loop, patience: Patience, script: str) -> None:
    """process_exited() is called, once, when the child process has exited.

    If this fails: look for a child that is noticed by two ways, or by none when it has no pipes.
    """
    protocol = finish(loop, patience, script, stdout=DEVNULL, stderr=DEVNULL)
    assert protocol.names == ["connection_made", "process_exited", "connection_lost"]


@requirement("subprocess.exited-with-code", MUST, cite="asyncio-protocol: SubprocessTransport.get_returncode")
@each(("script", "code"), [("exit 9", 9), ("exit 0", 0), ("read line", -9)])
def test_the_code_is_known_in_process_exited(loop: Loop, patience: Patience, script: str, code: int) -> None:
    """When process_exited() is called the process has returned: get_returncode() gives its code.

    If this fails: look for a code that is stored after the callback, or for a code of 0 that is taken for none.
    """

    class Looks(ChildEvents):
        def process_exited(self) -> None:
            super().process_exited()
            self.code = self.transport.get_returncode()

    with spawned(loop, patience, script, protocol=Looks) as (transport, protocol):
        if code == -9:
            transport.close()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert protocol.code == code


@requirement("subprocess.exited-before-lost", MUST, cite="PEP 3156: Subprocess Protocol")
def test_connection_lost_comes_last(loop: Loop, patience: Patience) -> None:
    """connection_lost() is called once, after process_exited() and after the last pipe_connection_lost().

    If this fails: look for the end of the process taken for the end of its output, or the other way round.
    """
    protocol = finish(loop, patience, "echo out; exit 1", stdin=asyncio.subprocess.PIPE)
    assert protocol.names[-1] == "connection_lost"
    assert protocol.names.count("connection_lost") == 1
    assert {"process_exited", "pipe_connection_lost"} < set(protocol.names)
    with spawned(loop, patience, "exec <&- >&- 2>&-; exec sleep 1000") as (transport, protocol):
        loop.run_until_complete(asyncio.sleep(0.01))
        assert not protocol.lost, "while the child runs, without pipes"
        transport.kill()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.exited


@requirement("subprocess.exited-before-pipes", MUST, cite="asyncio-protocol: SubprocessProtocol.process_exited")
def test_process_exited_does_not_wait_for_the_pipes(loop: Loop, patience: Patience) -> None:
    """process_exited() is called when the child has exited, though a grandchild still holds its output open.

    If this fails: look for an end that is noticed only by the end of the output.
    """
    with spawned(loop, patience, "exec 3<&0; cat <&3 & exit 4") as (transport, protocol):
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == 4
        loop.run_until_complete(asyncio.sleep(0.003))
        assert not protocol.lost
        stdin = transport.get_pipe_transport(0)
        stdin.write(b"from the grandchild")
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.output[1] == b"from the grandchild"


@requirement("subprocess.close-kills", MUST, cite="asyncio-protocol: SubprocessTransport.close")
@each(("script", "waiting"), [("trap '' TERM PIPE HUP; while :; do sleep 10; done", b""), ("kill -STOP $$", BIG)])
def test_close_kills_a_child_that_runs(loop: Loop, patience: Patience, script: str, waiting: bytes) -> None:
    """close() kills the subprocess by calling kill() if it hasn't returned yet, also if it has not read its input.

    If this fails: look for SIGTERM, or a child that is left alone with closed pipes, or with what it does not read.
    """
    with spawned(loop, patience, script) as (transport, protocol):
        transport.get_pipe_transport(0).write(waiting)
        transport.close()
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        assert transport.get_returncode() == -9


@requirement("subprocess.close-pipes", MUST, cite="asyncio-protocol: SubprocessTransport.close")
def test_close_closes_the_pipes(loop: Loop, patience: Patience) -> None:
    """close() closes the transports of the stdin, stdout and stderr pipes.

    If this fails: look for pipes that stay open as long as a grandchild holds the other end.
    """
    with spawned(loop, patience, "read line") as (transport, _):
        pipes = [transport.get_pipe_transport(fd) for fd in (0, 1, 2)]
        transport.close()
        assert [pipe.is_closing() for pipe in pipes] == [True] * 3


@requirement("subprocess.close-lost", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("debug", [False, True])
def test_connection_lost_follows_close(loop: Loop, patience: Patience, debug: bool) -> None:
    """After close(), process_exited() and then connection_lost(None) are still called: this side has closed the pipes.

    If this fails: look for a watch over the child that close() ends too early, which leaves a zombie.
    """
    loop.set_debug(debug)
    with spawned(loop, patience, "read line") as (transport, protocol):
        transport.close()
        assert not protocol.lost
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.exited
        assert [call[-1] for call in protocol.calls if "connection_lost" in call[0]] == [None] * 4
        assert protocol.names[-1] == "connection_lost"


@requirement("subprocess.is-closing", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
def test_is_closing_says_whether_close_was_called(loop: Loop, patience: Patience) -> None:
    """is_closing() is false while the child runs, and true as soon as close() was called, and when it is closed.

    If this fails: look for a flag that is set only when the process has ended, or already when its pipes have.
    """
    with spawned(loop, patience, "read line") as (transport, protocol):
        before = transport.is_closing()
        transport.close()
        assert (before, transport.is_closing()) == (False, True)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.is_closing() is True
    with spawned(loop, patience, "exec <&- >&- 2>&-; exec sleep 60") as (transport, protocol):
        patience.run_until(loop, lambda: protocol.names.count("pipe_connection_lost") >= 2, "the ends of the outputs")
        turn(loop, 3)
        assert transport.is_closing() is False


@requirement("subprocess.close-again", MUST, cite="asyncio-protocol: SubprocessTransport.close")
def test_closing_what_has_returned_is_harmless(loop: Loop, patience: Patience) -> None:
    """close() after the end, or a second time, has no effect: nothing is killed if the subprocess has returned.

    So it is when the loop has not seen the end yet (its code may be lost then, for 255, as for asyncio it is).

    If this fails: look for a kill of a number that may belong to another process by now, or for the code of what was
    about to be killed.
    """
    protocol = finish(loop, patience, "exit 3")
    calls = list(protocol.calls)
    protocol.transport.close()
    protocol.transport.close()
    loop.run_until_complete(asyncio.sleep(0.001))
    assert protocol.calls == calls
    assert protocol.transport.get_returncode() == 3
    with spawned(loop, patience, "read line; exit 3") as (transport, unseen):
        transport.get_pipe_transport(0).write(b"\n")
        with contextlib.suppress(ChildProcessError):  # another thread of the loop may wait for it as well
            until_ended(transport.get_pid())
        transport.close()
        patience.run_until(loop, lambda: unseen.lost, "connection_lost()")
        assert unseen.names.count("process_exited") == 1
        assert transport.get_returncode() in (3, 255)


@requirement("subprocess.no-zombie", MUST, cite="asyncio-subprocess: subprocess.Process.wait")
def test_a_child_that_has_ended_is_waited_for(loop: Loop, patience: Patience) -> None:
    """When connection_lost() was called, the child has been waited for: no zombie is left.

    If this fails: look for an end that is read from a pidfd or a signal without waitpid().
    """
    protocol = finish(loop, patience, "exit 0")
    with pytest.raises(ChildProcessError):
        os.waitpid(protocol.transport.get_pid(), os.WNOHANG)


@requirement("subprocess.waited-for-by-others", SHOULD, cite="asyncio-protocol: SubprocessProtocol.process_exited")
@each("who", ["somebody", "the system"])
def test_a_child_that_others_have_waited_for_has_ended(make_loop: Factory, patience: Patience, who: str) -> None:
    """process_exited() is called when the child has exited, also if somebody else has waited for it.

    The system itself does, if SIGCHLD was ignored when the program began. What the child returned may be lost then:
    which code is told is left open.

    If this fails: look for an error of waitpid() after which nothing is told, or for ends that only SIGCHLD tells.
    """
    before = signal.getsignal(signal.SIGCHLD)
    if who == "the system":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    loop = make_loop()
    try:
        with spawned(loop, patience, "exec sleep 60") as (transport, protocol):
            os.kill(transport.get_pid(), signal.SIGKILL)
            if who == "somebody":
                with contextlib.suppress(ChildProcessError):  # a thread of the loop may have been faster
                    os.waitpid(transport.get_pid(), 0)
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            assert protocol.names.count("process_exited") == 1
            assert transport.get_returncode() is not None
    finally:
        loop.close()
        signal.signal(signal.SIGCHLD, before)


@requirement("subprocess.other-children", SHOULD, cite="asyncio-policy: SafeChildWatcher")
def test_children_of_others_are_left_alone(loop: Loop, patience: Patience) -> None:
    """The loop waits for its own children only: a subprocess.Popen of the program keeps its return code.

    If this fails: look for waitpid(-1), which takes every child's status.
    """
    other = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
    until_ended(other.pid)
    finish(loop, patience, "exit 0")
    assert other.wait() == 7


@requirement("subprocess.many", MUST, cite="asyncio-subprocess: §Subprocesses")
def test_many_children_run_at_once(loop: Loop, patience: Patience) -> None:
    """Multiple subprocesses run in parallel, and each keeps its own output and return code, whichever ends first.

    If this fails: look for one SIGCHLD that stands for several children, statuses given to the wrong one, or ends that
    are told in the order of the starts.
    """

    async def start() -> list[Any]:
        scripts = [f"read line; echo {number}; exit {number}" for number in range(12)]
        return await asyncio.gather(*(loop.subprocess_exec(ChildEvents, "/bin/sh", "-c", s) for s in scripts))

    pairs = loop.run_until_complete(start())
    last, last_protocol = pairs.pop()
    last.get_pipe_transport(0).write(b"go\n")
    patience.run_until(loop, lambda: last_protocol.exited, "process_exited() of the child that was started last")
    for transport, _ in pairs:
        transport.get_pipe_transport(0).write(b"go\n")
    pairs.append((last, last_protocol))
    patience.run_until(loop, lambda: all(protocol.lost for _, protocol in pairs), "every connection_lost()")
    seen = [(transport.get_returncode(), int(protocol.output[1])) for transport, protocol in pairs]
    for transport, _ in pairs:
        transport.close()
    assert seen == [(number, number) for number in range(12)]
