"""Chapter watchers: what the system cannot poll, and the descriptor that is false."""

from __future__ import annotations

import contextlib
import os
import socket
from asyncio import AbstractEventLoop as Loop
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.watching import add, remove
from conformance.requirement import MAY, MUST, requirement


@contextlib.contextmanager
def _standard_input(fd: int) -> Iterator[None]:
    """The file of `fd` has the number 0 for a while, too."""
    try:
        kept = os.dup(0)
    except OSError:  # it is closed
        kept = None
    os.dup2(fd, 0)
    try:
        yield
    finally:
        os.close(0) if kept is None else os.dup2(kept, 0)
        if kept is not None:
            os.close(kept)


@requirement("watchers.regular-files", MAY, cite="asyncio-platforms: §All Platforms", needs=("linux",))
@pytest.mark.parametrize("side", ["reader", "writer"])
def test_regular_files_are_not_for_watching(
    loop: Loop, tmp_path: Path, answer: Callable[[object], None], side: str
) -> None:
    """add_reader() and add_writer() cannot be used to monitor file I/O; how the loop says so is left open.

    If this fails: nothing is forbidden here but to break the loop; the answer is recorded.
    """
    path = tmp_path / "file"
    path.write_bytes(b"data")
    calls: list[str] = []
    with path.open("r+b") as file:
        try:
            getattr(loop, f"add_{side}")(file.fileno(), calls.append, "called")
        except (OSError, ValueError, RuntimeError) as error:
            answer(f"raises {type(error).__name__}")
        else:
            turn(loop, 2)
            getattr(loop, f"remove_{side}")(file.fileno())
            answer("is called at once" if calls else "is not called")
    turn(loop)


@requirement("watchers.descriptor-zero", MUST, cite="asyncio-eventloop: loop.add_reader")
@each("side", ["reader", "writer"])
def test_zero_is_a_descriptor(loop: Loop, patience: Patience, side: str) -> None:
    """The descriptor 0, where programs have their standard input, is watched and removed as any other.

    If this fails: look for a descriptor that is tested for truth, where None or -1 was meant.
    """
    calls: list[int] = []
    ours, peer = socket.socketpair()
    with ours, peer, _standard_input(ours.fileno()):
        peer.send(b"x")
        add(loop, side)(0, calls.append, 1)
        patience.run_until(loop, lambda: calls, "the callback")
        remove(loop, side)(0)
        calls.clear()
        turn(loop, 2)
        assert calls == []
