"""Chapter watchers: remove_reader() and remove_writer(), and watchers that are replaced."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
READ = "asyncio-eventloop: loop.add_reader"
WRITE = "asyncio-eventloop: loop.add_writer"
REMOVE = ("asyncio-eventloop: loop.remove_reader", "asyncio-eventloop: loop.remove_writer")
WATCHING = "PEP 3156: I/O Callbacks"
both = each("side", ["reader", "writer"])


@requirement("watchers.replaced", MUST, cite=(READ, WRITE, WATCHING))
@both
def test_a_second_callback_replaces_the_first(loop: Loop, patience: Patience, side: str) -> None:
    """Adding a callback for a descriptor that has one replaces it: only the new one is called.

    If this fails: look for a list of callbacks per descriptor, or an error for the second.
    """
    calls: list[str] = []
    with unix_pair() as (ours, peer):
        add(loop, side)(ours.fileno(), calls.append, "first")
        add(loop, side)(ours.fileno(), calls.append, "second")
        peer.send(b"x")
        patience.run_until(loop, lambda: calls, "a callback")
        remove(loop, side)(ours.fileno())
        turn(loop, 3)
        assert set(calls) == {"second"}


@requirement("watchers.replaced-while-ready", MUST, cite=(READ, WRITE))
@both
def test_a_replaced_callback_that_waits_its_turn_is_cancelled(loop: Loop, patience: Patience, side: str) -> None:
    """A pre-existing callback is cancelled when it is replaced, also if it is about to run in the same turn.

    If this fails: look for a batch of events that holds callbacks instead of descriptors.
    """
    calls: list[str] = []
    with unix_pair() as (one, peer_of_one), unix_pair() as (two, peer_of_two):

        def replace(name: str, other: socket.socket) -> None:
            calls.append(name)
            add(loop, side)(other.fileno(), int)

        add(loop, side)(one.fileno(), replace, "one", two)
        add(loop, side)(two.fileno(), replace, "two", one)
        peer_of_one.send(b"x")
        peer_of_two.send(b"x")
        patience.run_until(loop, lambda: calls, "a callback")
        turn(loop, 3)
        assert len(set(calls)) == 1
        remove(loop, side)(one.fileno())
        remove(loop, side)(two.fileno())


@requirement("watchers.remove", MUST, cite=REMOVE)
@both
def test_a_removed_callback_is_not_called(loop: Loop, side: str) -> None:
    """remove_reader() and remove_writer() stop the monitoring: the callback is not called any more.

    If this fails: look for a removal that is only noted for later.
    """
    calls: list[int] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), calls.append, 1)
        remove(loop, side)(ours.fileno())
        turn(loop, 5)
    assert calls == []


@requirement("watchers.remove-returns", MUST, cite=REMOVE)
@both
@each("debug", [False, True])
def test_removal_tells_whether_the_descriptor_was_monitored(
    loop: Loop, patience: Patience, side: str, debug: bool
) -> None:
    """remove_reader() and remove_writer() return True if fd was being monitored for that, and False otherwise.

    If this fails: look for None, for a KeyError, or for an answer that does not tell reading from writing, or that
    is another one inside the callback, in debug mode, or after it was replaced.
    """
    loop.set_debug(debug)
    other = "writer" if side == "reader" else "reader"
    inside: list[object] = []
    with unix_pair() as (ours, peer):
        assert remove(loop, side)(ours.fileno()) is False
        add(loop, side)(ours.fileno(), int)
        assert remove(loop, other)(ours.fileno()) is False
        assert remove(loop, side)(ours.fileno()) is True
        assert remove(loop, side)(ours.fileno()) is False
        add(loop, side)(ours.fileno(), int)
        add(loop, side)(ours.fileno(), str)
        assert remove(loop, side)(ours.fileno()) is True
        assert remove(loop, side)(ours.fileno()) is False
        for added, removed in ((ours, ours.fileno()), (ours.fileno(), ours), (ours, ours)):
            add(loop, side)(added, int)
            assert remove(loop, side)(removed) is True
            assert remove(loop, side)(removed) is False
        peer.send(b"x")
        add(loop, side)(ours.fileno(), lambda: inside.extend(remove(loop, side)(ours.fileno()) for _ in range(2)))
        patience.run_until(loop, lambda: inside, "the callback")
        assert inside == [True, False]


@requirement("watchers.remove-inside", MUST, cite=WATCHING)
@both
def test_a_callback_can_remove_itself(loop: Loop, patience: Patience, side: str) -> None:
    """A callback that removes its own watcher is not called again.

    If this fails: look for a registration that is renewed after each call.
    """
    calls: list[Any] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")

        def call() -> tuple[()]:
            calls.append(1)
            remove(loop, side)(ours.fileno())
            return ()

        add(loop, side)(ours.fileno(), call)
        patience.run_until(loop, lambda: calls, "the callback")
        turn(loop, 5)
    assert calls == [1]


@requirement("watchers.remove-while-ready", MUST, cite=WATCHING)
@each("side", ["reader", "writer"])
def test_a_callback_that_another_has_removed_is_not_called(loop: Loop, patience: Patience, side: str) -> None:
    """Of two descriptors that are ready at once, the callback of one may remove the other's: it is not called.

    If this fails: look for a batch of events that is worked off without asking whether they still count.
    """
    calls: list[str] = []
    with unix_pair() as (one, peer_of_one), unix_pair() as (two, peer_of_two):

        def end(name: str) -> None:
            calls.append(name)
            remove(loop, side)(one.fileno())
            remove(loop, side)(two.fileno())

        add(loop, side)(one.fileno(), end, "one")
        add(loop, side)(two.fileno(), end, "two")
        peer_of_one.send(b"x")
        peer_of_two.send(b"x")
        patience.run_until(loop, lambda: calls, "a callback")
        turn(loop, 5)
    assert len(calls) == 1


@requirement("watchers.sides-independent", MUST, cite=WATCHING)
@both
@each("inside", [False, True])
def test_removing_one_side_leaves_the_other(loop: Loop, patience: Patience, side: str, inside: bool) -> None:
    """Removing the reader of a descriptor leaves its writer, and the other way round, also inside a callback.

    If this fails: look for a descriptor that is unregistered as a whole.
    """
    other = "writer" if side == "reader" else "reader"
    calls: list[str] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        loop.add_reader(ours.fileno(), calls.append, "reader")
        loop.add_writer(ours.fileno(), calls.append, "writer")
        if inside:
            loop.call_soon(remove(loop, side), ours.fileno())
            turn(loop, 2)
            calls.clear()
        else:
            remove(loop, side)(ours.fileno())
        patience.run_until(loop, lambda: len(calls) >= 2, "the callback that is left")
        assert set(calls) == {other}
        remove(loop, other)(ours.fileno())


@requirement("watchers.sides-replaced", MUST, cite=WATCHING)
@both
@each("inside", [False, True])
def test_replacing_one_side_leaves_the_other(loop: Loop, patience: Patience, side: str, inside: bool) -> None:
    """Setting the reader of a descriptor again leaves its writer, and the other way round, also inside a callback.

    If this fails: look for a change of the registration that names only the side that was set last.
    """
    other = "writer" if side == "reader" else "reader"
    calls: list[str] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), calls.append, "replaced")
        add(loop, other)(ours.fileno(), calls.append, "other")
        if inside:
            loop.call_soon(add(loop, side), ours.fileno(), calls.append, "second")
        else:
            add(loop, side)(ours.fileno(), calls.append, "second")
        turn(loop, 2)
        calls.clear()
        patience.run_until(loop, lambda: len(set(calls)) >= 2, "both callbacks")
        assert set(calls) == {"other", "second"}
        remove(loop, side)(ours.fileno())
        remove(loop, other)(ours.fileno())


@requirement("watchers.reused-number", MUST, cite=WATCHING)
def test_a_descriptor_number_can_be_watched_again_after_close(loop: Loop, patience: Patience) -> None:
    """A number that was watched, removed and closed can be watched again when it names another file.

    If this fails: look for a table that remembers numbers, or a removal that reaches the kernel after the close.
    """
    calls: list[str] = []
    with unix_pair() as (ours, peer), unix_pair() as (first, second):
        number = ours.fileno()
        peer.send(b"x")
        loop.add_reader(number, calls.append, "old")
        patience.run_until(loop, lambda: calls, "the first callback")
        loop.remove_reader(number)
        ours.close()
        calls.clear()
        os.dup2(first.fileno(), number)  # whatever number the system would have given
        try:
            loop.add_reader(number, calls.append, "new")
            turn(loop, 3)
            assert calls == []
            second.send(b"x")
            patience.run_until(loop, lambda: calls, "the callback for the new file")
            assert set(calls) == {"new"}
            loop.remove_reader(number)
        finally:
            os.close(number)


@requirement("watchers.remove-after-close", SHOULD, cite="selectors: selectors.BaseSelector.unregister")
@both
def test_a_watcher_can_be_removed_after_its_file_was_closed(loop: Loop, side: str) -> None:
    """Removing the watcher of a number that was closed meanwhile does not raise, and stops the callback.

    If this fails: look for an error of the kernel that is passed on, with the entry left in the table.
    """
    calls: list[int] = []
    with unix_pair() as (ours, _):
        number = ours.fileno()
        add(loop, side)(number, calls.append, 1)
    remove(loop, side)(number)
    turn(loop, 3)
    assert calls == []
