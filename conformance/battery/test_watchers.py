"""Chapter watchers: add_reader(), remove_reader(), add_writer() and remove_writer(), over sockets and pipes."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.kit.connections import accept
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, listener, reset, tcp_pair
from conformance.kit.threads import running_in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
READ = "asyncio-eventloop: loop.add_reader"
WRITE = "asyncio-eventloop: loop.add_writer"
REMOVE = ("asyncio-eventloop: loop.remove_reader", "asyncio-eventloop: loop.remove_writer")
WATCHING = "PEP 3156: I/O Callbacks"
both = pytest.mark.parametrize("side", ["reader", "writer"])


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A non-blocking socket to watch, always writable, and a blocking one to make it readable."""
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.setblocking(False)
        peer.settimeout(PEER_TIMEOUT)
        yield ours, peer


def add(loop: Loop, side: str) -> Any:
    return loop.add_reader if side == "reader" else loop.add_writer


def remove(loop: Loop, side: str) -> Any:
    return loop.remove_reader if side == "reader" else loop.remove_writer


@requirement("watchers.reader", MUST, cite=READ)
def test_a_reader_is_called_once_there_is_something_to_read(loop: Loop, patience: Patience) -> None:
    """add_reader() invokes the callback once fd is available for reading, and not before.

    If this fails: look for a descriptor that is polled for the wrong event.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        loop.add_reader(ours.fileno(), calls.append, 1)
        turn(loop, 5)
        assert calls == []
        peer.send(b"x")
        patience.run_until(loop, lambda: calls, "the callback")
        loop.remove_reader(ours.fileno())


@requirement("watchers.writer", MUST, cite=WRITE)
def test_a_writer_is_called_once_there_is_room_to_write(loop: Loop, patience: Patience) -> None:
    """add_writer() invokes the callback once fd is available for writing, and not before.

    If this fails: look for a writer that is called at once, whatever the kernel's buffer holds.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += ours.send(bytes(65536))
        loop.add_writer(ours.fileno(), calls.append, 1)
        turn(loop, 5)
        assert calls == []
        while filled:
            filled -= len(peer.recv(1 << 20))
        patience.run_until(loop, lambda: calls, "the callback")
        loop.remove_writer(ours.fileno())


@requirement("watchers.wakes-the-loop", MUST, cite=(READ, WATCHING))
def test_a_descriptor_that_becomes_ready_wakes_a_sleeping_loop(loop: Loop) -> None:
    """A loop that sleeps with nothing else to do is woken by a descriptor that becomes ready.

    If this fails: look for a poll that was begun before the descriptor was added, or that does not include it.
    """
    with pair() as (ours, peer):
        loop.add_reader(ours.fileno(), loop.stop)
        loop.call_later(30, loop.stop)
        loop.call_soon(peer.send, b"x")
        start = loop.time()
        loop.run_forever()
        assert loop.time() - start < 30
        loop.remove_reader(ours.fileno())


@requirement("watchers.not-inline", SHOULD, cite=READ)
@both
def test_a_callback_is_not_called_inside_the_call_that_adds_it(loop: Loop, side: str) -> None:
    """The callback of a descriptor that is ready already is called by the loop, not inside add_reader().

    If this fails: look for a check of readiness on registration.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), calls.append, 1)
        assert calls == []
        remove(loop, side)(ours.fileno())


@requirement("watchers.arguments", MUST, cite=(READ, WRITE))
@both
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_callback_gets_its_arguments(loop: Loop, patience: Patience, side: str, count: int) -> None:
    """The callback is invoked with the specified arguments, which are the same each time.

    If this fails: look for arguments that are consumed by the first call.
    """
    seen: list[tuple[int, ...]] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), lambda *args: seen.append(args), *range(count))
        patience.run_until(loop, lambda: len(seen) >= 2, "the second call")
        remove(loop, side)(ours.fileno())
    assert set(seen) == {tuple(range(count))}


@requirement("watchers.level-triggered", MUST, cite=WATCHING)
@both
def test_a_callback_is_called_as_long_as_the_descriptor_is_ready(loop: Loop, patience: Patience, side: str) -> None:
    """The callback is called again and again as long as the descriptor stays ready, also when it does nothing.

    If this fails: look for one-shot or edge-triggered polling that waits for a change.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), calls.append, 1)
        patience.run_until(loop, lambda: len(calls) >= 5, "the fifth call")
        remove(loop, side)(ours.fileno())


