"""Chapter lifecycle: is_running(), is_closed() and close()."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import failing, value_of
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _closing(other: Loop) -> None:
    other.close()


@requirement("lifecycle.is-running", MUST, cite="asyncio-eventloop: loop.is_running")
def test_is_running_tells_whether_the_loop_runs(loop: Loop, patience: Patience) -> None:
    """is_running() returns True if the event loop is currently running, and False before and after.

    If this fails: look for a flag that survives an exception, or is set too late for the first callback, or put aside
    while the exception handler is called.
    """
    seen = [loop.is_running()]

    def stop() -> None:
        loop.stop()
        seen.append(loop.is_running())  # the present batch still runs

    async def ask() -> None:
        await asyncio.sleep(0)
        seen.append(loop.is_running())

    for _ in range(2):
        loop.call_soon(lambda: seen.append(loop.is_running()))
        loop.call_soon(stop)
        loop.run_forever()
        seen.append(loop.is_running())
        loop.run_until_complete(ask())
    with pytest.raises(LookupError):
        loop.run_until_complete(failing())
    seen.append(loop.is_running())
    assert seen == [False, True, True, False, True, True, True, False, True, False]
    seen.clear()
    loop.set_exception_handler(lambda _loop, _context: seen.append(loop.is_running()))
    loop.call_soon(loop.call_exception_handler, {"message": "for the handler"})
    loop.call_later(0, lambda: seen.append(loop.is_running()))
    patience.run_until(loop, lambda: seen, "the timer, if not the call of the exception handler")
    turn(loop, 2)
    assert all(seen)


@requirement("lifecycle.is-closed", MUST, cite="asyncio-eventloop: loop.is_closed")
def test_is_closed_tells_whether_the_loop_was_closed(loop: Loop) -> None:
    """is_closed() returns True if the event loop was closed.

    If this fails: look for a flag that is never set, or that a stop sets.
    """
    assert loop.is_closed() is False
    turn(loop)
    assert loop.is_closed() is False
    loop.stop()
    assert loop.is_closed() is False
    loop.run_forever()
    assert loop.is_closed() is False
    loop.close()
    assert loop.is_closed() is True
    assert in_thread(loop.is_closed).result() is True


@requirement("lifecycle.close-idempotent", MUST, cite="asyncio-eventloop: loop.close")
def test_closing_twice_is_harmless(loop: Loop, make_loop: Factory) -> None:
    """close() is idempotent.

    If this fails: look for resources that are released twice, or for a check of who may close that comes before the one
    of whether the loop is closed.
    """
    turn(loop)
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.run_until_complete(loop.shutdown_default_executor())
    for _ in range(3):
        loop.close()
    in_thread(loop.close).result()
    make_loop().run_until_complete(_closing(loop))
    assert loop.is_closed()


@requirement("lifecycle.close-while-running", MUST, cite="asyncio-eventloop: loop.close")
@each("debug", [False, True])
def test_a_running_loop_cannot_be_closed(loop: Loop, debug: bool) -> None:
    """The loop must not be running when close() is called, in whichever thread: RuntimeError, and the loop goes on.

    If this fails: look for a close() that frees what the running loop still uses.
    """
    errors: list[str] = []

    def close() -> None:
        try:
            loop.close()
        except RuntimeError:
            errors.append("refused")

    def close_elsewhere() -> None:
        in_thread(close).result()

    async def close_in_task() -> None:
        close()

    loop.set_debug(debug)
    loop.call_soon(close)
    loop.call_soon(close_elsewhere)
    turn(loop, 2)
    loop.run_until_complete(close_in_task())
    assert errors == ["refused"] * 3
    assert not loop.is_closed()


@requirement("lifecycle.closed-cannot-run", MUST, cite="asyncio-eventloop: loop.close")
@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_a_closed_loop_cannot_run(loop: Loop, method: str) -> None:
    """close() is irreversible: run_forever() and run_until_complete() raise RuntimeError afterwards.

    If this fails: look for a loop that opens its resources again.
    """
    future, done = loop.create_future(), loop.create_future()
    done.set_result("before")
    loop.close()
    for awaited in (future, done):
        with pytest.raises(RuntimeError):
            loop.run_forever() if method == "run_forever" else loop.run_until_complete(awaited)
    assert loop.is_closed()


@requirement("lifecycle.closed-refuses-coroutine", SHOULD, cite="asyncio-eventloop: loop.close")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_closed_loop_refuses_a_coroutine(loop: Loop) -> None:
    """run_until_complete() of a coroutine on a closed loop raises RuntimeError.

    If this fails: look for a task made on a loop that can never run it.
    """
    loop.close()
    coroutine = value_of()
    with pytest.raises(RuntimeError):
        loop.run_until_complete(coroutine)
    coroutine.close()


@requirement("lifecycle.close-after", MUST, cite="asyncio-eventloop: loop.close")
@each("before", ["stop() without a run", "SystemExit", "KeyboardInterrupt", "an unfinished future", "a refused run"])
def test_close_closes_a_loop_however_its_run_ended(make_loop: Factory, before: str) -> None:
    """The loop must not be running when close() is called: nor is it when its run was left, or only stop() was called.

    If this fails: look for a state that says "runs" or "stops" and that one of the ways out does not take back.
    """
    loop = make_loop()
    if before == "stop() without a run":
        loop.stop()
    elif before == "an unfinished future":
        loop.call_soon(loop.stop)
        with pytest.raises(RuntimeError):
            loop.run_until_complete(loop.create_future())
    elif before == "a refused run":
        nothing: Any = None
        with refused():
            loop.run_until_complete(nothing)
    else:
        loop.call_soon(raising(SystemExit() if before == "SystemExit" else KeyboardInterrupt()))
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            loop.run_forever()
    loop.close()
    assert loop.is_closed() is True


@requirement(
    "lifecycle.stop-inside-another", MUST, cite=("asyncio-eventloop: loop.stop", "asyncio-eventloop: loop.run_forever")
)
def test_stop_stops_the_loop_that_it_is_called_on(loop: Loop, make_loop: Factory, patience: Patience) -> None:
    """stop() stops its own loop: not another one, which runs in the same thread and calls it.

    If this fails: look for a stop() that asks for the running loop, or is lost if its own does not run.
    """
    other = make_loop()
    late: list[str] = []
    loop.call_soon(other.stop)
    assert loop.run_until_complete(value_of()) == "value"
    other.call_soon(other.call_soon, late.append, "a second turn")
    watchdog = other.call_later(patience.seconds, other.stop)
    other.run_forever()  # stopped before: it does not wait
    watchdog.cancel()
    assert late == []


@requirement("lifecycle.close-inside-another", SHOULD, cite="asyncio-eventloop: loop.close")
def test_a_loop_can_be_closed_while_another_one_runs(loop: Loop, make_loop: Factory) -> None:
    """Only the loop that is closed must not be running: another one, which runs in the same thread, can close it.

    If this fails: look for a check of the thread's running loop, whichever that is.
    """
    other = make_loop()
    turn(other)
    loop.call_soon(other.close)
    turn(loop)
    assert other.is_closed()
    assert loop.run_until_complete(value_of()) == "value"
