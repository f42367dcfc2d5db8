"""Chapter cancellation: Task.cancel(), and what becomes of the task and of those who wait for it.

Waiting for the loop's own operations is in test_cancellation_waits.py, counting requests, shields and groups are in
test_cancellation_groups.py.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.kit.patience import turn
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


async def _wait(future: asyncio.Future[Any]) -> Any:
    return await future


def _waiting(loop: Loop) -> tuple[asyncio.Task[Any], asyncio.Future[Any]]:
    """A task that waits for a future, and the future."""
    future = loop.create_future()
    task = loop.create_task(_wait(future))
    turn(loop, 2)
    return task, future


@requirement("cancellation.thrown", MUST, cite="asyncio-task: Task.cancel")
def test_cancel_throws_cancelled_error_into_the_coroutine(loop: Loop) -> None:
    """Calling cancel() causes the task to throw a CancelledError into the wrapped coroutine, where it waits.

    If this fails: look for a task that is marked cancelled while its coroutine stays suspended.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert trace == ["cancelled"]


@requirement("cancellation.next-cycle", MUST, cite="asyncio-task: Task.cancel")
def test_cancel_only_requests(loop: Loop) -> None:
    """cancel() arranges for the exception to be thrown on the next cycle of the loop: not before it returns.

    If this fails: look for a coroutine that is resumed inside cancel().
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            trace.append("child")

    async def main() -> None:
        task = loop.create_task(child())
        await asyncio.sleep(0)
        task.cancel()
        trace.append("requested")
        assert not task.done()
        await asyncio.wait([task])

    loop.run_until_complete(main())
    assert trace == ["requested", "child"]


@requirement("cancellation.accepted", SHOULD, cite="asyncio-future: Future.cancel")
def test_cancel_returns_true_if_the_task_is_not_done(loop: Loop) -> None:
    """cancel() returns True if the task is not done, whether it was started or not.

    If this fails: look for None returned, which code takes for a refusal.
    """
    task, _future = _waiting(loop)
    new = loop.create_task(asyncio.sleep(0))
    assert task.cancel() is True
    assert new.cancel() is True
    turn(loop, 3)


@requirement("cancellation.refused", MUST, cite="asyncio-future: Future.cancel")
@pytest.mark.parametrize("ending", ["result", "exception", "cancelled"])
def test_cancel_of_a_done_task(loop: Loop, ending: str) -> None:
    """If the task is already done, cancel() returns False and changes nothing.

    If this fails: look for the state of the task, which is that of the future that it is.
    """
    task, future = _waiting(loop)
    if ending == "result":
        future.set_result("value")
    elif ending == "exception":
        future.set_exception(LookupError())
    else:
        task.cancel()
    turn(loop, 3)
    assert task.done()
    assert task.cancel() is False
    assert task.cancelled() is (ending == "cancelled")
    assert ending == "cancelled" or task.exception() is future.exception()


@requirement("cancellation.not-an-exception", MUST, cite="asyncio-exceptions: CancelledError")
def test_except_exception_does_not_catch_a_cancellation(loop: Loop) -> None:
    """The CancelledError thrown in is asyncio's, which is no subclass of Exception: "except Exception" lets it pass.

    If this fails: look for the exception of the same name in concurrent.futures, or one of the loop's own.
    """
    caught: list[BaseException] = []

    async def child() -> None:
        try:
            await loop.create_future()
        except Exception as error:
            caught.append(error)

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert caught == []
    assert task.cancelled()


@requirement("cancellation.cancelled", MUST, cite="asyncio-task: Task.cancelled")
def test_cancelled_is_true_once_the_coroutine_has_ended(loop: Loop) -> None:
    """The task is cancelled when cancellation was requested and the coroutine propagated the CancelledError.

    If this fails: look for cancelled() being true from the request on, or never.
    """
    task, _future = _waiting(loop)
    assert task.cancelled() is False
    task.cancel()
    assert task.cancelled() is False
    turn(loop, 3)
    assert task.cancelled() is True
    assert task.done() is True


@requirement("cancellation.result", MUST, cite="asyncio-task: Task.result")
@pytest.mark.parametrize("method", ["result", "exception"])
def test_a_cancelled_task_has_no_result(loop: Loop, method: str) -> None:
    """If the task has been cancelled, result() and exception() raise CancelledError.

    If this fails: look for the exception of the coroutine, kept as any other.
    """
    task, _future = _waiting(loop)
    task.cancel()
    turn(loop, 3)
    with pytest.raises(asyncio.CancelledError):
        getattr(task, method)()


@requirement("cancellation.swallowed", MUST, cite="asyncio-task: Task.cancel")
def test_a_coroutine_can_deny_the_request(loop: Loop) -> None:
    """A coroutine may suppress the CancelledError: its task then goes on, ends with its result, and is not cancelled.

    If this fails: look for a task that ends as cancelled because cancel() was called.
    """

    async def child() -> str:
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "value"

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 4)
    assert task.done()
    assert task.cancelled() is False
    assert task.result() == "value"


@requirement("cancellation.cleanup", MUST, cite="asyncio-task: Task.cancel")
def test_a_coroutine_can_clean_up(loop: Loop) -> None:
    """A cancelled coroutine has a chance to clean up, awaiting what it needs: the task is done when it has ended.

    If this fails: look for a task that is done, and whose awaiters go on, as soon as the exception is thrown in.
    """
    trace: list[str] = []

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            trace.append("cleaned up")

    async def main() -> None:
        task = loop.create_task(child())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            trace.append("awaited")

    loop.run_until_complete(main())
    assert trace == ["cleaned up", "awaited"]


@requirement("cancellation.error-in-cleanup", MUST, cite="asyncio-task: Task.cancelled")
def test_an_exception_while_cleaning_up_is_the_tasks(loop: Loop) -> None:
    """If the coroutine raises another exception in place of the CancelledError, the task has that and is not cancelled.

    If this fails: look for any end of a task with a cancellation request taken for a cancellation.
    """

    async def child() -> None:
        try:
            await loop.create_future()
        finally:
            raise LookupError("while cleaning up")

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel()
    turn(loop, 3)
    assert task.cancelled() is False
    assert isinstance(task.exception(), LookupError)


@requirement("cancellation.before-start", MUST, cite="asyncio-task: Task.cancel")
def test_a_task_cancelled_before_it_starts_does_not_run(loop: Loop) -> None:
    """A task that is cancelled before its first step ends as cancelled, and none of its coroutine runs.

    If this fails: look for a first step that sends before it looks for a request.
    """
    trace: list[str] = []

    async def child() -> None:
        trace.append("child")

    task = loop.create_task(child())
    task.cancel()
    turn(loop, 3)
    assert task.cancelled()
    assert trace == []


@requirement("cancellation.awaited-future", MUST, cite="asyncio-task: Task")
def test_the_future_that_is_awaited_is_cancelled(loop: Loop) -> None:
    """If a coroutine is awaiting on a future during cancellation, the future is cancelled, too.

    If this fails: look for a future that still waits for a result that nobody wants.
    """
    task, future = _waiting(loop)
    task.cancel()
    turn(loop, 3)
    assert future.cancelled()
    assert task.cancelled()


@requirement("cancellation.awaited-task", MUST, cite="asyncio-task: Task")
def test_the_task_that_is_awaited_is_cancelled(loop: Loop) -> None:
    """If a coroutine is awaiting on a task during cancellation, that task is cancelled, and ends first.

    If this fails: look for a cancellation that reaches the outermost coroutine only.
    """
    trace: list[str] = []

    async def child(name: str, inner: Any) -> None:
        try:
            await inner
        finally:
            trace.append(name)

    inner = loop.create_task(child("inner", loop.create_future()))
    outer = loop.create_task(child("outer", inner))
    turn(loop, 2)
    outer.cancel()
    turn(loop, 5)
    assert trace == ["inner", "outer"]
    assert inner.cancelled()
    assert outer.cancelled()


@requirement("cancellation.awaiter", MUST, cite="asyncio-task: Task.cancel")
def test_whoever_awaits_a_cancelled_task_gets_cancelled_error(loop: Loop) -> None:
    """Awaiting a task that is cancelled raises CancelledError in the awaiting task, which need not end by it.

    If this fails: look for an awaiter that is not woken, or is cancelled itself.
    """

    async def main() -> str:
        task = asyncio.create_task(_wait(loop.create_future()))
        loop.call_soon(lambda: loop.call_soon(task.cancel))
        try:
            await task
        except asyncio.CancelledError:
            return "went on"
        return "got a result"

    task = loop.create_task(main())
    assert loop.run_until_complete(task) == "went on"
    assert task.cancelling() == 0


@requirement("cancellation.message", MUST, cite="asyncio-task: Task.cancel")
@pytest.mark.parametrize("message", [("any", "object"), None], ids=["given", "none"])
def test_the_message_reaches_the_coroutine(loop: Loop, message: object) -> None:
    """The msg argument of cancel() is passed to the CancelledError that is thrown in; without one it has none.

    If this fails: look for a message that is dropped with the future that is cancelled, or None passed as one.
    """
    seen: list[tuple[Any, ...]] = []

    async def child() -> None:
        try:
            await loop.create_future()
        except asyncio.CancelledError as error:
            seen.append(error.args)

    task = loop.create_task(child())
    turn(loop, 2)
    task.cancel() if message is None else task.cancel(msg=message)
    turn(loop, 3)
    assert seen == [() if message is None else (message,)]


@requirement("cancellation.message-to-awaiter", MUST, cite="asyncio-task: Task.cancel")
def test_the_message_reaches_the_awaiter(loop: Loop) -> None:
    """The msg parameter is propagated from the cancelled task to its awaiter.

    If this fails: look for a new CancelledError made for the awaiter.
    """

    async def main() -> tuple[Any, ...]:
        task = asyncio.create_task(_wait(loop.create_future()))
        await asyncio.sleep(0)
        task.cancel("message")
        try:
            await task
        except asyncio.CancelledError as error:
            return error.args
        return ()

    assert loop.run_until_complete(main()) == ("message",)


@requirement("cancellation.result-ready", SHOULD, cite="asyncio-task: Task.cancel")
def test_a_request_wins_over_a_result_that_is_ready(loop: Loop) -> None:
    """A task cancelled when its future is done but it has not gone on yet gets the CancelledError, not the result.

    If this fails: look for a request that is lost when there is no future left to cancel.
    """
    task, future = _waiting(loop)
    future.set_result("value")
    task.cancel()
    turn(loop, 3)
    assert task.cancelled()


@requirement("cancellation.not-reported", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_a_cancelled_task_is_not_reported(loop: Loop, watch: Any) -> None:
    """A cancelled task that nobody awaits is collected in silence: its CancelledError is no lost exception.

    If this fails: look for a cancellation that is kept as an exception that nobody retrieved.
    """
    import gc

    task, future = _waiting(loop)
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
    task, _future = _waiting(loop)
    task.add_done_callback(lambda task: seen.append(task.cancelled()))
    task.cancel()
    assert seen == []
    turn(loop, 4)
    assert seen == [True]


@requirement("cancellation.run-until-complete", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_run_until_complete_raises_cancelled_error(loop: Loop) -> None:
    """run_until_complete() raises CancelledError if the task, or the future, that it runs is cancelled.

    If this fails: look for None returned, or a loop that goes on running.
    """
    task = loop.create_task(_wait(loop.create_future()))
    loop.call_soon(lambda: loop.call_soon(task.cancel))
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert not loop.is_running()
