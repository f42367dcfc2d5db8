"""Chapter lifecycle: the current event loop of a thread, the policy, and what a loop must have and let go."""

from __future__ import annotations

import asyncio
import functools
import gc
import socket
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import Helper, in_thread
from conformance.kit.watching import add, remove
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

# The section "Event Loop Methods" lists what the abstract class declares.
_METHODS = {name: method for name, method in vars(asyncio.AbstractEventLoop).items() if not name.startswith("_")}


class _Thing:
    """Something that a callback may hold."""

    def callback(self) -> None:
        """Never called here."""


async def _running() -> Loop:
    return asyncio.get_running_loop()


@contextmanager
def _current(loop: Loop) -> Iterator[None]:
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)


@requirement("lifecycle.set-event-loop", MUST, cite="asyncio-eventloop: set_event_loop")
def test_a_loop_can_be_made_the_current_one(loop: Loop) -> None:
    """set_event_loop() sets loop as the current event loop for the current OS thread: get_event_loop() gives it.

    If this fails: look for a class that is no AbstractEventLoop, which the default policy refuses.
    """
    with _current(loop):
        assert asyncio.get_event_loop() is loop


@requirement("lifecycle.stays-current", MUST, cite="asyncio-eventloop: set_event_loop")
def test_the_current_loop_stays_when_it_ran(loop: Loop) -> None:
    """The loop that was set stays the current event loop of its thread when it has run and stopped.

    If this fails: look for a run that ends with set_event_loop(None).
    """
    with _current(loop):
        assert loop.run_until_complete(_running()) is loop
        assert asyncio.get_event_loop() is loop
        turn(loop)
        assert asyncio.get_event_loop() is loop


@requirement("lifecycle.other-stays-current", MUST, cite="asyncio-eventloop: set_event_loop")
def test_another_loop_that_runs_does_not_become_the_current_one(loop: Loop, make_loop: Factory) -> None:
    """The loop that was set stays the current one when another loop is made, runs and is closed in this thread.

    If this fails: look for set_event_loop() in the making, running or closing of a loop.
    """
    with _current(loop):
        other = make_loop()
        assert other.run_until_complete(_running()) is other
        other.close()
        assert asyncio.get_event_loop() is loop


@requirement("lifecycle.other-not-running", MUST, cite="asyncio-eventloop: get_running_loop")
@pytest.mark.parametrize("where", ["callback", "coroutine"])
def test_a_loop_that_is_made_does_not_become_the_running_one(loop: Loop, make_loop: Factory, where: str) -> None:
    """get_running_loop() returns the loop that runs, also when another one has been made and closed in the meantime.

    If this fails: look for a constructor, or a close(), that sets the running loop of the thread.
    """
    seen: list[Loop] = []

    def make() -> None:
        other = make_loop()
        seen.append(asyncio.get_running_loop())
        other.close()
        seen.append(asyncio.get_running_loop())

    async def main() -> None:
        make()
        await asyncio.sleep(0)
        seen.append(asyncio.get_running_loop())

    if where == "callback":
        loop.call_soon(make)
        turn(loop)
        assert seen == [loop] * 2
    else:
        loop.run_until_complete(main())
        assert seen == [loop] * 3


@requirement("lifecycle.no-current", MUST, cite="asyncio-eventloop: get_event_loop")
def test_a_run_leaves_no_current_loop_behind(make_loop: Factory, patience: Patience) -> None:
    """In a thread in which no loop was set, there is no current event loop after a run: get_event_loop() raises.

    If this fails: look for set_event_loop() at the start of a run.
    """

    def work() -> None:
        loop = make_loop()
        loop.run_until_complete(_running())
        with pytest.raises(RuntimeError):
            asyncio.get_event_loop()
        loop.close()

    in_thread(work).result(2 * patience.seconds)


@requirement("lifecycle.policy-untouched", MUST, cite="asyncio-policy: set_event_loop_policy", until="3.13")
def test_the_policy_is_left_alone(make_loop: Factory) -> None:
    """The event loop policy is the one that was set: making, running and closing a loop does not change it.

    If this fails: look for a policy that is installed with the first loop, or as it starts.
    """

    class Policy(asyncio.DefaultEventLoopPolicy):
        """A policy of somebody else."""

    mine, before = Policy(), asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(mine)
    try:
        loop = make_loop()
        loop.run_until_complete(_running())
        loop.close()
        assert asyncio.get_event_loop_policy() is mine
    finally:
        asyncio.set_event_loop_policy(before)


@requirement(
    "lifecycle.policy-makes", MUST, cite="asyncio-policy: AbstractEventLoopPolicy.new_event_loop", until="3.13"
)
def test_a_policy_makes_loops_for_asyncio_run(make_loop: Factory) -> None:
    """A policy whose new_event_loop() makes the loop is enough for asyncio.run(): it runs on that loop and closes it.

    If this fails: look for what set_event_loop() or the child watcher of the policy asks of a loop.
    """
    made: list[Loop] = []

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> Any:
            made.append(make_loop())
            return made[-1]

    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Policy())
    try:
        assert asyncio.run(_running()) is made[0]
        assert [loop.is_closed() for loop in made] == [True]
    finally:
        asyncio.set_event_loop_policy(before)


