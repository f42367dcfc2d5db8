"""Chapter context: which context (PEP 567) each kind of callback runs in."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, failing
from conformance.kit.patience import Patience, turn
from conformance.kit.places import PLACES, at
from conformance.kit.protocols import raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="default")
Schedule = Callable[..., Any]

_WAYS: dict[str, Callable[[Loop], Schedule]] = {
    "call_soon": lambda loop: loop.call_soon,
    "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe,
    "call_later": lambda loop: lambda *args, **kwargs: loop.call_later(0, *args, **kwargs),
    "call_later with a delay": lambda loop: lambda *args, **kwargs: loop.call_later(0.001, *args, **kwargs),
    "call_later with a negative delay": lambda loop: lambda *args, **kwargs: loop.call_later(-10, *args, **kwargs),
    "call_at": lambda loop: lambda *args, **kwargs: loop.call_at(loop.time(), *args, **kwargs),
    "call_at in the past": lambda loop: lambda *args, **kwargs: loop.call_at(loop.time() - 10, *args, **kwargs),
}


def _ask(seen: list[str]) -> None:
    seen.append(VARIABLE.get())


@requirement("context.default-is-current", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("way", _WAYS)
@each("place", PLACES)
def test_callbacks_run_in_the_current_context_by_default(loop: Loop, patience: Patience, way: str, place: str) -> None:
    """Callbacks use the current context when no context is provided.

    If this fails: look for a context that is empty, the one of whoever runs the loop, or a way of its own for calls
    from callbacks, from tasks or in debug mode.
    """
    seen: list[str] = []
    caller = contextvars.copy_context()
    caller.run(VARIABLE.set, "of the caller")
    at(place, loop, lambda: caller.run(lambda: _WAYS[way](loop)(_ask, seen)))
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == ["of the caller"]


@requirement("context.copied-when-scheduled", MUST, cite="PEP 567: Rationale")
@each("way", _WAYS)
def test_the_context_is_copied_when_the_callback_is_scheduled(loop: Loop, patience: Patience, way: str) -> None:
    """The current context is copied at the moment of scheduling: later changes by the caller are not seen.

    If this fails: look for a reference to the caller's context instead of a copy.
    """
    seen: list[str] = []

    def caller() -> None:
        VARIABLE.set("when scheduled")
        _WAYS[way](loop)(_ask, seen)
        VARIABLE.set("changed afterwards")

    contextvars.copy_context().run(caller)
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == ["when scheduled"]


@requirement("context.changes-stay-inside", MUST, cite="PEP 567: Rationale")
@each("way", _WAYS)
@each("place", PLACES)
def test_what_a_callback_sets_is_not_seen_by_others(loop: Loop, patience: Patience, way: str, place: str) -> None:
    """A callback's changes to context variables are seen neither by the next callback nor by the caller.

    If this fails: look for callbacks that are called without entering a context of their own, or share that of the
    callback that scheduled them.
    """
    seen: list[str] = []

    def schedule() -> None:
        _WAYS[way](loop)(VARIABLE.set, "set by a callback")
        _WAYS[way](loop)(_ask, seen)

    at(place, loop, schedule)
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == ["default"]
    assert VARIABLE.get() == "default"


@requirement("context.explicit", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("way", _WAYS)
def test_callbacks_run_in_the_context_that_is_given(loop: Loop, patience: Patience, way: str) -> None:
    """The keyword-only context argument allows specifying a custom Context for the callback to run in.

    If this fails: look for a keyword that is accepted and ignored, perhaps for callbacks of some kind, or an empty
    Context, which is false, taken for none.
    """
    seen: list[str] = []
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the context")
    _WAYS[way](loop)(_ask, seen, context=context)
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == ["of the context"]
    token = VARIABLE.set("of the caller")
    _WAYS[way](loop)(_ask, seen, context=contextvars.Context())
    VARIABLE.reset(token)
    patience.run_until(loop, lambda: len(seen) == 2, "the callback in an empty context")
    _WAYS[way](loop)(functools.partial(_ask, seen), context=context)
    patience.run_until(loop, lambda: len(seen) == 3, "the partial")
    assert seen[1:] == ["default", "of the context"]
    _WAYS[way](loop)(VARIABLE.set, "by a method written in C", context=context)
    written = patience.in_turns
    written.run_until(loop, lambda: context[VARIABLE] == "by a method written in C", "the change in the context")


@requirement("context.explicit-is-not-copied", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("way", _WAYS)
@each("make", [contextvars.copy_context, contextvars.Context])
@each("place", PLACES)
def test_callbacks_run_in_exactly_the_context_that_is_given(
    loop: Loop, patience: Patience, way: str, make: Callable[[], contextvars.Context], place: str
) -> None:
    """The callback runs in the very context that was given: its changes are seen there afterwards.

    If this fails: look for a copy of the given context, for an empty one, whose truth value is false, that is taken
    for none, or for a way of its own for calls from callbacks, from tasks or in debug mode.
    """
    caller = contextvars.copy_context()
    caller.run(VARIABLE.set, "of the caller")
    context = caller.run(make)
    expected = context.get(VARIABLE, "default")
    seen: list[str] = []

    def ask_and_set() -> None:
        _ask(seen)
        VARIABLE.set("set by the callback")

    at(place, loop, lambda: caller.run(lambda: _WAYS[way](loop)(ask_and_set, context=context)))
    patience.run_until(loop, lambda: seen, "the callback")
    assert seen == [expected]
    assert context.get(VARIABLE) == "set by the callback"


@requirement("context.keyword-only", MUST, cite="asyncio-eventloop: loop.call_soon")
@each("way", ["call_soon", "call_soon_threadsafe"])
def test_context_is_keyword_only(loop: Loop, way: str) -> None:
    """context is keyword-only: a Context among the positional arguments is an argument for the callback.

    If this fails: look for a signature that takes it by position.
    """
    seen: list[tuple[object, ...]] = []
    context = contextvars.copy_context()
    getattr(loop, way)(lambda *args: seen.append(args), context)
    turn(loop, 2)
    assert seen == [(context,)]


@requirement("context.nested-run", SHOULD, cite="PEP 567: contextvars.Context")
def test_one_context_can_serve_many_callbacks(loop: Loop) -> None:
    """One context may be given to many callbacks: each enters it after the other has left.

    If this fails: look for a context that stays entered when a callback raised or scheduled another.
    """
    context = contextvars.copy_context()
    seen: list[str] = []

    def again(left: int) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set(f"{left} left")
        if left:
            loop.call_soon(again, left - 1, context=context)

    loop.call_soon(again, 2, context=context)
    turn(loop, 4)
    assert seen == ["default", "2 left", "1 left"]


@requirement("context.done-callback", MUST, cite="asyncio-future: Future.add_done_callback")
def test_done_callbacks_run_in_the_context_of_whoever_added_them(loop: Loop, patience: Patience) -> None:
    """add_done_callback() uses the current context when no context is provided, and the given one otherwise.

    If this fails: look for a future of the loop's own that forgets the context, or has one for all its callbacks, or
    gives that of a callback that was removed to the one behind it.
    """
    seen: list[str] = []
    given = contextvars.copy_context()
    given.run(VARIABLE.set, "given")
    future = loop.create_future()

    def caller(name: str) -> None:
        VARIABLE.set(name)
        future.add_done_callback(lambda _: _ask(seen))

    removed = raising(AssertionError("removed"))
    future.add_done_callback(removed)
    contextvars.copy_context().run(caller, "of the caller")
    future.add_done_callback(removed)
    contextvars.copy_context().run(caller, "of another")
    future.add_done_callback(lambda _: _ask(seen), context=given)
    future.remove_done_callback(removed)
    future.set_result(None)
    patience.run_until(loop, lambda: len(seen) == 3, "the callbacks")
    assert seen == ["of the caller", "of another", "given"]


@requirement("context.add-reader", SHOULD, cite="PEP 567: asyncio")
@each("debug", [False, True])
def test_a_reader_runs_in_the_context_of_whoever_added_it(loop: Loop, patience: Patience, debug: bool) -> None:
    """A callback of add_reader() runs in the context that was current when it was added.

    If this fails: look for I/O callbacks that are called without a context, perhaps in debug mode only.
    """
    loop.set_debug(debug)
    left, right = socket.socketpair()
    seen: list[str] = []

    def read() -> None:
        left.recv(1)
        _ask(seen)
        VARIABLE.set("changed by the reader")

    with left, right:
        left.setblocking(False)
        contextvars.copy_context().run(lambda: (VARIABLE.set("of the caller"), loop.add_reader(left, read)))
        right.send(b"x")
        patience.run_until(loop, lambda: seen, "the reader")
        loop.remove_reader(left)
    assert seen == ["of the caller"]
    assert VARIABLE.get() == "default"


@requirement("context.signal-handler", SHOULD, cite="PEP 567: asyncio")
@each("debug", [False, True])
@pytest.mark.usefixtures("any_handlers")
def test_a_signal_handler_runs_in_the_context_of_whoever_added_it(loop: Loop, patience: Patience, debug: bool) -> None:
    """A callback of add_signal_handler() runs in the context that was current when it was added.

    If this fails: look for a signal path that calls the handler without a context, perhaps in debug mode only.
    """
    loop.set_debug(debug)
    seen: list[str] = []
    contextvars.copy_context().run(
        lambda: (VARIABLE.set("of the caller"), loop.add_signal_handler(signal.SIGUSR1, _ask, seen))
    )
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    patience.run_until(loop, lambda: seen, "the handler")
    loop.remove_signal_handler(signal.SIGUSR1)
    assert seen == ["of the caller"]


async def _wait(loop: Loop) -> None:
    await loop.create_future()


@requirement("context.exception-handler", MUST, cite="asyncio-eventloop: loop.set_exception_handler", since="3.12")
@each("behalf", ["handle", "timer", "call from a thread", "done callback", "empty context", "task", "destroyed task"])
def test_the_exception_handler_runs_in_the_context_of_the_task(loop: Loop, patience: Patience, behalf: str) -> None:
    """If the handler is called on behalf of a Task or Handle, it is run in the contextvars.Context of it.

    If this fails: look for what Python 3.12 added to call_exception_handler(): the key is handle, future or task. A
    copy of the context will not do, as what the handler sets there is lost; an empty one is false, and yet a context.
    """
    seen: list[str] = []

    def handler(_loop: object, _context: object) -> None:
        _ask(seen)
        VARIABLE.set("by the handler")

    loop.set_exception_handler(handler)
    context = contextvars.copy_context()
    context.run(VARIABLE.set, f"of the {behalf}")
    fail = raising(LookupError())
    if behalf == "task":  # whose exception nobody retrieves
        task: asyncio.Task[None] = loop.create_task(failing(), context=context)
        loop.run_until_complete(asyncio.wait([task]))
        del task
        gc.collect()
    elif behalf == "destroyed task":  # while it waits
        task = loop.create_task(_wait(loop), context=context)
        turn(loop, 2)
        del task
        gc.collect()
    elif behalf == "timer":
        loop.call_later(0.001, fail, context=context)
    elif behalf == "call from a thread":
        loop.call_soon_threadsafe(fail, context=context)
    elif behalf == "done callback":
        done_future(loop).add_done_callback(fail, context=context)
    elif behalf == "empty context":
        context = contextvars.Context()
        loop.call_soon(fail, context=context)
    else:
        loop.call_soon(fail, context=context)
    token = VARIABLE.set("of the run")
    patience.run_until(loop, lambda: seen, "the call of the handler")
    VARIABLE.reset(token)
    assert seen == ["default" if behalf == "empty context" else f"of the {behalf}"]
    assert context[VARIABLE] == "by the handler"
