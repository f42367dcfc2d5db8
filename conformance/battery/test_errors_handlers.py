"""Chapter errors: which objects are exception handlers, how often they are called, and what they may do."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from conformance.kit.cases import each
from conformance.kit.logs import logged
from conformance.kit.patience import turn
from conformance.kit.protocols import raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


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
    assert seen == [{"message": "called"}]
    assert records == []


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

    class Unprintable:
        def __repr__(self) -> str:
            raise LookupError("no repr()")

    loop.set_exception_handler(None)
    with logged() as records:
        loop.call_exception_handler({"message": "unprintable", "own": Unprintable()})
    assert records
    with logged() as records:
        loop.call_soon(raising(LookupError()), Unprintable())
        turn(loop)
    assert records
