"""Chapter lifecycle: making a loop, running it, and stopping it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import value_of
from conformance.kit.oddities import FalseError
from conformance.kit.patience import Patience, turn
from conformance.kit.places import at
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Base(BaseException):
    """Not an Exception, and none of those that a loop lets through."""


class _Wide(Exception):
    """One that cannot be made again from its type and a text."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)


class _Quit(SystemExit):
    """An exit of somebody's own."""


@requirement("lifecycle.factory", MUST, cite="asyncio-eventloop: new_event_loop")
def test_the_factory_returns_a_new_loop_each_time(make_loop: Factory) -> None:
    """The factory creates and returns a new event loop object: another one each time, neither running nor closed.

    If this fails: look for a factory that returns a singleton, or the current loop.
    """
    first, second = make_loop(), make_loop()
    assert first is not second
    for loop in (first, second):
        assert not loop.is_running()
        assert not loop.is_closed()
    first.close()
    assert second.run_until_complete(value_of()) == "value"


@requirement("lifecycle.abstract-base", SHOULD, cite="asyncio-eventloop: AbstractEventLoop")
def test_a_loop_is_an_abstract_event_loop(loop: Loop) -> None:
    """A loop is an instance of asyncio.AbstractEventLoop, which is how libraries recognise one.

    If this fails: derive from AbstractEventLoop; isinstance() is asked by frameworks.
    """
    assert isinstance(loop, asyncio.AbstractEventLoop)


