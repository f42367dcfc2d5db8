"""Chapter tcp: the methods that make connections are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
import functools

import pytest

from conformance.kit.coroutines import call_only
from conformance.kit.peers import listener, tcp_pair
from conformance.kit.servers import Service
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "tcp.coroutines",
    SHOULD,
    cite=("asyncio-eventloop: loop.create_connection", "asyncio-eventloop: loop.connect_accepted_socket"),
)
def test_the_methods_are_coroutines(loop: Loop) -> None:
    """create_connection() and connect_accepted_socket() are coroutines: nothing is done before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    factory = Service()
    with listener() as listening:
        listening.setblocking(False)
        call_only(loop, lambda: loop.create_connection(factory, *listening.getsockname()))
        with pytest.raises(BlockingIOError):
            listening.accept()
    for give in (loop.create_connection, loop.connect_accepted_socket):
        with tcp_pair() as (ours, _):
            call_only(loop, functools.partial(give, factory, sock=ours))
            assert ours.fileno() >= 0
    assert factory.protocols == []
