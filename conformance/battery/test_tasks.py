"""Chapter tasks: loop.create_task(): when the task starts, which loop it belongs to, and its name.

What a task does once it runs is in test_tasks_running.py, eager tasks are in test_tasks_eager.py, what create_task()
makes of the task factory is in test_tasks_factory_calls.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.kit.places import PLACES, at
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Awaitable:
    """Can be awaited, and is no coroutine."""

    def __await__(self) -> Generator[Any, None, None]:
        yield


class _Named:
    """Says another text as a string than as itself."""

    def __str__(self) -> str:
        return "by its own words"


_NAMES: dict[object, str] = {
    "given": "given",
    7: "7",
    "": "",
    0: "0",
    "名" * 100: "名" * 100,
    "one\0two": "one\0two",
    "\ud800 alone": "\ud800 alone",
    _Named(): "by its own words",
}
"""What may be given as a name → the name that it becomes."""


async def at_once(value: object = "value") -> object:
    """Returns `value` in its first step."""
    return value


async def _generate() -> AsyncGenerator[int, None]:
    yield 1


_GENERATORS = [(_ for _ in range(1))] if sys.version_info >= (3, 12) else []
"""asyncio.iscoroutine() is false of generators since Python 3.12: they have the methods of a coroutine."""


@requirement("tasks.create", MUST, cite="asyncio-eventloop: loop.create_task")
def test_create_task_returns_a_task(loop: Loop) -> None:
    """create_task() returns a Task object, or one of the loop's own subclass of Task.

    If this fails: look for an own task class that does not derive from asyncio.Task.
    """
    task = loop.create_task(at_once())
    assert isinstance(task, asyncio.Task)
    loop.run_until_complete(task)


@requirement("tasks.loop", MUST, cite="asyncio-eventloop: loop.create_task")
def test_a_task_belongs_to_the_loop_that_made_it(loop: Loop, make_loop: Callable[[], Loop]) -> None:
    """The task runs in the loop whose create_task() was called; get_loop() returns that loop.

    If this fails: look for the current loop of the thread, or the running one, used in place of the one that was
    asked, or for a task that forgets its loop when it ends.
    """
    seen: list[object] = []

    async def ask() -> None:
        seen.append(asyncio.get_running_loop())

    async def inside_another() -> asyncio.Task[None]:
        task = loop.create_task(ask())
        assert task.get_loop() is loop
        return task

    task = make_loop().run_until_complete(inside_another())
    assert task.get_loop() is loop
    cancelled = loop.create_task(ask())
    cancelled.cancel()
    turn(loop, 3)
    assert [task.get_loop(), cancelled.get_loop()] == [loop, loop]
    assert seen == [loop]


@requirement("tasks.starts-later", MUST, cite="asyncio-task: create_task")
@each("place", PLACES)
def test_create_task_only_schedules(loop: Loop, place: str) -> None:
    """create_task() schedules the execution of the coroutine: it does not start it before it returns.

    If this fails: look for tasks that are started eagerly without being asked to, perhaps if they are made by a task,
    or by a callback.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    def create() -> asyncio.Task[None]:
        task = loop.create_task(child())
        trace.append("created")
        return task

    loop.run_until_complete(at(place, loop, create))
    assert trace == ["created", "child"]


@requirement("tasks.runs-unawaited", MUST, cite="asyncio-task: §Awaitables")
def test_a_task_runs_without_being_awaited(loop: Loop) -> None:
    """A coroutine wrapped into a task is automatically scheduled to run soon, whether or not anybody awaits it.

    If this fails: look for a task that is started by its first await, or for one that is lost as the loop was stopped
    before it was made: it starts when the loop runs again.
    """
    trace: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def child() -> None:
        trace.append("child")

    def stop_first() -> None:
        loop.stop()
        tasks.append(loop.create_task(child()))

    tasks.append(loop.create_task(child()))
    turn(loop, 2)
    assert trace == ["child"]
    loop.call_soon(stop_first)
    loop.run_forever()
    turn(loop, 2)
    assert trace == ["child", "child"]
    assert [task.done() for task in tasks] == [True, True]


