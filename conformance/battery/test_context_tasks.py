"""Chapter context: what tasks and their surroundings see of each other's context variables."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
from collections.abc import Callable, Generator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.patience import Patience, turn
from conformance.kit.places import PLACES, at
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="of nobody")


async def _ask() -> str:
    await asyncio.sleep(0)
    return VARIABLE.get()


async def _set(value: str) -> str:
    before = VARIABLE.get()
    VARIABLE.set(value)
    return before


@requirement("context.copied-at-creation", MUST, cite="PEP 567: asyncio")
@each("place", PLACES)
def test_a_task_copies_the_context_when_it_is_made(loop: Loop, place: str) -> None:
    """A task copies the current context when it is created: what its creator sets later, it does not see.

    If this fails: look for a context that is copied at the first step, or that only another task hands on.
    """

    def create() -> asyncio.Task[str]:
        token = VARIABLE.set("at the creation")
        task = loop.create_task(_ask())
        VARIABLE.reset(token)
        return task

    assert loop.run_until_complete(at(place, loop, create)) == "at the creation"


_TAKERS: dict[str, Callable[[Loop, Callable[..., None]], object]] = {
    "call_soon": lambda loop, ask: loop.call_soon(ask, context=None),
    "call_soon_threadsafe": lambda loop, ask: loop.call_soon_threadsafe(ask, context=None),
    "call_later": lambda loop, ask: loop.call_later(0, ask, context=None),
    "call_at": lambda loop, ask: loop.call_at(loop.time(), ask, context=None),
    "add_done_callback": lambda loop, ask: done_future(loop).add_done_callback(ask, context=None),
    "create_task": lambda loop, ask: loop.create_task(_call(ask), context=None),
}


async def _call(ask: Callable[..., None]) -> None:
    ask()


@requirement("context.none-given", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("way", _TAKERS)
def test_none_is_no_context(loop: Loop, patience: Patience, way: str) -> None:
    """context is None by default: who gives None gives no context, and the current one is used.

    If this fails: look for a test of whether the keyword was given, where the question is whether it is None.
    """
    seen: list[str] = []
    token = VARIABLE.set("current")
    kept = _TAKERS[way](loop, lambda *_: seen.append(VARIABLE.get()))
    VARIABLE.reset(token)
    patience.run_until(loop, lambda: seen, "the callback")
    del kept
    assert seen == ["current"]


@requirement("context.siblings", MUST, cite="PEP 567: asyncio")
def test_tasks_do_not_see_the_changes_of_others(loop: Loop) -> None:
    """What a task sets is seen by itself only: neither by tasks that were made beside it, nor by callbacks.

    If this fails: look for one context for all tasks, or a task that shares the context of its creator.
    """
    seen: list[str] = []
    tasks = [loop.create_task(_set(name)) for name in "ab"]
    loop.call_soon(lambda: seen.append(VARIABLE.get()))
    loop.run_until_complete(asyncio.wait(tasks))
    assert [task.result() for task in tasks] == ["of nobody"] * 2
    assert seen == ["of nobody"]


@requirement("context.run-until-complete", MUST, cite="PEP 567: asyncio")
def test_a_run_does_not_change_the_context_of_its_caller(loop: Loop) -> None:
    """A coroutine that run_until_complete() runs sees the caller's context, and its changes do not come back.

    If this fails: look for a main coroutine that is driven without a task, in the context of the caller.
    """
    token = VARIABLE.set("of the caller")
    assert loop.run_until_complete(_set("of the coroutine")) == "of the caller"
    assert VARIABLE.get() == "of the caller"
    VARIABLE.reset(token)


@requirement("context.between-runs", MUST, cite="PEP 567: asyncio")
def test_each_run_begins_with_the_context_of_its_caller(loop: Loop) -> None:
    """What one run's coroutine has set is not seen by the next run, whose coroutine sees what is current then.

    If this fails: look for a context that the loop keeps as its own.
    """
    loop.run_until_complete(_set("of the first run"))
    token = VARIABLE.set("current")
    assert loop.run_until_complete(_ask()) == "current"
    VARIABLE.reset(token)


@requirement("context.exception-and-return", MUST, cite="PEP 567: contextvars.Context")
@each("ending", ["returns", "raises", "raises SystemExit"])
def test_a_context_is_left_however_a_callback_ends(loop: Loop, watch: Any, ending: str) -> None:
    """The context of a callback is left when the callback returns or raises: it can be entered again by Context.run().

    If this fails: look for a context that is entered by hand, and left on one of the ways out only.
    """
    watch.allow("reported")

    def callback() -> None:
        VARIABLE.set("of the callback")
        if ending != "returns":
            raise LookupError(ending) if ending == "raises" else SystemExit(3)

    context = contextvars.copy_context()
    loop.call_soon(callback, context=context)
    with contextlib.suppress(SystemExit):
        turn(loop)
    assert VARIABLE.get() == "of nobody"
    assert context.run(VARIABLE.get) == "of the callback"


@requirement("context.threadsafe-coroutine", SHOULD, cite="asyncio-task: run_coroutine_threadsafe")
def test_a_coroutine_from_another_thread_sees_the_context_of_that_thread(loop: Loop) -> None:
    """A coroutine that is submitted with run_coroutine_threadsafe() sees the context of the thread that submitted it.

    If this fails: look for call_soon_threadsafe(), which copies the context of its caller.
    """

    async def main() -> str:
        def submit() -> Any:
            VARIABLE.set("of the thread")
            return asyncio.run_coroutine_threadsafe(_ask(), loop)

        return await asyncio.wrap_future(in_thread(submit).result())

    assert loop.run_until_complete(main()) == "of the thread"


@requirement("context.add-writer", SHOULD, cite="PEP 567: asyncio")
def test_a_writer_runs_in_the_context_in_which_it_was_added(loop: Loop, patience: Patience) -> None:
    """A callback of add_writer() runs in the context that was current when it was added.

    If this fails: look for a handle that is made when the descriptor becomes ready.
    """
    seen: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        token = VARIABLE.set("when it was added")
        loop.add_writer(ours.fileno(), lambda: seen.append(VARIABLE.get()))
        VARIABLE.reset(token)
        patience.run_until(loop, lambda: seen, "the callback")
        loop.remove_writer(ours.fileno())
    assert set(seen) == {"when it was added"}


@requirement("context.task-copies", MUST, cite="asyncio-eventloop: loop.create_task")
@each("kwargs", [{}, {"name": "a name"}, {"context": None}, {"name": None, "context": None}])
def test_a_task_runs_in_a_copy_of_the_current_context(loop: Loop, kwargs: dict[str, Any]) -> None:
    """If no context is given, a task runs in a copy of the current context.

    If this fails: look for a task that shares its creator's context, perhaps if it is given a name.
    """

    async def change() -> str:
        before = VARIABLE.get()
        VARIABLE.set("set by the task")
        await asyncio.sleep(0)
        return before + ", " + VARIABLE.get()

    async def main() -> tuple[str, str]:
        VARIABLE.set("of main")
        return await loop.create_task(change(), **kwargs), VARIABLE.get()

    assert loop.run_until_complete(main()) == ("of main, set by the task", "of main")


@requirement("context.task-given", MUST, cite="asyncio-eventloop: loop.create_task")
@each("make", [contextvars.copy_context, contextvars.Context])
@each("place", PLACES)
@each("name", [None, "a name"])
def test_a_task_runs_in_the_context_that_it_is_given(
    loop: Loop, make: Callable[[], contextvars.Context], place: str, name: str | None
) -> None:
    """create_task(context=…) specifies a custom Context for the coro to run in: exactly that one, at every step.

    If this fails: look for the keyword that Python 3.11 added, for an empty context that is taken for none, for one
    that is lost if there is a name, too, for one that is copied as the maker runs in it, or for steps that run in
    another context than the first.
    """
    context = make()

    async def change() -> None:
        VARIABLE.set("first step")
        await asyncio.sleep(0)
        assert VARIABLE.get() == "first step"
        VARIABLE.set("second step")

    loop.run_until_complete(at(place, loop, lambda: loop.create_task(change(), name=name, context=context)))
    assert context.get(VARIABLE) == "second step"

    async def share() -> str:
        await loop.create_task(change(), name=name, context=context)
        return VARIABLE.get()

    context.run(VARIABLE.set, "of the maker")
    assert loop.run_until_complete(loop.create_task(share(), context=context)) == "second step"


@requirement("context.task-steps-keep", MUST, cite="PEP 567: asyncio")
def test_a_task_keeps_its_context_across_every_kind_of_wait(loop: Loop) -> None:
    """A task sees its own context after each await, whatever woke it, with what it has set between two of them.

    If this fails: look for a wake-up that runs the step in the context of whoever completed the future, or in a copy
    of the task's, perhaps only when an exception is thrown in: that of a future, or the one for a wrong yield.
    """

    class NoFuture:
        def __await__(self) -> Generator[Any, None, None]:
            yield self

    async def waiter(future: asyncio.Future[None]) -> list[str]:
        waits = [future, asyncio.sleep(0), asyncio.sleep(0.001), loop.create_task(asyncio.sleep(0)), asyncio.sleep(0)]
        seen = []
        for number, wait in enumerate(waits):
            VARIABLE.set(f"set before wait {number}")
            await wait
            seen.append(VARIABLE.get())
        failed = loop.create_future()
        loop.call_soon(failed.set_exception, LookupError())
        try:
            await failed
        except LookupError:
            seen.append(VARIABLE.get())
            VARIABLE.set("set after an exception")
        with contextlib.suppress(RuntimeError):
            await NoFuture()
        seen.append(VARIABLE.get())
        VARIABLE.set("set after a wrong yield")
        await asyncio.sleep(0)
        return [*seen, VARIABLE.get()]

    async def main() -> list[str]:
        future: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(waiter(future))
        await asyncio.sleep(0)
        VARIABLE.set("of main")
        future.set_result(None)
        return await task

    before = [f"set before wait {number}" for number in range(5)]
    after = ["set after an exception", "set after a wrong yield"]
    assert loop.run_until_complete(main()) == [*before, before[-1], *after]


@requirement("context.task-cancelled", MUST, cite=("PEP 567: asyncio", "asyncio-task: Task.cancel"))
@each("where", ["at a future", "at a task", "at a bare yield", "at a future that is done"])
def test_a_task_is_cancelled_in_its_own_context(loop: Loop, where: str) -> None:
    """A task sees its own context when a CancelledError is thrown in, wherever it waits, and so does what it sets then.

    If this fails: look for a step that is scheduled by cancel(), in the context of who calls that, or in a copy of the
    task's.
    """

    async def waiter() -> list[str]:
        future: asyncio.Future[None] = loop.create_future()
        VARIABLE.set("of the task")
        loop.call_soon(cancel, future, context=contextvars.Context())
        seen = []
        try:
            if where == "at a bare yield":
                await asyncio.sleep(0)
            elif where == "at a task":
                await loop.create_task(asyncio.sleep(3600))
            else:
                await future
        except asyncio.CancelledError:
            seen.append(VARIABLE.get())
            VARIABLE.set("set when cancelled")
        await asyncio.sleep(0)
        return [*seen, VARIABLE.get()]

    def cancel(future: asyncio.Future[None]) -> None:
        VARIABLE.set("of who cancels")
        if where == "at a future that is done":
            future.set_result(None)
        task.cancel()

    task = loop.create_task(waiter())
    assert loop.run_until_complete(task) == ["of the task", "set when cancelled"]
