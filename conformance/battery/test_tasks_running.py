"""Chapter tasks: how a task steps through its coroutine, what it says about itself, and which tasks there are.

A task is a future too; of a future's promises only those are repeated here that a task keeps by other means.
"""

from __future__ import annotations

import asyncio
import gc
import io
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ERRORS
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _return() -> str:
    return "value"


async def _fail(error: BaseException) -> str:
    raise error


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


def _run(loop: Loop, task: asyncio.Future[Any]) -> None:
    loop.run_until_complete(asyncio.wait([task]))


@requirement("tasks.result", MUST, cite="asyncio-task: Task.result")
def test_the_result_is_what_the_coroutine_returned(loop: Loop) -> None:
    """If the task is done, result() returns the result of the wrapped coroutine, and exception() None.

    If this fails: look for the StopIteration of the last step, which holds the value, for a value that is taken for
    none as it is false, for an exception, or for something to be awaited.
    """

    async def give(value: object) -> object:
        return value

    left = give(None)
    for value in ("value", 0, "", (), (1, 2), LookupError("a value"), StopIteration(1), loop.create_future(), left):
        task = loop.create_task(give(value))
        _run(loop, task)
        assert task.done() is True
        assert task.result() is value
        assert task.exception() is None
        assert loop.run_until_complete(_wait(task)) is value
    left.close()


@requirement("tasks.exception", MUST, cite="asyncio-task: Task.exception")
@each("kind", ODD_ERRORS)
def test_the_exception_is_what_the_coroutine_raised(loop: Loop, kind: str) -> None:
    """If the coroutine raised an exception, exception() returns it and result() re-raises it.

    If this fails: look for an exception that leaves the step of the task, that is wrapped in another or unwrapped
    from its group, that is taken for none as its truth value is false, or for a cancellation as its group holds one.
    """
    error = ODD_ERRORS[kind]
    task = loop.create_task(_fail(error))
    _run(loop, task)
    assert task.cancelled() is False
    assert task.exception() is error
    with pytest.raises(type(error)) as caught:
        task.result()
    assert caught.value is error


@requirement("tasks.pending", MUST, cite="asyncio-task: Task.result")
@each("method", ["result", "exception"])
def test_a_task_that_is_not_done_has_no_result(loop: Loop, method: str) -> None:
    """If the task isn't done yet, result() and exception() raise InvalidStateError, and done() returns False.

    If this fails: look for a state of the task apart from that of its future, or for a request to cancel it that is
    taken for its end.
    """
    task = loop.create_task(_return())
    for _ in range(2):
        assert task.done() is False
        with pytest.raises(asyncio.InvalidStateError):
            getattr(task, method)()
        task.cancel()
    _run(loop, task)


@requirement("tasks.no-setters", MUST, cite="asyncio-task: Task")
def test_the_result_of_a_task_cannot_be_set(loop: Loop) -> None:
    """A task inherits all of a future's methods except set_result() and set_exception(): they do not work.

    If this fails: look for a task class that is a future, with the setters left in.
    """
    task = loop.create_task(_return())
    with pytest.raises((RuntimeError, AttributeError)):
        task.set_result("other")
    with pytest.raises((RuntimeError, AttributeError)):
        task.set_exception(LookupError("other"))
    assert loop.run_until_complete(task) == "value"


@requirement("tasks.done-callback", MUST, cite="asyncio-task: Task.add_done_callback")
def test_done_callbacks_of_a_task(loop: Loop) -> None:
    """add_done_callback() adds a callback to be run with the task when it is done; remove_done_callback() removes it.

    If this fails: look for a task that keeps its callbacks apart from those of its future.
    """
    calls: list[object] = []
    removed: list[object] = []
    task = loop.create_task(_return())
    task.add_done_callback(calls.append)
    task.add_done_callback(removed.append)
    assert task.remove_done_callback(removed.append) == 1
    turn(loop, 3)
    assert calls == [task]
    assert removed == []


@requirement("tasks.await", MUST, cite="asyncio-task: §Awaitables")
def test_a_task_can_be_awaited(loop: Loop) -> None:
    """Awaiting a task waits until it is complete, and gives its result or raises its exception.

    If this fails: look for the wake-up of the waiting task by the end of the other.
    """

    async def main() -> None:
        assert await asyncio.create_task(_return()) == "value"
        with pytest.raises(LookupError):
            await asyncio.create_task(_fail(LookupError("of the coroutine")))

    loop.run_until_complete(main())


@requirement("tasks.interleave", MUST, cite="asyncio-task: Task")
def test_tasks_take_turns(loop: Loop) -> None:
    """While a task awaits, the loop runs other tasks and callbacks; tasks that are ready take turns.

    If this fails: look for a task that is resumed at once when what it awaits is ready.
    """
    trace: list[str] = []

    async def child(name: str) -> None:
        for number in range(3):
            trace.append(f"{name}{number}")
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(child("a"), child("b"))

    loop.run_until_complete(main())
    assert trace == ["a0", "b0", "a1", "b1", "a2", "b2"]


