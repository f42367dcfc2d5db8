"""Chapter debug: children and pipes are in debug mode what they are without it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import spawned
from conformance.kit.patience import Patience
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, lost, reading, writing
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
DEBUG = "asyncio-dev: Debug Mode"
STDOUT = asyncio.subprocess.STDOUT
_CHILDREN = (DEBUG, "asyncio-eventloop: loop.subprocess_exec")
_PIPES = (DEBUG, "asyncio-eventloop: loop.connect_read_pipe", "asyncio-eventloop: loop.connect_write_pipe")


@requirement("debug.children", MUST, cite=_CHILDREN, needs=("shell",))
@each("how", [{}, {"stderr": STDOUT}], ids=["pipes", "one-pipe"])
def test_children_run_in_debug_mode(loop: Loop, patience: Patience, how: dict[str, Any]) -> None:
    """In debug mode a child gets its input, gives its outputs and its return code, and ends, as without it.

    If this fails: look for a log line about a start or an end that stands where the start or the end should be.
    """
    loop.set_debug(True)
    script = 'read line; echo "$line"; echo error >&2; exit 3'
    with spawned(loop, patience, script, **how) as (transport, protocol):
        transport.get_pipe_transport(0).write(b"line\n")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        outputs = {1: b"line\nerror\n"} if how else {1: b"line\n", 2: b"error\n"}
        assert protocol.output == outputs
        assert transport.get_returncode() == 3
        pipes = sorted(call[1] for call in protocol.calls if call[0] == "pipe_connection_lost")
        assert pipes == ([0, 1] if how else [0, 1, 2])
        assert protocol.names.count("process_exited") == 1


@requirement("debug.children-end", MUST, cite=(DEBUG, "asyncio-protocol: SubprocessTransport.close"), needs=("shell",))
@each("end", ["terminate", "kill", "close"])
def test_children_are_ended_in_debug_mode(loop: Loop, patience: Patience, end: str) -> None:
    """In debug mode terminate() and kill() send their signals, and close() kills a child that runs, as without it.

    If this fails: look for a close() of a child that runs which warns of it, and leaves it at that.
    """
    loop.set_debug(True)
    with spawned(loop, patience, "exec sleep 60") as (transport, protocol):
        getattr(transport, end)()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.get_returncode() == -(signal.SIGTERM if end == "terminate" else signal.SIGKILL)


@requirement("debug.pipes", MUST, cite=_PIPES)
def test_pipes_are_used_in_debug_mode(loop: Loop, patience: Patience) -> None:
    """In debug mode pipes are read, paused and written to as without it, and their ends are told.

    If this fails: look for a log line about a pipe's end that stands where the callback should be.
    """
    loop.set_debug(True)
    with reading(loop) as (transport, protocol, _, end):
        transport.pause_reading()
        transport.resume_reading()
        sending = in_thread(lambda: os.write(end.number, BIG))
        patience.run_until(loop, lambda: len(protocol.received) == len(BIG), "the data")
        assert sending.result() == len(BIG)
        end.close()
        lost(loop, patience, protocol)
        assert bytes(protocol.received) == BIG
        assert protocol.names[-2:] == ["eof_received", "connection_lost"]
    with writing(loop) as (transport, protocol, _, end):
        transport.write(BIG)
        transport.close()
        assert drive(loop, patience, in_thread(end.read_all)) == BIG
        lost(loop, patience, protocol)
        assert protocol.reason is None
        assert (protocol.names[0], protocol.names[-1]) == ("connection_made", "connection_lost")
        # Whether it pauses depends on its high-water mark, and whether it resumes once it closes is open.
        assert protocol.names[1:-1] in ([], ["pause_writing"], ["pause_writing", "resume_writing"])
    with writing(loop) as (_, protocol, _, end):
        end.close()
        lost(loop, patience, protocol)
