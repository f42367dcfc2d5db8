"""Chapter lifecycle: run_forever(), stop(), and what leaves a run."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, value_of
from conformance.kit.patience import Patience, turn
from conformance.kit.places import at
from conformance.kit.protocols import raising
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Quit(SystemExit):
    """An exit of somebody's own."""


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
@each("debug", [False, True])
def test_stop_before_run_forever_runs_one_batch(loop: Loop, place: str, debug: bool) -> None:
    """If stop() is called before run_forever(), the loop runs all callbacks scheduled so far, and then exits.

    If this fails: look for a stop flag that is cleared at the start, one that prevents the batch, one that ends the
    next run, too, or one that is set for the loop that runs.
    """
    trace: list[str] = []

    def stop() -> None:
        loop.set_debug(debug)
        loop.stop()

    at(place, loop, stop)
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
@each("new", ["call_soon", "call_soon_threadsafe", "call_later"])
@each("debug", [False, True])
def test_stop_lets_the_current_batch_run(loop: Loop, patience: Patience, way: str, new: str, debug: bool) -> None:
    """If stop() is called while run_forever() is running, the loop runs the current batch of callbacks and then exits.

    If this fails: look for a stop that leaves at once, with callbacks behind it still ready, or that is itself put
    behind what these have scheduled, or for new callbacks that are lost rather than left to the next run.
    """
    trace: list[str] = []

    def callback(name: str) -> None:
        trace.append(name)
        later = (0,) if new == "call_later" else ()
        getattr(loop, new)(*later, trace.append, f"new from {name}")

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
    if new == "call_soon":
        turn(loop)
    else:
        patience.run_until(loop, lambda: len(trace) == 4, "the callbacks that were scheduled beside stop()")
        trace.sort()  # of timers for the same time either may be the first
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
    for _ in range(2):
        loop.stop()
    loop.run_forever()
    assert loop.run_until_complete(value_of()) == "value"
    loop.call_soon(loop.stop)
    loop.call_soon(raising(SystemExit()))
    with pytest.raises(SystemExit):
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
@each("debug", [False, True])
def test_exits_leave_the_loop_through_a_callback(loop: Loop, error: BaseException, debug: bool) -> None:
    """SystemExit and KeyboardInterrupt that a callback raises come out of run_forever(); the loop can run again.

    If this fails: look for a catch-all around callbacks, for a test of the exact type, which leaves subclasses inside,
    or for a loop that believes it is still running.
    """
    loop.set_debug(debug)
    loop.call_soon(raising(error))
    with pytest.raises(type(error)) as caught:
        loop.run_forever()
    assert caught.value is error
    assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("lifecycle.base-exception-keeps", SHOULD, cite="asyncio-eventloop: Scheduling callbacks")
@each("error", [KeyboardInterrupt(), SystemExit(3)])
@each("debug", [False, True])
def test_an_exit_leaves_the_callbacks_behind_it_for_the_next_run(
    loop: Loop, patience: Patience, error: BaseException, debug: bool
) -> None:
    """Each callback will be called exactly once: those behind KeyboardInterrupt or SystemExit run in the next run.

    If this fails: look for a batch of callbacks that is taken from the queue before it is run, and lost with it, or
    for timers that an exit ends.
    """
    trace: list[str] = []
    loop.set_debug(debug)
    loop.call_later(0.05, trace.append, "delayed")
    for callback in (lambda: trace.append("before"), raising(error), lambda: trace.append("behind")):
        loop.call_soon(callback)
    with pytest.raises(type(error)):
        loop.run_forever()
    turn(loop)
    patience.run_until(loop, lambda: "delayed" in trace, "the delayed callback")
    assert [each for each in trace if each != "delayed"] == ["before", "behind"]
    trace.clear()
    start = loop.time()
    loop.call_at(start, raising(error))
    for number in range(1, 4):
        loop.call_at(start + number * 1e-5, trace.append, "due with it")
    time.sleep(0.001)
    with pytest.raises(type(error)):
        loop.run_forever()
    patience.run_until(loop, lambda: len(trace) == 3, "the timers that were due with the one that left")


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
    """A task that was waiting when the loop stopped, however it did, goes on when it runs again.

    If this fails: look for a stop that cancels, or forgets, what waits.
    """
    future = loop.create_future()

    async def wait() -> object:
        return await future

    task = loop.create_task(wait())
    turn(loop, 3)
    assert loop.run_until_complete(value_of()) == "value"
    loop.call_soon(raising(SystemExit()))
    with pytest.raises(SystemExit):
        loop.run_forever()
    turn(loop, 3)
    assert not task.done()
    future.set_result("awaited")
    assert loop.run_until_complete(task) == "awaited"


def _and_raises(loop: Loop) -> None:
    def callback() -> None:
        loop.stop()
        raise LookupError

    loop.set_exception_handler(lambda _loop, _context: None)
    loop.call_soon(callback)


def _in_the_handler(loop: Loop) -> None:
    loop.set_exception_handler(lambda loop, _context: loop.stop())
    loop.call_soon(raising(LookupError()))


def _on_a_signal(loop: Loop) -> None:
    def callback() -> None:
        loop.remove_signal_handler(signal.SIGUSR1)
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, callback)
    loop.call_soon(send)


def _when_writable(loop: Loop) -> None:
    def callback() -> None:
        loop.remove_writer(ours)
        ours.close()
        theirs.close()
        loop.stop()

    ours, theirs = socket.socketpair()
    loop.add_writer(ours, callback)


_STOPS: dict[str, Callable[[Loop], object]] = {
    "a callback that then raises": _and_raises,
    "the exception handler": _in_the_handler,
    "the callback of a signal": _on_a_signal,
    "a writer": _when_writable,
    "a timer": lambda loop: loop.call_later(0, loop.stop),
    "the callback of a future": lambda loop: done_future(loop).add_done_callback(lambda _: loop.stop()),
}


@requirement("lifecycle.stop-from-anywhere", MUST, cite="asyncio-eventloop: loop.stop")
@pytest.mark.parametrize("where", _STOPS)
def test_stop_ends_the_run_wherever_it_is_called(loop: Loop, watch: Any, where: str) -> None:
    """stop() stops the loop, in whichever callback: also one that raises afterwards, and in the exception handler.

    If this fails: look for what is put back when a callback, or the handler, has ended, and with it the stop flag.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    for debug in (False, True):
        loop.set_debug(debug)
        _STOPS[where](loop)
        loop.run_forever()
        assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"
