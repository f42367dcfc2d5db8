"""Chapter callbacks: call_soon(), handles, and the order in which callbacks run."""

from __future__ import annotations

import asyncio
import contextvars
import functools

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ARGUMENTS, odd_callables
from conformance.kit.patience import Patience, turn
from conformance.kit.places import PLACES, at
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("callbacks.fifo", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_callbacks_run_in_the_order_they_were_scheduled(loop: Loop) -> None:
    """call_soon() runs callbacks in the order in which they were scheduled.

    If this fails: look for a ready queue that is not first-in first-out, or a fast path round it: for callbacks
    without arguments, for partials, or for those that are given a context.
    """
    trace: list[int] = []

    def note(number: int, *_more: object) -> None:
        trace.append(number)

    context = contextvars.copy_context()
    for number in range(0, 100, 5):
        loop.call_soon(trace.append, number)
        loop.call_soon(functools.partial(note, number + 1))
        loop.call_soon(note, number + 2, None, None, context=context)
        loop.call_soon(functools.partial(note, number + 3), None, context=contextvars.Context())
        loop.call_soon(functools.partial(note, number=number + 4))
    turn(loop)
    assert trace == list(range(100))


@requirement("callbacks.fifo-nested", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_callbacks_scheduled_by_callbacks_keep_their_order(loop: Loop) -> None:
    """Callbacks that callbacks schedule run after everything scheduled before them, in their order.

    If this fails: look for a callback that is run on the spot, or put at the front of the queue.
    """
    trace: list[str] = []

    def outer(name: str) -> None:
        trace.append(name)
        loop.call_soon(trace.append, f"{name}-inner")

    for name in "abc":
        loop.call_soon(outer, name)
    turn(loop, 2)
    assert trace == ["a", "b", "c", "a-inner", "b-inner", "c-inner"]


@requirement("callbacks.once", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_each_callback_is_called_exactly_once(loop: Loop) -> None:
    """Each callback will be called exactly once, also one that is scheduled several times is called once per call.

    If this fails: look for a queue that merges equal callbacks, or one that is replayed after an error or a stop.
    """
    calls: list[str] = []

    def callback() -> None:
        calls.append("same")

    loop.call_soon(callback)
    loop.call_soon(callback)
    for _ in range(2):
        loop.call_soon(calls.append, "other")
    turn(loop, 3)
    assert calls == ["same", "same", "other", "other"]
    calls.clear()
    context = contextvars.copy_context()
    for schedule in (loop.call_soon, loop.call_soon_threadsafe):
        for _ in range(2):
            schedule(callback, context=context)
    turn(loop, 3)
    assert calls == ["same"] * 4


@requirement("callbacks.next-iteration", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_call_soon_never_calls_on_the_spot(loop: Loop) -> None:
    """call_soon() schedules the callback to be called at the next iteration: never inside call_soon() itself.

    If this fails: look for a shortcut that runs a callback at once when the queue is empty.
    """
    trace: list[str] = []

    def outer() -> None:
        loop.call_soon(trace.append, "inner")
        trace.append("outer")

    loop.call_soon(trace.append, "outside")
    assert trace == []
    loop.call_soon(outer)
    turn(loop, 2)
    assert trace == ["outside", "outer", "inner"]


@requirement("callbacks.arguments", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("arguments", ODD_ARGUMENTS)
@each("place", PLACES)
def test_call_soon_passes_its_arguments(loop: Loop, arguments: tuple[object, ...], place: str) -> None:
    """call_soon() calls the callback with the args arguments, however many, as they were given.

    If this fails: look for a special case for few arguments or for a single tuple, a fixed-size argument array, a
    None or another false value that is taken for no argument, or a way of its own for calls from inside a run.
    """
    seen: list[tuple[object, ...]] = []
    at(place, loop, lambda: loop.call_soon(lambda *args: seen.append(args), *arguments))
    turn(loop)
    assert len(seen) == 1
    assert all(a is b for a, b in zip(seen[0], arguments, strict=True))


@requirement("callbacks.cancel-twice", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_cancelling_again_has_no_effect(loop: Loop, patience: Patience) -> None:
    """If the callback has already been canceled or executed, cancel() has no effect.

    If this fails: look for a freed handle whose place another has taken, or an error for a callback that already ran.
    """
    trace: list[str] = []
    cancelled = loop.call_soon(trace.append, "cancelled")
    executed = loop.call_soon(trace.append, "executed")
    cancelled.cancel()
    cancelled.cancel()
    turn(loop)
    waiting = [loop.call_soon(trace.append, "waiting") for _ in range(3)]
    executed.cancel()
    cancelled.cancel()
    turn(loop)
    assert trace == ["executed"] + ["waiting"] * 3
    assert not any(handle.cancelled() for handle in waiting)

    def itself(number: int) -> None:
        handles[number].cancel()
        trace.append("itself")

    trace.clear()
    handles = [loop.call_soon(itself, 0), loop.call_at(loop.time(), itself, 1), loop.call_soon_threadsafe(itself, 2)]
    patience.run_until(loop, lambda: len(trace) == 3, "callbacks that cancel themselves")


@requirement("callbacks.cancelled", MUST, cite="asyncio-eventloop: Handle.cancelled")
def test_cancelled_tells_whether_the_callback_was_cancelled(loop: Loop) -> None:
    """Handle.cancelled() returns True if the callback was cancelled, and False before.

    If this fails: look for an answer derived from whether the callback still waits.
    """
    handle = loop.call_soon(lambda: None)
    other = loop.call_soon(lambda: None)
    assert handle.cancelled() is False
    handle.cancel()
    assert handle.cancelled() is True
    turn(loop)
    assert handle.cancelled() is True
    assert other.cancelled() is False


@requirement("callbacks.handles-released", SHOULD, cite="gh-99369")
def test_a_callback_is_released_after_it_has_run(loop: Loop) -> None:
    """The loop keeps no reference to a callback or its arguments once it has run.

    If this fails: look for the last handle kept in a local variable, or an object pool that is not cleared.
    """
    import gc
    import weakref

    class Argument:
        pass

    argument = Argument()
    gone = weakref.ref(argument)
    loop.call_soon(lambda _: None, argument)
    del argument
    turn(loop, 2)
    gc.collect()
    assert gone() is None


@requirement("callbacks.cancel-releases", SHOULD, cite="gh-80788")
def test_a_cancelled_handle_releases_its_callback(loop: Loop) -> None:
    """A cancelled handle keeps neither its callback nor its arguments alive, even while the handle itself is kept.

    If this fails: look for a cancel() that only sets a flag.
    """
    import gc
    import weakref

    class Argument:
        pass

    argument = Argument()
    gone = weakref.ref(argument)
    handle = loop.call_soon(lambda _: None, argument)
    handle.cancel()
    del argument
    gc.collect()
    assert gone() is None
    turn(loop)


@requirement("callbacks.any-callable", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("method", ["call_soon", "call_soon_threadsafe"])
def test_any_callable_can_be_a_callback(loop: Loop, method: str) -> None:
    """A callback is any callable: a function, a method, a partial, a class, an object, also one that is false.

    If this fails: look for a type check for functions, a callback that is hashed, one that is held by a weak
    reference, or one that is taken for none because its truth value is false.
    """
    trace: list[object] = []
    for name, callback in odd_callables(trace).items():
        getattr(loop, method)(callback, name)
    turn(loop, 2)
    assert trace == list(odd_callables(trace))


@requirement("callbacks.many", SHOULD, cite="asyncio-eventloop: loop.call_soon")
def test_a_hundred_thousand_callbacks_run_in_order(loop: Loop) -> None:
    """A queue of a hundred thousand callbacks runs, in order, also if it grows while it is worked off.

    If this fails: look for a ring buffer of fixed size, or one that is copied wrongly when it grows and its beginning
    is not that of the memory; or for recursion per callback.
    """
    trace: list[int] = []

    def two_more(number: int) -> None:
        trace.append(number)
        for child in (2 * number + 1, 2 * number + 2):
            if child < 5000:
                loop.call_soon(two_more, child)

    loop.call_soon(two_more, 0)
    turn(loop, 14)  # each doubles their number
    assert trace == list(range(5000))
    trace.clear()
    for number in range(100_000):
        loop.call_soon(trace.append, number)
    turn(loop)
    assert trace == list(range(100_000))


@requirement("callbacks.by-name", MUST, cite="asyncio-eventloop: Scheduling callbacks")
@each("method", ["call_soon", "call_soon_threadsafe"])
def test_the_callback_may_be_given_by_name(loop: Loop, method: str) -> None:
    """call_soon() and call_soon_threadsafe() take their documented parameter callback by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    trace: list[str] = []
    getattr(loop, method)(callback=lambda: trace.append("called"))
    turn(loop)
    assert trace == ["called"]
