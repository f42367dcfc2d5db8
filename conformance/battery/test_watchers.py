"""Chapter watchers: when add_reader() and add_writer() have their callbacks called."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import failing
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.threads import running_in_thread
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
READ = "asyncio-eventloop: loop.add_reader"
WRITE = "asyncio-eventloop: loop.add_writer"
REMOVE = ("asyncio-eventloop: loop.remove_reader", "asyncio-eventloop: loop.remove_writer")
WATCHING = "PEP 3156: I/O Callbacks"
SIDES = ["reader", "writer"]
both = each("side", SIDES)


@requirement("watchers.reader", MUST, cite=READ)
def test_a_reader_is_called_once_there_is_something_to_read(loop: Loop, patience: Patience) -> None:
    """add_reader() invokes the callback once fd is available for reading, and not before.

    If this fails: look for a descriptor that is polled for the wrong event.
    """
    calls: list[int] = []
    with unix_pair() as (ours, peer):
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
    with unix_pair() as (ours, peer):
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
    with unix_pair() as (ours, peer):
        loop.add_reader(ours.fileno(), loop.stop)
        loop.call_later(30, loop.stop)
        loop.call_soon(peer.send, b"x")
        start = loop.time()
        loop.run_forever()
        assert loop.time() - start < 30
        loop.remove_reader(ours.fileno())


@requirement("watchers.not-inline", SHOULD, cite=(READ, "PEP 3156: Mutual Exclusion of Callbacks"))
@both
def test_a_callback_is_not_called_inside_the_call_that_adds_it(loop: Loop, side: str) -> None:
    """The callback of a descriptor that is ready already is called by the loop, not inside add_reader().

    If this fails: look for a check of readiness on registration, be it of a loop that runs.
    """
    calls: list[int] = []

    def watch() -> int:
        add(loop, side)(ours.fileno(), calls.append, 1)
        called = len(calls)
        remove(loop, side)(ours.fileno())
        return called

    async def inside() -> int:
        return watch()

    with unix_pair() as (ours, peer):
        peer.send(b"x")
        assert watch() == 0
        assert loop.run_until_complete(inside()) == 0


@requirement("watchers.arguments", MUST, cite=(READ, WRITE))
@both
@each("count", [0, 1, 5])
def test_a_callback_gets_its_arguments(loop: Loop, patience: Patience, side: str, count: int) -> None:
    """The callback is invoked with the specified arguments, which are the same each time.

    If this fails: look for arguments that are consumed by the first call.
    """
    seen: list[tuple[int, ...]] = []
    with unix_pair() as (ours, peer):
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
    with unix_pair() as (ours, peer):
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
    with unix_pair() as (ours, peer):
        peer.send(b"abcdef")
        loop.add_reader(ours.fileno(), lambda: taken.append(ours.recv(1)))
        patience.run_until(loop, lambda: len(taken) == 6, "the last byte")
        turn(loop, 3)
        loop.remove_reader(ours.fileno())
    assert b"".join(taken) == b"abcdef"


@requirement("watchers.both-sides", MUST, cite=WATCHING)
def test_a_descriptor_may_have_a_reader_and_a_writer(loop: Loop, patience: Patience) -> None:
    """One descriptor may have a reader and a writer: each is called for its own event.

    If this fails: look for one slot per descriptor, or a mask that the second registration overwrites.
    """
    calls: list[str] = []
    with unix_pair() as (ours, peer):
        loop.add_reader(ours.fileno(), calls.append, "reader")
        loop.add_writer(ours.fileno(), calls.append, "writer")
        patience.run_until(loop, lambda: "writer" in calls, "the writer")
        turn(loop, 3)
        assert "reader" not in calls
        peer.send(b"x")
        patience.run_until(loop, lambda: "reader" in calls, "the reader")
        loop.remove_reader(ours.fileno())
        loop.remove_writer(ours.fileno())


@requirement("watchers.failing-callback", MUST, cite=("asyncio-eventloop: Error Handling API", WATCHING))
@both
@each("error", [LookupError, asyncio.CancelledError])
def test_a_callback_that_raises_is_reported_and_called_again(
    loop: Loop, patience: Patience, watch: Any, side: str, error: type[BaseException]
) -> None:
    """An exception of a callback goes to the exception handler; the descriptor stays watched.

    If this fails: look for a watcher that is dropped, or a loop that is stopped, by an exception.
    """
    watch.allow("reported")
    watch.reported.clear()
    calls: list[int] = []

    def fails() -> None:
        calls.append(1)
        raise error("in a watcher")

    with unix_pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours.fileno(), fails)
        patience.run_until(loop, lambda: len(calls) >= 3, "the third call")
        remove(loop, side)(ours.fileno())
    assert {type(context["exception"]) for context in watch.reported} == {error}


@requirement("watchers.context", SHOULD, cite="PEP 567: asyncio")
@both
def test_callbacks_run_in_the_context_of_the_call_that_added_them(loop: Loop, patience: Patience, side: str) -> None:
    """The callback runs in the context in which add_reader() or add_writer() was called, each time.

    If this fails: look for callbacks that run in the context of whoever runs the loop, or in that of those before them.
    """
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        for value, args in (("added", ()), ("replaced", ("argument",))):
            context = contextvars.copy_context()
            context.run(variable.set, value)
            note = functools.partial(add(loop, side), ours.fileno(), lambda *_: seen.append(variable.get()), *args)
            if args:
                loop.call_soon(note, context=context)
                turn(loop, 2)
                seen.clear()
            else:
                context.run(note)
            patience.run_until(loop, lambda: len(seen) >= 2, "the second call")
            assert set(seen) == {value}
            seen.clear()
        remove(loop, side)(ours.fileno())


@requirement("watchers.many", MUST, cite=WATCHING)
def test_many_descriptors_are_watched_at_once(loop: Loop, patience: Patience) -> None:
    """Hundreds of descriptors that are ready at once are all served.

    If this fails: look for an array of events of fixed size whose rest is dropped.
    """
    seen: set[int] = set()
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(unix_pair()) for _ in range(150)]
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
    with unix_pair() as (ours, _), unix_pair() as (other, peer):
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
    with unix_pair() as (one, peer), unix_pair() as (two, peer_of_two):
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
    """A watcher that was added before a run, or in another one, is served by the next, however the runs end.

    If this fails: look for a selector that is made anew for each run, or a clean-up after one that raises.
    """
    calls: list[int] = []
    with unix_pair() as (ours, peer):
        for side in SIDES:
            add(loop, side)(ours.fileno(), calls.append, 1)
            turn(loop, 3)
            peer.send(b"x")
            patience.run_until(loop, lambda: calls, "the callback")
            calls.clear()
            patience.run_until(loop, lambda: calls, "the callback in another run")
            with pytest.raises(LookupError):
                loop.run_until_complete(failing())
            calls.clear()
            patience.run_until(loop, lambda: calls, "the callback after a run that has raised")
            remove(loop, side)(ours.fileno())
            calls.clear()


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

    with unix_pair() as (ours, peer):

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


@requirement("watchers.by-name", MUST, cite="asyncio-eventloop: Watching file descriptors")
def test_descriptor_and_callback_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """add_reader() and add_writer() take fd and callback by name, too, and the methods that remove them fd.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    trace: list[str] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        loop.add_reader(fd=ours, callback=lambda: trace.append("reader"))
        loop.add_writer(fd=ours, callback=lambda: trace.append("writer"))
        patience.run_until(loop, lambda: len(set(trace)) == 2, "the two callbacks")
        assert loop.remove_reader(fd=ours)
        assert loop.remove_writer(fd=ours)
