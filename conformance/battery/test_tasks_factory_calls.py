"""Chapter tasks: what create_task() calls the task factory with, and what it makes of the factory's result."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import Any

from conformance.battery.test_tasks import assert_names_are_set, at_once
from conformance.kit.cases import each
from conformance.kit.places import PLACES, at
from conformance.requirement import MAY, MUST, requirement

Loop = asyncio.AbstractEventLoop


def make_task(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """What most task factories are: the default one, spelled out. `kwargs` depend on the Python version."""
    return asyncio.Task(coro, loop=loop, **kwargs)


@requirement("tasks.factory", MUST, cite="asyncio-eventloop: loop.set_task_factory")
def test_the_factory_is_called_with_loop_and_coroutine(loop: Loop) -> None:
    """create_task() calls the task factory with the loop and the coroutine object, by position.

    If this fails: look for a wrapper of the coroutine, for the two as keyword arguments, for a factory that is taken
    for none because its truth value is false, or for one that is not asked in a callback, or in a task.
    """
    calls: list[tuple[object, ...]] = []

    def factory(*args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        calls.append(args)
        return make_task(*args, **kwargs)

    class Factories(list[object]):
        """Its truth value is false."""

        __call__ = staticmethod(factory)

    loop.set_task_factory(Factories())
    loop.run_until_complete(loop.create_task(at_once()))
    assert len(calls) == 1
    calls.clear()
    loop.set_task_factory(factory)
    for place in PLACES:
        coro = at_once()
        task = at(place, loop, functools.partial(loop.create_task, coro))
        found = [call for call in calls if coro in call]  # what runs there may be a task of the factory's, too
        assert len(found) == 1, place
        assert len(found[0]) == 2
        assert found[0][0] is loop
        assert found[0][1] is coro
        loop.run_until_complete(task)


class _False(asyncio.Task[Any]):
    """A task whose truth value is false, as one that counts what it holds may be."""

    def __bool__(self) -> bool:
        return False


class _Done(asyncio.Future[None]):
    """A future that is done when it is made, and takes a name, as Python 3.13.0 asks of what a factory returns."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop=loop)
        self.set_result(None)

    def set_name(self, value: object) -> None:
        """Nobody asks for it."""


def _make_done(loop: Loop, coro: Any, **_kwargs: Any) -> asyncio.Future[None]:
    coro.close()
    return _Done(loop)


def _make_false(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    return _False(coro, loop=loop, **kwargs)


@requirement("tasks.factory-result", MUST, cite="asyncio-eventloop: loop.set_task_factory")
@each("make", [make_task, _make_done, _make_false], ids=["task", "done future", "false task"])
def test_create_task_returns_what_the_factory_returned(loop: Loop, make: Callable[..., asyncio.Future[Any]]) -> None:
    """create_task() returns the object that the task factory returned.

    If this fails: look for a second task made of the first, for the factory called on the side, or for an object that
    is done already, or false, and taken for none.
    """
    made: list[asyncio.Future[Any]] = []

    def factory(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Future[Any]:
        made.append(make(loop, coro, **kwargs))
        return made[-1]

    loop.set_task_factory(factory)
    task = loop.create_task(at_once())
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
    task = loop.create_task(at_once())
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
            return loop.create_task(at_once(), context=context)
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
    coro = at_once()
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
    assert_names_are_set(loop, place)


@requirement("tasks.factory-name-default", MUST, cite=("asyncio-eventloop: loop.create_task", "gh-130033"))
def test_a_name_that_the_factory_chose_stays(loop: Loop) -> None:
    """If no name is given, the name that the task factory gave to the task stays.

    If this fails: look for set_name(None), which makes it the string "None".
    """

    def factory(loop: Loop, coro: Any, **_kwargs: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=loop, name="of the factory")

    loop.set_task_factory(factory)
    task = loop.create_task(at_once())
    assert task.get_name() == "of the factory"
    loop.run_until_complete(task)
