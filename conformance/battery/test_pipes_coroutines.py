"""Chapter pipes: the methods are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
import functools
import os

from conformance.kit.coroutines import call_only
from conformance.kit.pipes import KINDS
from conformance.kit.servers import Service
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "pipes.coroutines",
    SHOULD,
    cite=("asyncio-eventloop: loop.connect_read_pipe", "asyncio-eventloop: loop.connect_write_pipe"),
)
def test_both_methods_are_coroutines(loop: Loop) -> None:
    """connect_read_pipe() and connect_write_pipe() are coroutines: nothing is done before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    factory = Service()
    read_end, write_end = KINDS["raw"]()
    with read_end, write_end:
        for connect, end in ((loop.connect_read_pipe, read_end), (loop.connect_write_pipe, write_end)):
            call_only(loop, functools.partial(connect, factory, end))
            assert os.get_blocking(end.fileno())
    assert factory.protocols == []
