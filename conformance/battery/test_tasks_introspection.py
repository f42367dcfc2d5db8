"""Chapter tasks: which task is the current one, which tasks there are, and how long they stay."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable
from typing import Any

from conformance.battery.test_tasks_running import ending_by, run_task
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _return() -> str:
    return "value"


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


@requirement("tasks.current", MUST, cite="asyncio-task: current_task")
def test_current_task_is_the_running_one(loop: Loop) -> None:
    """current_task() returns the currently running task, before and after it waited.

    If this fails: look for the calls of _enter_task() and _leave_task() around each step.
    """
    seen: list[object] = []

    async def child() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task(loop))

    task = loop.create_task(child())
    other = loop.create_task(asyncio.sleep(0))
    run_task(loop, task)
    assert seen == [task, task]
    assert other.done()


@requirement("tasks.current-none", MUST, cite="asyncio-task: current_task")
def test_in_a_callback_no_task_is_current(loop: Loop, patience: Patience) -> None:
    """current_task() returns None if no task is running: in any callback, and outside the loop.

    If this fails: look for the last task kept as the current one, or for one that its own callbacks find there.
    """
    seen: list[object] = []

    def ask(*_: object) -> None:
        seen.append(asyncio.current_task())

    async def schedule() -> None:
        loop.call_soon(ask)
        loop.call_later(0, ask)
        await asyncio.sleep(0)

    task = loop.create_task(schedule())
    task.add_done_callback(ask)
    loop.call_soon(ask)
    run_task(loop, task)
    patience.run_until(loop, lambda: len(seen) == 4, "the last callback")
    seen.append(asyncio.current_task(loop))
    assert seen == [None] * 5


@requirement("tasks.all", MUST, cite="asyncio-task: all_tasks")
def test_all_tasks_are_those_that_are_not_finished(loop: Loop) -> None:
    """all_tasks() returns the set of the loop's not yet finished tasks: started, waiting or not started yet.

    If this fails: look for the calls of _register_task() and _unregister_task() by an own task class, perhaps for tasks
    without name, context and request to end only, or for tasks that are equal since their names are.
    """
    future = loop.create_future()

    async def main() -> None:
        waiting, done = loop.create_task(_wait(future), name="same"), asyncio.create_task(_return())
        await asyncio.sleep(0)
        new = loop.create_task(_return(), name="same")
        with_context = loop.create_task(_return(), context=contextvars.copy_context())
        cancelled = asyncio.create_task(_return())
        cancelled.cancel()
        assert done.done()
        assert asyncio.all_tasks() == {asyncio.current_task(), waiting, new, with_context, cancelled}
        assert len(asyncio.all_tasks()) == 5
        future.set_result(None)
        await asyncio.wait([waiting, new, with_context, cancelled])

    loop.run_until_complete(main())
    assert asyncio.all_tasks(loop) == set()


@requirement("tasks.all-of-one-loop", MUST, cite="asyncio-task: all_tasks")
def test_all_tasks_are_those_of_one_loop(loop: Loop, make_loop: Callable[[], Loop]) -> None:
    """all_tasks(loop) returns the tasks of that loop, and not those of others; the loop need not run.

    If this fails: look for loops that share a register, or that compare equal.
    """
    other = make_loop()
    mine, others = loop.create_task(_return()), other.create_task(_return())
    assert asyncio.all_tasks(loop) == {mine}
    assert asyncio.all_tasks(other) == {others}
    run_task(loop, mine)
    other.run_until_complete(others)


@requirement("tasks.released", SHOULD, cite="asyncio-task: create_task")
@each("ending", ["result", "exception", "cancelled"])
def test_a_finished_task_is_released(loop: Loop, ending: str) -> None:
    """The event loop only keeps weak references to tasks: one that is done goes when its owner drops it.

    If this fails: look for a register of tasks that is never cleaned up, or not of tasks that failed.
    """
    task = ending_by(loop, ending)
    run_task(loop, task)
    task.cancelled() or task.exception()
    gone = weakref.ref(task)
    del task
    turn(loop, 2)
    gc.collect()
    assert gone() is None


@requirement("tasks.eager-released", SHOULD, cite="asyncio-task: create_task", since="3.12")
@each("blocks", [False, True])
def test_an_eager_task_that_is_done_is_released(loop: Loop, blocks: bool) -> None:
    """The event loop keeps only weak references to tasks that were started eagerly, too: one that is done goes.

    If this fails: look for a register of the tasks that are starting, from which those are not taken that end, or
    block, in their first step.
    """
    gone: list[weakref.ref[Any]] = []

    async def child() -> None:
        if blocks:
            await asyncio.sleep(0)

    async def main() -> None:
        task = loop.create_task(child())
        gone.append(weakref.ref(task))
        await task

    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    loop.run_until_complete(main())
    turn(loop, 2)
    gc.collect()
    assert [reference() for reference in gone] == [None]


@requirement("tasks.name-shown", SHOULD, cite="asyncio-task: Task.set_name")
@each("ending", ["result", "exception", "cancelled"])
def test_the_name_is_visible_in_repr(loop: Loop, ending: str) -> None:
    """The name of a task, given or set, is visible in the repr() output of the task object.

    If this fails: look for a repr() of an own task class that does not ask for the name, or was made with the task.
    """
    task = ending_by(loop, ending)
    task.set_name("the-first-name")
    assert "the-first-name" in repr(task)
    run_task(loop, task)
    task.set_name("the-last-name")
    assert "the-last-name" in repr(task)
    task.cancelled() or task.exception()