@requirement("watchers.partly-read", MUST, cite=WATCHING)
def test_a_reader_is_called_for_what_it_left_unread(loop: Loop, patience: Patience) -> None:
    """A reader that takes a part of what is there is called for the rest, though nothing new comes.

    If this fails: look for edge-triggered polling.
    """
    taken: list[bytes] = []
    with pair() as (ours, peer):
        peer.send(b"abcdef")
        loop.add_reader(ours.fileno(), lambda: taken.append(ours.recv(1)))
        patience.run_until(loop, lambda: len(taken) == 6, "the last byte")
        turn(loop, 3)
        loop.remove_reader(ours.fileno())
    assert b"".join(taken) == b"abcdef"


@requirement("watchers.replaced", MUST, cite=(READ, WRITE, WATCHING))
@both
def test_a_second_callback_replaces_the_first(loop: Loop, patience: Patience, side: str) -> None:
    """Adding a callback for a descriptor that has one replaces it: only the new one is called.

    If this fails: look for a list of callbacks per descriptor, or an error for the second.
    """
    calls: list[str] = []
    with pair() as (ours, peer):
        add(loop, side)(ours.fileno(), calls.append, "first")
        add(loop, side)(ours.fileno(), calls.append, "second")
        peer.send(b"x")
        patience.run_until(loop, lambda: calls, "a callback")
        remove(loop, side)(ours.fileno())
        turn(loop, 3)
        assert set(calls) == {"second"}


@requirement("watchers.replaced-while-ready", MUST, cite=(READ, WRITE))
def test_a_replaced_callback_that_waits_its_turn_is_cancelled(loop: Loop) -> None:
    """A pre-existing callback is cancelled when it is replaced, also if it is about to run in the same turn.

    If this fails: look for a batch of events that holds callbacks instead of descriptors.
    """
    calls: list[str] = []
    with pair() as (one, peer_of_one), pair() as (two, peer_of_two):

        def replace(name: str, other: socket.socket) -> None:
            calls.append(name)
            loop.add_reader(other.fileno(), int)

        loop.add_reader(one.fileno(), replace, "one", two)
        loop.add_reader(two.fileno(), replace, "two", one)
        peer_of_one.send(b"x")
        peer_of_two.send(b"x")
        turn(loop, 3)
        assert len(set(calls)) == 1
        loop.remove_reader(one.fileno())
        loop.remove_reader(two.fileno())


