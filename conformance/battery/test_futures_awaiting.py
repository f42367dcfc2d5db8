"""Chapter futures: awaiting a future, and asyncio's functions that turn other things into one.

The functions are asyncio's own; what the loop adds are the futures, the tasks and the calls between threads that they
are made of.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, value_of
from conformance.kit.oddities import ODD_ERRORS, Untouchable
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Future = asyncio.Future[Any]


async def _wait(future: Future) -> object:
    return await future


_ERRORS = ODD_ERRORS | {"of time": TimeoutError("over")}
_VALUES: list[object] = [None, 0, [], "text", (), (None,), (1, 2), LookupError("a value"), StopIteration(1)]
_VALUES.append(Untouchable())


@requirement("futures.await-result", MUST, cite="asyncio-future: Future")
@each("value", [*_VALUES, "a future", "a coroutine"])
@each("debug", [False, True])
def test_await_waits_for_the_result(loop: Loop, value: Any, debug: bool) -> None:
    """Coroutines can await on a future until it has a result; the await expression has that value.

    If this fails: look for an iterator of the future's own that returns another object, or sends it in, makes a
    StopIteration of the parts of a tuple, or awaits a result that can be awaited.
    """
    loop.set_debug(debug)
    future = loop.create_future()
    if isinstance(value, str) and value.startswith("a "):
        value = done_future(loop) if value == "a future" else value_of()
    loop.call_soon(loop.call_soon, future.set_result, value)
    try:
        assert loop.run_until_complete(_wait(future)) is value
    finally:
        if asyncio.iscoroutine(value):
            value.close()


@requirement("futures.await-suspends", MUST, cite="asyncio-future: Future")
def test_await_goes_on_only_when_the_future_is_done(loop: Loop) -> None:
    """A coroutine that awaits a pending future does not go on before the future is done.

    If this fails: look for a task that is woken by anything but its future.
    """
    trace: list[str] = []
    future = loop.create_future()

    async def wait() -> None:
        await future
        trace.append("woken")

    task = loop.create_task(wait())
    turn(loop, 5)
    trace.append("set")
    future.set_result(None)
    loop.run_until_complete(task)
    assert trace == ["set", "woken"]


@requirement("futures.await-done", MUST, cite="asyncio-future: Future")
@each("ending", ["result", "exception", "cancelled"])
@each("times", [1, 2])
def test_a_done_future_can_be_awaited(loop: Loop, ending: str, times: int) -> None:
    """Awaiting a future that is already done gives its result, or raises its exception or CancelledError, every time.

    If this fails: look for a waiter that is registered for an event that is over, or for an iterator of the future's
    own that ends at once, with what is stored in place of a result.
    """
    future = loop.create_future()
    error = LookupError("of the future")
    if ending == "result":
        future.set_result("value")
    elif ending == "exception":
        future.set_exception(error)
    else:
        future.cancel("message")

    async def main() -> object:
        for _ in range(times - 1):
            with contextlib.suppress(LookupError, asyncio.CancelledError):
                await future
        try:
            return await future
        except LookupError as raised:
            return raised is error
        except asyncio.CancelledError as cancelled:
            return cancelled.args

    outcome = {"result": "value", "exception": True, "cancelled": ("message",)}[ending]
    assert loop.run_until_complete(main()) == outcome


@requirement("futures.await-exception", MUST, cite="asyncio-future: Future")
@each("kind", _ERRORS)
def test_await_raises_the_exception(loop: Loop, kind: str) -> None:
    """Coroutines can await on a future until it has an exception set, which the await expression raises.

    If this fails: look for a wake-up that comes with results only, for a new exception in place of the one set, or for
    one that ends the task, and is not thrown into its coroutine, since it is no Exception.
    """
    future = loop.create_future()
    error = _ERRORS[kind]
    loop.call_soon(loop.call_soon, future.set_exception, error)

    async def catch() -> None:
        with pytest.raises(type(error)) as caught:
            await future
        assert caught.value is error

    loop.run_until_complete(catch())


@requirement("futures.yield-from", SHOULD, cite="PEP 3156: Futures")
@each("ending", ["result", "exception", "cancelled", "done"])
def test_a_generator_can_wait_for_a_future(loop: Loop, ending: str) -> None:
    """A coroutine made of a generator, by types.coroutine(), waits for a future by yield from.

    If this fails: look for an own future class that can be awaited, and is no iterable.
    """
    future = loop.create_future()
    endings: dict[str, Callable[[], object]] = {
        "result": lambda: future.set_result("value"),
        "exception": lambda: future.set_exception(LookupError(ending)),
        "cancelled": future.cancel,
    }

    @types.coroutine
    def wait() -> Generator[Any, Any, object]:
        try:
            return (yield from future)
        except (LookupError, asyncio.CancelledError) as error:
            return type(error)

    async def main() -> object:
        return await wait()

    if ending == "done":
        future.set_result("value")
    else:
        loop.call_soon(loop.call_soon, endings[ending])
    outcome = {"exception": LookupError, "cancelled": asyncio.CancelledError}.get(ending, "value")
    assert loop.run_until_complete(main()) == outcome


@requirement("futures.await-cancelled", MUST, cite="asyncio-future: Future")
def test_await_ends_when_the_future_is_cancelled(loop: Loop) -> None:
    """Coroutines can await on a future until it is cancelled: the await expression raises CancelledError.

    If this fails: look for a cancellation that wakes no waiter.
    """
    trace: list[str] = []
    future = loop.create_future()

    async def wait() -> None:
        try:
            await future
        except asyncio.CancelledError:
            trace.append("cancelled")

    loop.call_soon(lambda: loop.call_soon(future.cancel))
    loop.run_until_complete(wait())
    assert trace == ["cancelled"]


@requirement("futures.await-again", MUST, cite="asyncio-future: Future")
def test_a_future_can_be_awaited_several_times(loop: Loop) -> None:
    """A future can be awaited multiple times, by several tasks and one after the other, and the result is the same.

    If this fails: look for one waiter kept per future, or a result that is given away when it is first asked for.
    """
    future = loop.create_future()
    value = object()

    async def wait() -> None:
        assert await future is value
        assert await future is value

    tasks = [loop.create_task(wait()) for _ in range(3)]
    loop.call_soon(loop.call_soon, future.set_result, value)
    for task in tasks:
        loop.run_until_complete(task)
    loop.run_until_complete(wait())


@requirement("futures.await-order", SHOULD, cite=("asyncio-future: Future", "PEP 3156: Coroutines and the Scheduler"))
@each("ending", ["result", "exception", "cancelled"])
def test_who_waits_for_a_future_goes_on_in_turn(loop: Loop, ending: str) -> None:
    """Tasks that await one future go on in the order in which they began to, as done callbacks run in theirs.

    If this fails: look for waiting tasks that are kept in a stack or a set, or apart from the one that came first.
    """
    trace: list[int] = []
    future = loop.create_future()

    async def wait(number: int) -> None:
        with contextlib.suppress(LookupError, asyncio.CancelledError):
            await future
        trace.append(number)

    tasks = [loop.create_task(wait(number)) for number in range(10)]
    turn(loop, 2)
    endings: dict[str, Callable[[], object]] = {
        "result": lambda: future.set_result("value"),
        "exception": lambda: future.set_exception(LookupError(ending)),
        "cancelled": future.cancel,
    }
    endings[ending]()
    loop.run_until_complete(asyncio.wait(tasks))
    assert trace == list(range(10))


@requirement("futures.hashable", SHOULD, cite="asyncio-task: wait")
def test_futures_are_kept_in_sets_by_identity(loop: Loop) -> None:
    """A future is hashable, and equal to no other future: asyncio.wait() returns sets of them.

    If this fails: look for a comparison of states or results.
    """
    first, second = loop.create_future(), loop.create_future()
    futures = {first, second, first}
    assert len(futures) == 2
    first.set_result(1)
    second.set_result(1)
    assert first in futures
    assert first != second
    done, pending = loop.run_until_complete(asyncio.wait([first, second]))
    assert done == {first, second}
    assert pending == set()


@requirement("futures.ensure-future", MUST, cite="asyncio-future: ensure_future")
def test_ensure_future_returns_a_future_as_it_is(loop: Loop) -> None:
    """ensure_future() returns a future, and a task, of the loop as is.

    If this fails: look for a future class that isfuture() does not know, or that names another loop.
    """
    future = loop.create_future()
    task = loop.create_task(_wait(future))
    assert asyncio.ensure_future(future) is future
    assert asyncio.ensure_future(future, loop=loop) is future
    assert asyncio.ensure_future(task, loop=loop) is task
    future.set_result(None)
    loop.run_until_complete(task)


@requirement("futures.ensure-future-coroutine", MUST, cite="asyncio-future: ensure_future")
def test_ensure_future_schedules_a_coroutine(loop: Loop) -> None:
    """ensure_future() returns a task that wraps a coroutine, which it schedules on the given loop.

    If this fails: look for create_task() of the loop: it must work while the loop does not run.
    """

    async def answer() -> str:
        assert asyncio.get_running_loop() is loop
        return "value"

    task = asyncio.ensure_future(answer(), loop=loop)
    assert isinstance(task, asyncio.Task)
    assert task.get_loop() is loop
    assert loop.run_until_complete(task) == "value"


@requirement("futures.ensure-future-awaitable", MUST, cite="asyncio-future: ensure_future")
def test_ensure_future_awaits_an_awaitable(loop: Loop) -> None:
    """ensure_future() returns a task that awaits on an awaitable.

    If this fails: look for a create_task() that takes native coroutines only.
    """

    class Awaitable:
        def __await__(self) -> Generator[Any, None, str]:
            yield from asyncio.sleep(0).__await__()
            return "value"

    task = asyncio.ensure_future(Awaitable(), loop=loop)
    assert isinstance(task, asyncio.Task)
    assert loop.run_until_complete(task) == "value"


@requirement("futures.wrap-future", MUST, cite="asyncio-future: wrap_future")
def test_wrap_future_wraps_a_future_of_concurrent_futures(loop: Loop, patience: Patience) -> None:
    """wrap_future() wraps a future of concurrent.futures: a result set in another thread comes to the loop.

    If this fails: look for call_soon_threadsafe() not waking the loop, and for futures that call back in that thread.
    """
    source: concurrent.futures.Future[str] = concurrent.futures.Future()
    wrapped = asyncio.wrap_future(source, loop=loop)
    assert asyncio.isfuture(wrapped)
    assert wrapped.get_loop() is loop
    helper = in_thread(lambda: source.set_result("value"))
    patience.run_until(loop, wrapped.done, "the end of the wrapped future")
    helper.result()
    assert wrapped.result() == "value"


@requirement("futures.wrap-future-exception", MUST, cite="asyncio-future: wrap_future")
def test_wrap_future_passes_an_exception_on(loop: Loop, patience: Patience) -> None:
    """The exception of a wrapped future of concurrent.futures becomes that of the asyncio future.

    If this fails: look for set_exception() of an own future class.
    """
    source: concurrent.futures.Future[str] = concurrent.futures.Future()
    wrapped = asyncio.wrap_future(source, loop=loop)
    helper = in_thread(lambda: source.set_exception(LookupError("of the thread")))
    patience.run_until(loop, wrapped.done, "the end of the wrapped future")
    helper.result()
    assert isinstance(wrapped.exception(), LookupError)


@requirement("futures.wrap-future-cancel", SHOULD, cite="asyncio-future: wrap_future")
@each("side", ["asyncio", "concurrent"])
def test_cancelling_one_side_of_a_wrapped_future_cancels_the_other(loop: Loop, patience: Patience, side: str) -> None:
    """Cancelling the asyncio future cancels the wrapped one, and the other way round.

    If this fails: look for done callbacks that are not called when a future is cancelled.
    """
    source: concurrent.futures.Future[str] = concurrent.futures.Future()
    wrapped = asyncio.wrap_future(source, loop=loop)
    cancel: Callable[[], object] = wrapped.cancel if side == "asyncio" else source.cancel
    loop.call_soon(cancel)
    patience.run_until(loop, lambda: wrapped.cancelled() and source.cancelled(), "the end of both futures")
