"""Chapter tasks: setting and asking for the task factory, and who uses it; what Python 3.14 adds to create_task().

What the factory is called with is in test_tasks_factory_calls.py, the eager factories of Python 3.12 are in
test_tasks_eager.py.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.places import PLACES, at
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_CONTEXT = contextvars.copy_context()


async def _answer() -> str:
    return "value"


class Counting:
    """A task factory that keeps what it made."""

    def __init__(self) -> None:
        self.made: list[asyncio.Task[Any]] = []

    def __call__(self, loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        self.made.append(asyncio.Task(coro, loop=loop, **kwargs))
        return self.made[-1]


@requirement("tasks.factory-default", MUST, cite="asyncio-eventloop: loop.get_task_factory")
def test_there_is_no_factory_by_default(loop: Loop) -> None:
    """get_task_factory() returns None if the default factory is in use, as it is in a new loop.

    If this fails: look for the default factory returned as an object.
    """
    assert loop.get_task_factory() is None


@requirement("tasks.get-factory", MUST, cite="asyncio-eventloop: loop.get_task_factory")
def test_get_task_factory_returns_what_was_set(loop: Loop) -> None:
    """get_task_factory() returns the task factory that was set, the very object, after a run and in any thread too.

    If this fails: look for a wrapper round the factory.
    """
    factory = Counting()
    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    assert loop.run_until_complete(_answer()) == "value"
    assert loop.get_task_factory() is factory
    assert in_thread(loop.get_task_factory).result() is factory

    class Empty(Counting):
        def __len__(self) -> int:
            return 0

    false = Empty()
    loop.set_task_factory(false)
    assert loop.get_task_factory() is false


@requirement("tasks.factory-reset", MUST, cite="asyncio-eventloop: loop.set_task_factory")
@each("place", PLACES)
def test_none_sets_the_default_factory(loop: Loop, place: str) -> None:
    """If factory is None, the default task factory is set: the former one is not asked any more.

    If this fails: look for None taken as "leave it as it is".
    """
    factory = Counting()
    loop.set_task_factory(factory)
    at(place, loop, lambda: loop.set_task_factory(None))
    factory.made.clear()  # of the place
    task = loop.create_task(_answer())
    assert loop.run_until_complete(task) == "value"
    assert factory.made == []
    assert loop.get_task_factory() is None


@requirement("tasks.factory-replaced", MUST, cite="asyncio-eventloop: loop.set_task_factory")
@each("place", PLACES)
def test_the_last_factory_is_used(loop: Loop, place: str) -> None:
    """set_task_factory() sets the factory that create_task() uses from then on, in place of the one before.

    If this fails: look for a factory that is looked up once, that can be set only once, or that is used from the next
    run on.
    """
    first, second = Counting(), Counting()

    def work() -> list[asyncio.Task[str]]:
        made = []
        for factory in (first, second):
            loop.set_task_factory(factory)
            made.append(loop.create_task(_answer()))
        return made

    one, other = at(place, loop, work)
    loop.run_until_complete(asyncio.wait_for(asyncio.wait([one, other]), None))
    assert first.made == [one]
    assert second.made[0] is other
    loop.set_task_factory(None)


@requirement("tasks.factory-callable", SHOULD, cite="asyncio-eventloop: loop.set_task_factory")
@each("what", [42, "factory", 0, "", False], ids=repr)
def test_a_factory_must_be_callable(loop: Loop, what: Any) -> None:
    """If factory is neither None nor callable, set_task_factory() raises an exception.

    If this fails: look for an error that comes only with the first task, or what is false taken for None.
    """
    with refused():
        loop.set_task_factory(what)
    assert loop.get_task_factory() is None


@requirement("tasks.factory-per-loop", MUST, cite="asyncio-eventloop: loop.set_task_factory")
def test_a_factory_belongs_to_one_loop(loop: Loop, make_loop: Any) -> None:
    """A task factory is the one of the loop it was set on: other loops keep their own.

    If this fails: look for a factory kept per process, or per thread.
    """
    factory = Counting()
    loop.set_task_factory(factory)
    other = make_loop()
    assert other.get_task_factory() is None
    assert other.run_until_complete(other.create_task(_answer())) == "value"
    assert factory.made == []


@requirement("tasks.factory-everywhere", MUST, cite="asyncio-eventloop: loop.set_task_factory")
@each("way", ["run_until_complete", "create_task", "ensure_future", "gather", "TaskGroup"])
def test_all_ways_to_a_task_use_the_factory(loop: Loop, way: str) -> None:
    """The task factory makes all tasks of the loop: those of run_until_complete() and of asyncio's functions too.

    If this fails: look for a task that is made past create_task().
    """
    factory = Counting()
    coro = _answer()

    async def main() -> None:
        loop.set_task_factory(factory)
        if way == "create_task":
            await asyncio.create_task(coro)
        elif way == "ensure_future":
            await asyncio.ensure_future(coro)
        elif way == "gather":
            await asyncio.gather(coro)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(coro)

    if way == "run_until_complete":
        loop.set_task_factory(factory)
        loop.run_until_complete(coro)
    else:
        loop.run_until_complete(main())
    assert [task.get_coro() for task in factory.made] == [coro]


@requirement("tasks.factory-error", SHOULD, cite="asyncio-eventloop: loop.set_task_factory")
def test_an_exception_of_the_factory_comes_out(loop: Loop) -> None:
    """An exception that the task factory raises comes out of create_task(), and the factory stays set.

    If this fails: look for an exception cleared in favour of the default factory.
    """

    def factory(_loop: Loop, coro: Any, **_kwargs: Any) -> Any:
        coro.close()
        raise LookupError("of the factory")

    loop.set_task_factory(factory)
    for _ in range(2):
        with pytest.raises(LookupError):
            loop.create_task(_answer())
    assert loop.get_task_factory() is factory


class _Handmade(Coroutine[Any, Any, str]):
    """A coroutine object that is none of Python's own, as compilers make them."""

    def __init__(self) -> None:
        self._inner = _answer()

    def send(self, value: Any) -> Any:
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


