"""Chapter futures: what loop.create_future() returns, and how such a future comes to its result.

asyncio's own functions on futures and done callbacks have files of their own. A loop may bring its own class: only the
documented methods are used.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, value_of
from conformance.kit.oddities import ODD_ERRORS, FalseError, Untouchable
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Future = asyncio.Future[Any]

_ENDINGS: dict[str, Callable[[Future], object]] = {
    "result": lambda future: future.set_result("first"),
    "exception": lambda future: future.set_exception(LookupError("first")),
    "cancelled": lambda future: future.cancel(),
    "no value": lambda future: future.set_result(None),
}


_ERRORS = ODD_ERRORS | {"interrupt": KeyboardInterrupt("set"), "cancellation": asyncio.CancelledError("set")}
_ERRORS["of futures"] = asyncio.InvalidStateError("set")


def _raised(error: BaseException) -> BaseException:
    """The exception, with the traceback of one that was raised here and caught."""
    try:
        raise error
    except BaseException:
        return error


@requirement("futures.create", MUST, cite="asyncio-eventloop: loop.create_future")
def test_create_future_returns_a_future(loop: Loop) -> None:
    """create_future() creates a future: asyncio.isfuture() is true of it.

    If this fails: look for an own class that lacks _asyncio_future_blocking, the mark of future-like objects.
    """
    assert asyncio.isfuture(loop.create_future())


@requirement("futures.type", MAY, cite="asyncio-eventloop: loop.create_future")
def test_what_create_future_returns(loop: Loop, answer: Callable[[object], None]) -> None:
    """create_future() may return an alternative implementation of the Future object.

    If this fails: nothing is forbidden here; the answer tells whether isinstance(…, asyncio.Future) holds.
    """
    future = loop.create_future()
    answer("asyncio.Future itself" if type(future) is asyncio.Future else f"{type(future).__name__}, its own class")
    answer(f"isinstance of asyncio.Future: {isinstance(future, asyncio.Future)}")


@requirement("futures.attached", MUST, cite="asyncio-future: Future.get_loop")
def test_a_future_knows_its_loop(loop: Loop, make_loop: Callable[[], Loop]) -> None:
    """A created future is attached to the loop that created it: get_loop() returns that loop.

    If this fails: look for an inner loop object, or a wrapper, given to the future instead of the loop itself, or
    for the loop that happens to run.
    """
    future = loop.create_future()
    assert future.get_loop() is loop

    async def ask() -> list[Loop]:
        return [future.get_loop(), loop.create_future().get_loop()]

    assert make_loop().run_until_complete(ask()) == [loop, loop]
    future.set_result(None)
    loop.close()
    assert future.get_loop() is loop


@requirement("futures.new", MUST, cite="asyncio-eventloop: loop.create_future")
def test_each_future_is_a_new_one(loop: Loop) -> None:
    """Each call of create_future() makes a new future, also while and after another one was used.

    If this fails: look for a pool that hands out a future that somebody still holds.
    """
    first, second = loop.create_future(), loop.create_future()
    assert first is not second
    first.set_result(1)
    assert loop.create_future() is not first
    assert not second.done()


@requirement("futures.pending", MUST, cite="asyncio-future: Future.done")
def test_a_new_future_is_not_done(loop: Loop) -> None:
    """A future without result, exception or cancellation is not done.

    If this fails: look for a state that is left uninitialised.
    """
    assert loop.create_future().done() is False


@requirement("futures.done", MUST, cite="asyncio-future: Future.done")
@each("ending", _ENDINGS)
def test_a_future_with_an_outcome_is_done(loop: Loop, ending: str) -> None:
    """A future is done if it was cancelled or if it has a result or an exception.

    If this fails: look for a done() that waits until the callbacks have run, or that compares with one state only.
    """
    future = loop.create_future()
    _ENDINGS[ending](future)
    assert future.done() is True
    future.cancelled() or future.exception()


@requirement("futures.result", MUST, cite="asyncio-future: Future.result")
@each("value", [None, 0, False, (), "text", LookupError("a value"), [1], Untouchable()])
def test_result_returns_what_was_set(loop: Loop, value: object) -> None:
    """If the future has a result set by set_result(), result() returns that value, every time.

    If this fails: look for a false value taken for "no result yet", an exception instance that is raised, a value that
    is compared with something, or another future that is waited for, or gives its result if it has one.
    """
    for result in (value, loop.create_future(), done_future(loop)):
        future = loop.create_future()
        future.set_result(result)
        assert future.result() is result
        assert future.result() is result


@requirement("futures.result-raises", MUST, cite="asyncio-future: Future.result")
@each("kind", _ERRORS)
def test_result_raises_the_exception_that_was_set(loop: Loop, kind: str) -> None:
    """If the future has an exception set by set_exception(), result() raises this exception, every time.

    If this fails: look for a copy of the exception, for one that is dropped when it was raised once, or that comes
    without the traceback that it had, or for a test whether there is an exception that asks for its truth value.
    """
    future = loop.create_future()
    error = _raised(_ERRORS[kind])
    cause = error.__cause__ = LookupError("the cause")
    future.set_exception(error)
    with pytest.raises(type(error)) as caught:
        future.result()
    assert caught.value is error
    assert "_raised" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    with pytest.raises(type(error)) as caught:  # now with the traceback of whoever asks
        future.result()
    assert caught.value is error
    assert error.__cause__ is cause or isinstance(error, asyncio.CancelledError)


@requirement("futures.result-cancelled", MUST, cite="asyncio-future: Future.result")
def test_result_of_a_cancelled_future(loop: Loop) -> None:
    """If the future has been cancelled, result() raises CancelledError.

    If this fails: look for a cancelled future that has None as its result.
    """
    future = loop.create_future()
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        future.result()


@requirement("futures.result-pending", MUST, cite="asyncio-future: Future.result")
def test_result_of_a_pending_future(loop: Loop) -> None:
    """If the future's result isn't yet available, result() raises InvalidStateError.

    If this fails: look for a result() that waits, or for None as the result of a pending future.
    """
    future = loop.create_future()
    for _ in range(2):
        with pytest.raises(asyncio.InvalidStateError):
            future.result()
        future.add_done_callback(lambda _: None)


@requirement("futures.no-timeout", MUST, cite="asyncio-future: Future Object")
@each("method", ["result", "exception"])
def test_result_takes_no_timeout(loop: Loop, method: str) -> None:
    """result() and exception() do not accept the timeout argument.

    If this fails: look for a signature taken from concurrent.futures, perhaps by tasks.
    """
    future = loop.create_future()
    future.set_result(1)
    task = loop.create_task(value_of())
    loop.run_until_complete(task)
    for done in (future, task):
        with pytest.raises(TypeError):
            # By position: the C code of Python 3.12 overlooks any keyword that exception() is given, whatever the loop.
            getattr(done, method)(1)


@requirement("futures.exception", MUST, cite="asyncio-future: Future.exception")
@each("kind", _ERRORS)
def test_exception_returns_what_was_set(loop: Loop, kind: str) -> None:
    """exception() returns the exception that was set on the future, whatever its class, and does not raise it.

    If this fails: look for an exception() that shares its code with result(), for one that gives the exception away
    with the first answer, or its traceback, or for classes that set_exception() refuses or takes for a cancellation.
    """
    future = loop.create_future()
    error = _raised(_ERRORS[kind])
    future.set_exception(error)
    for _ in range(2):
        assert future.exception() is error
        assert "_raised" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert future.cancelled() is False


@requirement("futures.exception-none", MUST, cite="asyncio-future: Future.exception")
@each("value", ["fine", None, False, LookupError("a value")])
def test_exception_is_none_if_none_was_set(loop: Loop, value: object) -> None:
    """exception() returns None if the future is done and no exception was set, whatever its result is.

    If this fails: look for an error raised because there is nothing to return, for None as a result that is taken
    for a pending future, or for a result that is an exception.
    """
    future = loop.create_future()
    future.set_result(value)
    assert future.exception() is None


@requirement("futures.exception-cancelled", MUST, cite="asyncio-future: Future.exception")
def test_exception_of_a_cancelled_future(loop: Loop) -> None:
    """If the future has been cancelled, exception() raises CancelledError, and does not return it.

    If this fails: look for a cancellation that is kept as an ordinary exception, perhaps when it was asked for once.
    """
    future = loop.create_future()
    future.cancel()
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            future.exception()
    assert future.cancelled() is True


@requirement("futures.exception-pending", MUST, cite="asyncio-future: Future.exception")
def test_exception_of_a_pending_future(loop: Loop) -> None:
    """If the future isn't done yet, exception() raises InvalidStateError.

    If this fails: look for None returned for "no exception so far".
    """
    with pytest.raises(asyncio.InvalidStateError):
        loop.create_future().exception()


@requirement("futures.set-result-once", MUST, cite="asyncio-future: Future.set_result")
@each("ending", _ENDINGS)
def test_set_result_on_a_done_future(loop: Loop, ending: str) -> None:
    """set_result() raises InvalidStateError if the future is already done, and leaves it as it was.

    If this fails: look for a check for one of the three done states only, one made after the value is stored, one
    that lets the same value pass, or for None as a result that is taken for a pending future.
    """
    future = loop.create_future()
    _ENDINGS[ending](future)
    for value in ("second", "first"):
        with pytest.raises(asyncio.InvalidStateError):
            future.set_result(value)
    _has_ended_by(ending, future)


@requirement("futures.set-exception-once", MUST, cite="asyncio-future: Future.set_exception")
@each("ending", _ENDINGS)
def test_set_exception_on_a_done_future(loop: Loop, ending: str) -> None:
    """set_exception() raises InvalidStateError if the future is already done, and leaves it as it was.

    If this fails: look for a check for one of the three done states only, one made after the exception is stored, or
    one that lets the same exception pass.
    """
    future = loop.create_future()
    _ENDINGS[ending](future)
    same = future.exception() if ending == "exception" else None
    for error in (ValueError("second"), same or ValueError("third")):
        with pytest.raises(asyncio.InvalidStateError):
            future.set_exception(error)
    _has_ended_by(ending, future)


@requirement("futures.set-exception-class", SHOULD, cite="asyncio-future: Future.set_exception")
@each("kind", [LookupError, FalseError, GeneratorExit])
def test_set_exception_with_a_class(loop: Loop, kind: type[BaseException]) -> None:
    """set_exception() makes an instance of an exception class that it is given.

    If this fails: look for a class that is stored as it is, and returned by exception().
    """
    future = loop.create_future()
    future.set_exception(kind)
    error = future.exception()
    assert type(error) is kind
    assert error.args == ()


@requirement("futures.stop-iteration", SHOULD, cite=("gh-112182", "PEP 479"))
@each("given", [StopIteration("set"), StopIteration], ids=["instance", "class"])
def test_stop_iteration_does_not_become_the_exception(loop: Loop, given: StopIteration | type[StopIteration]) -> None:
    """A StopIteration is refused with TypeError by set_exception(), or raised to the waiter as RuntimeError from it.

    If this fails: look for a StopIteration that passes through an await, where it looks like a coroutine's return.
    """
    future = loop.create_future()
    try:
        future.set_exception(given)
    except TypeError:
        assert not future.done()
        return

    async def wait() -> object:
        return await future

    with pytest.raises(RuntimeError) as caught:
        loop.run_until_complete(wait())
    assert isinstance(caught.value.__cause__, StopIteration)


def _has_ended_by(ending: str, future: Future) -> None:
    if ending == "result":
        assert future.result() == "first"
    elif ending == "exception":
        assert isinstance(future.exception(), LookupError)
    elif ending == "no value":
        assert future.result() is None
    else:
        assert future.cancelled() is True
