"""Chapter errors: the exception handler, who calls it and with what.

How a message reads is not looked at; that it reaches the logger "asyncio" is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.logs import logged
from conformance.kit.oddities import FalseError
from conformance.kit.patience import Patience, turn
from conformance.kit.places import PLACES, at
from conformance.kit.protocols import raising
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Fatal(BaseException):
    """An exception that is no Exception, and neither SystemExit nor KeyboardInterrupt."""


def _type_name(error: BaseException) -> str:
    return type(error).__name__


@pytest.fixture
def seen(loop: Loop) -> list[dict[str, Any]]:
    """The contexts that a custom handler of the test's own was called with."""
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: contexts.append(context))
    return contexts


@requirement("errors.no-handler", MUST, cite="asyncio-eventloop: loop.get_exception_handler")
def test_a_new_loop_has_no_custom_handler(make_loop: Callable[[], Loop]) -> None:
    """get_exception_handler() returns None if no custom exception handler was set.

    If this fails: look for the default handler returned as an object.
    """
    assert make_loop().get_exception_handler() is None


@requirement("errors.get-handler", MUST, cite="asyncio-eventloop: loop.get_exception_handler")
@each("place", PLACES)
def test_get_exception_handler_returns_what_was_set(loop: Loop, place: str) -> None:
    """get_exception_handler() returns the current exception handler, the very object that was set.

    If this fails: look for a wrapper round the handler.
    """

    def handler(_loop: Loop, _context: dict[str, Any]) -> None:
        pass

    at(place, loop, lambda: loop.set_exception_handler(handler))
    assert at(place, loop, loop.get_exception_handler) is handler
    loop.set_exception_handler(None)


