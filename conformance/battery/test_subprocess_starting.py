"""Chapter subprocess: starts that come to nothing."""

from __future__ import annotations

import asyncio

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents
from conformance.kit.patience import Patience
from conformance.kit.protocols import raising
from conformance.kit.waiting import turns
from conformance.requirement import SHOULD, requirement
from conformance.unreaped import any_child

Loop = asyncio.AbstractEventLoop


@requirement("subprocess.failing-factory", SHOULD, cite="asyncio-eventloop: loop.subprocess_exec")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_a_factory_that_fails_starts_nothing(loop: Loop, patience: Patience, method: str) -> None:
    """An exception of protocol_factory comes out of subprocess_exec(), and no child process is left.

    If this fails: look for a child that is started before there is anybody to tell of it.
    """
    with pytest.raises(LookupError):
        loop.run_until_complete(getattr(loop, method)(raising(LookupError("of the factory")), "/bin/cat"))
    patience.run_until(loop, lambda: not any_child(), "the end of the child")


@requirement("subprocess.cancelled-start", SHOULD, cite="asyncio-task: Task.cancel")
@each("after", [0, 1, 2, 3])
def test_a_start_that_is_cancelled_leaves_no_child(loop: Loop, patience: Patience, after: int) -> None:
    """subprocess_exec() that is cancelled, at whatever point, leaves no child process behind.

    If this fails: look for a child that runs on, with pipes that nobody has, or that nobody waits for.
    """

    async def main() -> None:
        starting = asyncio.ensure_future(loop.subprocess_exec(ChildEvents, "/bin/cat"))
        await turns(after)
        starting.cancel()
        await asyncio.wait([starting], timeout=patience.seconds)
        if not starting.cancelled():
            transport, protocol = starting.result()
            transport.close()
            while not protocol.lost:
                await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    patience.run_until(loop, lambda: not any_child(), "the end of the child")
