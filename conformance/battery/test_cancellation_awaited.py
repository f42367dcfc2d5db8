"""Chapter cancellation: what becomes of those who wait, and of what is awaited."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.battery.test_cancellation import wait_for_it, waiting_task
from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.kit.places import PLACES, at
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _EmptyFuture(asyncio.Future[Any]):
    """A future whose truth value is false, as that of one that counts what it holds may be."""

    def __len__(self) -> int:
        return 0


@requirement("cancellation.awaited-future", MUST, cite="asyncio-task: Task")
@each("empty", [False, True])
def test_the_future_that_is_awaited_is_cancelled(loop: Loop, empty: bool) -> None:
    """If a coroutine is awaiting on a future during cancellation, the future is cancelled, too.

    If this fails: look for a future that still waits for a result that nobody wants, that is taken for none since its
    truth value is false, or that is spared as another task awaits it, too: that one gets the CancelledError without
    being asked to end.
    """
    task, future = waiting_task(loop, _EmptyFuture(loop=loop) if empty else None)
    another = loop.create_task(wait_for_it(future))
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert future.cancelled()
    assert [task.cancelled(), another.cancelled()] == [True, True]
    assert [task.cancelling(), another.cancelling()] == [1, 0]


@requirement("cancellation.awaited-task", MUST, cite="asyncio-task: Task")
def test_the_task_that_is_awaited_is_cancelled(loop: Loop) -> None:
    """If a coroutine is awaiting on a task during cancellation, that task is, with the message, and ends first.

    If this fails: look for a cancellation that reaches the outermost coroutine only, or loses its message on the way.
    """
    trace: list[object] = []

    async def child(name: str, inner: Any) -> None:
        try:
            await inner
        except asyncio.CancelledError as error:
            trace.append((name, *error.args))
            raise

    inner = loop.create_task(child("inner", loop.create_future()))
    outer = loop.create_task(child("outer", inner))
    turn(loop, 2)
    outer.cancel("message")
    turn(loop, 5)
    assert trace == [("inner", "message"), ("outer", "message")]
    assert inner.cancelled()
    assert outer.cancelled()


@requirement("cancellation.awaiter", MUST, cite="asyncio-task: Task.cancel")
def test_whoever_awaits_a_cancelled_task_gets_cancelled_error(loop: Loop) -> None:
    """Awaiting a task that is cancelled raises CancelledError in the awaiting task, which need not end by it.

    If this fails: look for an awaiter that is not woken, or is cancelled itself, or for a cancelled task that gives
    None to whoever awaits it later.
    """

    async def main() -> str:
        task = asyncio.create_task(wait_for_it(loop.create_future()))
        loop.call_soon(lambda: loop.call_soon(task.cancel))
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await task
        return "went on"

    task = loop.create_task(main())
    assert loop.run_until_complete(task) == "went on"
    assert task.cancelling() == 0


@requirement("cancellation.message", MUST, cite="asyncio-task: Task.cancel")
@each("message", [("any", "object"), "", None])
@each("waits", [True, False])
@each("place", PLACES)
def test_the_message_reaches_the_coroutine(loop: Loop, message: object, waits: bool, place: str) -> None:
    """The msg argument of cancel() is passed to the CancelledError that is thrown in; without one it has none.

    If this fails: look for a message that is dropped with the future that is cancelled, None passed as one, or a
    message that stays with the task when the next request has another, or none.
    """
    seen: list[tuple[Any, ...]] = []
    messages = [message, "another", message]

    async def child() -> None:
        for future in futures:
            try:
                await future
            except asyncio.CancelledError as error:
                seen.append(error.args)

    futures = [loop.create_future() for _ in messages]
    task = loop.create_task(child())
    turn(loop, 2)
    for future, given in zip(futures, messages, strict=True):

        def work(future: asyncio.Future[str] = future, given: object = given) -> None:
            if not waits:
                future.set_result("ready")
            task.cancel() if given is None else task.cancel(msg=given)

        at(place, loop, work)
        turn(loop, 3)
    assert seen == [() if given is None else (given,) for given in messages]


@requirement("cancellation.message-to-awaiter", MUST, cite="asyncio-task: Task.cancel")
def test_the_message_reaches_the_awaiter(loop: Loop) -> None:
    """The msg parameter is propagated from the cancelled task to its awaiter.

    If this fails: look for a new CancelledError made for the awaiter.
    """

    async def main() -> tuple[Any, ...]:
        task = asyncio.create_task(wait_for_it(loop.create_future()))
        await asyncio.sleep(0)
        task.cancel("message")
        try:
            await task
        except asyncio.CancelledError as error:
            return error.args
        return ()

    assert loop.run_until_complete(main()) == ("message",)


@requirement("cancellation.result-ready", SHOULD, cite="asyncio-task: Task.cancel")
@each("outcome", ["result", "exception"])
@each("of_a_task", [False, True])
def test_a_request_wins_over_a_result_that_is_ready(loop: Loop, outcome: str, of_a_task: bool) -> None:
    """A task cancelled when its future is done but it has not gone on yet gets the CancelledError, not the outcome.

    If this fails: look for a request that is lost when there is no future left to cancel, or behind an exception, or
    when what the task waited for is another task.
    """
    ready = loop.create_future()
    awaited = loop.create_task(wait_for_it(ready)) if of_a_task else ready
    if of_a_task:  # callbacks are called in the order in which they were added: this one before the wake-up
        awaited.add_done_callback(lambda _: task.cancel())
    task, _ = waiting_task(loop, awaited)
    ready.set_result("value") if outcome == "result" else ready.set_exception(LookupError())
    if not of_a_task:
        task.cancel()
    turn(loop, 5)
    assert task.cancelled()
    awaited.exception()


@requirement("cancellation.not-reported", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_a_cancelled_task_is_not_reported(loop: Loop, watch: Any) -> None:
    """A cancelled task that nobody awaits is collected in silence: its CancelledError is no lost exception.

    If this fails: look for a cancellation that is kept as an exception that nobody retrieved.
    """
    import gc

    task, future = waiting_task(loop)
    task.cancel()
    turn(loop, 3)
    assert task.cancelled()
    del task, future
    gc.collect()
    assert watch.reported == []


@requirement("cancellation.done-callbacks", MUST, cite="asyncio-future: Future.cancel")
def test_done_callbacks_of_a_cancelled_task_run(loop: Loop) -> None:
    """The done callbacks of a cancelled task are scheduled when it has ended: they see that it is cancelled.

    If this fails: look for callbacks that run at the request, or never.
    """
    seen: list[bool] = []
    task, _future = waiting_task(loop)
    task.add_done_callback(lambda task: seen.append(task.cancelled()))
    task.cancel()
    assert seen == []
    turn(loop, 4)
    assert seen == [True]


@requirement("cancellation.run-until-complete", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_raises_cancelled_error(loop: Loop) -> None:
    """run_until_complete() raises CancelledError, with its message, if the task, or the future, is cancelled.

    If this fails: look for None returned, a loop that goes on running, or an exception made anew.
    """
    task = loop.create_task(wait_for_it(loop.create_future()))
    loop.call_soon(lambda: loop.call_soon(task.cancel, "message"))
    with pytest.raises(asyncio.CancelledError) as caught:
        loop.run_until_complete(task)
    assert caught.value.args == ("message",)
    assert not loop.is_running()
    future = loop.create_future()
    loop.call_soon(future.cancel, "another")
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError) as caught:
            loop.run_until_complete(future)
        assert caught.value.args == ("another",)
