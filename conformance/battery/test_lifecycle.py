"""Chapter lifecycle: making a loop, running it, and stopping it."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
import weakref
from collections.abc import Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, value_of
from conformance.kit.oddities import FalseError
from conformance.kit.protocols import raising
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Base(BaseException):
    """Not an Exception, and none of those that a loop lets through."""


class _Future(asyncio.Future[Any]):
    """A future of somebody else."""


class _Wide(Exception):
    """One that cannot be made again from its type and a text."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)


@requirement("lifecycle.factory", MUST, cite="asyncio-eventloop: new_event_loop")
def test_the_factory_returns_a_new_loop_each_time(make_loop: Factory) -> None:
    """The factory creates and returns a new event loop object: another one each time, neither running nor closed.

    If this fails: look for a factory that returns a singleton, or the current loop, or for what all loops share and the
    first that is closed takes away.
    """
    first, second = make_loop(), make_loop()
    assert first is not second
    for loop in (first, second):
        assert not loop.is_running()
        assert not loop.is_closed()
    first.close()
    assert second.run_until_complete(value_of()) == "value"
    second.close()
    third = make_loop()
    timer = asyncio.sleep(0.001, "value")
    assert third.run_until_complete(timer) == "value"
    third.call_later(0.005, in_thread, lambda: third.call_soon_threadsafe(third.stop))
    third.run_forever()


@requirement("lifecycle.abstract-base", SHOULD, cite="asyncio-eventloop: AbstractEventLoop")
def test_a_loop_is_an_abstract_event_loop(loop: Loop) -> None:
    """A loop is an instance of asyncio.AbstractEventLoop, which is how libraries recognise one.

    If this fails: derive from AbstractEventLoop; isinstance() is asked by frameworks.
    """
    assert isinstance(loop, asyncio.AbstractEventLoop)


@requirement("lifecycle.weak-key", SHOULD, cite=("rsloop#46", "anyio#1203"))
def test_a_loop_can_be_a_weak_key(loop: Loop, make_loop: Factory) -> None:
    """A loop can be a key of a weak dictionary, in which libraries keep what is theirs for each loop.

    If this fails: look for a type without room for weak references, or for loops that are equal to one another.
    """
    kept: weakref.WeakKeyDictionary[Loop, str] = weakref.WeakKeyDictionary()
    kept[loop] = "first"
    other = make_loop()
    try:
        kept[other] = "second"

        async def main() -> str:
            return kept[asyncio.get_running_loop()]

        assert (loop.run_until_complete(main()), other.run_until_complete(main())) == ("first", "second")
    finally:
        other.close()


@requirement("lifecycle.result", MUST, cite="asyncio-eventloop: loop.run_until_complete")
@each("debug", [False, True])
def test_run_until_complete_returns_the_result(loop: Loop, debug: bool) -> None:
    """run_until_complete() runs until the future has completed and returns its result.

    If this fails: look for a result that is copied, converted or lost, a special case for what is false, or a future
    that is a result, and is asked for its own.
    """
    loop.set_debug(debug)
    tuples = ((), (None,), (1, 2))  # from which an exception is made, if that is how a result travels, with its parts
    errors = (LookupError("returned, not raised"), LookupError)
    for value in (object(), None, False, 0, "", [], *tuples, *errors, done_future(loop)):
        assert loop.run_until_complete(value_of(value)) is value
        future = loop.create_future()
        loop.call_soon(future.set_result, value)
        assert loop.run_until_complete(future) is value


@requirement("lifecycle.exception", MUST, cite="asyncio-eventloop: loop.run_until_complete")
@each(
    "error",
    [
        *(LookupError(), TimeoutError(), StopAsyncIteration(), GeneratorExit(), FalseError(), _Base(), _Wide(1, 2)),
        ExceptionGroup("of one", [LookupError()]),
    ],
)
def test_run_until_complete_raises_the_exception(loop: Loop, error: BaseException) -> None:
    """run_until_complete() raises the future's exception, the very object.

    If this fails: look for an exception that is wrapped, unwrapped or made again at a language border, or that is
    raised once more "from None".
    """
    cause = error.__cause__ = KeyError("the cause")

    async def fail() -> None:
        raise error

    future = loop.create_future()
    loop.call_soon(future.set_exception, error)
    for failing in (fail(), future):
        with pytest.raises(type(error)) as caught:
            loop.run_until_complete(failing)
        assert caught.value is error
        assert error.__cause__ is cause


