"""Child processes of the loop under test: small shell scripts, and a protocol that writes down what it is told.

A child costs milliseconds, so these are /bin/sh, /bin/cat and /bin/true, never an interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.kit.patience import Patience

# 4 MiB in which no page is like another: more than a pipe holds, which is 1 MiB where pages are of 64 KiB.
BIG = array("I", range(1024 * 1024)).tobytes()


class ChildEvents(asyncio.SubprocessProtocol):
    """Keeps every call as `(method, *arguments)`; `names` are the methods alone, `output` the bytes per descriptor."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.output: defaultdict[int, bytearray] = defaultdict(bytearray)
        self.transport: Any = None

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    @property
    def lost(self) -> bool:
        return "connection_lost" in self.names

    @property
    def exited(self) -> bool:
        return "process_exited" in self.names

    def note(self, name: str, *arguments: Any) -> None:
        """Keep a call: the last thing that each callback does before it returns."""
        self.calls.append((name, *arguments))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.note("connection_made", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output[fd] += data
        self.note("pipe_data_received", fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self.note("pipe_connection_lost", fd, exc)

    def process_exited(self) -> None:
        self.note("process_exited")

    def pause_writing(self) -> None:
        self.note("pause_writing")

    def resume_writing(self) -> None:
        self.note("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        self.note("connection_lost", exc)


class ReactsToChild(ChildEvents):
    """Calls `act` with its transport inside the callback `where`, each time, or `once`."""

    def __init__(self, where: str, act: Callable[[Any], object], *, once: bool = False) -> None:
        super().__init__()
        self._where, self._act, self._once = where, act, once

    def note(self, name: str, *arguments: Any) -> None:
        super().note(name, *arguments)
        if name == self._where and not (self._once and self.names.count(name) > 1):
            self._act(self.transport)


@contextlib.contextmanager
def spawned(
    loop: asyncio.AbstractEventLoop,
    patience: Patience,
    script: str,
    *arguments: Any,
    protocol: Callable[[], Any] = ChildEvents,
    **kwargs: Any,
) -> Iterator[tuple[Any, Any]]:
    """(transport, protocol) of `/bin/sh -c script sh *arguments`; closed at the end, and run until it is lost."""
    transport, made = loop.run_until_complete(
        loop.subprocess_exec(protocol, "/bin/sh", "-c", script, "sh", *arguments, **kwargs)
    )
    try:
        yield transport, made
    finally:
        transport.close()
        patience.run_until(loop, lambda: made.lost, "connection_lost() after close()")


def handed_over(
    loop: asyncio.AbstractEventLoop, patience: Patience, first: ChildEvents, second: ChildEvents
) -> list[str]:
    """What `first`, the protocol of spawned(), was told by the time that `second` should have been told of the end."""
    try:
        patience.run_until(loop, lambda: second.lost or first.lost, "connection_lost()")
        return list(first.names)
    finally:
        if not first.lost:
            first.connection_lost(None)  # what spawned() waits for


@contextlib.contextmanager
def stopped(transport: Any) -> Iterator[None]:
    """The child does not run, and so reads nothing, while the block does."""
    os.kill(transport.get_pid(), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(transport.get_pid(), signal.SIGCONT)


def finish(loop: asyncio.AbstractEventLoop, patience: Patience, script: str, *arguments: Any, **kwargs: Any) -> Any:
    """The protocol of a child that ran to its end, with nothing to read; `protocol.transport` knows the code."""
    with spawned(loop, patience, script, *arguments, **({"stdin": asyncio.subprocess.DEVNULL} | kwargs)) as (_, made):
        patience.run_until(loop, lambda: made.lost, "connection_lost() of a child that ends")
    return made


def ended(loop: asyncio.AbstractEventLoop, patience: Patience, starting: Any) -> ChildEvents:
    """The protocol, a ChildEvents, of what is being started, when it has ended."""
    transport, protocol = loop.run_until_complete(starting)
    try:
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    finally:
        transport.close()
    made: ChildEvents = protocol
    return made


@contextlib.contextmanager
def standing_for(number: int, path: Path, flags: int) -> Iterator[None]:
    """The file at `path` is this process's descriptor `number` for a while."""
    saved = os.dup(number)
    file = os.open(path, flags | os.O_CREAT, 0o600)
    os.dup2(file, number)
    os.close(file)
    try:
        yield
    finally:
        os.dup2(saved, number)
        os.close(saved)
