"""Chapter debug: signal handlers and watched descriptors are in debug mode what they are without it."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.protocols import raising
from conformance.kit.signals import send
from conformance.kit.waiting import turns, until
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
DEBUG = "asyncio-dev: Debug Mode"
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


@requirement("debug.signals", MUST, cite=(DEBUG, "asyncio-eventloop: loop.add_signal_handler"))
@pytest.mark.usefixtures("any_handlers")
def test_signals_are_handled_in_debug_mode(loop: Loop, patience: Patience) -> None:
    """In debug mode the loop invokes a signal's callback once a signal, among others, until it is replaced or removed.

    If this fails: look for what debug mode puts round the callback, or for a handler that is called on the spot, to be
    measured.
    """
    trace: list[Any] = []
    errors: list[Any] = []
    loop.set_debug(True)
    loop.set_exception_handler(lambda _loop, context: errors.append(context.get("exception")))

    def interrupted() -> None:
        send(USR1)
        for _ in range(1000):
            pass
        trace.append("callback")

    async def arrival(number: int, entries: int) -> None:
        send(number)
        await until(patience, lambda: len(trace) >= entries, "the signal handler")
        await turns(5)

    async def scenario() -> None:
        loop.add_signal_handler(USR1, lambda *args: trace.append(args), "signal", 1)
        loop.call_soon(interrupted)
        await until(patience, lambda: len(trace) >= 2, "the signal handler")
        await turns(5)
        assert trace == ["callback", ("signal", 1)]
        await arrival(USR1, 3)
        assert trace[2:] == [("signal", 1)]
        loop.add_signal_handler(USR1, trace.append, "other")
        await arrival(USR1, 4)
        assert trace[3:] == ["other"]
        error = LookupError("of the handler")
        loop.add_signal_handler(USR2, raising(error))
        send(USR2)
        await until(patience, lambda: errors, "the call of the exception handler")
        await arrival(USR1, 5)
        assert [trace[4:], errors] == [["other"], [error]]
        loop.remove_signal_handler(USR1)
        loop.remove_signal_handler(USR2)

    loop.run_until_complete(scenario())


@requirement("debug.watchers", MUST, cite=(DEBUG, "asyncio-eventloop: Watching file descriptors"))
@each("side", ["reader", "writer"])
@each("when", ["before the run", "in a callback"])
def test_descriptors_are_watched_in_debug_mode(loop: Loop, patience: Patience, side: str, when: str) -> None:
    """In debug mode the callback of a descriptor that is ready is called until it is replaced or removed.

    If this fails: look for what debug mode puts round the callback, or for one that is watched for but once.
    """
    seen: list[Any] = []
    loop.set_debug(True)

    def watch(name: str) -> None:
        add(loop, side)(ours, lambda *args: seen.append(args), name, 2)

    def schedule(name: str) -> None:
        if when == "before the run":
            watch(name)
        else:
            loop.call_soon(watch, name)

    with unix_pair() as (ours, peer):
        peer.sendall(b"x")
        for name in ("first", "second"):
            schedule(name)
            patience.run_until(loop, lambda name=name: [each[0] for each in seen].count(name) >= 3, "the third call")  # type: ignore[misc]
        after = [each[0] for each in seen].index("second")
        assert {*seen[after:]} == {("second", 2)}
        remove(loop, side)(ours)
        seen.clear()
        turn(loop, 3)
        assert seen == []