@requirement("tasks.start-order", SHOULD, cite="PEP 3156: Coroutines and the Scheduler")
def test_tasks_start_in_the_order_in_which_they_were_created(loop: Loop) -> None:
    """Tasks start in the order in which they were created, in line with the callbacks of call_soon().

    If this fails: look for a queue of tasks beside the queue of callbacks.
    """
    trace: list[str] = []

    async def child(name: str) -> None:
        trace.append(name)

    tasks = [loop.create_task(child("first"))]
    loop.call_soon(trace.append, "callback")
    tasks += [loop.create_task(child("second")), loop.create_task(child("third"))]
    turn(loop, 2)
    assert trace == ["first", "callback", "second", "third"]


@requirement("tasks.refuses-others", SHOULD, cite="asyncio-eventloop: loop.create_task")
@each("what", [at_once, 42, None, _Awaitable(), _generate(), asyncio.Future, *_GENERATORS])
def test_create_task_takes_coroutines_only(loop: Loop, what: Any) -> None:
    """create_task() takes a coroutine: anything else raises an exception at once.

    If this fails: look for a task that fails in its first step, where nobody knows who made it, or for an object that
    is merely awaitable: it is for ensure_future() to wrap it, or to return it if it is a future.
    """
    given: Any = loop.create_future() if what is asyncio.Future else what
    with refused():
        loop.create_task(given)


def assert_names_are_set(loop: Loop, place: str) -> None:
    """create_task() gives tasks the names that it is given, with a context or without."""
    names: list[Any] = [*_NAMES]
    tasks = at(place, loop, lambda: [loop.create_task(at_once(), name=name) for name in names])
    assert [task.get_name() for task in tasks] == [*_NAMES.values()]
    context = contextvars.copy_context()
    both = at(place, loop, lambda: loop.create_task(at_once(), name="given", context=context))
    assert both.get_name() == "given"
    loop.run_until_complete(asyncio.wait([*tasks, both]))


@requirement("tasks.name", MUST, cite="asyncio-eventloop: loop.create_task")
@each("place", PLACES)
def test_create_task_sets_the_name(loop: Loop, place: str) -> None:
    """If the name argument is given and not None, it is set as the name of the task, as a string, like set_name() does.

    If this fails: look for a name that is dropped, perhaps since it is false or a context is given, or kept as the
    object it was.
    """
    assert_names_are_set(loop, place)


@requirement("tasks.name-default", MUST, cite="asyncio-eventloop: loop.create_task")
def test_a_task_without_a_name_gets_one(loop: Loop) -> None:
    """If the name is None or not given, the task has a name of its own, generated for it.

    If this fails: look for "None" or the empty string as the name.
    """
    tasks = [loop.create_task(at_once()), loop.create_task(at_once(), name=None)]
    for task in tasks:
        assert isinstance(task.get_name(), str)
        assert task.get_name() not in ("", "None")
    loop.run_until_complete(asyncio.wait(tasks))


@requirement("tasks.keyword-only", MUST, cite="asyncio-eventloop: loop.create_task")
def test_name_is_keyword_only(loop: Loop) -> None:
    """The arguments of create_task() other than the coroutine are keyword-only.

    If this fails: look for a C signature that takes name by position.
    """
    coro = at_once()
    with pytest.raises(TypeError):
        loop.create_task(coro, "name")  # type: ignore[call-arg]
    coro.close()


@requirement("tasks.closed-loop", SHOULD, cite="asyncio-eventloop: loop.close")
@each("factory", [False, True])
def test_a_closed_loop_makes_no_tasks(make_loop: Callable[[], Loop], factory: bool) -> None:
    """create_task() on a closed loop raises RuntimeError, with and without a task factory.

    If this fails: look for a task that can never run, handed out by a loop that is closed.
    """
    made: list[object] = []
    loop = make_loop()
    if factory:
        loop.set_task_factory(lambda *_args, **_kwargs: made.append(1))  # type: ignore[arg-type]
    loop.close()
    coro = at_once()
    with pytest.raises(RuntimeError):
        loop.create_task(coro)
    coro.close()
    assert made == []


@requirement("tasks.by-name", MUST, cite="asyncio-eventloop: loop.create_task")
def test_the_coroutine_of_a_task_may_be_given_by_name(loop: Loop) -> None:
    """create_task() takes its documented parameter coro by name, too, and set_task_factory() factory.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """

    async def answer() -> int:
        return 42

    loop.set_task_factory(factory=None)
    assert loop.run_until_complete(loop.create_task(coro=answer())) == 42
