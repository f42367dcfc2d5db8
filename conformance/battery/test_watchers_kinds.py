"""Chapter watchers: what else may be watched: descriptors of any kind, and of any number."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import tty
from typing import Any

from conformance.kit.cases import each
from conformance.kit.descriptors import HIGH, many_allowed
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.refusals import Answer
from conformance.kit.watching import add, remove
from conformance.requirement import MAY, MUST, requirement

Loop = asyncio.AbstractEventLoop
CITE = ("asyncio-eventloop: loop.add_reader", "asyncio-eventloop: loop.add_writer")


@requirement("watchers.high-numbers", MAY, cite="PEP 3156: I/O Callbacks", needs=("linux",))
@each("side", ["reader", "writer"])
def test_descriptors_of_high_numbers(loop: Loop, patience: Patience, side: str, answer: Answer) -> None:
    """Whether a descriptor may have a number above 1023, where select() ends, depends on the selector.

    If this fails: look for a table of a fixed size, beyond which nothing is told.
    """
    with many_allowed(), unix_pair() as (ours, peer):
        number = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH)
        calls: list[int] = []
        peer.sendall(b"x")
        try:
            add(loop, side)(number, calls.append, number)
            patience.run_until(loop, lambda: calls, f"the {side}")
        except (ValueError, OSError) as error:
            answer(f"it may not: {type(error).__name__}")
        else:
            answer("it may")
        finally:
            remove(loop, side)(number)
            os.close(number)


@requirement("watchers.kinds", MUST, cite=CITE, needs=("linux",))
@each("kind", ["event counter", "terminal", "datagram socket"])
def test_descriptors_of_other_kinds_are_watched(loop: Loop, patience: Patience, kind: str) -> None:
    """Whatever the system can poll may be watched, also if it is neither a stream nor a pipe: here what else there is.

    If this fails: look for a kind of handle that is chosen by the kind of file, and for one that was forgotten.
    """
    data = b"x"
    with contextlib.ExitStack() as stack:
        reading: Any
        if kind == "datagram socket":
            reading, peer = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
            reading.bind(("127.0.0.1", 0))
            reading.setblocking(False)
            peer.connect(reading.getsockname())
            writing = peer.fileno()
        elif kind == "terminal":
            reading, writing = os.openpty()
            stack.callback(os.close, reading)
            stack.callback(os.close, writing)
            tty.setraw(writing)
        else:
            reading = writing = os.eventfd(0)
            stack.callback(os.close, reading)
            data = (1).to_bytes(8, "little")
        calls: list[str] = []
        loop.add_reader(reading, calls.append, "reader")
        turn(loop, 3)
        assert calls == []
        os.write(writing, data)
        patience.run_until(loop, lambda: calls, "the reader")
        loop.remove_reader(reading)
        del calls[:]
        loop.add_writer(writing, calls.append, "writer")
        patience.run_until(loop, lambda: calls, "the writer")
        loop.remove_writer(writing)
        assert set(calls) == {"writer"}