@requirement(
    "tasks.any-coroutine", SHOULD, cite=("asyncio-eventloop: loop.create_task", "asyncio-future: ensure_future")
)
@each("way", ["create_task", "run_until_complete"])
@each("factory", [False, True])
def test_a_coroutine_need_not_be_pythons_own(loop: Loop, way: str, factory: bool) -> None:
    """Whatever asyncio.iscoroutine() takes for a coroutine object can be run: also a class with the methods of one.

    If this fails: look for a test of the exact type, perhaps before the task factory is asked, or for steps that go
    past send() and throw().
    """
    asked: list[object] = []

    def make(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        asked.append(coro)
        return asyncio.Task(coro, loop=loop, **kwargs)

    if factory:
        loop.set_task_factory(make)
    coro = _Handmade()
    assert asyncio.iscoroutine(coro)
    if way == "create_task":
        task = loop.create_task(coro)
        assert task.get_coro() is coro
        assert loop.run_until_complete(task) == "value"
    else:
        assert loop.run_until_complete(coro) == "value"
    assert asked == [coro] * factory


@requirement("tasks.factory-signature", MUST, cite="asyncio-eventloop: loop.set_task_factory", until="3.12")
@each("kwargs", [{}, {"name": "given"}, {"context": _CONTEXT}, {"name": "given", "context": _CONTEXT}])
def test_a_factory_needs_no_more_than_the_documented_parameters(loop: Loop, kwargs: dict[str, Any]) -> None:
    """A factory with the signature (loop, coro, context=None) is enough: no other keyword argument is passed to it.

    If this fails: look for a name that goes to the factory, where set_name() is to be called with it.
    """

    def factory(loop: Loop, coro: Any, context: Any = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=loop, context=context)

    loop.set_task_factory(factory)
    task = loop.create_task(_answer(), **kwargs)
    assert loop.run_until_complete(task) == "value"
    assert task.get_name() == "given" or "name" not in kwargs


@requirement("tasks.factory-keywords", MUST, cite="asyncio-eventloop: loop.create_task", since="3.14")
def test_all_keyword_arguments_go_to_the_factory(loop: Loop) -> None:
    """All keyword arguments of create_task() are passed to the task factory, also those that the loop does not know.

    If this fails: look for a create_task() that names its keyword arguments, and takes no others.
    """
    seen: list[dict[str, Any]] = []

    def factory(loop: Loop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        seen.append(kwargs)
        return asyncio.Task(coro, loop=loop)

    loop.set_task_factory(factory)
    task = loop.create_task(_answer(), name="given", own="keyword")  # type: ignore[call-arg]
    loop.run_until_complete(task)
    assert seen[0]["name"] == "given"
    assert seen[0]["own"] == "keyword"


@requirement("tasks.eager-start", MUST, cite="asyncio-eventloop: loop.create_task", since="3.14")
def test_create_task_takes_eager_start(loop: Loop) -> None:
    """If eager_start is True and the loop runs, the task starts within create_task(), up to its first block.

    If this fails: look for a keyword that is not known, or taken and forgotten.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")
        await asyncio.sleep(0)
        trace.append("end")

    async def main() -> None:
        task: asyncio.Task[None] = loop.create_task(child(), eager_start=True)  # type: ignore[call-arg]
        trace.append("created")
        await task

    loop.run_until_complete(main())
    assert trace == ["child", "created", "end"]


@requirement("tasks.eager-start-later", MUST, cite="asyncio-eventloop: loop.create_task", since="3.14")
def test_create_task_takes_eager_start_with_an_eager_factory(loop: Loop) -> None:
    """If eager_start is False, the task is scheduled for later, also where the task factory would start it eagerly.

    If this fails: look for a keyword that is tested for its truth, and passed on to the factory only if it is true.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    async def main() -> None:
        task: asyncio.Task[None] = loop.create_task(child(), eager_start=False)  # type: ignore[call-arg]
        trace.append("created")
        await task

    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    loop.run_until_complete(main())
    assert trace == ["created", "child"]
