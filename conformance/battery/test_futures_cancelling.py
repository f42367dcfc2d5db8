"""Chapter futures: cancelling a future that is pending, and one that is done."""

from __future__ import annotations

import asyncio

import pytest

from conformance.battery.test_futures_callbacks import ENDINGS
from conformance.battery.test_futures_retrieving import wait_for_it
from conformance.kit.cases import each
from conformance.kit.oddities import FalseError
from conformance.kit.places import PLACES, at
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("futures.cancel", MUST, cite="asyncio-future: Future.cancel")
def test_cancel_of_a_pending_future(loop: Loop) -> None:
    """cancel() changes the state of a pending future to cancelled, and returns True.

    If this fails: look for a cancellation that is only noted, and carried out in a later iteration.
    """
    future = loop.create_future()
    assert future.cancel() is True
    assert future.cancelled() is True


@requirement("futures.cancel-done", MUST, cite="asyncio-future: Future.cancel")
@each("ending", [*ENDINGS, "no value", "false exception"])
def test_cancel_of_a_done_future(loop: Loop, ending: str) -> None:
    """If the future is already done or cancelled, cancel() returns False, and leaves it as it was.

    If this fails: look for True returned because the future is cancelled, whoever did it, for a message that is
    stored before the state is looked at, or for a future that is pending as long as what it holds is None or false.
    """
    future = loop.create_future()
    if ending == "no value":
        future.set_result(None)
    elif ending == "false exception":
        future.set_exception(FalseError())
    else:
        ENDINGS[ending](future)
    assert future.cancel() is False
    assert future.cancel("too late") is False
    assert future.cancelled() is ending.startswith("cancelled")
    if ending.startswith("cancelled"):
        with pytest.raises(asyncio.CancelledError) as caught:
            future.result()
        assert caught.value.args == (() if ending == "cancelled" else ("a message",))
    else:
        future.exception()


@requirement("futures.cancelled", MUST, cite="asyncio-future: Future.cancelled")
def test_cancelled_is_false_of_any_other_future(loop: Loop) -> None:
    """cancelled() is False of a future that is pending, or done with a result or an exception.

    If this fails: look for a cancelled() that means done().
    """
    future, finished, failed = (loop.create_future() for _ in range(3))
    finished.set_result(1)
    failed.set_exception(LookupError())
    assert [future.cancelled(), finished.cancelled(), failed.cancelled()] == [False, False, False]
    failed.exception()


@requirement("futures.cancel-message", MUST, cite="asyncio-future: Future.cancel")
@each("by_name", [False, True])
@each("message", [("any", "object"), "", 0])
@each("place", PLACES)
def test_cancel_takes_a_message(loop: Loop, by_name: bool, message: object, place: str) -> None:
    """cancel() takes an argument msg, which is passed to the CancelledError that result() and exception() raise.

    If this fails: look for a signature without msg, for a message that is dropped when it is false, or for one that
    is given away with the first exception. An await asks for the result, too.
    """
    future = loop.create_future()
    assert at(place, loop, lambda: future.cancel(msg=message) if by_name else future.cancel(message))
    with pytest.raises(asyncio.CancelledError) as caught:
        loop.run_until_complete(wait_for_it(future))
    assert caught.value.args == (message,)
    for ask in (future.result, future.exception, future.result):
        with pytest.raises(asyncio.CancelledError) as caught:
            ask()
        assert caught.value.args == (message,)