@requirement("lifecycle.methods", SHOULD, cite="asyncio-eventloop: AbstractEventLoop")
def test_the_loop_has_all_methods(loop: Loop) -> None:
    """An alternative implementation of AbstractEventLoop should have defined all methods of "Event Loop Methods".

    If this fails: what is missing is listed; what is inherited from AbstractEventLoop only raises.
    """
    missing = [
        name
        for name, abstract in _METHODS.items()
        if not callable(found := getattr(loop, name, None)) or getattr(found, "__func__", None) is abstract
    ]
    assert not missing, f"not defined: {', '.join(missing)}"


@requirement("lifecycle.is-running-elsewhere", MUST, cite="asyncio-eventloop: loop.is_running")
def test_is_running_is_true_for_other_threads_too(loop: Loop) -> None:
    """is_running() returns True if the loop is currently running, whichever thread asks.

    If this fails: look for an answer that compares with the running loop of the thread that asks, or for a state that
    the loop leaves while it waits for events.
    """
    seen: list[bool] = []
    loop.call_soon(lambda: seen.append(in_thread(loop.is_running).result()))
    turn(loop)
    assert seen == [True]

    def ask() -> None:
        time.sleep(0.01)  # the loop has nothing to do by now
        seen.append(loop.is_running())
        loop.call_soon_threadsafe(loop.stop)

    asking: list[Helper[None]] = []
    loop.call_soon(lambda: asking.append(in_thread(ask)))
    loop.run_forever()
    asking[0].result()
    assert seen == [True, True]


@requirement("lifecycle.stop-before-run-io", MUST, cite="asyncio-eventloop: loop.run_forever")
@pytest.mark.parametrize("side", ["reader", "writer"])
def test_stop_before_run_forever_runs_what_io_has_scheduled(loop: Loop, side: str) -> None:
    """If stop() is called before run_forever(), all callbacks scheduled in response to I/O events run before it exits.

    If this fails: look for a stop flag that is looked at before the poll, or between the poll and the callbacks.
    """
    trace: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        add(loop, side)(ours.fileno(), trace.append, side)
        loop.call_soon(trace.append, "scheduled")
        loop.stop()
        loop.run_forever()
        remove(loop, side)(ours.fileno())
    assert sorted(trace) == sorted([side, "scheduled"])


@requirement("lifecycle.stop-before-run-due", SHOULD, cite="asyncio-eventloop: loop.run_forever")
@each("debug", [False, True])
def test_stop_before_run_forever_runs_the_timers_that_are_due(loop: Loop, debug: bool) -> None:
    """If stop() is called before run_forever(), delayed callbacks that are due run before it exits, as others do.

    If this fails: look for a turn of its own for this case, which leaves the timers out.
    """
    trace: list[str] = []
    loop.set_debug(debug)
    loop.call_at(loop.time() - 1, trace.append, "due")
    far = loop.call_later(3600, trace.append, "not due")
    time.sleep(0.02)  # a clock may tick every 16 ms only
    loop.stop()
    loop.run_forever()
    far.cancel()
    assert trace == ["due"]


@requirement("lifecycle.stop-finishes-due", SHOULD, cite="asyncio-eventloop: loop.run_forever")
@each("debug", [False, True])
def test_stop_lets_timers_run_that_are_due_with_it(loop: Loop, debug: bool) -> None:
    """Delayed callbacks that are due together are one batch: if one of them calls stop(), the others run, too.

    If this fails: look for a loop over the timers that is left as soon as stop() was called.
    """
    trace: list[int] = []
    loop.set_debug(debug)

    def callback(number: int) -> None:
        trace.append(number)
        loop.stop()

    start = loop.time()
    for number in range(3):
        loop.call_at(start + number * 0.001, callback, number)
    time.sleep(0.02)  # a clock may tick every 16 ms only
    loop.run_forever()
    assert sorted(trace) == [0, 1, 2]


@requirement("lifecycle.close-clears", MUST, cite="asyncio-eventloop: loop.close")
@pytest.mark.parametrize("queue", ["ready", "timers", "threads"])
@pytest.mark.parametrize("debug", [False, True], ids=["usual", "in debug mode"])
def test_close_clears_the_queues(loop: Loop, queue: str, debug: bool) -> None:
    """close() clears all queues: what pending callbacks hold is let go, although the loop object lives on.

    If this fails: look for callbacks that are skipped, and kept.
    """
    loop.set_debug(debug)
    thing = _Thing()
    if queue == "ready":
        loop.call_soon(thing.callback)
    elif queue == "threads":
        in_thread(functools.partial(loop.call_soon_threadsafe, thing.callback)).result()
    else:
        loop.call_later(3600, thing.callback)
    gone = weakref.ref(thing)
    loop.close()
    del thing
    gc.collect()
    assert gone() is None
