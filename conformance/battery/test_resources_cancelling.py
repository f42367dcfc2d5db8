"""Chapter resources: connections and pipes of every kind whose opening is cancelled, or comes to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.battery.test_resources_leaks import open_with
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair, unix_listener, unix_pair
from conformance.kit.protocols import Events, raising
from conformance.kit.waiting import turns
from conformance.requirement import SHOULD, requirement
from conformance.watch import open_descriptors

Loop = asyncio.AbstractEventLoop
Opening = Callable[..., Any]  # takes the protocol's factory
Given = tuple[Opening, Any]  # and what it was given, or None


@contextlib.contextmanager
def _unix_path(loop: Loop, directory: Path) -> Iterator[Given]:
    path = str(directory / "socket")
    with unix_listener(path):
        yield functools.partial(loop.create_unix_connection, path=path), None
    os.unlink(path)


@contextlib.contextmanager
def _stream(loop: Loop, method: str) -> Iterator[Given]:
    with unix_pair() if "unix" in method else tcp_pair() as (ours, _):
        yield functools.partial(getattr(loop, method), sock=ours), ours


@contextlib.contextmanager
def _pipe(loop: Loop, method: str) -> Iterator[Given]:
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as reader, open(write, "wb", buffering=0) as writer:
        ours = reader if "read" in method else writer
        yield functools.partial(getattr(loop, method), pipe=ours), ours


_KINDS: dict[str, Callable[[Loop, Path], Any]] = {
    "create_unix_connection": _unix_path,
    "create_unix_connection(sock=…)": lambda loop, _: _stream(loop, "create_unix_connection"),
    "create_connection(sock=…)": lambda loop, _: _stream(loop, "create_connection"),
    "connect_accepted_socket": lambda loop, _: _stream(loop, "connect_accepted_socket"),
    "connect_read_pipe": lambda loop, _: _pipe(loop, "connect_read_pipe"),
    "connect_write_pipe": lambda loop, _: _pipe(loop, "connect_write_pipe"),
}


async def _cancelled(opening: Any, after: int) -> None:
    task = asyncio.ensure_future(opening)
    await turns(after)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()[0].close()
    await turns(3)


@requirement("resources.cancelled-openings", SHOULD, cite=("asyncio-task: Task.cancel", "uvloop#738"), needs=("unix",))
@each("kind", _KINDS)
@each("after", [0, 1, 2, 3])
def test_openings_of_every_kind_can_be_cancelled(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str, after: int
) -> None:
    """An opening that is cancelled, at whatever point, leaves no connection: a protocol that was told of it is told
    of its end, nothing stays open, and nothing that is opened later is closed.

    If this fails: look for a connection that is made when nobody waits for it, or for a socket whose number was closed
    behind its back: its finalizer then closes what has the same number.
    """
    with _KINDS[kind](loop, tmp_path) as (opening, given):
        if given is None:  # what a first time opens for good
            loop.run_until_complete(_cancelled(opening(Events), after))
        before = open_with(loop)
        protocol = Events()
        loop.run_until_complete(_cancelled(opening(lambda: protocol), after))
        patience.run_until(loop, lambda: protocol.lost or not protocol.names, "connection_lost()")
        turn(loop, 3)
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(open(os.devnull, "rb")) for _ in range(5)]
            if given is not None:
                with contextlib.suppress(OSError):
                    given.close()
            assert all(os.fstat(other.fileno()) for other in others)
        patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")


@requirement("resources.failing-factories", SHOULD, cite=("gh-156400", "gh-153133"), needs=("unix",))
@each("kind", _KINDS)
def test_a_protocol_that_cannot_be_made_leaves_nothing(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str
) -> None:
    """An exception of protocol_factory comes out of whatever opens a connection or a pipe, and nothing stays open.

    If this fails: look for a descriptor that was opened, or duplicated, before the factory was called, or for an
    exception that is dropped, or replaced by another.
    """
    error = LookupError("no protocol")
    for _ in range(2):  # a first time may open something for good
        with _KINDS[kind](loop, tmp_path) as (opening, given):
            before = open_with(loop)
            with pytest.raises(LookupError) as caught:
                loop.run_until_complete(opening(raising(error)))
            assert caught.value is error
            caught = None  # type: ignore[assignment]  # its traceback holds what was opened
            error.__traceback__ = None
            turn(loop, 3)
            if given is not None:
                given.close()
    patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")
