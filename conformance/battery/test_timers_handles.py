"""Chapter timers: what call_later() and call_at() take as a callback, and the handles that they return."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from typing import Any, cast

from conformance.kit.cases import each
from conformance.kit.oddities import odd_callables
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
Schedule = Callable[..., asyncio.TimerHandle]

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="of nobody")

_WAYS: dict[str, Callable[[Loop], Schedule]] = {
    "call_later": lambda loop: functools.partial(loop.call_later, 0.001),
    "call_at": lambda loop: functools.partial(loop.call_at, loop.time()),
}
_FAR: dict[str, Callable[[Loop], Schedule]] = {
    "call_later with a delay of days": lambda loop: functools.partial(loop.call_later, 1e6),
    "call_at in some days": lambda loop: functools.partial(loop.call_at, loop.time() + 1e6),
}


@requirement("timers.partial", MUST, cite="asyncio-eventloop: loop.call_later")
@each("way", _WAYS)
def test_keyword_arguments_are_passed_by_partial(loop: Loop, patience: Patience, way: str) -> None:
    """If you want the callback to be called with keyword arguments, use functools.partial().

    If this fails: look for callbacks that must be plain functions.
    """
    seen: list[tuple[Any, ...]] = []

    def callback(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    _WAYS[way](loop)(functools.partial(callback, "bound", key="word"), "argument")
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == [(("bound", "argument"), {"key": "word"})]


@requirement("timers.any-callable", MUST, cite="asyncio-eventloop: loop.call_later")
@each("way", _WAYS)
def test_any_callable_can_be_delayed(loop: Loop, patience: Patience, way: str) -> None:
    """A delayed callback is any callable: a function, a method, a class, an object with __call__ that is false.

    If this fails: look for callbacks that are hashed, compared when deadlines are equal, or held by weak references.
    """
    trace: list[object] = []
    when = loop.time()
    schedule = functools.partial(loop.call_at, when) if way == "call_at" else _WAYS[way](loop)
    for name, callback in odd_callables(trace).items():
        schedule(callback, name)
    kinds = set(odd_callables(trace))
    patience.run_until(loop, lambda: kinds <= set(trace), "the last callback")
    assert len(trace) == len(kinds)


@requirement("timers.cancelled", MUST, cite="asyncio-eventloop: Handle.cancelled")
@each("way", _WAYS | _FAR)
def test_a_timer_handle_tells_whether_it_was_cancelled(loop: Loop, way: str) -> None:
    """cancelled() of a timer's handle returns True if the callback was cancelled, and False before.

    If this fails: look for a timer that is taken from the heap and forgets its state.
    """
    handle = (_WAYS | _FAR)[way](loop)(lambda: None)
    assert handle.cancelled() is False
    handle.cancel()
    assert handle.cancelled() is True
    loop.run_until_complete(asyncio.sleep(0.002))
    assert handle.cancelled() is True


@requirement("timers.not-cancelled-by-running", MUST, cite="asyncio-eventloop: Handle.cancelled")
def test_a_timer_that_ran_was_not_cancelled(loop: Loop, patience: Patience) -> None:
    """cancelled() of a timer whose callback was executed returns False.

    If this fails: look for a handle that is cancelled to get rid of it.
    """
    seen: list[str] = []
    handle = loop.call_later(0.001, seen.append, "ran")
    patience.run_until(loop, lambda: seen, "the callback")
    assert handle.cancelled() is False


@requirement("timers.when-cancelled", MUST, cite="asyncio-eventloop: TimerHandle.when")
def test_when_of_a_timer_that_is_over(loop: Loop) -> None:
    """when() returns the scheduled callback time also after the callback was cancelled, while it runs and afterwards.

    If this fails: look for a deadline that is reset when the timer is taken out.
    """
    handle = loop.call_at(loop.time() + 3600.0, lambda: None)
    when = handle.when()
    handle.cancel()
    assert handle.when() == when
    seen: list[float] = []

    def callback() -> None:
        seen.append(due.when())
        loop.stop()

    due = loop.call_later(0.001, callback)
    when = due.when()
    loop.run_forever()
    assert [*seen, due.when()] == [when] * 2


@requirement("timers.get-context", MUST, cite="asyncio-eventloop: Handle.get_context", since="3.12")
@each("way", _WAYS)
def test_a_timer_handle_tells_its_context(loop: Loop, way: str) -> None:
    """get_context() of a timer's handle returns the Context associated with it: the one given, also once it ran.

    If this fails: look for a handle that keeps a copy, or that forgets the context with the callback.
    """
    context = contextvars.copy_context()
    ran, cancelled = (_WAYS[way](loop)(lambda: None, context=context) for _ in range(2))
    assert cast(Any, ran).get_context() is context
    cancelled.cancel()
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert cast(Any, ran).get_context() is context
    assert cast(Any, cancelled).get_context() is context


@requirement("timers.get-context-default", MUST, cite="asyncio-eventloop: Handle.get_context", since="3.12")
@each("way", _WAYS)
def test_a_timer_handle_tells_the_context_that_it_copied(loop: Loop, way: str) -> None:
    """If no context was given, get_context() returns the Context in which the callback will run.

    If this fails: look for a context that is only made when the callback runs.
    """
    token = VARIABLE.set("when it was scheduled")
    handle: Any = _WAYS[way](loop)(lambda: None)
    VARIABLE.reset(token)
    assert handle.get_context()[VARIABLE] == "when it was scheduled"
    handle.cancel()