@requirement("errors.arguments", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
def test_the_handler_is_called_with_loop_and_context(loop: Loop) -> None:
    """The handler is called with the loop and the context, a dict, by position.

    If this fails: look for an inner object of the loop, or for the two as keyword arguments.
    """
    calls: list[tuple[Any, ...]] = []
    loop.set_exception_handler(lambda *args: calls.append(args))
    loop.call_exception_handler({"message": "called"})
    assert len(calls) == 1
    assert len(calls[0]) == 2
    assert calls[0][0] is loop
    assert isinstance(calls[0][1], dict)


@requirement("errors.context", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
@each("place", PLACES)
def test_the_context_is_passed_as_it_is(loop: Loop, place: str) -> None:
    """call_exception_handler() calls the current handler with the context, whatever keys it has.

    If this fails: look for a context built anew from the keys that are known, or for a call that is put off.
    """
    context: dict[str, Any] = {"message": "called", "exception": LookupError(), "socket": object(), "own": object()}
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: seen.append(context))

    def work() -> list[dict[str, Any]]:
        loop.call_exception_handler(dict(context))
        loop.call_exception_handler({"message": "alone"})
        return list(seen)

    whole, alone = at(place, loop, work)
    assert whole.items() >= context.items()  # new keys may be introduced
    assert alone["message"] == "alone"
    assert alone.keys().isdisjoint(context.keys() - {"message"})


@requirement("errors.replaced", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
def test_the_last_handler_is_called(loop: Loop, seen: list[dict[str, Any]]) -> None:
    """set_exception_handler() sets the handler as the new one, in place of the one before.

    If this fails: look for handlers that are collected, or for one that is looked up once.
    """
    others: list[dict[str, Any]] = []
    loop.call_exception_handler({"message": "first"})
    loop.set_exception_handler(lambda _loop, context: others.append(context))
    loop.call_exception_handler({"message": "second"})
    assert [context["message"] for context in seen] == ["first"]
    assert [context["message"] for context in others] == ["second"]


@requirement("errors.reset", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
@each("place", PLACES)
def test_none_sets_the_default_handler(loop: Loop, place: str) -> None:
    """If handler is None, the default exception handler will be set: the former one is not called any more.

    If this fails: look for None taken as "leave it as it is".
    """
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    with logged() as records:
        at(place, loop, lambda: (loop.set_exception_handler(None), loop.call_exception_handler({"message": "called"})))
    assert loop.get_exception_handler() is None
    assert seen == []
    assert len(records) == 1


@requirement("errors.callable", SHOULD, cite="asyncio-eventloop: loop.set_exception_handler")
@each("what", [42, "handler", 0, "", False])
def test_a_handler_must_be_callable(loop: Loop, what: Any) -> None:
    """If handler is neither None nor callable, set_exception_handler() raises an exception.

    If this fails: look for an error that comes only when the handler is needed, or what is false taken for None.
    """
    with refused():
        loop.set_exception_handler(what)


@requirement("errors.per-loop", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
def test_a_handler_belongs_to_one_loop(loop: Loop, make_loop: Callable[[], Loop], seen: list[dict[str, Any]]) -> None:
    """The exception handler is that of the loop it was set on: another loop keeps its own.

    If this fails: look for a handler kept per process.
    """
    other = make_loop()
    assert other.get_exception_handler() is None
    with logged() as records:
        other.call_exception_handler({"message": "of the other"})
    assert seen == []
    assert len(records) == 1


@requirement("errors.default", MUST, cite="asyncio-eventloop: loop.default_exception_handler")
def test_the_default_handler_logs(make_loop: Callable[[], Loop], patience: Patience) -> None:
    """The default handler is called when an exception occurs and no handler is set: it logs an error with both.

    If this fails: look for a message printed to stderr, or dropped, or an exception that is left out when there is a
    handle to name, or taken from sys.exc_info(); all logging goes to the logger "asyncio".
    """
    loop = make_loop()
    error = LookupError("of the test")
    with contextlib.suppress(LookupError):
        raise error
    with logged() as records:
        try:
            raise ValueError("another one, which is being handled")
        except ValueError:
            loop.call_exception_handler({"message": "what the test says", "exception": error})
        loop.call_soon(raising(error))
        loop.call_later(0, raising(error))
        patience.run_until(loop, lambda: len(records) >= 3, "the three log records")
    assert [record.levelno for record in records] == [logging.ERROR] * 3
    assert "what the test says" in records[0].getMessage()
    for record in records:
        assert record.exc_info
        assert record.exc_info[1] is error
        assert record.exc_info[2] is not None, "where it was raised"


@requirement("errors.default-called", MUST, cite="asyncio-eventloop: loop.default_exception_handler")
def test_a_custom_handler_can_defer_to_the_default(loop: Loop) -> None:
    """default_exception_handler() can be called by a custom handler that wants to defer to the default behaviour.

    If this fails: look for a default handler that asks the custom one, or is no method of the loop.
    """
    calls: list[dict[str, Any]] = []

    def defer(loop: Loop, context: dict[str, Any]) -> None:
        calls.append(context)
        if len(calls) < 3:
            loop.default_exception_handler(context)

    loop.set_exception_handler(defer)
    with logged() as records:
        loop.call_exception_handler({"message": "what the test says"})
    assert ["what the test says" in record.getMessage() for record in records] == [True]
    assert len(calls) == 1, "the default handler called the custom one that had deferred to it"


@requirement("errors.default-any-context", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@each("context", [{}, {"message": None}, {"own": object}], ids=["empty", "none", "own key"])
def test_the_default_handler_takes_any_context(loop: Loop, context: dict[str, Any]) -> None:
    """default_exception_handler() logs a context that lacks the exception, the message, or has keys of its own.

    If this fails: look for keys that are taken for granted, which raises in the one place where nobody catches it.
    """
    with logged() as records:
        loop.default_exception_handler(dict(context))
    assert len(records) == 1


@requirement("errors.handler-raises", MUST, cite="asyncio-eventloop: loop.set_exception_handler")
@each("error", [ValueError("of the handler"), asyncio.CancelledError(), _Fatal()], ids=_type_name)
def test_a_handler_that_raises_does_not_stop_the_loop(loop: Loop, error: BaseException) -> None:
    """An exception of a custom handler does not leave the loop: it is logged, and the callbacks behind it run.

    If this fails: look for the call of the handler, which is outside of any try, or for one that is given up.
    """
    trace: list[str] = []
    handler = raising(error)
    loop.set_exception_handler(handler)
    for _ in range(2):
        loop.call_soon(raising(LookupError()))
        loop.call_soon(trace.append, "behind")
        with logged() as records:
            turn(loop, 2)
        assert error in [record.exc_info and record.exc_info[1] for record in records]
    assert trace == ["behind"] * 2
    assert loop.get_exception_handler() is handler


@requirement("errors.handler-schedules", SHOULD, cite="asyncio-eventloop: loop.set_exception_handler")
def test_a_handler_may_schedule(loop: Loop, patience: Patience) -> None:
    """A custom handler may schedule callbacks, timers and tasks on the loop that calls it.

    If this fails: look for a queue that is locked, or borrowed, while the handler of a failed callback runs.
    """
    trace: list[str] = []

    async def task() -> None:
        trace.append("task")

    def handler(_loop: Loop, _context: dict[str, Any]) -> None:
        loop.call_soon(trace.append, "callback")
        loop.call_later(0, trace.append, "timer")
        tasks.append(loop.create_task(task()))

    tasks: list[asyncio.Task[None]] = []
    loop.set_exception_handler(handler)
    loop.call_soon(raising(LookupError()))
    patience.run_until(loop, lambda: len(trace) == 3, "what the handler has scheduled")
    assert sorted(trace) == ["callback", "task", "timer"]


@requirement("errors.handler-exits", SHOULD, cite="gh-66894")
@each("kind", [SystemExit, KeyboardInterrupt])
def test_a_handler_can_end_the_program(loop: Loop, kind: type[BaseException]) -> None:
    """SystemExit and KeyboardInterrupt raised by a custom handler come out of the loop.

    If this fails: look for a bare except round the call of the handler.
    """
    loop.set_exception_handler(raising(kind()))
    loop.call_soon(raising(LookupError()))
    with pytest.raises(kind):
        turn(loop, 2)
    assert not loop.is_running()
    loop.set_exception_handler(None)


@requirement("errors.callback", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
@each("place", PLACES)
def test_an_exception_of_a_callback_is_reported(loop: Loop, place: str) -> None:
    """If a callback raises, the handler is called once, with a message and the exception itself.

    If this fails: look for an exception printed at the border of the foreign language, or made anew, or for a run that
    is about to stop and leaves it.
    """
    error = FalseError("of the callback")
    seen: list[dict[str, Any]] = []

    def work() -> None:
        loop.set_exception_handler(lambda _loop, context: seen.append(context))
        loop.call_soon(raising(error))

    at(place, loop, work)
    turn(loop, 2)
    assert len(seen) == 1
    loop.call_soon(loop.stop)
    loop.call_soon(raising(error))
    loop.run_forever()
    assert [context["exception"] for context in seen] == [error, error]
    assert all(isinstance(context["message"], str) for context in seen)


@requirement("errors.handle", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@each("debug", [False, True])
def test_the_context_of_a_callback_has_its_handle(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, debug: bool
) -> None:
    """The context of a callback that raised has the key handle: the Handle that call_soon() and the others returned.

    If this fails: look for callbacks kept without their handles.
    """
    loop.set_debug(debug)
    fail = raising(LookupError())
    for handle in (loop.call_soon(fail), loop.call_soon_threadsafe(fail), loop.call_at(loop.time(), fail)):
        patience.run_until(loop, lambda handle=handle: any(c["handle"] is handle for c in seen), "its report")  # type: ignore[misc]


@requirement("errors.base-exception", SHOULD, cite="gh-66894")
@each(
    "error",
    [
        _Fatal(),
        asyncio.CancelledError(),
        GeneratorExit(),
        StopIteration(),
        StopAsyncIteration(),
        BrokenPipeError(),
        ExceptionGroup("group", [LookupError()]),
        BaseExceptionGroup("group", [KeyboardInterrupt(), SystemExit()]),
    ],
    ids=_type_name,
)
def test_any_other_base_exception_is_reported(loop: Loop, seen: list[dict[str, Any]], error: BaseException) -> None:
    """A BaseException that is neither SystemExit nor KeyboardInterrupt is reported, and the loop goes on.

    If this fails: look for a check for Exception where the two are meant, types that mean something elsewhere, or an
    exception group that is taken apart.
    """
    trace: list[str] = []
    loop.call_soon(raising(error))
    loop.call_soon(trace.append, "behind")
    turn(loop, 2)
    assert trace == ["behind"]
    assert [context["exception"] for context in seen] == [error]
    seen.clear()


@requirement("errors.by-name", MUST, cite="asyncio-eventloop: Error Handling API")
def test_handler_and_context_may_be_given_by_name(loop: Loop, seen: list[dict[str, Any]]) -> None:
    """The methods for errors take their documented parameters handler and context by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    loop.call_exception_handler(context={"message": "for the handler"})
    assert [context["message"] for context in seen] == ["for the handler"]
    loop.set_exception_handler(handler=None)
    with logged() as records:
        loop.default_exception_handler(context={"message": "for the log"})
    assert len(records) == 1