@requirement("watchers.remove", MUST, cite=REMOVE)
@both
def test_a_removed_callback_is_not_called(loop: Loop, side: str) -> None:
    """remove_reader() and remove_writer() stop the monitoring: the callback is not called any more.

    If this fails: look for a removal that is only noted for later.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), calls.append, 1)
        remove(loop, side)(ours.fileno())
        turn(loop, 5)
    assert calls == []


@requirement("watchers.remove-returns", MUST, cite=REMOVE)
@both
def test_removal_tells_whether_the_descriptor_was_monitored(loop: Loop, side: str) -> None:
    """remove_reader() and remove_writer() return True if fd was being monitored for that, and False otherwise.

    If this fails: look for None, for a KeyError, or for an answer that does not tell reading from writing.
    """
    other = "writer" if side == "reader" else "reader"
    with pair() as (ours, _):
        assert remove(loop, side)(ours.fileno()) is False
        add(loop, side)(ours.fileno(), int)
        assert remove(loop, other)(ours.fileno()) is False
        assert remove(loop, side)(ours.fileno()) is True
        assert remove(loop, side)(ours.fileno()) is False


@requirement("watchers.remove-inside", MUST, cite=WATCHING)
@both
def test_a_callback_can_remove_itself(loop: Loop, patience: Patience, side: str) -> None:
    """A callback that removes its own watcher is not called again.

    If this fails: look for a registration that is renewed after each call.
    """
    calls: list[Any] = []
    with pair() as (ours, peer):
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
def test_a_callback_removed_by_another_of_the_same_turn_is_not_called(loop: Loop) -> None:
    """Of two descriptors that are ready at once, the callback of one may remove the other's: it is not called.

    If this fails: look for a batch of events that is worked off without asking whether they still count.
    """
    calls: list[str] = []
    with pair() as (one, peer_of_one), pair() as (two, peer_of_two):

        def end(name: str) -> None:
            calls.append(name)
            loop.remove_reader(one.fileno())
            loop.remove_reader(two.fileno())

        loop.add_reader(one.fileno(), end, "one")
        loop.add_reader(two.fileno(), end, "two")
        peer_of_one.send(b"x")
        peer_of_two.send(b"x")
        turn(loop, 5)
    assert len(calls) == 1


@requirement("watchers.both-sides", MUST, cite=WATCHING)
def test_a_descriptor_may_have_a_reader_and_a_writer(loop: Loop, patience: Patience) -> None:
    """One descriptor may have a reader and a writer: each is called for its own event.

    If this fails: look for one slot per descriptor, or a mask that the second registration overwrites.
    """
    calls: list[str] = []
    with pair() as (ours, peer):
        loop.add_reader(ours.fileno(), calls.append, "reader")
        loop.add_writer(ours.fileno(), calls.append, "writer")
        patience.run_until(loop, lambda: "writer" in calls, "the writer")
        turn(loop, 3)
        assert "reader" not in calls
        peer.send(b"x")
        patience.run_until(loop, lambda: "reader" in calls, "the reader")
        loop.remove_reader(ours.fileno())
        loop.remove_writer(ours.fileno())


@requirement("watchers.sides-independent", MUST, cite=WATCHING)
@both
def test_removing_one_side_leaves_the_other(loop: Loop, patience: Patience, side: str) -> None:
    """Removing the reader of a descriptor leaves its writer, and the other way round.

    If this fails: look for a descriptor that is unregistered as a whole.
    """
    other = "writer" if side == "reader" else "reader"
    calls: list[str] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        loop.add_reader(ours.fileno(), calls.append, "reader")
        loop.add_writer(ours.fileno(), calls.append, "writer")
        remove(loop, side)(ours.fileno())
        patience.run_until(loop, lambda: len(calls) >= 2, "the callback that is left")
        assert set(calls) == {other}
        remove(loop, other)(ours.fileno())


@requirement("watchers.file-objects", MUST, cite=(READ, "asyncio-platforms: All Platforms", "selectors: Introduction"))
@both
def test_a_file_object_stands_for_its_descriptor(loop: Loop, patience: Patience, side: str) -> None:
    """fd may be a file object with a fileno() method, which stands for its descriptor.

    If this fails: look for an argument that must be an integer, or a table keyed by the object.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours, calls.append, 1)
        patience.run_until(loop, lambda: calls, "the callback")
        remove(loop, side)(ours.fileno())
        calls.clear()
        turn(loop, 3)
        assert calls == []
        add(loop, side)(ours.fileno(), calls.append, 1)
        remove(loop, side)(ours)
        turn(loop, 3)
        assert calls == []


@requirement("watchers.invalid-descriptor", SHOULD, cite="selectors: selectors.BaseSelector.register")
@both
@pytest.mark.parametrize("fd", ["no file", None, -1], ids=repr)
def test_what_is_no_descriptor_is_refused(loop: Loop, side: str, fd: Any) -> None:
    """A negative number, or an object without fileno(), raises ValueError.

    If this fails: look for a number passed to the kernel unchecked, or a TypeError of a foreign function.
    """
    with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
        add(loop, side)(fd, int)


