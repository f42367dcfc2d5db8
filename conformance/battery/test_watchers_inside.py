"""Chapter watchers: what a callback does to the watchers of its own descriptor."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.waiting import turns, until
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "watchers.changed-inside",
    MUST,
    cite=("PEP 3156: I/O Callbacks", "asyncio-eventloop: loop.add_reader", "asyncio-eventloop: loop.add_writer"),
)
@each("again", [False, True], ids=["replaced", "removed and added"])
@each("side", ["reader", "writer"])
def test_a_callback_may_be_replaced_by_itself(loop: Loop, patience: Patience, side: str, again: bool) -> None:
    """What a callback does to its own watcher holds: another callback that it adds is called, and it is not.

    If this fails: look for a watcher that is armed again, or written back, when its callback has returned.
    """
    calls: list[str] = []

    def first(number: int) -> None:
        calls.append("first")
        if again:
            remove(loop, side)(number)
        add(loop, side)(number, calls.append, "second")

    with unix_pair() as (ours, peer):
        peer.sendall(b"x")
        add(loop, side)(ours.fileno(), first, ours.fileno())
        patience.run_until(loop, lambda: "second" in calls, "the second callback")
        turn(loop, 3)
        remove(loop, side)(ours.fileno())
        assert calls.count("first") == 1


@requirement("watchers.other-side-inside", MUST, cite="PEP 3156: I/O Callbacks")
@each("side", ["reader", "writer"])
def test_a_callback_may_add_one_for_the_other_side(loop: Loop, patience: Patience, side: str) -> None:
    """A reader may add a writer of its own descriptor, and the other way round, as one that answers does.

    If this fails: look for events that are written back when the callback has returned.
    """
    calls: list[Any] = []
    other = "writer" if side == "reader" else "reader"

    def first(number: int) -> None:
        calls.append("first")
        remove(loop, side)(number)
        add(loop, other)(number, calls.append, "other")

    with unix_pair() as (ours, peer):
        peer.sendall(b"x")
        add(loop, side)(ours.fileno(), first, ours.fileno())
        patience.run_until(loop, lambda: "other" in calls, f"the {other}")
        remove(loop, other)(ours.fileno())
        assert calls.count("first") == 1


@requirement("watchers.in-a-task", MUST, cite="asyncio-eventloop: Watching file descriptors")
@each("debug", [False, True])
@each("side", ["reader", "writer"])
def test_a_task_watches_as_anybody_does(loop: Loop, patience: Patience, side: str, debug: bool) -> None:
    """A task may watch a file object, with arguments, until it removes it: in debug mode, too.

    If this fails: look for another path while the loop runs, or for what debug mode puts round the callback.
    """
    seen: list[Any] = []

    async def main(ours: socket.socket) -> None:
        add(loop, side)(ours, lambda *args: seen.append(args), 1, "two")
        await until(patience, lambda: len(seen) >= 3, "the third call")
        remove(loop, side)(ours)
        count = len(seen)
        await turns(3)
        assert len(seen) == count

    loop.set_debug(debug)
    with unix_pair() as (ours, peer):
        peer.sendall(b"x")
        loop.run_until_complete(main(ours))
    assert set(seen) == {(1, "two")}


@requirement(
    "watchers.example-socket", MUST, cite="asyncio-eventloop: Watch a file descriptor for read events", needs=("unix",)
)
def test_a_reader_ends_what_it_was_waiting_for(loop: Loop) -> None:
    """A reader receives what the loop itself sends, removes itself by the socket object, and stops the loop.

    If this fails: look for a stop() that is forgotten when nothing is watched any more, or for a socket that is refused
    because it blocks.
    """
    received: list[bytes] = []
    rsock, wsock = socket.socketpair()

    def reader() -> None:
        received.append(rsock.recv(100))
        loop.remove_reader(rsock)
        loop.stop()

    try:
        loop.add_reader(rsock, reader)
        loop.call_soon(wsock.send, b"abc")
        loop.run_forever()
    finally:
        rsock.close()
        wsock.close()
        loop.close()
    assert received == [b"abc"]


@requirement(
    "watchers.remove-other-side",
    MUST,
    cite=("asyncio-eventloop: loop.remove_reader", "asyncio-eventloop: loop.remove_writer"),
)
def test_a_callback_may_remove_that_of_the_other_side(loop: Loop, patience: Patience) -> None:
    """Of a descriptor that is ready both ways, the callback of one side may remove the other's: it is not called.

    If this fails: look for both callbacks of a descriptor being called, or scheduled, for one event.
    """
    calls: list[str] = []
    with unix_pair() as (ours, peer):

        def end(side: str) -> None:
            calls.append(side)
            remove(loop, "reader")(ours.fileno())
            remove(loop, "writer")(ours.fileno())

        peer.sendall(b"x")
        for side in ("reader", "writer"):
            add(loop, side)(ours.fileno(), end, side)
        patience.run_until(loop, lambda: calls, "a callback")
        turn(loop, 5)
    assert len(calls) == 1


@requirement("watchers.turn-between", SHOULD, cite=("PEP 3156: I/O Callbacks", "quamash#25"))
@each("side", ["reader", "writer"])
def test_what_a_callback_schedules_runs_before_it_is_called_again(loop: Loop, patience: Patience, side: str) -> None:
    """What the callback of a descriptor schedules runs before it is called again, so that it may end the watch.

    If this fails: look for descriptors that are polled more often than callbacks are run.
    """
    trace: list[str] = []

    def ready() -> None:
        trace.append("ready")
        loop.call_soon(trace.append, "scheduled")

    with unix_pair() as (ours, peer):
        peer.sendall(b"x")
        add(loop, side)(ours, ready)
        patience.run_until(loop, lambda: len(trace) >= 6, "the third call")
        remove(loop, side)(ours)
    assert trace[:6] == ["ready", "scheduled"] * 3
