"""Chapter callbacks: what runs, stops and ends of the loop, and others that it serves, mean for what was scheduled."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair
from conformance.kit.protocols import Events, raising
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def _call_again(schedule: Callable[[Callable[[], None]], object], goes_on: Callable[[], bool]) -> None:
    def again() -> None:
        if goes_on():
            schedule(again)

    schedule(again)


async def _yield_again(goes_on: Callable[[], bool]) -> None:
    while goes_on():
        await asyncio.sleep(0)


_AGAIN: dict[str, Callable[[Loop, Callable[[], bool]], object]] = {
    "call_soon": lambda loop, goes_on: _call_again(loop.call_soon, goes_on),
    "call_soon_threadsafe": lambda loop, goes_on: _call_again(loop.call_soon_threadsafe, goes_on),
    "a task": lambda loop, goes_on: loop.create_task(_yield_again(goes_on)),
}
"""What may keep a loop busy, as long as `goes_on()`: name → begins it, and returns what is to be kept meanwhile."""


@requirement("callbacks.error-isolated", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("debug", [False, True])
def test_an_exception_in_a_callback_does_not_stop_the_others(loop: Loop, watch: Any, debug: bool) -> None:
    """A callback that raises is reported; the callbacks behind it run in the same order as ever.

    If this fails: look for an exception that leaves the loop of ready callbacks.
    """
    watch.allow("reported")
    watch.reported.clear()
    loop.set_debug(debug)
    trace: list[int] = []
    for number in range(3):
        loop.call_soon(trace.append, number)
        loop.call_soon(raising(LookupError("of the callback")))
    turn(loop)
    assert trace == [0, 1, 2]
    assert len(watch.reported) == 3


@requirement("callbacks.from-finalizer", SHOULD, cite="asyncio-eventloop: loop.call_soon")
@each("released", ["when it ran", "with its handle", "with its timer", "with many timers"])
def test_a_finalizer_can_schedule(loop: Loop, patience: Patience, released: str) -> None:
    """A callback can be scheduled wherever Python code runs, also by __del__() of an argument that the loop lets go.

    If this fails: look for a lock, or a borrowed queue, that is held while the loop drops what a callback has held, or
    for a heap that loses what is pushed while the cancelled timers in it are swept out.
    """
    trace: list[str] = []
    many = 300 if released == "with many timers" else 1

    class Argument:
        def __del__(self) -> None:
            loop.call_soon(trace.append, "callback")
            loop.call_later(0, trace.append, "timer")
            loop.call_soon_threadsafe(trace.append, "from a thread")

    if released == "when it ran":
        loop.call_soon(lambda _: None, Argument())
    elif released == "with its handle":
        loop.call_soon(lambda _: None, Argument()).cancel()
    elif released == "with its timer":
        loop.call_later(0.001, lambda _: None, Argument()).cancel()
        loop.run_until_complete(asyncio.sleep(0.002))
    else:
        for handle in [loop.call_later(0.005, lambda _: None, Argument()) for _ in range(many)]:
            handle.cancel()
        del handle

    def happened() -> bool:
        gc.collect()
        return len(trace) >= 3 * many

    patience.run_until(loop, happened, "what the finaliser has scheduled")
    assert Counter(trace) == {"callback": many, "from a thread": many, "timer": many}


@requirement("callbacks.fairness-io", SHOULD, cite="PEP 3156: Basic Callbacks")
@each("way", _AGAIN)
def test_callbacks_that_reschedule_themselves_do_not_starve_io(loop: Loop, way: str) -> None:
    """A callback that schedules itself again and again does not keep a readable descriptor from being served.

    If this fails: look for a loop that drains a queue until it is empty before it polls: that of callbacks, or one
    of its own for tasks, or for the calls of threads.
    """
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        served: list[bool] = []

        def begin() -> None:
            right.send(b"x")  # now, and not before: the poll of this turn is over
            kept.append(_AGAIN[way](loop, goes_on))

        def goes_on() -> bool:
            turns.append(len(turns))
            if served or len(turns) == enough:
                loop.stop()
                return False
            return True

        kept: list[object] = []
        turns: list[int] = []
        enough = 20_000
        loop.add_reader(left, served.append, True)
        loop.call_soon(begin)
        loop.run_forever()
        loop.remove_reader(left)
        turn(loop)
        assert len(turns) < enough, f"{enough} turns passed without one look at the descriptor"


@requirement("callbacks.fairness-timers", SHOULD, cite="PEP 3156: Basic Callbacks")
@each("way", _AGAIN)
def test_callbacks_that_reschedule_themselves_do_not_starve_timers(loop: Loop, patience: Patience, way: str) -> None:
    """A callback that schedules itself again and again does not keep a due timer from running.

    If this fails: look for timers that are looked at only when nothing is ready, be it a callback, a task or a call of
    a thread.
    """
    fired: list[bool] = []

    def goes_on() -> bool:
        if fired or loop.time() > deadline:
            loop.stop()
            return False
        return True

    deadline = loop.time() + patience.seconds
    loop.call_later(0.001, fired.append, True)
    kept = _AGAIN[way](loop, goes_on)
    loop.run_forever()
    in_time = bool(fired)
    turn(loop)
    del kept
    assert in_time, "it ran when nothing else did"


@requirement("callbacks.scheduled-before-run", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_callbacks_scheduled_before_the_loop_runs_are_kept(loop: Loop) -> None:
    """Callbacks may be scheduled while the loop is not running, and run once it does.

    If this fails: look for a queue that is made, or cleared, when the loop starts.
    """
    trace: list[str] = []
    loop.call_soon(trace.append, "before")
    loop.run_until_complete(asyncio.sleep(0))
    assert trace == ["before"]


@requirement("callbacks.kept-across-stop", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("how", ["call_soon", "call_soon_threadsafe", "call_later", "call_at", "create_task", "a thread"])
@each("next_run", ["run_forever", "run_until_complete", "of what is done"])
def test_callbacks_scheduled_by_the_last_turn_run_at_the_next_start(
    loop: Loop, patience: Patience, how: str, next_run: str
) -> None:
    """Callbacks scheduled by callbacks after stop() run the next time run_forever() or run_until_complete() is called.

    If this fails: look for a loop that drains its queue when it stops, or throws it away; or for a run that need not
    begin, as its future is done, and all the same ends by throwing it away.
    """
    trace: list[str] = []

    async def append(text: str) -> None:
        trace.append(text)

    def outer() -> None:
        loop.stop()
        if how == "create_task":
            kept.append(loop.create_task(append("later")))
        elif how == "a thread":
            in_thread(lambda: loop.call_soon_threadsafe(trace.append, "later")).result()
        else:
            when = {"call_later": (0,), "call_at": (loop.time(),)}.get(how, ())
            getattr(loop, how)(*when, trace.append, "later")

    kept: list[asyncio.Task[None]] = []
    loop.call_soon(outer)
    loop.run_forever()
    assert trace == []
    if next_run == "run_until_complete":
        loop.run_until_complete(asyncio.sleep(0.001))
    elif next_run == "of what is done":
        loop.run_until_complete(done_future(loop))
    else:
        turn(loop)
    patience.run_until(loop, lambda: trace, "what was scheduled")
    assert trace == ["later"]
    future = loop.create_future()
    future.add_done_callback(lambda _: outer())
    trace.clear()
    loop.call_soon(future.set_result, None)
    loop.run_until_complete(future)
    patience.run_until(loop, lambda: trace, "what was scheduled by the last turn of run_until_complete()")


@requirement("callbacks.closed-loop", MUST, cite="asyncio-eventloop: loop.close")
@each("method", ["call_soon", "call_soon_threadsafe"])
@each("debug", [False, True])
def test_scheduling_on_a_closed_loop_is_an_error(loop: Loop, method: str, debug: bool) -> None:
    """call_soon() and call_soon_threadsafe() raise RuntimeError if called on a loop that's been closed.

    If this fails: look for a callback that is queued for a loop that can never run it.
    """
    loop.set_debug(debug)
    loop.close()
    with pytest.raises(RuntimeError):
        getattr(loop, method)(lambda: None)


@requirement("callbacks.dropped-by-close", MUST, cite="asyncio-eventloop: loop.close")
def test_pending_callbacks_are_discarded_by_close(loop: Loop) -> None:
    """Any pending callbacks are discarded by close(): they do not run.

    If this fails: look for a close() that drains the queue by running it.
    """
    trace: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        loop.add_reader(ours, trace.append, "reader")
        loop.call_soon(trace.append, "pending")
        loop.call_soon_threadsafe(trace.append, "from a thread")
        loop.call_later(0, trace.append, "timer")
        loop.close()
        assert trace == []


@requirement("callbacks.protocols-dropped-by-close", SHOULD, cite="asyncio-eventloop: loop.close")
def test_close_calls_no_protocol(loop: Loop) -> None:
    """Any pending callbacks are discarded by close(), connection_lost() too: it calls the protocol of no connection.

    If this fails: look for a close() that ends every transport, or waits until the last one has ended.
    """
    with tcp_pair() as (ours, peer), tcp_pair() as (other, _):
        transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
        ending, ended = loop.run_until_complete(loop.create_connection(Events, sock=other))
        turn(loop, 2)
        peer.sendall(b"data")
        ending.close()
        loop.close()
        assert protocol.names == ended.names == ["connection_made"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nobody can close them any more
            del transport, ending, protocol, ended
            gc.collect()
