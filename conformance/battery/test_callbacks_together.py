"""Chapter callbacks: several that are ready at once, of which one raises, stops the loop or leaves it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Note = Callable[[str], None]
NAMES = ["one", "two", "three"]
KINDS = ["future", "threads", "timers", "tasks", "woken tasks", "descriptors", "signals"]
_SIGNALS = dict(zip(NAMES, (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH), strict=True))


@contextlib.contextmanager
def _ready(loop: Loop, kind: str, note: Note) -> Iterator[None]:
    """The loop finds at once that `note` is to be called with each of the names; the block is to run it."""
    kept: list[object] = []

    async def step(name: str, future: asyncio.Future[None] | None = None) -> None:
        if future is not None:
            await future
        note(name)

    with contextlib.ExitStack() as stack:
        if kind == "future":
            future = loop.create_future()
            for name in NAMES:
                future.add_done_callback(lambda _, name=name: note(name))  # type: ignore[misc]
            future.set_result(None)
        elif kind == "threads":
            calls = [functools.partial(loop.call_soon_threadsafe, note, name) for name in NAMES]
            loop.call_soon(lambda: in_thread(lambda: [call() for call in calls]).result())
        elif kind == "timers":
            start = loop.time()
            for number, name in enumerate(NAMES):
                loop.call_at(start + number * 0.0001, note, name)
            time.sleep(0.02)  # a clock may tick every 16 ms only
        elif kind == "tasks":
            kept += [loop.create_task(step(name)) for name in NAMES]
        elif kind == "woken tasks":
            future = loop.create_future()
            kept += [loop.create_task(step(name, future)) for name in NAMES]
            turn(loop, 2)
            future.set_result(None)
        elif kind == "descriptors":
            for name in NAMES:
                stack.enter_context(_readable(loop, lambda name=name: note(name)))  # type: ignore[misc]
        else:
            for name, number in _SIGNALS.items():
                loop.add_signal_handler(number, note, name)
                stack.callback(loop.remove_signal_handler, number)
            loop.call_soon(_send_all)
        yield
    for task in kept:
        assert isinstance(task, asyncio.Task)
        task.exception()


def _send_all() -> None:
    for number in _SIGNALS.values():
        send(number)


@contextlib.contextmanager
def _readable(loop: Loop, callback: Callable[[], None]) -> Iterator[None]:
    def once() -> None:
        loop.remove_reader(ours)
        callback()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"x")
        loop.add_reader(ours, once)
        yield
        loop.remove_reader(ours)


@requirement(
    "callbacks.all-together",
    MUST,
    cite=("asyncio-eventloop: loop.call_soon", "asyncio-eventloop: loop.run_forever"),
)
@each("kind", KINDS)
@each("first", ["raises", "stops", "stops, and raises"])
def test_none_is_lost_of_those_that_are_ready_together(
    loop: Loop, patience: Patience, watch: Any, kind: str, first: str
) -> None:
    """Each callback will be called exactly once: those, too, that are ready with one that raises, or stops the loop.

    In which run the others are called is another question. So it is with timers, tasks, descriptors, signals, the
    callbacks of a future and those of another thread.

    If this fails: look for a batch that is taken from its queue, or from the system's poll, and left half-way.
    """
    watch.allow("reported", "signal")  # what is reported, and what a removal leaves behind, are others
    trace: list[str] = []

    def note(name: str) -> None:
        trace.append(name)
        if len(trace) == 1:
            if first.startswith("stops"):
                loop.stop()
            if first.endswith("raises"):
                raise LookupError("of the first")

    with _ready(loop, kind, note):
        if first.startswith("stops"):
            loop.run_forever()
        patience.run_until(loop, lambda: len(trace) >= len(NAMES), "the call of the last of them")
        turn(loop, 3)
    assert sorted(trace) == sorted(NAMES)


@requirement("callbacks.all-after-an-exit", SHOULD, cite=("asyncio-eventloop: loop.call_soon", "gh-66894"))
@each("kind", KINDS)
@each("error", [KeyboardInterrupt(), SystemExit(3)], ids=lambda error: type(error).__name__)
@each("debug", [False, True])
def test_none_is_lost_of_those_that_are_ready_with_an_exit(
    loop: Loop, patience: Patience, watch: Any, kind: str, error: BaseException, debug: bool
) -> None:
    """Each callback will be called exactly once: those, too, that are ready with one that leaves the loop by an exit.

    They run in the next run. So it is with timers, tasks, descriptors, signals, the callbacks of a future and those of
    another thread.

    If this fails: look for a batch that is taken from its queue, or from the system's poll, and dropped by the exit.
    """
    watch.allow("reported", "signal")  # what is reported, and what a removal leaves behind, are others
    loop.set_debug(debug)
    trace: list[str] = []

    def note(name: str) -> None:
        trace.append(name)
        if len(trace) == 1:
            raise error

    with _ready(loop, kind, note):
        with pytest.raises(type(error)):
            loop.run_forever()
        patience.run_until(loop, lambda: len(trace) >= len(NAMES), "the call of the last of them")
        turn(loop, 3)
    assert sorted(trace) == sorted(NAMES)
