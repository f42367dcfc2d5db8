"""Chapter signals: add_signal_handler(): when its callback is called, how often, and for which signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ARGUMENTS
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.signals import send, send_later
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns, until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2

pytestmark = pytest.mark.usefixtures("any_handlers")


@requirement("signals.called", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_the_callback_is_called_when_the_signal_arrives(loop: Loop, patience: Patience) -> None:
    """add_signal_handler() sets callback as the handler for the signal: the loop calls it when the signal arrives.

    If this fails: look for a wake-up descriptor that nobody reads.
    """

    async def scenario() -> None:
        calls: list[int] = []
        loop.add_signal_handler(USR1, calls.append, 1)
        send()
        await until(patience, lambda: calls, "the signal handler")
        loop.remove_signal_handler(USR1)
        assert calls == [1]

    loop.run_until_complete(scenario())


@requirement("signals.wakes-idle-loop", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_signal_wakes_a_loop_that_waits(loop: Loop) -> None:
    """A signal that arrives while the loop waits for I/O wakes it.

    If this fails: look for a poll that is restarted after EINTR without a look at pending signals.
    """

    async def scenario() -> None:
        arrived = loop.create_future()
        loop.add_signal_handler(USR1, arrived.set_result, None)
        helper = in_thread(send_later)
        await arrived
        loop.remove_signal_handler(USR1)
        helper.result()

    loop.run_until_complete(scenario())


@requirement("signals.arguments", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@each("arguments", ODD_ARGUMENTS)
@each("debug", [False, True])
def test_the_callback_gets_its_arguments_and_no_others(
    loop: Loop, patience: Patience, arguments: tuple[object, ...], debug: bool
) -> None:
    """add_signal_handler(signum, callback, *args) calls the callback with args, without signal number or frame.

    If this fails: look for the arguments of signal.signal() passed through, or others unpacked or dropped.
    """

    loop.set_debug(debug)

    async def scenario() -> None:
        seen: list[tuple[object, ...]] = []
        loop.add_signal_handler(USR1, lambda *args: seen.append(args), *arguments)
        send()
        await until(patience, lambda: seen, "the signal handler")
        loop.remove_signal_handler(USR1)
        assert len(seen) == 1
        assert all(a is b for a, b in zip(seen[0], arguments, strict=True))

    loop.run_until_complete(scenario())


@requirement("signals.by-the-loop", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_the_callback_is_invoked_by_the_loop(loop: Loop, patience: Patience) -> None:
    """The callback will be invoked by loop, along with other queued callbacks: not on the stack that was interrupted.

    If this fails: look for a handler that is run where the signal hit.
    """

    async def scenario() -> None:
        trace: list[str] = []

        def interrupted() -> None:
            send()
            for _ in range(1000):
                pass
            trace.append("callback")

        loop.add_signal_handler(USR1, trace.append, "signal")
        loop.call_soon(interrupted)
        await until(patience, lambda: "signal" in trace, "the signal handler")
        loop.remove_signal_handler(USR1)
        assert trace == ["callback", "signal"]

    loop.run_until_complete(scenario())


@requirement("signals.may-use-loop", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_the_callback_may_use_the_loop(loop: Loop, patience: Patience) -> None:
    """A callback registered with this function is allowed to interact with the event loop.

    If this fails: look for a handler that runs in a context where the loop's queue is not consistent.
    """

    async def scenario() -> None:
        trace: list[object] = []

        def handler() -> None:
            trace.append(asyncio.get_running_loop())
            loop.call_soon(trace.append, "call_soon")
            loop.create_task(_append(trace))

        loop.add_signal_handler(USR1, handler)
        send()
        await until(patience, lambda: len(trace) == 3, "what the handler scheduled")
        loop.remove_signal_handler(USR1)
        assert trace == [loop, "call_soon", "task"]

    loop.run_until_complete(scenario())


async def _append(trace: list[object]) -> None:
    trace.append("task")


@requirement("signals.every-signal", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_signals_of_two_numbers_reach_their_own_handlers(loop: Loop, patience: Patience) -> None:
    """Each signal number has its own handler.

    If this fails: look for one handler for all, or a byte of the wake-up pipe that is dropped when several arrive.
    """

    async def scenario() -> None:
        calls: list[str] = []
        loop.add_signal_handler(USR1, calls.append, "one")
        loop.add_signal_handler(USR2, calls.append, "two")
        send(USR1)
        send(USR2)
        await until(patience, lambda: len(calls) == 2, "both handlers")
        loop.remove_signal_handler(USR1)
        loop.remove_signal_handler(USR2)
        assert sorted(calls) == ["one", "two"]

    loop.run_until_complete(scenario())


@requirement("signals.replaced", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_second_handler_replaces_the_first(loop: Loop, patience: Patience) -> None:
    """Adding a handler for a signal that has one replaces it, and its arguments with it: only one can be active.

    If this fails: look for a list of handlers, or for arguments that are replaced only by others.
    """

    async def scenario() -> None:
        calls: list[str] = []
        callback = calls.append
        loop.add_signal_handler(USR1, callback, "first")
        loop.add_signal_handler(USR1, callback, "second")
        send()
        await until(patience, lambda: calls, "the second handler")
        await turns(3)
        loop.add_signal_handler(USR1, lambda *arguments: calls.append(repr(arguments)))
        send()
        await until(patience, lambda: len(calls) == 2, "the third handler")
        assert loop.remove_signal_handler(USR1) is True
        assert loop.remove_signal_handler(USR1) is False, "a handler that was replaced came back"
        assert calls == ["second", "()"]

    loop.run_until_complete(scenario())


@requirement("signals.stays", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_handler_stays_until_it_is_removed(loop: Loop, watch: Any, patience: Patience) -> None:
    """The handler is called for every signal, not only for the first.

    If this fails: look for a one-shot registration, or for handlers that go with the run: with one that ends as usual,
    or with one that an exit ends.
    """
    watch.allow("reported")  # what an exit does is asked elsewhere
    calls: list[int] = []

    async def scenario(first: bool = False, last: bool = False) -> None:
        if first:
            loop.add_signal_handler(USR1, calls.append, 1)
        before = len(calls)
        for number in range(before + 1, before + 4):
            send()
            await until(patience, lambda number=number: len(calls) == number, "the next call")  # type: ignore[misc]
        if last:
            loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario(first=True))
    loop.run_until_complete(scenario())
    loop.call_soon(raising(SystemExit()))
    timer = loop.call_later(0.005, loop.stop)
    with contextlib.suppress(SystemExit):
        loop.run_forever()
    timer.cancel()
    loop.run_until_complete(scenario(last=True))


@requirement("signals.error-reported", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_in_a_signal_handler_is_reported(loop: Loop, watch: Any, patience: Patience) -> None:
    """An exception that the callback raises is given to the exception handler; the handler stays.

    If this fails: look for an exception that is raised out of the loop, or lost.
    """

    async def scenario() -> None:
        watch.allow("reported")
        error = LookupError("of the handler")
        loop.add_signal_handler(USR1, raising(error))
        for number in (1, 2):
            send()
            await until(patience, lambda number=number: len(watch.reported) == number, "the report")  # type: ignore[misc]
        loop.remove_signal_handler(USR1)
        assert [context["exception"] for context in watch.reported] == [error, error]

    loop.run_until_complete(scenario())


@requirement("signals.between-runs", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_signal_that_arrives_while_the_loop_is_stopped_is_kept(loop: Loop, patience: Patience) -> None:
    """A signal that arrives between two runs is handled by the next.

    If this fails: look for a wake-up pipe that is emptied when the loop starts.
    """
    calls: list[int] = []
    loop.add_signal_handler(USR1, calls.append, 1)
    turn(loop)
    send()
    assert calls == []
    patience.run_until(loop, lambda: calls, "the signal handler")
    loop.remove_signal_handler(USR1)


@requirement("signals.from-thread", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_signal_that_another_thread_receives_reaches_the_loop(loop: Loop, patience: Patience) -> None:
    """A signal that the system delivers to another thread reaches the loop of the main thread.

    If this fails: look for thread-directed handling (signalfd, a mask) that misses signals of the process.
    """

    async def scenario() -> None:
        calls: list[int] = []
        loop.add_signal_handler(USR1, calls.append, 1)
        helper = in_thread(lambda: signal.pthread_kill(threading.get_ident(), USR1))
        await until(patience, lambda: calls, "the signal handler")
        helper.result()
        loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario())


@requirement("signals.many", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_burst_of_signals_does_not_block_or_lose_the_last(loop: Loop, patience: Patience, watch: Any) -> None:
    """A thousand signals before the loop looks do not block the process, and the handler is called.

    If this fails: look for a blocking wake-up pipe that fills up.
    """
    watch.allow("unraisable")  # Python itself warns of a wake-up pipe that is full

    async def scenario() -> None:
        calls: list[int] = []
        loop.add_signal_handler(USR1, calls.append, 1)
        for _ in range(1000):
            send()
        await until(patience, lambda: calls, "the signal handler")
        loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario())