@requirement("lifecycle.result", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_returns_the_result(loop: Loop) -> None:
    """run_until_complete() runs until the future has completed and returns its result.

    If this fails: look for a result that is copied, converted or lost, or a special case for what is false.
    """
    for value in (object(), None, False, 0, "", [], LookupError("returned, not raised"), LookupError):
        assert loop.run_until_complete(value_of(value)) is value
        future = loop.create_future()
        loop.call_soon(future.set_result, value)
        assert loop.run_until_complete(future) is value


@requirement("lifecycle.exception", MUST, cite="asyncio-eventloop: loop.run_until_complete")
@each(
    "error",
    [LookupError(), TimeoutError(), ExceptionGroup("of one", [LookupError()]), FalseError(), _Base(), _Wide(1, 2)],
)
def test_run_until_complete_raises_the_exception(loop: Loop, error: BaseException) -> None:
    """run_until_complete() raises the future's exception, the very object.

    If this fails: look for an exception that is wrapped, unwrapped or made again at a language border.
    """

    async def fail() -> None:
        raise error

    future = loop.create_future()
    loop.call_soon(future.set_exception, error)
    for failing in (fail(), future):
        with pytest.raises(type(error)) as caught:
            loop.run_until_complete(failing)
        assert caught.value is error


@requirement("lifecycle.runs-future", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_takes_a_future(loop: Loop) -> None:
    """run_until_complete() takes an instance of Future; one that is cancelled raises CancelledError.

    If this fails: look for a code path that accepts coroutines only.
    """
    future = loop.create_future()
    loop.call_soon(future.set_result, 42)
    assert loop.run_until_complete(future) == 42
    cancelled = loop.create_future()
    loop.call_soon(cancelled.cancel)
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
    """run_until_complete() raises TypeError for what is neither a future nor an awaitable, and the loop stays usable.

    If this fails: look for an argument that is trusted, or a half-started loop after the error.
    """
    with pytest.raises(TypeError):
        loop.run_until_complete(argument)
    assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.foreign-future", MUST, cite="asyncio-future: ensure_future")
def test_run_until_complete_refuses_a_future_of_another_loop(make_loop: Factory) -> None:
    """A future that is attached to a different loop is refused with ValueError.

    If this fails: look for a future that is waited for by a loop that will never complete it.
    """
    mine, other = make_loop(), make_loop()
    with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
        mine.run_until_complete(other.create_future())


@requirement("lifecycle.stopped-before-done", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_stopping_before_the_future_is_done_is_an_error(loop: Loop) -> None:
    """run_until_complete() raises RuntimeError when the loop is stopped before the future is done.

    If this fails: look for a None returned as if it were the result.
    """
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError):
        loop.run_until_complete(future)


@requirement("lifecycle.left-future", MUST, cite="asyncio-eventloop: loop.run_forever")
def test_a_future_that_one_run_left_does_not_end_the_next(loop: Loop) -> None:
    """run_forever() runs until stop() is called: a future that an earlier run was stopped before does not end it.

    If this fails: look for the callback that run_until_complete() adds to the future, and leaves there.
    """
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(future)
    trace: list[str] = []

    def last() -> None:
        trace.append("stop()")
        loop.stop()

    loop.call_soon(future.set_result, None)
    loop.call_later(0.003, last)
    loop.run_forever()
    assert trace == ["stop()"]


@requirement("lifecycle.run-forever-until-stop", MUST, cite="asyncio-eventloop: loop.run_forever")
def test_run_forever_runs_until_stop_is_called(loop: Loop) -> None:
    """run_forever() runs the event loop until stop() is called, and returns None.

    If this fails: look for a loop that ends by itself when nothing is left to do.
    """
    trace: list[str] = []

    def later() -> None:
        trace.append("late timer")
        loop.stop()

    loop.call_later(0.003, later)
    returned: object = loop.run_forever()
    assert returned is None
    assert trace == ["late timer"]


@requirement("lifecycle.stop-before-run", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("place", ["outside of a run", "in a callback of another loop"])
def test_stop_before_run_forever_runs_one_batch(loop: Loop, place: str) -> None:
    """If stop() is called before run_forever(), the loop runs all callbacks scheduled so far, and then exits.

    If this fails: look for a stop flag that is cleared at the start, one that prevents the batch, one that ends the
    next run, too, or one that is set for the loop that runs.
    """
    trace: list[str] = []
    at(place, loop, loop.stop)
    loop.call_soon(trace.append, "scheduled")
    loop.call_soon(lambda: loop.call_soon(trace.append, "nested"))
    loop.run_forever()
    assert trace == ["scheduled"]
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.stop-before-run-polls", MUST, cite="asyncio-eventloop: loop.run_forever")
def test_stop_before_run_forever_polls_with_a_timeout_of_zero(loop: Loop) -> None:
    """If stop() is called before run_forever(), the loop polls I/O once with a timeout of zero, and does not block.

    If this fails: look for a poll that waits for the next timer before the stop flag is looked at.
    """
    timer = loop.call_later(3600, lambda: None)
    loop.stop()
    loop.run_forever()
    timer.cancel()
    assert not loop.is_running()


@requirement("lifecycle.stop-finishes-batch", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("way", ["call_soon", "call_soon_threadsafe", "task"])
@each("debug", [False, True])
def test_stop_lets_the_current_batch_run(loop: Loop, way: str, debug: bool) -> None:
    """If stop() is called while run_forever() is running, the loop runs the current batch of callbacks and then exits.

    If this fails: look for a stop that leaves at once, with callbacks behind it still ready, or that is itself put
    behind what these have scheduled.
    """
    trace: list[str] = []

    def callback(name: str) -> None:
        trace.append(name)
        loop.call_soon(trace.append, f"new from {name}")

    async def stop() -> None:
        loop.stop()

    tasks: list[asyncio.Task[None]] = []
    ways: dict[str, Callable[[], object]] = {
        "call_soon": lambda: loop.call_soon(loop.stop),
        "call_soon_threadsafe": lambda: loop.call_soon_threadsafe(loop.stop),
        "task": lambda: tasks.append(loop.create_task(stop())),
    }
    loop.set_debug(debug)
    loop.call_soon(callback, "before")
    ways[way]()
    loop.call_soon(callback, "behind")
    loop.run_forever()
    assert trace == ["before", "behind"]
    turn(loop)
    assert trace[2:] == ["new from before", "new from behind"]


@requirement("lifecycle.stop-once", MUST, cite="asyncio-eventloop: loop.stop")
def test_a_stop_ends_one_run_only(loop: Loop) -> None:
    """stop() stops the loop: the run that was stopped, not the next one.

    If this fails: look for a stop flag that is not cleared when the loop returns.
    """
    loop.call_soon(loop.stop)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.restart", MUST, cite="asyncio-eventloop: loop.run_forever")
def test_a_stopped_loop_can_run_again(loop: Loop) -> None:
    """A loop that was stopped can run again, any number of times.

    If this fails: look for state that is released at the end of a run.
    """
    for number in range(20):
        turn(loop)
        assert loop.run_until_complete(value_of(number)) == number


@requirement("lifecycle.base-exception-leaves", SHOULD, cite="gh-66894")
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), _Quit()], ids=lambda error: type(error).__name__)
def test_exits_leave_the_loop_through_a_callback(loop: Loop, error: BaseException) -> None:
    """SystemExit and KeyboardInterrupt that a callback raises come out of run_forever(); the loop can run again.

    If this fails: look for a catch-all around callbacks, for a test of the exact type, which leaves subclasses inside,
    or for a loop that believes it is still running.
    """
    loop.call_soon(raising(error))
    with pytest.raises(type(error)) as caught:
        loop.run_forever()
    assert caught.value is error
    assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.base-exception-keeps", SHOULD, cite="asyncio-eventloop: Scheduling callbacks")
@each("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_exit_leaves_the_callbacks_behind_it_for_the_next_run(
    loop: Loop, patience: Patience, error: BaseException
) -> None:
    """Each callback will be called exactly once: those behind KeyboardInterrupt or SystemExit run in the next run.

    If this fails: look for a batch of callbacks that is taken from the queue before it is run, and lost with it, or
    for timers that an exit ends.
    """
    trace: list[str] = []
    loop.call_later(0.05, trace.append, "delayed")
    for callback in (lambda: trace.append("before"), raising(error), lambda: trace.append("behind")):
        loop.call_soon(callback)
    with pytest.raises(type(error)):
        loop.run_forever()
    turn(loop)
    patience.run_until(loop, lambda: "delayed" in trace, "the delayed callback")
    assert [each for each in trace if each != "delayed"] == ["before", "behind"]


@requirement("lifecycle.base-exception-leaves-task", SHOULD, cite=("gh-66894", "uvloop#337"))
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), _Quit()], ids=lambda error: type(error).__name__)
def test_exits_leave_the_loop_through_a_task(loop: Loop, error: BaseException) -> None:
    """SystemExit and KeyboardInterrupt that a coroutine raises come out of run_until_complete(); it can run again.

    If this fails: look for a task runner that treats them, or subclasses of them, as results like any other, or for a
    stop() that is on its way when the exception leaves, and ends the next run.
    """

    async def leave() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        loop.run_until_complete(leave())
    assert caught.value is error
    assert not loop.is_running()
    assert loop.run_until_complete(asyncio.sleep(0.01, "value")) == "value"


