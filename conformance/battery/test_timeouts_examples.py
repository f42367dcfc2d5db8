"""Chapter timeouts: the examples of the documentation, with short times."""

from __future__ import annotations

import asyncio

from conformance.kit.cases import each
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


async def _long_running_task() -> None:
    await asyncio.sleep(3600)


@requirement("timeouts.example-at", MUST, cite=("asyncio-task: timeout", "asyncio-task: timeout_at"))
@each("how", ["after", "at", "wait_for"])
def test_a_program_goes_on_after_a_timeout(loop: Loop, how: str) -> None:
    """A long task that runs into timeout(), timeout_at() or wait_for() ends by TimeoutError, and its program goes on.

    If this fails: look for a cancellation that outlives the block, or a timer that fires once more.
    """
    trace: list[str] = []

    async def main() -> None:
        try:
            if how == "after":
                async with asyncio.timeout(0.002):
                    await _long_running_task()
            elif how == "at":
                async with asyncio.timeout_at(loop.time() + 0.002):
                    await _long_running_task()
            else:
                await asyncio.wait_for(_long_running_task(), timeout=0.002)
        except TimeoutError:
            trace.append("timed out")
        await asyncio.sleep(0.003)
        trace.append("goes on regardless")

    loop.run_until_complete(main())
    assert trace == ["timed out", "goes on regardless"]


@requirement("timeouts.example-reschedule", MUST, cite=("asyncio-task: Timeout.reschedule", "asyncio-task: timeout"))
def test_a_timeout_that_was_not_known_is_rescheduled(loop: Loop) -> None:
    """A timeout that is not known at the start is None, and rescheduled by loop.time() within the block.

    If this fails: look for a timer for None that is taken for 0, or a clock of loop.time() that is not that of timers.
    """

    async def main(seconds: float) -> tuple[bool, bool]:
        raised = False
        try:
            async with asyncio.timeout(None) as cm:
                assert cm.when() is None
                await asyncio.sleep(0.001)
                cm.reschedule(asyncio.get_running_loop().time() + seconds)
                await (asyncio.sleep(0.001) if seconds > 1 else _long_running_task())
        except TimeoutError:
            raised = True
        return raised, cm.expired()

    assert loop.run_until_complete(main(0.002)) == (True, True)
    assert loop.run_until_complete(main(60)) == (False, False)


@requirement("timeouts.example-request", MUST, cite="asyncio-task: Task.uncancel")
def test_code_after_a_timeout_is_not_affected(loop: Loop) -> None:
    """When a timeout has cancelled the request in its block, code after the block runs, and can have its own timeout.

    If this fails: look for a count of cancellations that uncancel() does not take back.
    """
    trace: list[str] = []

    async def make_request(name: str, seconds: float) -> None:
        trace.append(name)
        await asyncio.sleep(seconds)

    async def make_request_with_timeout() -> None:
        try:
            async with asyncio.timeout(0.005):
                await make_request("one", 0)
                await make_request("another", 3600)
        except TimeoutError:
            trace.append("timed out")
        await make_request("unrelated", 0.001)

    async def main() -> None:
        await make_request_with_timeout()
        task = asyncio.current_task()
        assert task
        assert task.cancelling() == 0
        async with asyncio.TaskGroup() as group:
            group.create_task(make_request("in a group", 0.001))
            await make_request_with_timeout()

    loop.run_until_complete(main())
    # On a busy machine there may be no time for another request.
    once = ["one", "timed out", "unrelated"]
    assert [name for name in trace if name not in ("in a group", "another")] == [*once, *once]
    assert "in a group" in trace