@requirement("tasks.resumes-through-the-queue", SHOULD, cite="PEP 3156: Coroutines and the Scheduler")
def test_a_task_resumes_after_what_was_scheduled_before(loop: Loop) -> None:
    """A task whose future is done resumes in the order of call_soon(), and not inside set_result().

    If this fails: look for a task that is stepped from the call that ends its future.
    """
    trace: list[str] = []
    future = loop.create_future()

    async def wait() -> None:
        await future
        trace.append("resumed")

    task = loop.create_task(wait())
    turn(loop, 2)

    def end() -> None:
        loop.call_soon(trace.append, "before")
        future.set_result(None)
        trace.append("set")

    loop.call_soon(end)
    _run(loop, task)
    assert trace == ["set", "before", "resumed"]


@requirement("tasks.bad-yield", SHOULD, cite="PEP 3156: Tasks")
@each("what", ["no future", 0, ()], ids=repr)
def test_yielding_what_is_no_future_is_an_error(loop: Loop, what: object) -> None:
    """A coroutine that yields neither None nor a future gets a RuntimeError thrown in.

    If this fails: look for a task that waits for ever for what it does not know, or takes what is false for None.
    """

    class Awaitable:
        def __await__(self) -> Generator[Any, None, None]:
            yield what

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await Awaitable()

    loop.run_until_complete(main())


@requirement("tasks.foreign-future", SHOULD, cite="asyncio-future: Future.get_loop")
def test_awaiting_a_future_of_another_loop_is_an_error(loop: Loop, make_loop: Callable[[], Loop]) -> None:
    """A task that awaits a future attached to a different loop gets a RuntimeError thrown in.

    If this fails: look for the comparison of the loops; without it the task waits for a loop that does not run.
    """
    future = make_loop().create_future()

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await future

    loop.run_until_complete(main())


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
    _run(loop, task)
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
    _run(loop, task)
    patience.run_until(loop, lambda: len(seen) == 4, "the last callback")
    seen.append(asyncio.current_task(loop))
    assert seen == [None] * 5


@requirement("tasks.all", MUST, cite="asyncio-task: all_tasks")
def test_all_tasks_are_those_that_are_not_finished(loop: Loop) -> None:
    """all_tasks() returns the set of the loop's not yet finished tasks: started, waiting or not started yet.

    If this fails: look for the calls of _register_task() and _unregister_task() by an own task class.
    """
    future = loop.create_future()

    async def main() -> None:
        waiting, done = asyncio.create_task(_wait(future)), asyncio.create_task(_return())
        await asyncio.sleep(0)
        new = asyncio.create_task(_return())
        assert done.done()
        assert asyncio.all_tasks() == {asyncio.current_task(), waiting, new}
        future.set_result(None)
        await asyncio.wait([waiting, new])

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
    _run(loop, mine)
    other.run_until_complete(others)


@requirement("tasks.released", SHOULD, cite="asyncio-task: create_task")
def test_a_finished_task_is_released(loop: Loop) -> None:
    """The event loop only keeps weak references to tasks: one that is done goes when its owner drops it.

    If this fails: look for a register of tasks that is never cleaned up.
    """
    task = loop.create_task(_return())
    _run(loop, task)
    gone = weakref.ref(task)
    del task
    turn(loop, 2)
    gc.collect()
    assert gone() is None


@requirement("tasks.coroutine", MUST, cite="asyncio-task: Task.get_coro")
def test_get_coro_returns_the_coroutine(loop: Loop) -> None:
    """get_coro() returns the coroutine object wrapped by the task, also when the task is done.

    If this fails: look for a coroutine of the loop's own round that of the caller, or one that is dropped at the end:
    that is said of tasks only that have already completed eagerly.
    """
    coro = _return()
    task = loop.create_task(coro)
    assert task.get_coro() is coro
    _run(loop, task)
    assert task.get_coro() is coro


@requirement("tasks.stack", MUST, cite="asyncio-task: Task.get_stack")
def test_get_stack_of_a_suspended_task(loop: Loop) -> None:
    """get_stack() returns one frame, that of the suspended coroutine, and print_stack() writes it to the given file.

    If this fails: look for an own task class without the two methods.
    """
    future = loop.create_future()
    task = loop.create_task(_wait(future))
    turn(loop, 2)
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["_wait"]
    file = io.StringIO()
    task.print_stack(file=file)
    assert "_wait" in file.getvalue()
    future.set_result(None)
    _run(loop, task)
    assert task.get_stack() == []
