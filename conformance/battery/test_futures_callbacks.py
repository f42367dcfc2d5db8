"""Chapter futures: the done callbacks of a future: when, how often and in which context they run.

When a callback runs is observed against callbacks of call_soon(); no queue of any loop is looked into.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import odd_callables
from conformance.kit.patience import turn
from conformance.kit.places import at
from conformance.kit.protocols import raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Future = asyncio.Future[Any]
_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("_VARIABLE", default="unset")

ENDINGS: dict[str, Callable[[Future], object]] = {
    "result": lambda future: future.set_result("value"),
    "exception": lambda future: future.set_exception(LookupError("value")),
    "cancelled": lambda future: future.cancel(),
    "cancelled, and told why": lambda future: future.cancel("a message"),
}


@requirement("futures.callback", MUST, cite="asyncio-future: Future.add_done_callback")
@each("ending", ENDINGS)
def test_the_callback_is_run_when_the_future_is_done(loop: Loop, ending: str) -> None:
    """A done callback is run when the future has a result, an exception or was cancelled.

    If this fails: look for callbacks scheduled by one of the three, lost when the loop starts after it, or kept in a
    place that has room for a few; for a callable that is taken for none because its truth value is false; or for a
    value that a callback returns, and that means something to whoever calls it; or for callables that the future is
    to keep alive, and does not.
    """
    trace: list[object] = []

    class Called(list[object]):
        def __call__(self, _: object) -> object:
            trace.append("called")
            return (None, False, True, trace)[len(trace) % 4]

    future = loop.create_future()
    for _ in range(300):
        future.add_done_callback(Called())
    for callback in (odd := odd_callables(trace)).values():
        future.add_done_callback(callback)
    kinds = len(odd)
    del callback, odd
    gc.collect()
    turn(loop, 2)
    assert trace == []
    ENDINGS[ending](future)
    turn(loop, 3)
    assert sorted(trace, key=str) == sorted([*["called"] * 300, *[future] * kinds], key=str)  # their order is another's
    future.cancelled() or future.exception()


@requirement("futures.callback-argument", MUST, cite="asyncio-future: Future.add_done_callback")
@each("when", ["pending", "done"])
@each("ending", ENDINGS)
def test_the_callback_is_called_with_the_future(loop: Loop, when: str, ending: str) -> None:
    """A done callback is called with the future object as its only argument.

    If this fails: look for the inner object of a wrapper, or for the result passed along, perhaps in one of the ways
    in which a future ends, or to a callback that came late.
    """
    calls: list[tuple[object, ...]] = []
    future = loop.create_future()
    if when == "done":
        ENDINGS[ending](future)
    for _ in range(3):
        future.add_done_callback(lambda *args: calls.append(args))
    if when == "pending":
        ENDINGS[ending](future)
    turn(loop, 2)
    assert [len(call) for call in calls] == [1, 1, 1]
    assert all(call[0] is future for call in calls)
    future.cancelled() or future.exception()


@requirement("futures.callback-not-at-once", MUST, cite="asyncio-future: Future Object")
@each("ending", ENDINGS)
@each("place", ["in a callback", "in a callback of another loop", "in debug mode"])
def test_callbacks_are_not_called_inside_the_call_that_ends_the_future(loop: Loop, ending: str, place: str) -> None:
    """Done callbacks are not called immediately: they are scheduled with loop.call_soon(), in its order.

    If this fails: look for callbacks that are called by set_result(), or put in front of what waits already, perhaps in
    debug mode only, or for those that are scheduled on the loop that runs, and not on the future's own.
    """
    trace: list[str] = []
    future = loop.create_future()
    future.add_done_callback(lambda _: trace.append("done callback"))

    def end() -> None:
        loop.call_soon(trace.append, "before")
        ENDINGS[ending](future)
        trace.append("ended")
        loop.call_soon(trace.append, "after")

    at(place, loop, end)
    turn(loop, 3)
    assert trace == ["ended", "before", "done callback", "after"]
    future.cancelled() or future.exception()


@requirement("futures.callback-when-done", MUST, cite="asyncio-future: Future.add_done_callback")
@each("ending", ENDINGS)
@each("place", ["a callback", "a callback of another loop", "a done callback", "outside of a run"])
def test_a_callback_added_to_a_done_future_is_scheduled(loop: Loop, ending: str, place: str) -> None:
    """If the future is already done, add_done_callback() schedules the callback with loop.call_soon().

    If this fails: look for a callback called at once, or kept for an event that is over, perhaps since the future has
    an exception or was cancelled, while its callbacks run, or while the loop does not run; or for one that is scheduled
    on the loop that runs, and not on the future's own.
    """
    trace: list[str] = []
    future = loop.create_future()

    def add(*_: object) -> None:
        loop.call_soon(trace.append, "before")
        future.add_done_callback(lambda _: trace.append("done callback"))
        future.add_done_callback(lambda _: trace.append("another"))
        trace.append("added")
        loop.call_soon(trace.append, "after")

    if place == "a done callback":
        future.add_done_callback(add)
    ENDINGS[ending](future)
    if place == "a callback":
        loop.call_soon(add)
    elif place == "a callback of another loop":
        at(f"in {place}", loop, add)
    elif place == "outside of a run":
        add()
    turn(loop, 4)
    assert trace == ["added", "before", "done callback", "another", "after"]
    future.cancelled() or future.exception()


@requirement("futures.callbacks-order", SHOULD, cite="asyncio-future: Future.add_done_callback")
@each("ending", ENDINGS)
def test_callbacks_run_in_the_order_in_which_they_were_added(loop: Loop, ending: str) -> None:
    """Done callbacks run in the order in which they were added.

    If this fails: look for a set or a stack of callbacks, or a first callback that is kept apart, perhaps in one of
    the ways in which a future ends.
    """
    trace: list[int] = []
    future = loop.create_future()
    for number in range(20):
        future.add_done_callback(lambda _, number=number: trace.append(number))  # type: ignore[misc]
    ENDINGS[ending](future)
    turn(loop, 3)
    assert trace == list(range(20))
    future.cancelled() or future.exception()


@requirement("futures.callback-added-twice", MUST, cite="asyncio-future: Future.remove_done_callback")
@each("kind", ["the same object", "an equal one"])
@each("when", ["pending", "done"])
def test_a_callback_that_was_added_twice_runs_twice(loop: Loop, kind: str, when: str) -> None:
    """A callback can be added more than once, and is called as often.

    If this fails: look for a set of callbacks, or a callback that is known already and thus passed over.
    """
    trace: list[object] = []
    append = trace.append
    future = loop.create_future()
    if when == "done":
        future.set_result(None)
    for _ in range(3):
        # A bound method is a new object each time it is looked up, equal to the former one.
        future.add_done_callback(append if kind == "the same object" else trace.append)
    if when == "pending":
        future.set_result(None)
    turn(loop, 3)
    assert len(trace) == 3


@requirement("futures.callback-partial", MUST, cite="asyncio-future: Future.add_done_callback")
def test_functools_partial_passes_parameters(loop: Loop) -> None:
    """functools.partial() can be used to pass parameters to the callback.

    If this fails: look for a check that a callback is a function.
    """
    calls: list[tuple[object, ...]] = []
    future = loop.create_future()
    future.add_done_callback(functools.partial(lambda *args: calls.append(args), "Future:"))
    future.set_result(None)
    turn(loop, 3)
    assert calls == [("Future:", future)]


@requirement("futures.callback-context", MUST, cite="asyncio-future: Future.add_done_callback")
@each("when", ["pending", "done"])
@each("ending", ENDINGS)
def test_a_callback_runs_in_the_given_context(loop: Loop, when: str, ending: str) -> None:
    """The context argument of add_done_callback() specifies the context for the callback to run in.

    If this fails: look for a context that is copied, used for pending futures only, or lost by one of the endings.
    """
    future = loop.create_future()
    if when == "done":
        ENDINGS[ending](future)
    context = contextvars.Context()
    future.add_done_callback(lambda _: _VARIABLE.set("by the callback") and None, context=context)
    if when == "pending":
        ENDINGS[ending](future)
    turn(loop, 3)
    assert context.get(_VARIABLE) == "by the callback"
    future.cancelled() or future.exception()


@requirement("futures.callback-context-keyword", MUST, cite="asyncio-future: Future.add_done_callback")
def test_the_context_of_a_callback_is_keyword_only(loop: Loop) -> None:
    """The context argument of add_done_callback() is keyword-only.

    If this fails: look for a C signature that takes context by position.
    """
    with pytest.raises(TypeError):
        loop.create_future().add_done_callback(lambda _: None, contextvars.Context())  # type: ignore[call-arg]


@requirement("futures.callback-error", MUST, cite="asyncio-future: Future Object")
def test_a_callback_that_raises_disturbs_nobody(loop: Loop, watch: Any) -> None:
    """A done callback that raises is reported to the exception handler; set_result() and other callbacks go on.

    If this fails: look for callbacks that are called from one trampoline, which ends at the first exception.
    """
    watch.allow("reported")
    trace: list[str] = []
    error = LookupError("of the callback")
    future = loop.create_future()
    future.add_done_callback(raising(error))
    future.add_done_callback(lambda _: trace.append("called"))
    future.set_result(None)
    turn(loop, 3)
    assert trace == ["called"]
    assert [context.get("exception") for context in watch.reported] == [error]


@requirement("futures.remove-callback", MUST, cite="asyncio-future: Future.remove_done_callback")
def test_a_removed_callback_is_not_called(loop: Loop) -> None:
    """remove_done_callback() removes the callback from the callbacks list: it is not called, and the others are.

    If this fails: look for the first callback, kept in a field of its own, that is not looked at.
    """
    trace: list[str] = []
    future = loop.create_future()
    callbacks = [lambda _, name=name: trace.append(name) for name in "abcd"]
    for callback in callbacks:
        future.add_done_callback(callback)
    future.remove_done_callback(callbacks[0])
    future.remove_done_callback(callbacks[2])
    future.set_result(None)
    turn(loop, 3)
    assert sorted(trace) == ["b", "d"]


@requirement("futures.remove-count", MUST, cite="asyncio-future: Future.remove_done_callback")
@each("times", [0, 1, 2, 3])
@each("kind", ["bound method", "partial"])
def test_remove_done_callback_returns_the_number_removed(loop: Loop, times: int, kind: str) -> None:
    """remove_done_callback() returns the number of callbacks removed: as many as it was added times.

    If this fails: look for a search that ends at the first match, or passes over one with a context of its own, or one
    that is no function, or for an error if there is none, or the future is done.
    """
    trace: list[object] = []
    partial = functools.partial(trace.append)

    def callback() -> Callable[[object], object]:
        # A bound method is a new object each time it is looked up: only equality can find it again.
        return partial if kind == "partial" else trace.append

    future = loop.create_future()
    future.add_done_callback(lambda _: None)
    for number in range(times):
        if number == 1:
            future.add_done_callback(callback(), context=contextvars.Context())
        else:
            future.add_done_callback(callback())
    assert future.remove_done_callback(callback()) == times
    assert future.remove_done_callback(callback()) == 0
    future.set_result(None)
    turn(loop, 3)
    assert trace == []
    assert future.remove_done_callback(callback()) == 0
