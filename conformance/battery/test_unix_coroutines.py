"""Chapter unix: the methods are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conformance.kit.coroutines import call_only
from conformance.kit.peers import unix_listener
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "unix.coroutines",
    SHOULD,
    cite=("asyncio-eventloop: loop.create_unix_connection", "asyncio-eventloop: loop.create_unix_server"),
    needs=("unix",),
)
def test_both_methods_are_coroutines(loop: Loop, tmp_path: Path) -> None:
    """create_unix_connection() and create_unix_server() are coroutines: nothing is done before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    path = tmp_path / "s"
    call_only(loop, lambda: loop.create_unix_server(asyncio.Protocol, str(path)))
    assert not path.exists()
    with unix_listener(str(path)) as listening:
        listening.setblocking(False)
        call_only(loop, lambda: loop.create_unix_connection(asyncio.Protocol, str(path)))
        with pytest.raises(BlockingIOError):
            listening.accept()
