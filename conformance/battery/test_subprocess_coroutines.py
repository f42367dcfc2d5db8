"""Chapter subprocess: the methods that start children are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
import os

import pytest

from conformance.kit.children import ChildEvents
from conformance.kit.coroutines import call_only
from conformance.kit.patience import Patience
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "subprocess.coroutines",
    SHOULD,
    cite=("asyncio-eventloop: loop.subprocess_exec", "asyncio-eventloop: loop.subprocess_shell"),
)
def test_both_methods_are_coroutines(loop: Loop, patience: Patience) -> None:
    """subprocess_exec() and subprocess_shell() are coroutines: no child is started before they are awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    made: list[ChildEvents] = []

    def factory() -> ChildEvents:
        made.append(ChildEvents())
        return made[-1]

    try:
        call_only(loop, lambda: loop.subprocess_exec(factory, "/bin/true"))
        call_only(loop, lambda: loop.subprocess_shell(factory, "exit 0"))
        assert made == []
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    finally:
        patience.run_until(loop, lambda: all(protocol.lost for protocol in made), "the end of what was started")
