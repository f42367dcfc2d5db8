"""Chapter pipes: the file object that a transport owns is what closes the descriptor; and what ends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.pipes import lost, reading, writing
from conformance.kit.protocols import Events
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Probe(io.FileIO):
    """Writes down whether its descriptor is still open when it is closed."""

    open_at_close: bool | None = None

    def close(self) -> None:
        if not self.closed:
            self.open_at_close = True
            try:
                os.fstat(self.fileno())
            except OSError:
                self.open_at_close = False
        with contextlib.suppress(OSError):
            super().close()


@requirement("pipes.closed-once", SHOULD, cite=("asyncio-eventloop: loop.connect_read_pipe", "uvloop#763"))
@pytest.mark.parametrize("side", ["read", "write"])
def test_the_descriptor_of_a_pipe_is_closed_once(loop: Loop, patience: Patience, side: str) -> None:
    """The descriptor of a pipe is closed once, by its file object: not before that, when its number may be another's.

    If this fails: look for a library that closes the number which it was given, and the file object afterwards.
    """
    numbers = os.pipe()
    ours, theirs = numbers if side == "read" else numbers[::-1]
    with open(theirs, "wb" if side == "read" else "rb", buffering=0):
        pipe = _Probe(ours, "r" if side == "read" else "w")
        connect: Any = loop.connect_read_pipe if side == "read" else loop.connect_write_pipe
        transport, protocol = loop.run_until_complete(connect(Events, pipe))
        transport.close()
        lost(loop, patience, protocol)
        turn(loop, 3)
        pipe.close()
    assert pipe.open_at_close


@requirement(
    "pipes.end-after-the-end",
    SHOULD,
    cite=("asyncio-protocol: BaseTransport.close", "asyncio-protocol: WriteTransport.abort", "anyio#1250"),
)
@each("first", ["close", "abort", "other end"])
def test_ending_a_pipe_that_has_ended_does_nothing(loop: Loop, patience: Patience, first: str) -> None:
    """close() and abort() of a pipe do nothing once connection_lost() was called.

    If this fails: look for what a transport has let go at its end, and needs to end again.
    """
    with writing(loop) as (transport, protocol, _, end):
        end.close() if first == "other end" else getattr(transport, first)()
        lost(loop, patience, protocol)
        turn(loop, 2)
        for _ in range(2):
            transport.abort()
            transport.close()
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1
    with reading(loop) as (transport, protocol, _, end):
        end.close() if first == "other end" else transport.close()
        lost(loop, patience, protocol)
        turn(loop, 2)
        for _ in range(2):
            transport.close()
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1
