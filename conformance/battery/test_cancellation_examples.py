"""Chapter cancellation: the documentation's examples of tasks and groups that are ended from outside."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("cancellation.example-cancel-me", MUST, cite="asyncio-task: Task.cancel")
def test_a_task_is_cancelled_while_it_sleeps(loop: Loop) -> None:
    """A task that sleeps for an hour is cancelled: it cleans up, raises CancelledError again, and its awaiter is told.

    If this fails: look for a sleep that is not interrupted, or a cancellation that reaches main() as its own.
    """
    printed: list[str] = []

    async def cancel_me() -> None:
        printed.append("before sleep")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            printed.append("cancel sleep")
            raise
        finally:
            printed.append("after sleep")

    async def main() -> None:
        task = asyncio.create_task(cancel_me())
        await asyncio.sleep(0.002)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            printed.append("cancel_me is cancelled now")
        await asyncio.sleep(0)
        printed.append("main goes on")

    loop.run_until_complete(main())
    assert printed == ["before sleep", "cancel sleep", "after sleep", "cancel_me is cancelled now", "main goes on"]


class _TerminateTaskGroup(Exception):
    """Raised to end a group."""


@requirement("cancellation.example-terminate-group", MUST, cite="asyncio-task: Terminating a Task Group")
@each("at_once", [True, False], ids=["at once", "meanwhile"])
def test_a_task_terminates_its_group(loop: Loop, at_once: bool) -> None:
    """A task that raises an exception of its own ends its group: the others are cancelled, and the group raises it.

    except* drops it, and the program goes on.

    If this fails: look for a task that is cancelled before it runs, or a cancellation of main() that stays.
    """
    printed: list[str] = []

    async def force_terminate_task_group() -> None:
        raise _TerminateTaskGroup

    async def job(task_id: int, seconds: float) -> None:
        printed.append(f"{task_id}: start")
        await asyncio.sleep(seconds)
        printed.append(f"{task_id}: done")

    async def main() -> str:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(job(1, 3600 if at_once else 0.001))
                group.create_task(job(2, 3600))
                if not at_once:
                    while "1: done" not in printed:
                        await asyncio.sleep(0.001)
                group.create_task(force_terminate_task_group())
        except* _TerminateTaskGroup:
            pass
        await asyncio.sleep(0.002)
        return "went on"

    assert loop.run_until_complete(main()) == "went on"
    assert printed == ["1: start", "2: start", *([] if at_once else ["1: done"])]


@requirement("cancellation.example-shield", MUST, cite="asyncio-task: shield")
@each("ignored", [False, True], ids=["raised", "ignored"])
def test_a_shielded_task_goes_on(loop: Loop, patience: Patience, ignored: bool) -> None:
    """When who awaits shield(task) is cancelled, the task goes on; ignoring the cancellation altogether is possible.

    If this fails: look for a cancellation that is passed on, or a task that ends because nobody awaits it any more.
    """
    ended: list[str] = []

    may_end = asyncio.Event()

    async def something() -> str:
        await may_end.wait()
        await asyncio.sleep(0.002)
        ended.append("something")
        return "result"

    async def outer() -> str | None:
        task = asyncio.create_task(something())
        tasks.append(task)
        if not ignored:
            return await asyncio.shield(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            return None

    tasks: list[asyncio.Task[str]] = []

    async def main() -> str:
        cancelled = asyncio.create_task(outer())
        await asyncio.sleep(0)
        cancelled.cancel()
        with contextlib.nullcontext() if ignored else pytest.raises(asyncio.CancelledError):
            assert await cancelled is None
        assert ended == []
        may_end.set()
        return await asyncio.wait_for(tasks[0], patience.seconds)

    assert loop.run_until_complete(main()) == "result"
