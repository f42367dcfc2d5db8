"""Chapter lifecycle: what a callback that stops the loop leaves to the next run, whatever has called it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.patience import Patience, turn
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
Callback = Callable[[], None]


@contextlib.contextmanager
def _by_descriptor(loop: Loop, callback: Callback, writer: bool) -> Iterator[None]:
    def once() -> None:
        loop.remove_writer(ours) if writer else loop.remove_reader(ours)
        callback()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"x")
        loop.add_writer(ours, once) if writer else loop.add_reader(ours, once)
        yield


@contextlib.contextmanager
def _by_signal(loop: Loop, callback: Callback) -> Iterator[None]:
    loop.add_signal_handler(signal.SIGUSR1, callback)
    loop.call_soon(send)
    yield
    loop.remove_signal_handler(signal.SIGUSR1)


def _from_thread(loop: Loop, callback: Callback) -> None:
    loop.call_soon(lambda: in_thread(lambda: loop.call_soon_threadsafe(callback)).result())


_CALLERS: dict[str, Callable[[Loop, Callback], Any]] = {
    "timer": lambda loop, callback: loop.call_later(0.001, callback),
    "timer that is due": lambda loop, callback: loop.call_at(loop.time(), callback),
    "thread": _from_thread,
    "future": lambda loop, callback: done_future(loop).add_done_callback(lambda _: callback()),
    "reader": lambda loop, callback: _by_descriptor(loop, callback, writer=False),
    "writer": lambda loop, callback: _by_descriptor(loop, callback, writer=True),
    "signal": _by_signal,
}


@requirement("lifecycle.stop-leaves-new", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("caller", _CALLERS)
@each("new", ["call_soon", "call_soon_threadsafe", "create_task", "a future's callback"])
@each("stop", ["before", "after"])
def test_what_is_new_waits_for_the_next_run(
    loop: Loop, patience: Patience, watch: Any, caller: str, new: str, stop: str
) -> None:
    """New callbacks that a callback schedules when it stops the loop will not run in this case, but in the next run.

    So it is whatever has called it: a timer, a descriptor that is ready, a signal, another thread, a future.

    If this fails: look for a stop that counts only when the ready queue was run as well, after timers and descriptors.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    trace: list[str] = []
    kept: list[object] = []

    async def child() -> None:
        trace.append("new")

    def callback() -> None:
        if stop == "before":
            loop.stop()
        if new == "create_task":
            kept.append(loop.create_task(child()))
        elif new == "a future's callback":
            done_future(loop).add_done_callback(lambda _: trace.append("new"))
        else:
            getattr(loop, new)(trace.append, "new")
        if stop == "after":
            loop.stop()

    called = _CALLERS[caller](loop, callback)
    with called if isinstance(called, contextlib.AbstractContextManager) else contextlib.nullcontext():
        loop.run_forever()
        assert trace == [], "it ran in the run that was stopped"
        patience.run_until(loop, lambda: trace, "what was scheduled")
    turn(loop, 2)
    assert trace == ["new"]
