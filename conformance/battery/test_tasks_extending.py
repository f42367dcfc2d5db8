"""Chapter tasks: asyncio's own Future and Task over the loop, what another task class must say, and task groups."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="of nobody")


async def _ask() -> str:
    await asyncio.sleep(0)
    return VARIABLE.get()


@requirement("tasks.built-in-future", MUST, cite="asyncio-extending: Future.__init__")
def test_a_built_in_future_works_with_the_loop(loop: Loop) -> None:
    """A built-in future that is made with loop=… belongs to the loop, which schedules its callbacks and awaits it.

    If this fails: look for futures that the loop tells apart by their class, or call_soon() without context.
    """
    calls: list[object] = []
    future: asyncio.Future[str] = asyncio.Future(loop=loop)
    future.add_done_callback(calls.append)
    loop.call_soon(future.set_result, "value")
    assert future.get_loop() is loop
    assert loop.run_until_complete(future) == "value"
    assert calls == [future]


@requirement("tasks.built-in-future-inside", MUST, cite="asyncio-extending: Future.__init__")
def test_a_built_in_future_finds_the_running_loop(loop: Loop) -> None:
    """loop is an optional argument: a built-in future that is made inside a coroutine belongs to the running loop.

    If this fails: look for the running-loop marker, or get_debug(), which the constructor asks for.
    """

    async def main() -> Any:
        future: asyncio.Future[str] = asyncio.Future()
        asyncio.get_running_loop().call_soon(future.set_result, "value")
        return future.get_loop(), await future

    assert loop.run_until_complete(main()) == (loop, "value")


class _FutureLike:
    """What isfuture() takes for a future by its mark, and shares no class with asyncio's own."""

    _asyncio_future_blocking = False

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Any = None) -> None:
        self._future.add_done_callback(lambda _: callback(self), context=context)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._future, name)


class _FalseFutureLike(_FutureLike):
    """Another, whose truth value is false."""

    def __bool__(self) -> bool:
        return False


@requirement("tasks.future-like", SHOULD, cite="asyncio-future: isfuture")
@each("ending", ["result", "exception", "cancelled", "request"])
@each("false", [False, True])
def test_a_task_can_await_a_future_like_object(loop: Loop, patience: Patience, ending: str, false: bool) -> None:
    """A task awaits a Future-like object, one with a _asyncio_future_blocking attribute, as it awaits a Future.

    If this fails: look for steps that know futures by their class, or that read a future's fields and not its result();
    for a request to cancel the task that does not reach such an object, perhaps as its truth value is false.
    run_until_complete() takes such an object as well.
    """
    future: asyncio.Future[str] = asyncio.Future(loop=loop)
    endings: dict[str, Callable[[], object]] = {
        "result": lambda: future.set_result("value"),
        "exception": lambda: future.set_exception(LookupError(ending)),
        "cancelled": future.cancel,
        "request": lambda: task.cancel("message"),
    }

    like: Any = _FalseFutureLike(future) if false else _FutureLike(future)

    async def main() -> object:
        assert asyncio.isfuture(like)
        assert asyncio.ensure_future(like) is like
        try:
            return await like
        except (LookupError, asyncio.CancelledError) as error:
            return type(error), *error.args

    loop.call_soon(loop.call_soon, endings[ending])
    task = loop.create_task(main())
    words = ("message",) if ending == "request" else ()
    outcome = {"result": "value", "exception": (LookupError, ending)}.get(ending, (asyncio.CancelledError, *words))
    patience.in_turns.run_until(loop, task.done, "the end of the task")
    assert task.result() == outcome
    assert future.cancelled() == (ending in ("cancelled", "request"))
    if ending == "result":
        assert loop.run_until_complete(like) == "value"
    else:
        with pytest.raises((LookupError, asyncio.CancelledError)):
            loop.run_until_complete(like)


@requirement("tasks.built-in-task", MUST, cite="asyncio-extending: Task.__init__")
def test_a_built_in_task_works_with_the_loop(loop: Loop) -> None:
    """A built-in task that is made with loop=…, name=… and context=… is run by the loop as its own tasks are.

    If this fails: look for steps that only tasks of the loop's own class may schedule.
    """
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the context")
    task = asyncio.Task(_ask(), loop=loop, name="by hand", context=context)
    assert asyncio.all_tasks(loop) == {task}
    assert loop.run_until_complete(task) == "of the context"
    assert (task.get_name(), task.get_loop()) == ("by hand", loop)


@requirement("tasks.visible-from-the-start", MUST, cite="asyncio-extending: _register_task")
def test_a_task_is_visible_as_soon_as_it_is_made(loop: Loop) -> None:
    """A task implementation registers a new task from its constructor: all_tasks() has it before its first step.

    If this fails: look for a task that is registered when it starts.
    """
    seen: list[bool] = []

    async def main() -> None:
        task = loop.create_task(_ask())
        seen.append(task in asyncio.all_tasks())
        await task

    loop.run_until_complete(main())
    assert seen == [True]