@requirement("lifecycle.exception-whole", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
@each("kind", ["coroutine", "task", "awaited", "future"])
def test_an_exception_comes_out_whole(loop: Loop, kind: str) -> None:
    """The exception that run_until_complete() raises keeps its cause, its notes and its traceback to its origin.

    If this fails: look for a border between languages that takes the object and leaves what hangs on it.
    """
    cause = OSError("the cause")

    async def fail() -> None:
        try:
            raise cause
        except OSError as error:
            whole = LookupError("of the coroutine")
            whole.add_note("a note")
            raise whole from error

    async def set_it(future: asyncio.Future[None]) -> None:
        try:
            await fail()
        except LookupError as error:
            future.set_exception(error)

    async def wait(task: asyncio.Task[None]) -> None:
        await task

    failing: Any = fail()
    if kind == "awaited":
        failing = wait(loop.create_task(failing))
    elif kind == "task":
        failing = loop.create_task(failing)
    elif kind == "future":
        failing.close()
        failing = loop.create_future()
        loop.run_until_complete(set_it(failing))
    with pytest.raises(LookupError) as caught:
        loop.run_until_complete(failing)
    assert caught.value.__cause__ is cause
    assert "a note" in caught.value.__notes__
    assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@requirement("lifecycle.runs-future", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_takes_a_future(loop: Loop) -> None:
    """run_until_complete() takes an instance of Future; one that is cancelled raises CancelledError.

    If this fails: look for a code path that accepts coroutines only, or one for futures that are done already.
    """
    for future in (loop.create_future(), asyncio.Future(loop=loop), _Future(loop=loop)):
        loop.call_soon(future.set_result, 42)
        assert loop.run_until_complete(future) == 42
    cancelled = loop.create_future()
    loop.call_soon(cancelled.cancel)
    for _ in range(2):  # in the run, and before it
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(cancelled)


@requirement("lifecycle.runs-done-future", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_returns_for_a_future_that_is_done(loop: Loop) -> None:
    """run_until_complete() returns at once when the future is done already.

    If this fails: look for a completion callback that is lost when it is added after the fact.
    """
    future = loop.create_future()
    future.set_result(42)
    assert loop.run_until_complete(future) == 42


@requirement("lifecycle.coroutine-becomes-task", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_runs_a_coroutine_as_a_task(loop: Loop) -> None:
    """If the argument is a coroutine object it is implicitly scheduled to run as an asyncio.Task.

    If this fails: look for a coroutine driven without a task: current_task() is what libraries ask for.
    """

    async def who() -> Any:
        task = asyncio.current_task()
        assert task in asyncio.all_tasks()
        return task

    assert isinstance(loop.run_until_complete(who()), asyncio.Task)


@requirement("lifecycle.refuses-nonsense", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
@each("argument", [42, None, "text", value_of])
def test_run_until_complete_refuses_what_is_no_awaitable(loop: Loop, argument: Any) -> None:
    """run_until_complete() refuses what is neither a future nor an awaitable, and the loop stays usable.

    If this fails: look for an argument that is trusted, or a half-started loop after the error.
    """
    with refused():
        loop.run_until_complete(argument)
    assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.runs-awaitable", SHOULD, cite=("asyncio-future: ensure_future", "PEP 492: Await Expression"))
def test_run_until_complete_takes_any_awaitable(loop: Loop) -> None:
    """run_until_complete() takes an object with __await__() too, as a pool of connections is that can be awaited.

    If this fails: look for an argument that is taken for a future if it is no coroutine.
    """

    class Awaitable:
        def __await__(self) -> Generator[Any, None, str]:
            yield from asyncio.sleep(0).__await__()
            return "value"

    assert loop.run_until_complete(Awaitable()) == "value"


@requirement("lifecycle.foreign-future", MUST, cite="asyncio-future: ensure_future")
def test_run_until_complete_refuses_a_future_of_another_loop(make_loop: Factory) -> None:
    """A future that is attached to a different loop is refused.

    If this fails: look for a future that is waited for by a loop that will never complete it.
    """
    mine, other = make_loop(), make_loop()
    task = other.create_task(value_of())
    for future in (other.create_future(), task):  # one that is done needs no loop
        with refused():
            mine.run_until_complete(future)
    assert other.run_until_complete(task) == "value"


@requirement("lifecycle.stopped-before-done", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_stopping_before_the_future_is_done_is_an_error(loop: Loop) -> None:
    """run_until_complete() raises RuntimeError when the loop is stopped before the future is done.

    If this fails: look for a None returned as if it were the result.
    """
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError):
        loop.run_until_complete(future)


@requirement("lifecycle.stopped-when-done", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_a_stop_does_not_hide_a_result(loop: Loop) -> None:
    """run_until_complete() returns the result if the future is done, also if stop() was called in the same turn.

    If this fails: look for a test of why the run ended that comes before the one of whether the future is done.
    """
    future = loop.create_future()
    loop.call_soon(future.set_result, "value")
    loop.call_soon(loop.stop)
    assert loop.run_until_complete(future) == "value"
    loop.stop()
    assert loop.run_until_complete(future) == "value"


@requirement("lifecycle.left-future", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("left", [None, SystemExit, KeyboardInterrupt])
def test_a_future_that_one_run_left_does_not_end_the_next(loop: Loop, left: type[BaseException] | None) -> None:
    """run_forever() runs until stop() is called: a future that an earlier run was left before does not end it.

    If this fails: look for the callback that run_until_complete() adds to the future, and leaves there.
    """
    future = loop.create_future()
    loop.call_soon(raising(left()) if left else loop.stop)
    with contextlib.suppress(RuntimeError, SystemExit, KeyboardInterrupt):
        loop.run_until_complete(future)
    trace: list[str] = []

    def last() -> None:
        trace.append("stop()")
        loop.stop()

    loop.call_soon(future.set_result, None)
    loop.call_later(0.003, last)
    loop.run_forever()
    assert trace == ["stop()"]


@requirement("lifecycle.by-name", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_the_future_to_run_may_be_given_by_name(loop: Loop) -> None:
    """run_until_complete() takes its documented parameter future by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    assert loop.run_until_complete(future=value_of()) == "value"
