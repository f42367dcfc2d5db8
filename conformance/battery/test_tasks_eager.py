"""Chapter tasks: eager tasks, made by the task factories of Python 3.12 and later.

The tasks are asyncio's; the loop must let a factory run a coroutine inside create_task(), and keep its own books right.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ERRORS
from conformance.kit.patience import turn
from conformance.kit.places import at
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("_VARIABLE", default="unset")


@pytest.fixture
def eager(loop: Loop) -> Loop:
    """The loop with the eager task factory set."""
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


@requirement("tasks.eager", MUST, cite="asyncio-task: eager_task_factory", since="3.12")
@each("given", ["nothing", "name", "context"])
@each("way", ["plainly", "in debug mode", "in another thread"])
def test_an_eager_task_starts_at_once(eager: Loop, make_loop: Factory, given: str, way: str) -> None:
    """With eager_task_factory() a coroutine begins execution synchronously during the construction of its task.

    If this fails: look for a loop that makes its tasks without asking the factory, or asks it later, perhaps if a name
    or a context is given, in debug mode or in a thread that is not the main one, or for a start that is put off while
    another task starts.
    """
    eager.set_debug(way == "in debug mode")
    trace: list[str] = []

    def create(coro: Any) -> asyncio.Task[None]:
        if given == "nothing":
            return asyncio.create_task(coro)
        if given == "name":
            return asyncio.get_running_loop().create_task(coro, name="given")
        return asyncio.get_running_loop().create_task(coro, context=contextvars.copy_context())

    async def grandchild() -> None:
        trace.append("grandchild")

    async def child() -> None:
        trace.append("child")
        task = create(grandchild())
        trace.append("created by the child")
        await task

    async def main() -> None:
        task = create(child())
        trace.append("created")
        await task

    def elsewhere() -> None:
        loop = make_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        loop.run_until_complete(main())
        loop.close()

    if way == "in another thread":
        in_thread(elsewhere).result()
    else:
        eager.run_until_complete(main())
    assert trace == ["child", "grandchild", "created by the child", "created"]


@requirement("tasks.eager-done", MUST, cite="asyncio-task: eager_task_factory", since="3.12")
def test_an_eager_task_that_does_not_block_is_done(eager: Loop) -> None:
    """An eager task whose coroutine returns without blocking is done at once, with its result.

    If this fails: look for the end of a task that is always scheduled, or for done callbacks that are not, or never
    called, as the task was done before they were added.
    """
    calls: list[object] = []

    async def child() -> str:
        return "value"

    async def main() -> None:
        task = asyncio.create_task(child())
        assert task.done()
        assert task.result() == "value"
        task.add_done_callback(calls.append)
        assert calls == []
        assert await task == "value"
        await asyncio.sleep(0)
        assert calls == [task]

    eager.run_until_complete(main())


@requirement("tasks.eager-blocks", MUST, cite="asyncio-task: eager_task_factory", since="3.12")
def test_an_eager_task_is_scheduled_when_it_blocks(eager: Loop) -> None:
    """Tasks are only scheduled on the event loop if they block: the rest then runs as that of any task.

    If this fails: look for an eager task that is run to its end inside create_task().
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")
        await asyncio.sleep(0)
        trace.append("end")

    async def main() -> None:
        task = asyncio.create_task(child())
        trace.append("created")
        assert not task.done()
        await task

    eager.run_until_complete(main())
    assert trace == ["child", "created", "end"]


@requirement("tasks.eager-exception", MUST, cite="asyncio-task: eager_task_factory", since="3.12")
@each("kind", [*ODD_ERRORS, "cancellation"])
def test_the_exception_of_an_eager_task_is_the_tasks(eager: Loop, kind: str) -> None:
    """An exception that an eager task raises at once is kept in the task: create_task() returns as ever.

    If this fails: look for an exception that leaves create_task(), perhaps one that is no Exception.
    """
    error = ODD_ERRORS.get(kind, asyncio.CancelledError())

    async def child() -> None:
        raise error

    async def main() -> None:
        task = asyncio.create_task(child())
        assert task.done()
        assert task.cancelled() is (kind == "cancellation")
        assert task.cancelled() or task.exception() is error

    eager.run_until_complete(main())


@requirement("tasks.eager-cancel", SHOULD, cite="asyncio-task: Task.cancel", since="3.12")
@each("itself", [False, True])
def test_an_eager_task_can_be_cancelled(eager: Loop, itself: bool) -> None:
    """An eager task that has blocked is cancelled as any other, and one may cancel itself before its first await.

    If this fails: look for a first step that knows nothing of requests, or for a future that the task waits for and
    that only later steps note down.
    """
    trace: list[object] = []
    future = eager.create_future()

    async def child() -> None:
        me = asyncio.current_task()
        assert me is not None
        if itself:
            me.cancel("message")
        try:
            await future
        except asyncio.CancelledError as error:
            trace.append(error.args)
            raise

    async def main() -> None:
        task = asyncio.create_task(child())
        if not itself:
            task.cancel("message")
        await asyncio.wait([task])
        assert task.cancelled()

    eager.run_until_complete(main())
    assert trace == [("message",)]
    assert future.cancelled()