@requirement("tasks.gone-when-done", MUST, cite="asyncio-extending: _unregister_task")
def test_a_task_that_is_done_is_not_visible(loop: Loop) -> None:
    """A task is unregistered when it is about to finish: its done callbacks do not find it in all_tasks().

    If this fails: look for a task that is unregistered when it is collected.
    """
    seen: list[bool] = []
    task = loop.create_task(_ask())
    task.add_done_callback(lambda done: seen.append(done in asyncio.all_tasks(loop)))
    loop.run_until_complete(task)
    turn(loop)
    assert seen == [False]


@requirement("tasks.entered", MUST, cite="asyncio-extending: _enter_task")
def test_the_task_is_current_in_every_step(loop: Loop) -> None:
    """The current task is switched before each portion of the coroutine, also when an exception is thrown into it.

    If this fails: look for a throw() that is not enclosed as send() is, perhaps the one that is due to a wrong yield.
    """
    seen: list[Any] = []

    class NoFuture:
        def __await__(self) -> Generator[Any, None, None]:
            yield self

    async def body() -> None:
        seen.append(asyncio.current_task())
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)
            seen.append(asyncio.current_task())
        with contextlib.suppress(RuntimeError):
            await NoFuture()
        seen.append(asyncio.current_task())

    task = loop.create_task(body())
    turn(loop, 2)
    task.cancel()
    loop.run_until_complete(task)
    assert seen == [task] * 4


@requirement("tasks.left", MUST, cite="asyncio-extending: _leave_task")
@each("ending", ["waits", "returns", "raises", "is cancelled"])
def test_no_task_is_current_after_a_step(loop: Loop, ending: str) -> None:
    """The current task is switched back to None just after the step, however that ends.

    If this fails: look for a way out of a step that forgets it.
    """
    seen: list[Any] = []

    async def body() -> None:
        loop.call_soon(lambda: seen.append(asyncio.current_task(loop)))
        if ending == "raises":
            raise LookupError(ending)
        if ending == "is cancelled":
            raise asyncio.CancelledError
        if ending == "waits":
            await asyncio.sleep(0.001)

    task = loop.create_task(body())
    loop.run_until_complete(asyncio.wait([task]))
    assert seen == [None]
    assert task.cancelled() or (task.exception() is not None) == (ending == "raises")


@requirement("tasks.group-arguments", MUST, cite="asyncio-task: TaskGroup.create_task")
def test_a_task_group_passes_name_and_context(loop: Loop) -> None:
    """The signature of TaskGroup.create_task() matches that of create_task(): name and context reach the task.

    If this fails: look for create_task() of the loop, which takes both, together or alone.
    """
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the context")

    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            both = group.create_task(_ask(), name="a name", context=context)
            one = group.create_task(_ask(), name="another")
        return both.get_name(), both.result(), one.get_name(), one.result()

    assert loop.run_until_complete(main()) == ("a name", "of the context", "another", "of nobody")


@requirement("tasks.group-factory", SHOULD, cite="asyncio-eventloop: loop.set_task_factory")
def test_a_task_group_uses_the_task_factory(loop: Loop) -> None:
    """The tasks of a TaskGroup are made by the task factory of the loop, if one is set.

    If this fails: look for create_task(), which must ask the factory whoever calls it.
    """
    made: list[Any] = []

    def factory(loop: Any, coro: Any, **kwargs: Any) -> Any:
        made.append(asyncio.Task(coro, loop=loop, **kwargs))
        return made[-1]

    async def main() -> Any:
        async with asyncio.TaskGroup() as group:
            return group.create_task(_ask())

    loop.set_task_factory(factory)
    assert loop.run_until_complete(main()) is made[1]


@requirement("tasks.group-body-fails", MUST, cite="asyncio-task: TaskGroup")
def test_an_exception_of_the_body_is_one_of_the_group(loop: Loop) -> None:
    """If the body of the async with statement raises, the tasks are cancelled and waited for; all goes into the group.

    If this fails: look for the cancellation of tasks, and for what their cleaning up raises.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            trace.append("cleaned up")
            raise LookupError("of the child")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.sleep(0)
            raise ValueError("of the body")

    with pytest.raises(ExceptionGroup) as caught:
        loop.run_until_complete(main())
    assert trace == ["cleaned up"]
    assert sorted(type(error).__name__ for error in caught.value.exceptions) == ["LookupError", "ValueError"]


@requirement("tasks.group-exits", MUST, cite="asyncio-task: Task Groups")
@each("error", [SystemExit(3), KeyboardInterrupt()])
def test_an_exit_leaves_a_group_as_it_is(loop: Loop, error: BaseException) -> None:
    """If a task fails with KeyboardInterrupt or SystemExit, its group cancels and waits, and re-raises just that.

    If this fails: look for a task that has no exception when one of these has left the loop through it.
    """
    trace: list[object] = []

    async def sibling() -> None:
        try:
            await loop.create_future()
        finally:
            await asyncio.sleep(0)
            trace.append("sibling")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sibling())
                group.create_task(fail())
        except BaseException as caught:
            trace.append(caught)

    task = loop.create_task(main())
    with pytest.raises(type(error)):
        loop.run_until_complete(task)
    loop.run_until_complete(task)
    assert trace == ["sibling", error]
