"""Chapter debug: which callbacks are slow, and that slow ones are logged, whichever way the loop came to them."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ReactsToChild, spawned
from conformance.kit.coroutines import done_future
from conformance.kit.datagrams import endpoint, udp_peer
from conformance.kit.logs import logged
from conformance.kit.oddities import Unprintable, odd_callables
from conformance.kit.patience import Patience, turn
from conformance.kit.pipes import reading
from conformance.kit.protocols import Datagrams, Reacts
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.kit.transports import connected
from conformance.kit.waiting import turns
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Work = Callable[[], None]
# Ways to have `work` called by the loop; what they return is kept meanwhile.
_WAYS: dict[str, Callable[[Loop, Work], object]] = {
    "callback": lambda loop, work: loop.call_soon(work),
    "timer": lambda loop, work: loop.call_later(0.001, work),
    "from a thread": lambda loop, work: in_thread(lambda: loop.call_soon_threadsafe(work)).result(),
    "done callback": lambda loop, work: done_future(loop).add_done_callback(lambda _: work()),
    "task": lambda loop, work: loop.create_task(_steps(work)),
    "later step": lambda loop, work: loop.create_task(_steps(work, 0, 0.001)),
}


async def _steps(work: Work, *delays: float) -> None:
    for delay in delays:
        await asyncio.sleep(delay)
    work()


@contextmanager
def _scheduled(loop: Loop, way: str, work: Work) -> Iterator[None]:
    """While the block runs the loop, it will call `work`, once."""
    if way == "signal":
        loop.add_signal_handler(signal.SIGUSR1, work)
        loop.call_soon(send)
        yield
        loop.remove_signal_handler(signal.SIGUSR1)
    elif way in ("reader", "writer"):
        ours, theirs = socket.socketpair()

        def once() -> None:
            loop.remove_reader(ours) if way == "reader" else loop.remove_writer(ours)
            work()

        with ours, theirs:
            theirs.send(b"x")
            loop.add_reader(ours, once) if way == "reader" else loop.add_writer(ours, once)
            yield
    else:
        kept = _WAYS[way](loop, work)
        yield
        del kept


@requirement("debug.slow-default", MUST, cite="asyncio-dev: Debug Mode")
def test_slow_means_a_tenth_of_a_second(loop: Loop, make_loop: Factory) -> None:
    """Callbacks that take longer than 100 milliseconds are slow: slow_callback_duration is 0.1 in a new loop.

    If this fails: look for an attribute that is missing, in milliseconds, or one for all loops.
    """
    make_loop().slow_callback_duration = 5.0
    assert loop.slow_callback_duration == 0.1
    assert make_loop().slow_callback_duration == 0.1


@requirement("debug.slow", MUST, cite="asyncio-dev: Debug Mode")
@each(
    ("way", "limit"),
    [
        *((way, 0.002) for way in (*_WAYS, "reader", "writer", "signal", "that raises", "set in this run")),
        *((way, 0) for way in ("callback", "timer", "task")),
    ],
)
def test_slow_callbacks_are_logged(loop: Loop, way: str, limit: float) -> None:
    """In debug mode callbacks that take longer than slow_callback_duration (seconds) are logged; so with task steps.

    If this fails: look for an attribute that can be set but is not looked at, or a way round the measurement: of
    watched descriptors, signals, other threads, or steps that a future wakes; or a mode that the loop looks at only
    when it starts.
    """
    loop.set_debug(way != "set in this run")
    loop.slow_callback_duration = limit
    loop.set_exception_handler(lambda _loop, _context: None)  # which logs nothing
    before: list[int] = []

    def work() -> None:
        before.append(len(records))  # others may be slow, too, on a busy machine
        time.sleep(0.02)  # a clock may tick every 16 ms only
        loop.stop()
        if way == "that raises":
            raise LookupError

    kind = {"that raises": "callback", "set in this run": "later step"}.get(way, way)
    loop.call_soon(loop.set_debug, True)
    with logged() as records, _scheduled(loop, kind, work):
        loop.run_forever()
        assert len(records) > before[0]


@requirement(
    "debug.slow-protocols",
    MUST,
    cite=("asyncio-dev: Debug Mode", "PEP 3156: Debug Mode", "PEP 3156: Stream Protocols"),
)
@each("method", ["data_received", "eof_received", "connection_lost", "datagram_received", "of a pipe", "of a child"])
def test_slow_callbacks_of_protocols_are_logged(loop: Loop, patience: Patience, method: str) -> None:
    """In debug mode callbacks of protocols, too, that take longer than slow_callback_duration are logged.

    If this fails: look for methods of protocols that are called past what measures callbacks.
    """
    before: list[int] = []

    def work(*_: object) -> None:
        if not before:
            before.append(len(records))  # others may be slow, too, on a busy machine
            time.sleep(0.03)
            loop.stop()

    def run() -> None:
        limit = loop.call_later(patience.seconds, loop.stop)
        loop.run_forever()
        limit.cancel()

    loop.set_debug(True)
    loop.slow_callback_duration = 0.01
    with logged() as records:
        if method == "of a child":
            child = ReactsToChild("pipe_data_received", work)
            with spawned(loop, patience, "read line; echo; exec sleep 100", protocol=lambda: child) as (transport, _):
                transport.get_pipe_transport(0).write(b"now\n")
                run()
        elif method == "of a pipe":
            with reading(loop, Reacts("data_received", work)) as (_, _, _, other):
                os.write(other.number, b"x")
                run()
        elif method == "datagram_received":
            protocol: Any = Datagrams()
            protocol.datagram_received = work
            with endpoint(loop, protocol=protocol) as (transport, _), udp_peer() as peer:
                peer.sendto(b"x", transport.get_extra_info("sockname"))
                run()
        else:
            with connected(loop, Reacts(method, work)) as (transport, _, peer):
                peer.send(b"x") if method == "data_received" else peer.close()
                run()
        assert before, "the callback was not called"
        assert len(records) > before[0]


@requirement("debug.slow-unprintable", SHOULD, cite="asyncio-dev: Debug Mode")
@each("way", ["call_soon", "call_later", "call_soon_threadsafe"])
def test_slow_callbacks_of_any_kind_are_logged(loop: Loop, patience: Patience, way: str) -> None:
    """A slow callback is logged whatever it is, and whatever its arguments are: not all of them can be printed.

    If this fails: look for a log line that asks a callable for a name that only functions have, or arguments for their
    repr(), which may raise.
    """
    before: list[int] = []

    class Slow(list[object]):
        def append(self, argument: object) -> None:
            before.append(len(records))  # others may be slow, too, on a busy machine
            time.sleep(0.02)  # a clock may tick every 16 ms only
            super().append(argument)

    trace = Slow()
    schedule = functools.partial(loop.call_later, 0) if way == "call_later" else getattr(loop, way)
    loop.set_debug(True)
    loop.slow_callback_duration = 0.002
    with logged() as records:
        for kind, callback in [*odd_callables(trace).items(), ("unprintable", trace.append)]:
            schedule(callback, Unprintable() if kind == "unprintable" else kind)
            trace.clear()
            patience.run_until(loop, lambda: trace, f"the callback: {kind}")
            assert len(records) > before[-1], kind


@requirement("debug.not-slow", MUST, cite="asyncio-dev: Debug Mode")
def test_fast_callbacks_are_not_logged(loop: Loop) -> None:
    """Callbacks that take less than slow_callback_duration are not logged.

    If this fails: look for a limit that cannot be raised.
    """
    loop.set_debug(True)
    loop.slow_callback_duration = 1000
    with logged() as records:
        loop.call_soon(time.sleep, 0.11)
        turn(loop)
    assert records == []


@requirement("debug.off-is-quiet", MUST, cite="asyncio-dev: Debug Mode")
@each("ended", ["before the run", "in the run"])
def test_without_debug_mode_nothing_is_logged(loop: Loop, ended: str) -> None:
    """Only in debug mode slow callbacks are logged.

    If this fails: look for a measurement that does not ask for the mode, or asks when the run begins.
    """

    async def main() -> None:
        loop.set_debug(False)
        await turns(3)
        loop.slow_callback_duration = 0.0001
        time.sleep(0.002)
        loop.call_soon(time.sleep, 0.002)
        await turns(3)

    loop.slow_callback_duration = 3600.0
    loop.set_debug(ended == "in the run")
    with logged() as records:
        loop.run_until_complete(main())
    assert records == []
