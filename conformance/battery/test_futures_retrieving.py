"""Chapter futures: exceptions that nobody asked for are reported, those that were retrieved are not."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ERRORS
from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
Future = asyncio.Future[Any]


@requirement("futures.exception-never-retrieved", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("callbacks", [0, 2])
@each("kind", ODD_ERRORS)
def test_an_exception_that_nobody_asked_for_is_reported(
    loop: Loop, watch: Any, patience: Patience, callbacks: int, kind: str
) -> None:
    """If an exception was set but the future is never awaited, the exception handler is called when it is collected.

    If this fails: look for an own future class without a finalizer, for done callbacks that count as retrieval, or for
    an exception that is taken for none: its truth value may be false, and its class none of Exception.
    """
    watch.allow("reported")
    error = ODD_ERRORS[kind]
    future = loop.create_future()
    for _ in range(callbacks):
        future.add_done_callback(lambda _: None)
    future.set_exception(error)
    turn(loop, 2)
    del future
    gc.collect()
    patience.in_turns.run_until(loop, lambda: watch.reported, "the report")  # a finalizer may leave it to the loop
    assert [context.get("exception") for context in watch.reported] == [error]
    watch.reported.clear()


@requirement("futures.exception-retrieved", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("how", ["result", "exception", "await"])
def test_an_exception_that_was_retrieved_is_not_reported(loop: Loop, watch: Any, how: str) -> None:
    """An exception that was retrieved by result(), exception() or an await is not reported.

    If this fails: look for a mark that only one of the three clears.
    """
    future = loop.create_future()
    future.set_exception(LookupError("retrieved"))

    if how == "exception":
        future.exception()
    else:
        with pytest.raises(LookupError):
            future.result() if how == "result" else loop.run_until_complete(wait_for_it(future))
    del future
    gc.collect()
    assert watch.reported == []


@requirement(
    "futures.exception-cancelled-late", SHOULD, cite=("whatsnew 3.7: asyncio", "asyncio-future: Future.cancel")
)
@each("kind", ["future", "task"])
def test_an_exception_that_somebody_gave_up_is_not_reported(loop: Loop, watch: Any, kind: str) -> None:
    """An exception of a future, or a task, is not reported if cancel() was called when it was there already.

    If this fails: look for a cancel() that looks at the state first, and then does nothing: who asks for it is not
    interested in the outcome, and cannot know that there is one.
    """
    if kind == "future":
        future = loop.create_future()
        future.set_exception(LookupError("of nobody's interest"))
    else:
        future = loop.create_task(_fail())
        turn(loop, 3)
    assert future.cancel() is False
    del future
    gc.collect()
    turn(loop, 2)
    assert watch.reported == []


async def _fail() -> None:
    raise LookupError("of nobody's interest")


async def wait_for_it(future: Future) -> None:
    """What a coroutine does that has nothing to do but to wait."""
    await future