@requirement("watchers.closed-loop", SHOULD, cite="asyncio-eventloop: loop.close")
@both
def test_a_closed_loop_watches_nothing(loop: Loop, side: str) -> None:
    """add_reader() and add_writer() on a closed loop raise RuntimeError.

    If this fails: look for a registration with a selector that is gone.
    """
    with pair() as (ours, _):
        loop.close()
        with pytest.raises(RuntimeError):
            add(loop, side)(ours.fileno(), int)


@requirement("watchers.transports-are-private", SHOULD, cite="gh-4365")
@pytest.mark.parametrize("method", ["add_reader", "add_writer", "remove_reader", "remove_writer"])
def test_the_descriptor_of_a_transport_is_refused(loop: Loop, method: str) -> None:
    """The descriptor of an open transport can be neither watched nor unwatched: RuntimeError.

    If this fails: look for a table of watchers that transports share without saying so.
    """
    with tcp_pair() as (ours, _):
        fd = ours.fileno()
        transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
        arguments: Any = (fd, int) if method.startswith("add") else (fd,)
        with pytest.raises(RuntimeError):
            getattr(loop, method)(*arguments)
        transport.abort()
        turn(loop, 3)


@requirement("watchers.reused-number", MUST, cite=WATCHING)
def test_a_descriptor_number_can_be_watched_again_after_close(loop: Loop, patience: Patience) -> None:
    """A number that was watched, removed and closed can be watched again when it names another file.

    If this fails: look for a table that remembers numbers, or a removal that reaches the kernel after the close.
    """
    calls: list[str] = []
    with pair() as (ours, peer), pair() as (first, second):
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
    with pair() as (ours, _):
        number = ours.fileno()
        add(loop, side)(number, calls.append, 1)
    remove(loop, side)(number)
    turn(loop, 3)
    assert calls == []


@requirement("watchers.pipes", MUST, cite=(READ, WRITE, "asyncio-platforms: All Platforms"))
def test_pipes_can_be_watched(loop: Loop, patience: Patience) -> None:
    """Any descriptor that the system can poll may be watched: both ends of a pipe, too.

    If this fails: look for socket calls on whatever is watched.
    """
    calls: list[str] = []
    reading, writing = os.pipe()
    try:
        loop.add_writer(writing, calls.append, "writer")
        loop.add_reader(reading, calls.append, "reader")
        patience.run_until(loop, lambda: calls, "the writer")
        assert set(calls) == {"writer"}
        os.write(writing, b"x")
        patience.run_until(loop, lambda: "reader" in calls, "the reader")
        loop.remove_writer(writing)
        loop.remove_reader(reading)
    finally:
        os.close(reading)
        os.close(writing)


@requirement("watchers.end-of-file", MUST, cite=READ)
def test_the_end_of_the_stream_is_something_to_read(loop: Loop, patience: Patience) -> None:
    """A reader is called when the other end has closed, for as long as it watches.

    If this fails: look for a hang-up event that is masked out, or reported once.
    """
    calls: list[bytes] = []
    with pair() as (ours, peer):
        loop.add_reader(ours.fileno(), lambda: calls.append(ours.recv(1)))
        peer.close()
        patience.run_until(loop, lambda: len(calls) >= 3, "the third call")
        loop.remove_reader(ours.fileno())
    assert set(calls) == {b""}


@requirement("watchers.errors-wake", SHOULD, cite="selectors: Introduction")
@both
def test_a_reset_wakes_both_sides(loop: Loop, patience: Patience, side: str) -> None:
    """A connection that was reset wakes a reader and a writer: they find the error by trying.

    If this fails: look for error events that are dropped, so that nobody hears of them.
    """
    calls: list[int] = []
    with tcp_pair() as (ours, peer):
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(1 << 20))
        add(loop, side)(ours.fileno(), calls.append, 1)
        reset(peer)
        patience.run_until(loop, lambda: calls, "the callback")
        remove(loop, side)(ours.fileno())