@requirement("tasks.eager-current", MUST, cite="asyncio-task: current_task", since="3.12")
@each("ending", ["waits", "returns", "raises", "is cancelled"])
def test_an_eager_task_is_the_current_one_while_it_starts(eager: Loop, ending: str) -> None:
    """While an eager task starts, current_task() is that task, and its creator again afterwards.

    If this fails: look for a current task of the loop's own that the start of an eager task overwrites, perhaps if it
    ends in a certain way.
    """
    seen: list[object] = []

    async def child() -> None:
        seen.append(asyncio.current_task())
        if ending == "raises":
            raise LookupError(ending)
        if ending == "is cancelled":
            raise asyncio.CancelledError
        if ending == "waits":
            await asyncio.sleep(0)

    async def main() -> None:
        me = asyncio.current_task()
        task = asyncio.create_task(child())
        assert asyncio.current_task() is me
        assert seen == [task]
        await asyncio.wait([task])
        assert asyncio.current_task() is me
        assert task.cancelled() or (task.exception() is not None) == (ending == "raises")

    eager.run_until_complete(main())


@requirement("tasks.eager-all-tasks", SHOULD, cite="asyncio-task: all_tasks", since="3.12")
def test_all_tasks_knows_eager_tasks_that_blocked(eager: Loop) -> None:
    """all_tasks() has an eager task while it starts and when it is blocked, and not one that is done.

    If this fails: look for a register of tasks that is filled when a task is scheduled, and not by eager tasks.
    """

    async def child(future: asyncio.Future[None]) -> None:
        assert asyncio.current_task() in asyncio.all_tasks()
        await future

    async def main() -> None:
        blocking, finished = eager.create_future(), eager.create_future()
        finished.set_result(None)
        blocked, done = asyncio.create_task(child(blocking)), asyncio.create_task(child(finished))
        assert blocked in asyncio.all_tasks()
        assert done not in asyncio.all_tasks()
        blocking.set_result(None)
        await blocked

    eager.run_until_complete(main())


@requirement("tasks.eager-context", MUST, cite="asyncio-eventloop: loop.create_task", since="3.12")
@each("given", [False, True], ids=["copy", "given"])
def test_an_eager_task_runs_in_its_own_context(eager: Loop, given: bool) -> None:
    """An eager task runs in a copy of the current context, or in the one that was given, also while it starts.

    If this fails: look for a first step that runs in the context of the creator.
    """

    async def child() -> None:
        _VARIABLE.set("by the child")

    async def main() -> None:
        context = contextvars.copy_context()
        await (asyncio.create_task(child(), context=context) if given else asyncio.create_task(child()))
        assert _VARIABLE.get() == "unset"
        assert context.get(_VARIABLE, "unset") == ("by the child" if given else "unset")

    eager.run_until_complete(main())


@requirement("tasks.eager-not-running", SHOULD, cite="gh-97696", since="3.12")
@each("place", ["outside of a run", "in a callback of another loop"])
def test_an_eager_task_waits_for_a_loop_that_does_not_run(eager: Loop, place: str) -> None:
    """With the eager task factory, tasks made while the loop does not run start when it runs.

    If this fails: look for is_running(): it must be False before the loop runs, whichever other loop does, and True
    in its callbacks.
    """
    trace: list[object] = []

    async def child() -> None:
        trace.append(asyncio.get_running_loop())

    task = at(place, eager, lambda: eager.create_task(child()))
    assert trace == []
    eager.run_until_complete(task)
    assert trace == [eager]


@requirement("tasks.eager-from-callback", SHOULD, cite="gh-97696", since="3.12")
@each("stopped", [False, True])
def test_a_callback_can_make_an_eager_task(eager: Loop, stopped: bool) -> None:
    """A callback can make an eager task, although no task is current: it starts at once, also after stop().

    If this fails: look for a step that needs a current task to come back to, or for is_running(): it is True until the
    run has ended, and a run that stop() has been called in has not.
    """
    trace: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def child() -> None:
        trace.append("child")
        await asyncio.sleep(0)

    def callback() -> None:
        if stopped:
            eager.stop()
        tasks.append(eager.create_task(child()))
        trace.append("created")
        assert asyncio.current_task() is None

    eager.call_soon(callback)
    turn(eager)
    assert trace == ["child", "created"]
    eager.run_until_complete(tasks[0])


@requirement("tasks.eager-name", SHOULD, cite="asyncio-eventloop: loop.create_task", since="3.12")
@each("blocks", [True, False])
def test_an_eager_task_has_its_name(eager: Loop, blocks: bool) -> None:
    """A name given to create_task() is the name of the eager task that it returns, done or not.

    If this fails: look for a name that is set only on tasks of the default factory, or that are to be scheduled.
    """

    async def child() -> None:
        if blocks:
            await asyncio.sleep(0)

    async def main() -> None:
        task = eager.create_task(child(), name="given")
        assert task.done() is not blocks
        assert task.get_name() == "given"
        await task

    eager.run_until_complete(main())


@requirement("tasks.eager-custom", MUST, cite="asyncio-task: create_eager_task_factory", since="3.12")
def test_an_eager_factory_uses_a_given_constructor(loop: Loop) -> None:
    """create_eager_task_factory() makes a factory that uses the given constructor, and create_task() returns its tasks.

    If this fails: look for a loop that recognises eager_task_factory() and no other.
    """

    class Mine(asyncio.Task[Any]):
        pass

    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    async def main() -> None:
        task = asyncio.create_task(child())
        assert trace == ["child"]
        assert type(task) is Mine
        await task

    loop.set_task_factory(asyncio.create_eager_task_factory(Mine))  # type: ignore[attr-defined, unused-ignore]
    loop.run_until_complete(main())
