"""Chapter sendfile: both methods are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conformance.battery.test_sendfile import SMALL, connected, source
from conformance.kit.coroutines import call_only
from conformance.kit.peers import tcp_pair
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "sendfile.coroutines", SHOULD, cite=("asyncio-eventloop: loop.sendfile", "asyncio-eventloop: loop.sock_sendfile")
)
def test_both_methods_are_coroutines(loop: Loop, tmp_path: Path) -> None:
    """sendfile() and sock_sendfile() are coroutines: nothing is sent before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    with source("file", tmp_path, SMALL) as file:
        with connected(loop) as (transport, _, peer):
            call_only(loop, lambda: loop.sendfile(transport, file))
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)
        with tcp_pair() as (ours, peer):
            call_only(loop, lambda: loop.sock_sendfile(ours, file))
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)
