"""Chapter tasks: loop.create_task() and the task factory.

What a task does once it runs is in test_tasks_running.py, eager tasks are in test_tasks_eager.py.
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
from conformance.requirement import MAY, MUST, SHOULD, requirement

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


async def _answer(value: object = "value") -> object:
    return value


async def _generate() -> AsyncGenerator[int, None]:
    yield 1


_GENERATORS = [(_ for _ in range(1))] if sys.version_info >= (3, 12) else []
"""asyncio.iscoroutine() is false of generators since Python 3.12: they have the methods of a coroutine."""


def make_task(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """What most task factories are: the default one, spelled out. `kwargs` depend on the Python version."""
    return asyncio.Task(coro, loop=loop, **kwargs)


@requirement("tasks.create", MUST, cite="asyncio-eventloop: loop.create_task")
def test_create_task_returns_a_task(loop: Loop) -> None:
    """create_task() returns a Task object, or one of the loop's own subclass of Task.

    If this fails: look for an own task class that does not derive from asyncio.Task.
    """
    task = loop.create_task(_answer())
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

    If this fails: look for a task that is started by its first await.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    task = loop.create_task(child())
    turn(loop, 2)
    assert trace == ["child"]
    assert task.done()


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
@each("what", [_answer, 42, None, _Awaitable(), _generate(), asyncio.Future, *_GENERATORS])
def test_create_task_takes_coroutines_only(loop: Loop, what: Any) -> None:
    """create_task() takes a coroutine: anything else raises an exception at once.

    If this fails: look for a task that fails in its first step, where nobody knows who made it, or for an object that
    is merely awaitable: it is for ensure_future() to wrap it, or to return it if it is a future.
    """
    given: Any = loop.create_future() if what is asyncio.Future else what
    with refused():
        loop.create_task(given)


@requirement("tasks.name", MUST, cite="asyncio-eventloop: loop.create_task")
@each("place", PLACES)
def test_create_task_sets_the_name(loop: Loop, place: str) -> None:
    """If the name argument is given and not None, it is set as the name of the task, as a string, like set_name() does.

    If this fails: look for a name that is dropped, perhaps since it is false or a context is given, or kept as the
    object it was.
    """
    names: list[Any] = [*_NAMES]
    tasks = at(place, loop, lambda: [loop.create_task(_answer(), name=name) for name in names])
    assert [task.get_name() for task in tasks] == [*_NAMES.values()]
    context = contextvars.copy_context()
    both = at(place, loop, lambda: loop.create_task(_answer(), name="given", context=context))
    assert both.get_name() == "given"
    loop.run_until_complete(asyncio.wait([*tasks, both]))


@requirement("tasks.name-default", MUST, cite="asyncio-eventloop: loop.create_task")
def test_a_task_without_a_name_gets_one(loop: Loop) -> None:
    """If the name is None or not given, the task has a name of its own, generated for it.

    If this fails: look for "None" or the empty string as the name.
    """
    tasks = [loop.create_task(_answer()), loop.create_task(_answer(), name=None)]
    for task in tasks:
        assert isinstance(task.get_name(), str)
        assert task.get_name() not in ("", "None")
    loop.run_until_complete(asyncio.wait(tasks))


@requirement("tasks.keyword-only", MUST, cite="asyncio-eventloop: loop.create_task")
def test_name_is_keyword_only(loop: Loop) -> None:
    """The arguments of create_task() other than the coroutine are keyword-only.

    If this fails: look for a C signature that takes name by position.
    """
    coro = _answer()
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
    coro = _answer()
    with pytest.raises(RuntimeError):
        loop.create_task(coro)
    coro.close()
    assert made == []


@requirement("tasks.factory", MUST, cite="asyncio-eventloop: loop.set_task_factory")
def test_the_factory_is_called_with_loop_and_coroutine(loop: Loop) -> None:
    """create_task() calls the task factory with the loop and the coroutine object, by position.

    If this fails: look for a wrapper of the coroutine, for the two as keyword arguments, or for a factory that is
    taken for none because its truth value is false.
    """
    calls: list[tuple[object, ...]] = []

    def factory(*args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        calls.append(args)
        return make_task(*args, **kwargs)

    class Factories(list[object]):
        """Its truth value is false."""

        __call__ = staticmethod(factory)

    loop.set_task_factory(Factories())
    loop.run_until_complete(loop.create_task(_answer()))
    assert len(calls) == 1
    calls.clear()
    loop.set_task_factory(factory)
    coro = _answer()
    loop.run_until_complete(loop.create_task(coro))
    assert len(calls) == 1
    assert len(calls[0]) == 2
    assert calls[0][0] is loop
    assert calls[0][1] is coro


@requirement("tasks.factory-result", MUST, cite="asyncio-eventloop: loop.set_task_factory")
def test_create_task_returns_what_the_factory_returned(loop: Loop) -> None:
    """create_task() returns the object that the task factory returned.

    If this fails: look for a second task made of the first, or for the factory called on the side.
    """
    made: list[asyncio.Task[Any]] = []

    def factory(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        made.append(make_task(loop, coro, **kwargs))
        return made[-1]

    loop.set_task_factory(factory)
    task = loop.create_task(_answer())
    assert len(made) == 1
    assert task is made[0]
    loop.run_until_complete(task)


@requirement("tasks.factory-future", MUST, cite=("asyncio-eventloop: loop.set_task_factory", "gh-130033"))
def test_a_factory_may_return_any_future(loop: Loop) -> None:
    """A task factory must return a Future-compatible object: it need not be a Task.

    If this fails: look for a method of Task, like set_name(), that is called on whatever came.
    """

    def factory(loop: Loop, coro: Any, **_kwargs: Any) -> Any:
        coro.close()
        return loop.create_future()

    loop.set_task_factory(factory)
    task = loop.create_task(_answer())
    assert asyncio.isfuture(task)
    task.cancel()


@requirement("tasks.factory-context", MUST, cite="asyncio-eventloop: loop.set_task_factory")
@each("make", [contextvars.copy_context, contextvars.Context])
@each("place", PLACES)
def test_the_factory_is_given_the_context(loop: Loop, make: Callable[[], contextvars.Context], place: str) -> None:
    """A context given to create_task() is passed to the task factory as the keyword argument context.

    If this fails: look for a context that is dropped when there is a factory, or when it is empty and thus false.
    """
    seen: list[object] = []

    def factory(loop: Loop, coro: Any, *, context: Any = None, **kwargs: Any) -> asyncio.Task[Any]:
        seen.append(context)
        return make_task(loop, coro, context=context, **kwargs)

    context = make()

    def work() -> asyncio.Task[Any]:
        loop.set_task_factory(factory)
        try:
            return loop.create_task(_answer(), context=context)
        finally:
            loop.set_task_factory(None)

    loop.run_until_complete(at(place, loop, work))
    assert len(seen) == 1
    assert seen[0] is context


@requirement("tasks.factory-two-arguments", MAY, cite="asyncio-eventloop: loop.set_task_factory", until="3.12")
def test_a_factory_that_does_not_know_context(loop: Loop, answer: Callable[[object], None]) -> None:
    """Without a context, the loop may leave it out for task factories of the old signature (loop, coro).

    If this fails: nothing is forbidden here; the answer tells whether such factories of older libraries still work.
    """
    loop.set_task_factory(lambda loop, coro: asyncio.Task(coro, loop=loop))
    coro = _answer()
    try:
        loop.run_until_complete(loop.create_task(coro, name="given"))
    except TypeError:
        coro.close()
        answer("a factory must take context")
    else:
        answer("a factory need not take context")


@requirement("tasks.factory-name", MUST, cite="asyncio-eventloop: loop.create_task")
@each("place", PLACES)
def test_a_task_of_a_factory_gets_the_name(loop: Loop, place: str) -> None:
    """A name given to create_task() is set on the task also if a task factory makes it.

    If this fails: look for a name that neither goes to the factory nor to set_name(), perhaps as it is false, or as a
    context is given, too.
    """
    loop.set_task_factory(make_task)
    names: list[Any] = [*_NAMES]
    tasks = at(place, loop, lambda: [loop.create_task(_answer(), name=name) for name in names])
    assert [task.get_name() for task in tasks] == [*_NAMES.values()]
    context = contextvars.copy_context()
    both = at(place, loop, lambda: loop.create_task(_answer(), name="given", context=context))
    assert both.get_name() == "given"
    loop.run_until_complete(asyncio.wait_for(asyncio.wait([*tasks, both]), None))


@requirement("tasks.factory-name-default", MUST, cite=("asyncio-eventloop: loop.create_task", "gh-130033"))
def test_a_name_that_the_factory_chose_stays(loop: Loop) -> None:
    """If no name is given, the name that the task factory gave to the task stays.

    If this fails: look for set_name(None), which makes it the string "None".
    """

    def factory(loop: Loop, coro: Any, **_kwargs: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=loop, name="of the factory")

    loop.set_task_factory(factory)
    task = loop.create_task(_answer())
    assert task.get_name() == "of the factory"
    loop.run_until_complete(task)


@requirement("tasks.by-name", MUST, cite="asyncio-eventloop: loop.create_task")
def test_the_coroutine_of_a_task_may_be_given_by_name(loop: Loop) -> None:
    """create_task() takes its documented parameter coro by name, too, and set_task_factory() factory.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """

    async def answer() -> int:
        return 42

    loop.set_task_factory(factory=None)
    assert loop.run_until_complete(loop.create_task(coro=answer())) == 42