@requirement("lifecycle.idle-wakes", MUST, cite="asyncio-eventloop: loop.run_forever")
def test_a_loop_without_timers_waits_and_can_be_woken(loop: Loop, patience: Patience) -> None:
    """A loop with nothing to do waits; a call from another thread wakes it.

    If this fails: look for a wait for ever that nothing interrupts.
    """
    started = threading.Event()
    loop.call_soon(started.set)

    def stop() -> None:
        patience.wait(started, "the start of the loop")
        loop.call_soon_threadsafe(loop.stop)

    helper = in_thread(stop)
    loop.run_forever()
    helper.result()


@requirement("lifecycle.stop-from-nested-task", MUST, cite="asyncio-eventloop: loop.stop")
def test_tasks_survive_a_stop(loop: Loop) -> None:
    """A task that was waiting when the loop stopped goes on when it runs again.

    If this fails: look for a stop that cancels, or forgets, what waits.
    """
    future = loop.create_future()

    async def wait() -> object:
        return await future

    task = loop.create_task(wait())
    turn(loop, 3)
    assert not task.done()
    future.set_result("awaited")
    assert loop.run_until_complete(task) == "awaited"


@requirement("lifecycle.by-name", MUST, cite="asyncio-eventloop: loop.run_until_complete")
def test_the_future_to_run_may_be_given_by_name(loop: Loop) -> None:
    """run_until_complete() takes its documented parameter future by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    assert loop.run_until_complete(future=value_of()) == "value"
