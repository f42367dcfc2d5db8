"""Chapter threads: that call_soon_threadsafe() wakes the loop, wherever it waits and whoever calls."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.signals import interrupt
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("threads.wakes", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@pytest.mark.parametrize("besides", ["nothing", "timer", "descriptor", "nothing, in debug mode"])
def test_a_call_from_a_thread_wakes_a_loop_that_waits(loop: Loop, patience: Patience, besides: str) -> None:
    """call_soon_threadsafe() wakes a loop that waits for I/O, or for a timer, with nothing else to do.

    If this fails: look for a wake-up that is lost between the check of the queue and the poll.
    """
    left, right = socket.socketpair()
    loop.set_debug(besides == "nothing, in debug mode")
    loop.slow_callback_duration = 3600.0  # on a busy machine any callback may be slow, and what is logged is looked at
    if besides == "timer":
        loop.call_later(3600, print)
    if besides == "descriptor":
        loop.add_reader(left, print)
    for _ in range(50):
        started = threading.Event()
        loop.call_soon(started.set)

        def work(started: threading.Event = started) -> None:
            patience.wait(started, "the start of the loop")
            loop.call_soon_threadsafe(loop.stop)

        helper = in_thread(work)
        loop.run_forever()
        helper.result()
    loop.remove_reader(left)
    left.close()
    right.close()


@requirement("threads.wakes-from-loop", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("closed", [False, True])
def test_a_call_from_a_thread_with_a_loop_wakes_the_loop_that_is_meant(
    loop: Loop, make_loop: Factory, patience: Patience, closed: bool
) -> None:
    """call_soon_threadsafe() wakes a loop that waits also if another one runs in the calling thread, or was closed.

    If this fails: look for a wake-up that is spared as there is a running loop in the thread, for one that goes to that
    loop, or for a waker that several loops share and the first that is closed takes away.
    """
    other = make_loop()
    calls = threading.Semaphore(0)
    if closed:
        gone = make_loop()
        turn(gone)
        gone.close()

    async def work() -> None:
        for _ in range(5):
            time.sleep(0.002)  # a loop that is not asleep yet needs no waking
            loop.call_soon_threadsafe(calls.release)
            assert calls.acquire(timeout=patience.seconds), "the loop was not woken"
        loop.call_soon_threadsafe(loop.stop)

    helper = in_thread(lambda: other.run_until_complete(work()))
    late: list[str] = []
    watchdog = loop.call_later(patience.seconds, late.append, "woken by a timer")
    loop.call_at(watchdog.when(), loop.stop)
    loop.run_forever()
    assert late == []
    watchdog.cancel()
    helper.result(patience.seconds)


@requirement("threads.wakes-again", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_every_call_from_a_thread_wakes_the_loop(loop: Loop, patience: Patience) -> None:
    """call_soon_threadsafe() wakes a loop that waits each time, however often it was woken before.

    If this fails: look for a wake-up that is noted and not taken back when the loop has woken, or when it starts.
    """
    calls = threading.Semaphore(0)
    in_thread(lambda: loop.call_soon_threadsafe(lambda: None)).result()  # while it does not run

    def work() -> None:
        try:
            for _ in range(300):
                loop.call_soon_threadsafe(calls.release)
                assert calls.acquire(timeout=patience.seconds), "the loop was not woken"
        finally:
            loop.call_soon_threadsafe(loop.stop)
            for _ in range(3):
                loop.call_soon_threadsafe(lambda: None)

    helper = in_thread(work)
    loop.run_forever()
    helper.result()


@requirement("threads.before-run", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_calls_made_before_the_loop_runs_are_kept(loop: Loop, patience: Patience) -> None:
    """Callbacks that a thread schedules while the loop does not run are run when it does.

    If this fails: look for a wake-up that is needed, or blocks when nobody reads it, or a queue that belongs to a run.
    """
    trace: list[int] = []
    in_thread(lambda: [loop.call_soon_threadsafe(trace.append, value) for value in range(5000)]).result()
    patience.run_until(loop, lambda: len(trace) == 5000, "the callbacks")
    assert trace == list(range(5000))


@requirement("threads.many", SHOULD, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_wakings_that_nobody_has_seen_yet_do_not_block(loop: Loop, patience: Patience) -> None:
    """Sixty-six thousand callbacks can be scheduled by call_soon_threadsafe() before the loop looks, and all run.

    If this fails: look for a byte that is written to a pipe for each: it holds 65,536, and blocks, or refuses, more.
    """
    many = 66_000
    trace: list[int] = []
    for number in range(many):
        loop.call_soon_threadsafe(trace.append, number)
    patience.run_until(loop, lambda: len(trace) == many, "the callbacks")
    assert trace == list(range(many))


def _interrupted_often(loop: Loop, patience: Patience, calls: list[int]) -> None:
    """Call call_soon_threadsafe() until a handler that does so, too, has come between fifty times, and run it all."""
    made = interrupted = 0

    def handler(*_: object) -> None:
        nonlocal interrupted
        interrupted += 1
        loop.call_soon_threadsafe(calls.append, 1)

    before = signal.signal(signal.SIGALRM, handler)
    deadline = time.monotonic() + patience.seconds
    try:
        while interrupted < 50 and time.monotonic() < deadline:
            expected = interrupted + 1
            signal.setitimer(signal.ITIMER_REAL, 0.0001)  # once: a slow machine must not interrupt the handler
            while interrupted < expected and time.monotonic() < deadline:
                loop.call_soon_threadsafe(calls.append, 0)
                made += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    patience.run_until(loop, lambda: len(calls) >= made + interrupted, "what was scheduled")
    assert (calls.count(0), calls.count(1)) == (made, interrupted)


@requirement("threads.from-signal-handler", MUST, cite=("asyncio-eventloop: loop.call_soon_threadsafe", "gh-91868"))
@each("state", ["busy", "waiting", "in the same call"])
def test_call_soon_threadsafe_works_in_a_signal_handler(loop: Loop, patience: Patience, state: str) -> None:
    """call_soon_threadsafe() may be called by a handler of signal.signal(), which interrupts the loop anywhere.

    If this fails: look for a lock that is not re-entrant, or a wake-up that is left out in the loop's own thread.
    """
    calls: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(calls.append, 1))
    try:
        if state == "in the same call":
            _interrupted_often(loop, patience, calls)
        elif state == "waiting":
            signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(loop.stop))
            helper = in_thread(lambda: interrupt(loop, patience, signal.SIGUSR1))
            loop.run_forever()
            helper.result()
        else:
            loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
            patience.run_until(loop, lambda: calls, "the callback")
    finally:
        signal.signal(signal.SIGUSR1, before)


@requirement("threads.later", MUST, cite="PEP 3156: Thread interaction")
@each("by", ["call_later", "call_at"])
def test_a_thread_schedules_a_callback_for_later(loop: Loop, patience: Patience, by: str) -> None:
    """Another thread schedules a callback for a later time by call_soon_threadsafe(loop.call_later, delay, callback).

    If this fails: look for a time to wait that is reckoned before the calls of threads have run.
    """
    calls: list[str] = []
    started = threading.Event()

    def timer(name: str) -> None:
        calls.append(name)
        loop.stop()

    def work() -> None:
        patience.wait(started, "the start of the loop")
        time.sleep(0.003)  # until the loop waits for nothing but this call
        if by == "call_later":
            loop.call_soon_threadsafe(loop.call_later, 0.002, timer, "later")
        else:
            loop.call_soon_threadsafe(lambda: loop.call_at(loop.time() + 0.002, timer, "later"))

    helper = in_thread(work)
    loop.call_soon(started.set)
    loop.run_forever()
    helper.result()
    assert calls == ["later"]
