"""Chapter errors: which objects are exception handlers, how often they are called, and what they may do."""

from __future__ import annotations

import asyncio
import gc
import traceback
from typing import Any

from conformance.kit.cases import each
from conformance.kit.logs import logged
from conformance.kit.oddities import Unprintable
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_KEYS = ["exception", "future", "task", "handle", "protocol", "transport", "socket", "asyncgen"]
_RETURNED = [None, True, False, 0, 1, [1], RuntimeError("returned")]


class _Kept:
    """Something that has an exception handler for a method; its truth value is false as long as it saw nothing."""

    def __init__(self, seen: list[dict[str, Any]]) -> None:
        self.seen = seen

    def __len__(self) -> int:
        return len(self.seen)

    def __call__(self, _loop: Loop, context: dict[str, Any]) -> None:
        self.seen.append(context)

    def method(self, _loop: Loop, context: dict[str, Any]) -> None:
        self.seen.append(context)


@requirement("errors.any-callable", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
@each("kind", ["method", "false object"])
def test_any_callable_is_a_handler(loop: Loop, kind: str) -> None:
    """handler must be a callable: a method of an object that nobody else keeps, or one whose truth value is false.

    If this fails: look for a weak reference, or a test of the handler's truth where one for None is meant.
    """
    seen: list[dict[str, Any]] = []
    handler: Any = _Kept(seen).method if kind == "method" else _Kept(seen)
    loop.set_exception_handler(handler)
    assert loop.get_exception_handler() is handler
    del handler
    gc.collect()
    with logged() as records:
        loop.call_exception_handler({"message": "called"})
    assert [context["message"] for context in seen] == ["called"]
    assert records == []


@requirement("errors.handler-return-value", MUST, cite="asyncio-eventloop: loop.default_exception_handler")
@each("value", _RETURNED)
def test_what_a_handler_returns_is_ignored(loop: Loop, value: object) -> None:
    """The default handler is called when no handler is set: not after a custom one, whatever that returns.

    If this fails: look for a value that says whether an exception was dealt with, which is another library's contract.
    """
    loop.set_exception_handler(lambda _loop, _context: value)
    with logged() as records:
        loop.call_exception_handler({"message": "called"})
        for key in _KEYS:
            loop.call_soon(loop.call_exception_handler, {"message": "called", key: None})
        turn(loop, 2)
    assert records == []


@requirement("errors.exception-whole", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@each("method", ["call_soon", "call_soon_threadsafe", "call_later"])
@each("debug", [False, True])
def test_the_exception_of_a_callback_is_reported_whole(
    loop: Loop, patience: Patience, method: str, debug: bool
) -> None:
    """The exception in the context keeps its cause, its notes and its traceback, to the line that raised it.

    If this fails: look for a border between languages that takes the object and leaves what hangs on it.
    """
    seen: list[BaseException] = []
    cause = OSError("the cause")

    def fail() -> None:
        error = LookupError("of the callback")
        error.add_note("a note")
        raise error from cause

    loop.set_debug(debug)
    loop.set_exception_handler(lambda _loop, context: seen.append(context["exception"]))
    getattr(loop, method)(*((0.001,) if method == "call_later" else ()), fail)
    patience.in_turns.run_until(loop, lambda: seen, "the call of the handler")
    assert seen[0].__cause__ is cause
    assert seen[0].__notes__ == ["a note"]
    assert [frame.name for frame in traceback.extract_tb(seen[0].__traceback__)][-1:] == ["fail"]


@requirement("errors.every-time", MUST, cite="asyncio-eventloop: loop.default_exception_handler")
@each("custom", [True, False], ids=["custom", "default"])
def test_every_exception_is_reported(loop: Loop, custom: bool) -> None:
    """The handler is called when an exception occurs: each time, also for the same exception of the same callback.

    If this fails: look for a limit to what is logged, or for a mark on exceptions that were reported before.
    """
    seen: list[Any] = []
    error = LookupError("of the callback")
    loop.set_exception_handler((lambda _loop, context: seen.append(context["exception"])) if custom else None)
    with logged() as records:
        for _ in range(5):
            loop.call_soon(raising(error))
        turn(loop, 2)
        loop.call_soon(raising(error))
        turn(loop, 2)
    if not custom:
        seen = [record.exc_info and record.exc_info[1] for record in records]
    assert seen == [error] * 6


@requirement("errors.handler-replaces", SHOULD, cite="asyncio-eventloop: loop.set_exception_handler")
def test_a_handler_may_set_another(loop: Loop) -> None:
    """A custom handler may set another one, which is called from the next exception on.

    If this fails: look for a handler that is put back after its call.
    """
    trace: list[str] = []

    def first(_loop: Loop, _context: dict[str, Any]) -> None:
        trace.append("first")
        loop.set_exception_handler(second)

    def second(_loop: Loop, _context: dict[str, Any]) -> None:
        trace.append("second")

    loop.set_exception_handler(first)
    for _ in range(2):
        loop.call_soon(raising(LookupError()))
    turn(loop, 2)
    assert trace == ["first", "second"]
    assert loop.get_exception_handler() is second


@requirement("errors.handler-calls", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_a_handler_may_report_something_else(loop: Loop) -> None:
    """call_exception_handler() calls the current handler also when that one calls it, with a context of its own.

    If this fails: look for a mark that keeps the handler from being called while it is called.
    """
    trace: list[str] = []

    def handler(_loop: Loop, context: dict[str, Any]) -> None:
        trace.append(context["message"])
        if context["message"] == "outer":
            loop.call_exception_handler({"message": "inner"})
        trace.append(f"end of {context['message']}")

    loop.set_exception_handler(handler)
    loop.call_exception_handler({"message": "outer"})
    assert trace == ["outer", "inner", "end of inner", "end of outer"]


@requirement("errors.default-unprintable", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_what_cannot_be_printed_is_logged_all_the_same(loop: Loop) -> None:
    """Without a handler something is logged, and nothing raised, also if a value of the context has no repr().

    If this fails: look for a formatting that raises, be it of an argument of the callback, or for an error of the
    default handler that is dropped.
    """
    loop.set_exception_handler(None)
    with logged() as records:
        loop.call_exception_handler({"message": "unprintable", "own": Unprintable()})
    assert records
    with logged() as records:
        loop.call_soon(raising(LookupError()), Unprintable())
        turn(loop)
    assert records