@requirement("watchers.broken-pipe", SHOULD, cite="selectors: Introduction")
def test_the_writer_of_a_full_pipe_is_woken_when_nobody_reads_it(loop: Loop, patience: Patience) -> None:
    """The writer of a pipe whose other end was closed is called: it finds EPIPE by trying.

    If this fails: look for an error event without a write event, which wakes nobody.
    """
    calls: list[int] = []
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(65536))
        loop.add_writer(writing, calls.append, 1)
        turn(loop, 3)
        assert calls == []
        os.close(reading)
        reading = -1
        patience.run_until(loop, lambda: calls, "the callback")
        loop.remove_writer(writing)
    finally:
        os.close(writing)
        if reading >= 0:
            os.close(reading)


@requirement("watchers.failing-callback", MUST, cite=("asyncio-eventloop: Error Handling API", WATCHING))
def test_a_callback_that_raises_is_reported_and_called_again(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception of a callback goes to the exception handler; the descriptor stays watched.

    If this fails: look for a watcher that is dropped, or a loop that is stopped, by an exception.
    """
    watch.allow("reported")
    calls: list[int] = []

    def fails() -> None:
        calls.append(1)
        raise LookupError("in a reader")

    with pair() as (ours, peer):
        peer.send(b"x")
        loop.add_reader(ours.fileno(), fails)
        patience.run_until(loop, lambda: len(calls) >= 3, "the third call")
        loop.remove_reader(ours.fileno())
    assert {type(context["exception"]) for context in watch.reported} == {LookupError}


@requirement("watchers.context", SHOULD, cite="PEP 567: asyncio")
@both
def test_callbacks_run_in_the_context_of_the_call_that_added_them(loop: Loop, patience: Patience, side: str) -> None:
    """The callback runs in the context in which add_reader() or add_writer() was called, each time.

    If this fails: look for callbacks that run in the context of whoever runs the loop.
    """
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []
    with pair() as (ours, peer):
        peer.send(b"x")
        context = contextvars.copy_context()
        context.run(variable.set, "added")
        context.run(add(loop, side), ours.fileno(), lambda: seen.append(variable.get()))
        patience.run_until(loop, lambda: len(seen) >= 2, "the second call")
        remove(loop, side)(ours.fileno())
    assert set(seen) == {"added"}


@requirement("watchers.many", MUST, cite=WATCHING)
def test_many_descriptors_are_watched_at_once(loop: Loop, patience: Patience) -> None:
    """Hundreds of descriptors that are ready at once are all served.

    If this fails: look for an array of events of fixed size whose rest is dropped.
    """
    seen: set[int] = set()
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(pair()) for _ in range(150)]
        for number, (ours, peer) in enumerate(pairs):
            loop.add_reader(ours.fileno(), seen.add, number)
            peer.send(b"x")
        patience.run_until(loop, lambda: len(seen) == len(pairs), "the last callback")
        for ours, _ in pairs:
            loop.remove_reader(ours.fileno())


@requirement("watchers.fairness", MUST, cite=(WATCHING, "asyncio-eventloop: loop.call_soon"))
def test_a_descriptor_that_is_always_ready_starves_nobody(loop: Loop, patience: Patience) -> None:
    """A descriptor that is always ready keeps neither callbacks nor timers nor other descriptors from their turn.

    If this fails: look for an inner loop that serves descriptors until none is ready.
    """
    seen: set[str] = set()
    with pair() as (ours, _), pair() as (other, peer):
        peer.send(b"x")
        loop.add_writer(ours.fileno(), seen.add, "always")
        loop.call_soon(loop.call_soon, seen.add, "callback")
        loop.call_later(0.001, seen.add, "timer")
        loop.add_reader(other.fileno(), seen.add, "other")
        patience.run_until(loop, lambda: len(seen) == 4, "every callback")
        loop.remove_writer(ours.fileno())
        loop.remove_reader(other.fileno())


@requirement("watchers.added-inside", MUST, cite=WATCHING)
def test_a_callback_can_add_watchers(loop: Loop, patience: Patience) -> None:
    """A watcher that is added inside a callback is served.

    If this fails: look for changes made during a poll that the poll overwrites.
    """
    seen: list[str] = []
    with pair() as (one, peer), pair() as (two, peer_of_two):
        peer.send(b"x")
        peer_of_two.send(b"x")

        def first() -> None:
            loop.remove_reader(one.fileno())
            loop.add_reader(two.fileno(), seen.append, "second")

        loop.add_reader(one.fileno(), first)
        patience.run_until(loop, lambda: seen, "the second callback")
        loop.remove_reader(two.fileno())


@requirement("watchers.kept-across-runs", MUST, cite=("asyncio-eventloop: loop.stop", WATCHING))
def test_watchers_outlive_a_run(loop: Loop, patience: Patience) -> None:
    """A watcher that was added before a run, or in another one, is served by the next.

    If this fails: look for a selector that is made anew for each run.
    """
    calls: list[int] = []
    with pair() as (ours, peer):
        loop.add_reader(ours.fileno(), calls.append, 1)
        turn(loop, 3)
        peer.send(b"x")
        patience.run_until(loop, lambda: calls, "the callback")
        calls.clear()
        patience.run_until(loop, lambda: calls, "the callback in another run")
        loop.remove_reader(ours.fileno())


@requirement("watchers.listening-sockets", MUST, cite=READ)
def test_a_listening_socket_can_be_watched(loop: Loop, patience: Patience) -> None:
    """A listening socket is available for reading when a connection waits to be accepted.

    If this fails: look for watchers that are made for connected sockets only.
    """
    calls: list[int] = []
    with listener() as listening:
        loop.add_reader(listening.fileno(), calls.append, 1)
        turn(loop, 3)
        assert calls == []
        with socket.create_connection(listening.getsockname(), PEER_TIMEOUT):
            patience.run_until(loop, lambda: calls, "the callback")
            accept(listening).close()
        loop.remove_reader(listening.fileno())


@requirement("watchers.duplicates", MUST, cite=WATCHING)
def test_two_numbers_of_one_file_have_watchers_of_their_own(loop: Loop, patience: Patience) -> None:
    """Two descriptors that name the same open file are watched independently of each other.

    If this fails: look for a table keyed by the file instead of by the number.
    """
    calls: list[str] = []
    with pair() as (ours, peer), ours.dup() as copy:
        loop.add_reader(ours.fileno(), calls.append, "ours")
        loop.add_reader(copy.fileno(), calls.append, "copy")
        peer.send(b"x")
        patience.run_until(loop, lambda: set(calls) == {"ours", "copy"}, "both callbacks")
        loop.remove_reader(ours.fileno())
        calls.clear()
        patience.run_until(loop, lambda: calls, "the callback that is left")
        assert set(calls) == {"copy"}
        loop.remove_reader(copy.fileno())


@requirement("watchers.woken-from-a-thread", MUST, cite=READ)
def test_data_sent_by_another_thread_wakes_the_loop(loop: Loop, patience: Patience) -> None:
    """Data that another thread sends while the loop sleeps in its poll wakes the callback.

    If this fails: look for readiness that is only checked when a callback runs.
    """
    calls: list[bytes] = []

    def take() -> None:
        calls.append(ours.recv(10))
        if len(calls) == 5:
            loop.stop()

    def send() -> None:
        for _ in range(5):
            peer.send(b"x")
            peer.recv(1)

    with pair() as (ours, peer):

        def answer() -> None:
            take()
            ours.send(b"y")

        loop.add_reader(ours.fileno(), answer)
        with running_in_thread(send):
            watchdog = loop.call_later(patience.seconds, loop.stop)
            loop.run_forever()
            watchdog.cancel()
        loop.remove_reader(ours.fileno())
    assert calls == [b"x"] * 5
