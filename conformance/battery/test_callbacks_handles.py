"""Chapter callbacks: keyword arguments, and what the handle of call_soon() and call_soon_threadsafe() tells."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from asyncio import AbstractEventLoop as Loop
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import Unprintable
from conformance.kit.patience import Patience, turn
from conformance.kit.places import PLACES, at
from conformance.requirement import MUST, SHOULD, requirement

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="of nobody")

_WAYS = ["call_soon", "call_soon_threadsafe"]


@requirement("callbacks.no-keywords", SHOULD, cite="asyncio-eventloop: Scheduling callbacks")
@each("way", [*_WAYS, "call_later", "call_at"])
def test_keyword_arguments_are_refused(loop: Loop, way: str) -> None:
    """Scheduling functions don't allow passing keyword arguments to the callback: TypeError, and nothing is scheduled.

    If this fails: look for keywords that are dropped, or passed on, so that no parameter can ever be added.
    """
    seen: list[object] = []
    when = [loop.time()] if way in ("call_later", "call_at") else []
    with pytest.raises(TypeError):
        getattr(loop, way)(*when, lambda **kwargs: seen.append(kwargs), keyword="argument")
    turn(loop, 2)
    assert seen == []


@requirement("callbacks.partial", MUST, cite="asyncio-eventloop: Scheduling callbacks")
@each("way", _WAYS)
@each("arguments", [(), ("argument",)])
def test_keyword_arguments_are_passed_by_partial(loop: Loop, way: str, arguments: tuple[str, ...]) -> None:
    """To pass keyword arguments to a callback, use functools.partial().

    If this fails: look for a partial that is taken to pieces, or a callback that must be a plain function.
    """
    seen: list[tuple[Any, ...]] = []

    def callback(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    getattr(loop, way)(functools.partial(callback, "bound", key="word"), *arguments)
    turn(loop)
    assert seen == [(("bound", *arguments), {"key": "word"})]


@requirement("callbacks.not-cancelled-by-running", MUST, cite="asyncio-eventloop: Handle.cancelled")
@each("way", _WAYS)
def test_a_callback_that_ran_was_not_cancelled(loop: Loop, way: str) -> None:
    """cancelled() returns False of a handle whose callback was executed, during its execution and afterwards.

    If this fails: look for a handle that is cancelled so that it does not run again.
    """
    seen: list[bool] = []
    handle: Any = getattr(loop, way)(lambda: seen.append(handle.cancelled()))
    turn(loop, 2)
    assert [*seen, handle.cancelled()] == [False, False]


@requirement("callbacks.get-context", MUST, cite="asyncio-eventloop: Handle.get_context", since="3.12")
@each("way", _WAYS)
def test_a_handle_tells_its_context(loop: Loop, way: str) -> None:
    """get_context() returns the Context object associated with the handle: the one given, also once it ran, or won't.

    If this fails: look for a handle that keeps a copy, or that forgets the context with the callback.
    """
    context = contextvars.copy_context()
    ran, cancelled = (getattr(loop, way)(lambda: None, context=context) for _ in range(2))
    assert ran.get_context() is context
    cancelled.cancel()
    turn(loop)
    assert ran.get_context() is context
    assert cancelled.get_context() is context


@requirement("callbacks.get-context-default", MUST, cite="asyncio-eventloop: Handle.get_context", since="3.12")
@each("way", _WAYS)
def test_a_handle_tells_the_context_that_it_copied(loop: Loop, way: str) -> None:
    """If no context was given, get_context() returns the Context in which the callback will run.

    If this fails: look for a context that is only made when the callback runs.
    """
    token = VARIABLE.set("when it was scheduled")
    handle: Any = getattr(loop, way)(lambda: None)
    VARIABLE.reset(token)
    assert handle.get_context()[VARIABLE] == "when it was scheduled"
    turn(loop)


@requirement("callbacks.in-debug-mode", MUST, cite=("asyncio-eventloop: loop.call_soon", "asyncio-dev: Debug Mode"))
def test_debug_mode_changes_nothing_for_callbacks(loop: Loop, patience: Patience) -> None:
    """In debug mode, too, callbacks run once, in order, with their arguments and in their context; stop() stops.

    If this fails: look for a second way of running callbacks, which is used in debug mode only, or for a description
    of the callback that is made before it is wanted: not every argument has a repr().
    """
    loop.set_debug(True)
    unprintable = Unprintable()
    seen: list[tuple[object, ...]] = []
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the context")

    def callback(*args: object) -> None:
        seen.append((VARIABLE.get(), *args))

    loop.call_soon(callback, 1, "two", None)
    loop.call_soon(callback, 2, context=context)
    loop.call_soon(callback, "cancelled", unprintable).cancel()
    loop.call_soon_threadsafe(callback, 3, 4, context=context)
    loop.call_soon(callback, unprintable)
    loop.stop()
    loop.run_forever()
    soon = [("of nobody", 1, "two", None), ("of the context", 2), ("of the context", 3, 4), ("of nobody", unprintable)]
    assert seen == soon
    loop.call_later(0, callback, "cancelled", unprintable).cancel()
    loop.call_later(0.001, callback, "later", 5, context=context)
    loop.call_at(loop.time(), callback, "at", 6)
    patience.run_until(loop, lambda: len(seen) == 6, "the timers")
    assert {entry[1]: entry for entry in seen[4:]} == {
        "later": ("of the context", "later", 5),
        "at": ("of nobody", "at", 6),
    }


@requirement("callbacks.handle-type", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_call_soon_returns_a_handle(loop: Loop) -> None:
    """call_soon() returns an instance of asyncio.Handle.

    If this fails: look for a handle class of the loop's own that does not derive from the public one.
    """
    assert isinstance(loop.call_soon(lambda: None), asyncio.Handle)
    turn(loop)


@requirement("callbacks.cancel", MUST, cite="asyncio-eventloop: Handle.cancel")
@each("place", PLACES)
def test_a_cancelled_callback_does_not_run(loop: Loop, place: str) -> None:
    """Handle.cancel() cancels the callback: it is not called, and its neighbours are.

    If this fails: look for a flag that the queue's fast path does not look at.
    """
    trace: list[str] = []

    def work() -> None:
        loop.call_soon(trace.append, "before")
        handle = loop.call_soon(trace.append, "cancelled")
        loop.call_soon(trace.append, "after")
        handle.cancel()

    at(place, loop, work)
    turn(loop, 2)
    assert trace == ["before", "after"]
    calls: list[str] = []
    equal = [loop.call_soon(calls.append, "equal") for _ in range(3)]
    equal[1].cancel()
    assert [handle.cancelled() for handle in equal] == [False, True, False]
    turn(loop)
    assert calls == ["equal"] * 2


@requirement("callbacks.cancel-from-callback", MUST, cite="asyncio-eventloop: Handle.cancel")
def test_a_callback_can_cancel_one_that_is_due_in_the_same_iteration(loop: Loop) -> None:
    """A callback can cancel another that was to run right after it.

    If this fails: look for a batch that is copied, or checked for cancellation, before it runs.
    """
    trace: list[str] = []
    victim: asyncio.Handle
    loop.call_soon(lambda: victim.cancel())
    victim = loop.call_soon(trace.append, "victim")
    turn(loop, 2)
    assert trace == []
