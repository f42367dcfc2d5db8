"""Chapter tasks: how a task steps through its coroutine, and what becomes of it.

A task is a future too; of a future's promises only those are repeated here that a task keeps by other means.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import traceback
from collections.abc import Callable, Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.oddities import ODD_ERRORS, Untouchable
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

_ERRORS = ODD_ERRORS | {"of time": TimeoutError("over"), "of futures": asyncio.InvalidStateError("raised")}
_ERRORS["of other futures"] = concurrent.futures.CancelledError("raised")  # which is no CancelledError of asyncio's


async def _return() -> str:
    return "value"


async def _fail(error: BaseException) -> str:
    raise error


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


def ending_by(loop: Loop, ending: str) -> asyncio.Task[Any]:
    """A new task that will end by a result, an exception or its cancellation."""
    task = loop.create_task(_fail(LookupError("of the coroutine")) if ending == "exception" else _return())
    if ending == "cancelled":
        task.cancel()
    return task


def run_task(loop: Loop, task: asyncio.Future[Any]) -> None:
    loop.run_until_complete(asyncio.wait([task]))


@requirement("tasks.result", MUST, cite="asyncio-task: Task.result")
def test_the_result_is_what_the_coroutine_returned(loop: Loop) -> None:
    """If the task is done, result() returns the result of the wrapped coroutine, and exception() None.

    If this fails: look for the StopIteration of the last step, which holds the value, for a value that is taken for
    none as it is false, for an exception, for the parts of a tuple, or for something to be awaited, or that is given
    away with the first answer.
    """

    async def give(value: object) -> object:
        return value

    left = give(None)
    plain: tuple[object, ...] = ("value", 0, "", (), (1,), (1, 2), LookupError("a value"), StopIteration(1))
    for value in (*plain, Untouchable(), loop.create_future(), done_future(loop), left):
        task = loop.create_task(give(value))
        run_task(loop, task)
        assert task.done() is True
        for _ in range(2):
            assert task.result() is value
            assert task.exception() is None
        assert loop.run_until_complete(_wait(task)) is value
    left.close()


@requirement("tasks.exception", MUST, cite="asyncio-task: Task.exception")
@each("kind", _ERRORS)
def test_the_exception_is_what_the_coroutine_raised(loop: Loop, kind: str) -> None:
    """If the coroutine raised an exception, exception() returns it and result() re-raises it.

    If this fails: look for an exception that leaves the step of the task, that is wrapped in another or unwrapped
    from its group, that is taken for none as its truth value is false, or for a cancellation as its group holds one
    or its class has that name; or for one that is raised without the traceback that leads to the coroutine, or
    without its cause, or as a copy when it is asked for again.
    """
    error = _ERRORS[kind]
    cause = error.__cause__ = KeyError("the cause")
    task = loop.create_task(_fail(error))
    run_task(loop, task)
    assert error.__cause__ is cause
    assert task.cancelled() is False
    assert [task.exception(), task.exception()] == [error, error]
    assert task.exception() is error
    with pytest.raises(type(error)) as caught:
        task.result()
    assert caught.value is error
    assert "_fail" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    with pytest.raises(type(error)) as caught:  # now with the traceback of whoever asks
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
    run_task(loop, task)


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
@each("ending", ["result", "exception", "cancelled"])
def test_done_callbacks_of_a_task(loop: Loop, watch: Any, ending: str) -> None:
    """add_done_callback() adds a callback to be run with the task when it is done; remove_done_callback() removes it.

    If this fails: look for a task that keeps its callbacks apart from those of its future, has callbacks for one of
    its ways to end, or calls them one after the other until one raises.
    """
    watch.allow("reported")
    calls: list[object] = []
    removed: list[object] = []
    task = ending_by(loop, ending)
    task.add_done_callback(raising(LookupError("of a callback")))
    task.add_done_callback(calls.append)
    task.add_done_callback(removed.append)
    assert task.remove_done_callback(removed.append) == 1
    turn(loop, 3)
    assert calls == [task]
    assert removed == []
    assert task.cancelled() or task.exception() or task.result()


@requirement("tasks.await", MUST, cite="asyncio-task: §Awaitables")
def test_a_task_can_be_awaited(loop: Loop) -> None:
    """Awaiting a task waits until it is complete, and gives its result or raises its exception.

    If this fails: look for the wake-up of the waiting task by the end of the other, for room for one waiting task, or
    for a copy of the exception that is raised to who comes late.
    """

    async def main() -> None:
        future = loop.create_future()
        several = asyncio.create_task(_wait(future))
        loop.call_soon(loop.call_soon, future.set_result, "value")
        assert await asyncio.gather(*(_wait(several) for _ in range(3))) == ["value"] * 3
        assert await asyncio.create_task(_return()) == "value"
        error = LookupError("of the coroutine")
        failing = asyncio.create_task(_fail(error))
        for _ in range(2):  # the second time it is done already
            with pytest.raises(LookupError) as caught:
                await failing
            assert caught.value is error

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
@each("ending", ["result", "exception", "cancelled"])
def test_a_task_resumes_after_what_was_scheduled_before(loop: Loop, ending: str) -> None:
    """A task whose future is done resumes in the order of call_soon(), and not inside set_result().

    If this fails: look for a task that is stepped from the call that ends its future, or is scheduled once more when
    its turn has come, perhaps if there is an exception to throw.
    """
    trace: list[str] = []
    future = loop.create_future()

    endings: dict[str, Callable[[], object]] = {
        "result": lambda: future.set_result(None),
        "exception": lambda: future.set_exception(LookupError()),
        "cancelled": future.cancel,
    }

    async def wait() -> None:
        with contextlib.suppress(LookupError, asyncio.CancelledError):
            await future
        trace.append("resumed")

    task = loop.create_task(wait())
    turn(loop, 2)

    def end() -> None:
        loop.call_soon(trace.append, "before")
        endings[ending]()
        trace.append("set")
        loop.call_soon(trace.append, "after")

    loop.call_soon(end)
    run_task(loop, task)
    assert trace == ["set", "before", "resumed", "after"]


def _type_or_word(what: object) -> str:
    return what if isinstance(what, str) else type(what).__name__


@requirement("tasks.bad-yield", SHOULD, cite="PEP 3156: Tasks")
@each("what", ["no future", 0, (), iter(()), (yielded for yielded in [0]), "a future"], ids=_type_or_word)
def test_yielding_what_is_no_future_is_an_error(loop: Loop, what: object) -> None:
    """A coroutine that yields neither None nor a future by its await gets a RuntimeError thrown in.

    If this fails: look for a task that waits for ever for what it does not know, or takes what is false for None, or
    for a future that may be yielded as it is, and not by "yield from" or its await.
    """
    if what == "a future":
        what = done_future(loop)

    class Awaitable:
        def __await__(self) -> Generator[Any, None, None]:
            yield what

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await Awaitable()

    loop.run_until_complete(main())


@requirement("tasks.foreign-future", SHOULD, cite="asyncio-future: Future.get_loop")
@each("kind", ["future", "task"])
def test_awaiting_a_future_of_another_loop_is_an_error(loop: Loop, make_loop: Callable[[], Loop], kind: str) -> None:
    """A task that awaits a future attached to a different loop gets a RuntimeError thrown in.

    If this fails: look for the comparison of the loops; without it the task waits for a loop that does not run.
    """
    other = make_loop()
    future = other.create_future() if kind == "future" else other.create_task(_return())

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await future

    loop.run_until_complete(main())
    if kind == "task":
        assert other.run_until_complete(future) == "value"


@requirement("tasks.awaits-itself", SHOULD, cite="gh-72159")
def test_a_task_that_awaits_itself_gets_an_error(loop: Loop, patience: Patience) -> None:
    """A task that awaits itself, which would never end, gets a RuntimeError thrown in.

    If this fails: look for a task that becomes one of its own done callbacks.
    """
    seen: list[type[BaseException]] = []

    async def main() -> None:
        try:
            await task
        except BaseException as error:
            seen.append(type(error))

    task = loop.create_task(main())
    patience.run_until(loop, lambda: seen, "the RuntimeError")
    assert seen == [RuntimeError]
    loop.run_until_complete(task)


@requirement("tasks.coroutine", MUST, cite="asyncio-task: Task.get_coro")
@each("ending", ["result", "exception", "cancelled"])
@each("debug", [False, True])
def test_get_coro_returns_the_coroutine(loop: Loop, ending: str, debug: bool) -> None:
    """get_coro() returns the coroutine object wrapped by the task, also when the task is done.

    If this fails: look for a coroutine of the loop's own round that of the caller, or one that is dropped while it
    runs, or at the end: that is said of tasks only that have already completed eagerly. Debug mode wraps nothing.
    """
    loop.set_debug(debug)
    future = loop.create_future()
    seen: list[Any] = []

    async def wait() -> None:
        seen.append(task.get_coro())
        await future

    coro = wait()
    task = loop.create_task(coro)
    assert task.get_coro() is coro
    turn(loop, 2)
    assert task.get_coro() is coro
    if ending == "cancelled":
        task.cancel()
    else:
        future.set_result(None) if ending == "result" else future.set_exception(LookupError())
    run_task(loop, task)
    assert task.get_coro() is coro
    assert seen == [coro]
    assert task.cancelled() or (task.exception() is not None) == (ending == "exception")
