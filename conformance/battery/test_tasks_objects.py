"""Chapter tasks: what the methods of a task object promise, one by one, for a task of any class."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="of nobody")


class _Named:
    def __str__(self) -> str:
        return "by its own words"


async def _wait_for(future: asyncio.Future[None]) -> None:
    await future


async def _wait_below(future: asyncio.Future[None]) -> None:
    await _wait_for(future)


async def _return() -> str:
    return "value"


async def _change() -> None:
    VARIABLE.set("changed")


async def _inner() -> None:
    raise LookupError("of the coroutine")


async def _fail() -> None:
    await _inner()


async def _fail_below() -> None:
    await _fail()


async def _wait() -> None:
    await asyncio.get_running_loop().create_future()


def _ended(loop: Loop, way: str) -> asyncio.Task[Any]:
    """A task that ended by a result, an exception or its cancellation."""
    task: asyncio.Task[Any] = loop.create_task({"result": _return, "exception": _fail_below, "cancelled": _wait}[way]())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert task.cancelled() or task.exception() or task.result()
    return task


@requirement("tasks.done", MUST, cite="asyncio-task: Task.done")
@each("way", ["result", "exception", "cancelled"])
def test_a_task_is_done_however_it_ends(loop: Loop, way: str) -> None:
    """A task is done when the coroutine returned a value, raised an exception, or the task was cancelled.

    If this fails: look for a state that only a result changes, or for an end that is scheduled, when the coroutine has
    ended already.
    """
    assert _ended(loop, way).done() is True
    seen: list[bool] = []

    async def end() -> None:
        loop.call_soon(lambda: seen.append(task.done()))
        if way != "result":
            raise LookupError if way == "exception" else asyncio.CancelledError

    task = loop.create_task(end())
    turn(loop, 3)
    assert seen == [True]
    assert task.cancelled() or (task.exception() is not None) == (way == "exception")


@requirement("tasks.stack", MUST, cite="asyncio-task: Task.get_stack")
def test_get_stack_of_a_suspended_task(loop: Loop) -> None:
    """get_stack() returns one frame, that of the suspended coroutine, and print_stack() writes it to the given file.

    If this fails: look for an own task class without the two methods, for the frames of what the coroutine awaits, or
    for a coroutine without a frame until it is started.
    """
    future = loop.create_future()
    task = loop.create_task(_wait_below(future))
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["_wait_below"]
    turn(loop, 2)
    for frames in (task.get_stack(), task.get_stack(limit=5)):
        names = [frame.f_code.co_name for frame in frames]
        assert names in (["_wait_below"], ["_wait_for"])
    file = io.StringIO()
    task.print_stack(file=file)
    assert names[0] in file.getvalue()
    future.set_result(None)
    loop.run_until_complete(task)
    assert task.get_stack() == []


@requirement("tasks.stack-done", MUST, cite="asyncio-task: Task.get_stack")
@each("way", ["result", "cancelled"])
def test_a_task_that_ended_without_an_exception_has_no_stack(loop: Loop, way: str) -> None:
    """If the coroutine has completed successfully or was cancelled, get_stack() returns an empty list.

    If this fails: look for the frame of the coroutine, which is kept, or an error as there is none.
    """
    assert _ended(loop, way).get_stack() == []


@requirement("tasks.stack-traceback", MUST, cite="asyncio-task: Task.get_stack")
def test_the_stack_of_a_failed_task_is_its_traceback(loop: Loop) -> None:
    """If the coroutine was terminated by an exception, get_stack() returns the traceback frames, oldest first.

    If this fails: look for a stack that only a suspended coroutine has.
    """
    names = [frame.f_code.co_name for frame in _ended(loop, "exception").get_stack()]
    assert names[-2:] == ["_fail", "_inner"]


@requirement("tasks.stack-limit", MUST, cite="asyncio-task: Task.get_stack")
def test_limit_is_the_number_of_frames(loop: Loop) -> None:
    """The optional limit, which is keyword-only, sets the maximum number of frames: the newest ones of a stack, the
    oldest ones of a traceback.

    If this fails: look for a limit that is ignored, or counts from the other end, or is taken by position. The stack of
    a task that runs may reach down to those who called the loop: its newest frame is the coroutine's own.
    """

    async def running() -> list[str]:
        task: Any = asyncio.current_task()
        return [frame.f_code.co_name for frame in task.get_stack(limit=1)]

    assert loop.run_until_complete(running()) == ["running"]
    task = _ended(loop, "exception")
    with pytest.raises(TypeError):
        task.get_stack(1)  # type: ignore[call-arg]
    everything = task.get_stack()
    for limit in range(len(everything) + 1):
        assert task.get_stack(limit=limit) == everything[:limit]


@requirement("tasks.print-stack", MUST, cite="asyncio-task: Task.print_stack")
@each("way", ["result", "exception", "cancelled"])
def test_print_stack_prints_to_standard_error(loop: Loop, way: str) -> None:
    """print_stack() prints the traceback for this task; by default output is written to sys.stderr.

    If this fails: look for a method that is absent, prints to standard output, or raises if there is no traceback; or
    for a file that is taken for none because its truth value is false.
    """

    class Empty(io.StringIO):
        def __len__(self) -> int:
            return len(self.getvalue())

    task = _ended(loop, way)
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        task.print_stack()
    # asyncio's own task prints the line above the frames to standard output: only the frames are looked at.
    assert ("in _inner" in printed.getvalue()) is (way == "exception")
    file = Empty()
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        task.print_stack(file=file)
    assert printed.getvalue() == ""
    assert ("in _inner" in file.getvalue()) is (way == "exception")


@requirement("tasks.print-stack-limit", MUST, cite="asyncio-task: Task.print_stack")
def test_print_stack_has_a_limit(loop: Loop) -> None:
    """The limit argument of print_stack() is passed to get_stack() directly.

    If this fails: look for a limit that is accepted and ignored, or taken by position.
    """
    task = _ended(loop, "exception")
    with pytest.raises(TypeError):
        task.print_stack(1)  # type: ignore[call-arg]
    whole, part = io.StringIO(), io.StringIO()
    task.print_stack(file=whole)
    task.print_stack(limit=1, file=part)
    count = len(task.get_stack())
    assert (whole.getvalue().count('File "'), part.getvalue().count('File "')) == (count, 1)


@requirement("tasks.set-name", MUST, cite="asyncio-task: Task.set_name")
@each(
    ("value", "name"),
    [
        ("text", "text"),
        (7, "7"),
        (0, "0"),
        ("", ""),
        (None, "None"),
        ("名" * 100, "名" * 100),
        (_Named(), "by its own words"),
        ("one\0two", "one\0two"),
        ("\ud800 alone", "\ud800 alone"),
    ],
    ids=["text", "7", "0", "empty", "None", "long", "object", "with a zero", "with half a character"],
)
def test_set_name_takes_any_object(loop: Loop, value: Any, name: str) -> None:
    """The value argument of set_name() can be any object, which is then converted to a string.

    If this fails: look for a name that is kept as the object it was, or refused, or taken for none as it is false, or
    for a task that takes no other name while it runs, or when it is done.
    """

    async def rename() -> None:
        assert task.get_name() == "from outside"
        task.set_name(value)
        assert task.get_name() == name

    task = loop.create_task(rename(), name="the first")
    task.set_name(value)
    assert task.get_name() == name
    task.set_name("from outside")
    loop.run_until_complete(task)
    assert task.get_name() == name
    task.set_name("the last")
    assert task.get_name() == "the last"


@requirement("tasks.names-differ", MUST, cite="asyncio-task: Task.get_name")
def test_names_that_are_generated_differ(loop: Loop) -> None:
    """If no name was assigned, a default name is generated during instantiation: it stays, and is of this task only.

    If this fails: look for one name for all, for that of the task that makes another, or for a name that is made anew
    whenever it is asked for.
    """
    tasks: list[asyncio.Task[Any]] = [loop.create_task(_return()) for _ in range(3)]

    async def make() -> None:
        tasks.extend(loop.create_task(_return()) for _ in range(3))

    tasks.insert(0, maker := loop.create_task(make(), name="of the maker"))
    loop.run_until_complete(maker)
    names = [task.get_name() for task in tasks]
    assert len(set(names)) == 7
    loop.run_until_complete(asyncio.wait(tasks))
    assert [task.get_name() for task in tasks] == names


@requirement("tasks.get-context", MUST, cite="asyncio-task: Task.get_context", since="3.12")
def test_get_context_returns_the_context_of_the_task(loop: Loop) -> None:
    """get_context() returns the contextvars.Context object associated with the task: the one given, or the copy made.

    If this fails: look for a context that only the steps of the task know, or for a copy of it.
    """
    context = contextvars.copy_context()
    token = VARIABLE.set("when it was made")
    given: Any = loop.create_task(_return(), context=context)
    copied: Any = loop.create_task(_return())
    changed: Any = loop.create_task(_change())
    VARIABLE.reset(token)
    assert changed.get_context()[VARIABLE] == "when it was made"
    loop.run_until_complete(asyncio.wait([given, copied, changed]))
    assert given.get_context() is context
    assert copied.get_context()[VARIABLE] == "when it was made"
    assert changed.get_context()[VARIABLE] == "changed"
    assert changed.get_context() is changed.get_context()


@requirement("tasks.remove-done-callback", MUST, cite="asyncio-task: Task.remove_done_callback")
def test_remove_done_callback_says_how_many(loop: Loop) -> None:
    """remove_done_callback() removes callback from the list as often as it was added, and returns that number.

    If this fails: look for a list of callbacks of the task's own, beside that of the future.
    """
    calls: list[object] = []
    task = loop.create_task(_return())
    task.add_done_callback(calls.append)
    task.add_done_callback(calls.append)
    assert [task.remove_done_callback(calls.append), task.remove_done_callback(calls.append)] == [2, 0]
    turn(loop, 3)
    assert calls == []


@requirement("tasks.done-callbacks-order", SHOULD, cite="asyncio-task: Task.add_done_callback")
@each("way", ["result", "exception", "cancelled"])
def test_done_callbacks_of_a_task_run_in_their_order(loop: Loop, way: str) -> None:
    """Done callbacks of a task run in the order in which they were added.

    If this fails: look for a list of the task's own, or for a first callback that is kept apart.
    """
    trace: list[int] = []
    task: asyncio.Task[Any] = loop.create_task({"result": _return, "exception": _fail, "cancelled": _wait}[way]())
    for number in range(10):
        task.add_done_callback(lambda _, number=number: trace.append(number))  # type: ignore[misc]
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert trace == list(range(10))
    assert task.cancelled() or task.exception() or task.result()


@requirement("tasks.done-callback-late", MUST, cite="asyncio-task: Task.add_done_callback")
@each("way", ["result", "exception", "cancelled"])
def test_a_callback_that_is_added_to_a_done_task_is_scheduled(loop: Loop, way: str) -> None:
    """A callback that is added to a task that is done is scheduled with call_soon(): neither lost nor called at once.

    If this fails: look for callbacks that are looked at once, when the task ends, perhaps in one of its ways to end.
    """
    task = _ended(loop, way)
    calls: list[object] = []
    task.add_done_callback(calls.append)
    assert calls == []
    turn(loop)
    assert calls == [task]


@requirement("tasks.done-callback-context", MUST, cite="asyncio-task: Task.add_done_callback")
@each("when", ["new", "waiting", "running"])
def test_done_callbacks_of_a_task_have_a_context(loop: Loop, when: str) -> None:
    """A callback of a task runs in the context given to add_done_callback(), or else in the one that was current then.

    If this fails: look for callbacks that run in the context of the task, or that it cannot add to itself.
    """
    seen: list[str] = []
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "given")
    future = loop.create_future()

    def add() -> None:
        token = VARIABLE.set("current")
        task.add_done_callback(lambda _: seen.append(VARIABLE.get()))
        task.add_done_callback(lambda _: seen.append(VARIABLE.get()), context=context)
        VARIABLE.reset(token)

    async def wait() -> None:
        if when == "running":
            add()
        await future

    task = loop.create_task(wait())
    if when == "waiting":
        turn(loop, 2)
    if when != "running":
        add()
    future.set_result(None)
    turn(loop, 4)
    assert seen == ["current", "given"]
