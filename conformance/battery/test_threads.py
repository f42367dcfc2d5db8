"""Chapter threads: call_soon_threadsafe(), run_coroutine_threadsafe() and what other threads may do to a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ARGUMENTS, odd_callables
from conformance.kit.patience import Patience, turn
from conformance.kit.places import at
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("threads.runs", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_a_callback_scheduled_from_a_thread_runs_in_the_loops_thread(loop: Loop, patience: Patience) -> None:
    """call_soon_threadsafe() schedules a callback from another thread; it runs in the thread of the loop.

    If this fails: look for a callback that is run by the caller.
    """
    seen: list[int] = []

    def work() -> None:
        loop.call_soon_threadsafe(lambda: seen.append(threading.get_ident()))

    helper = in_thread(work)
    patience.run_until(loop, lambda: seen, "the callback")
    helper.result()
    assert seen == [threading.get_ident()]


@requirement("threads.order", SHOULD, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_calls_of_one_thread_keep_their_order(loop: Loop, patience: Patience) -> None:
    """Callbacks that one thread schedules run in the order of its calls, each exactly once.

    If this fails: look for a lock-free queue that reorders or drops under contention.
    """
    traces: list[list[int]] = [[], [], []]

    def work(number: int) -> None:
        for value in range(500):
            loop.call_soon_threadsafe(traces[number].append, value)

    helpers = [in_thread(lambda number=number: work(number)) for number in range(3)]  # type: ignore[misc]
    patience.run_until(loop, lambda: sum(map(len, traces)) >= 1500, "the last callback")
    for helper in helpers:
        helper.result()
    assert traces == [list(range(500))] * 3


@requirement("threads.returns-handle", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_call_soon_threadsafe_returns_a_handle_that_cancels(loop: Loop) -> None:
    """call_soon_threadsafe() returns an asyncio.Handle, like call_soon(), which can cancel the callback.

    If this fails: look for None returned from a queue of its own, or for callbacks that are taken from it when the
    handles of other threads are no longer looked at.
    """
    trace: list[int] = []
    handles: list[asyncio.Handle] = []

    def cancel() -> None:
        handles.append(in_thread(lambda: loop.call_soon_threadsafe(trace.append, 2)).result())
        handles[-1].cancel()

    handles.append(loop.call_soon_threadsafe(trace.append, 1))
    handles[0].cancel()
    loop.call_soon(cancel)
    turn(loop, 3)
    assert trace == []
    assert [isinstance(handle, asyncio.Handle) for handle in handles] == [True, True]
    assert [handle.cancelled() for handle in handles] == [True, True]


@requirement("threads.arguments", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("caller", ["the loop's thread", "another thread"])
def test_call_soon_threadsafe_passes_its_arguments(loop: Loop, patience: Patience, caller: str) -> None:
    """call_soon_threadsafe() passes the positional arguments to the callback, which is any callable.

    If this fails: look for a slow path with another signature, for a tuple taken for all arguments, or for a callback
    that is taken for none because its truth value is false.
    """
    seen: list[object] = []

    def work() -> None:
        for arguments in ODD_ARGUMENTS:
            loop.call_soon_threadsafe(lambda *args: seen.append(args), *arguments)
        for name, callback in odd_callables(seen).items():
            loop.call_soon_threadsafe(callback, name)

    expected = [*ODD_ARGUMENTS, *odd_callables(seen)]
    loop.call_soon(work if caller == "the loop's thread" else lambda: in_thread(work).result())
    patience.run_until(loop, lambda: len(seen) >= len(expected), "the last callback")
    assert seen == expected


@requirement("threads.same-thread", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("place", ["in a callback", "outside of a run", "in debug mode"])
def test_call_soon_threadsafe_works_in_the_loops_own_thread(loop: Loop, place: str) -> None:
    """call_soon_threadsafe() may be called in the thread of the loop: the callback runs next, in order.

    If this fails: look for a deadlock on a lock that the loop holds, or a second queue that is served later.
    """
    trace: list[str] = []

    def outer() -> None:
        loop.call_soon(trace.append, "first")
        loop.call_soon_threadsafe(trace.append, "second")
        loop.call_soon(trace.append, "third")
        trace.append("outer")

    at(place, loop, outer)
    turn(loop, 2)
    assert trace == ["outer", "first", "second", "third"]


@requirement("threads.error-reported", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_an_exception_in_such_a_callback_is_reported(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception in a callback that a thread scheduled goes to the exception handler, not to the thread.

    If this fails: look for a result that is passed back to the caller.
    """
    watch.allow("reported")
    helper = in_thread(lambda: loop.call_soon_threadsafe(raising(LookupError("of the callback"))))
    patience.run_until(loop, lambda: watch.reported, "the report")
    helper.result()
    assert isinstance(watch.reported[0]["exception"], LookupError)


@requirement("threads.context", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_such_a_callback_runs_in_the_callers_context(loop: Loop, patience: Patience) -> None:
    """The context of the calling thread is copied when call_soon_threadsafe() is called, unless another is given.

    If this fails: look for a context taken when the callback or the run began, an empty context taken for none, or a
    given one that is copied.
    """
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")
    seen: list[str] = []
    running = threading.Event()
    loop.call_soon(running.set)

    def work() -> None:
        patience.wait(running, "the run")
        variable.set("of the thread")
        loop.call_soon_threadsafe(lambda: seen.append(variable.get()))
        variable.set("changed afterwards")
        loop.call_soon_threadsafe(lambda: seen.append(variable.get()), context=given)
        loop.call_soon_threadsafe(variable.set, "set by a callback", context=given)
        loop.call_soon_threadsafe(lambda: seen.append(variable.get()), context=given)

    given = contextvars.Context()
    helper = in_thread(work)
    patience.run_until(loop, lambda: len(seen) == 3, "the callbacks")
    helper.result()
    assert seen == ["of the thread", "default", "set by a callback"]
    assert given[variable] == "set by a callback"


@requirement("threads.run-coroutine", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_run_coroutine_threadsafe_gives_the_result_to_the_thread(loop: Loop, patience: Patience) -> None:
    """run_coroutine_threadsafe() submits a coroutine and returns a concurrent.futures.Future with its result.

    If this fails: look for call_soon_threadsafe() that does not wake the loop.
    """

    async def value() -> object:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    def work() -> object:
        future = asyncio.run_coroutine_threadsafe(value(), loop)
        assert isinstance(future, concurrent.futures.Future)
        return future.result(patience.seconds)

    helper = in_thread(work)
    patience.run_until(loop, lambda: not helper.is_alive(), "the result in the thread")
    assert helper.result() is loop


@requirement("threads.run-coroutine-exception", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_run_coroutine_threadsafe_raises_in_the_thread(loop: Loop, patience: Patience) -> None:
    """If an exception is raised in the coroutine, the returned Future will be notified.

    If this fails: look for an exception that stays in the loop.
    """

    async def fail() -> None:
        raise LookupError

    helper = in_thread(lambda: asyncio.run_coroutine_threadsafe(fail(), loop).result(patience.seconds))
    patience.run_until(loop, lambda: not helper.is_alive(), "the exception in the thread")
    with pytest.raises(LookupError):
        helper.result()


@requirement("threads.run-coroutine-cancel", MUST, cite="asyncio-task: run_coroutine_threadsafe")
def test_cancelling_the_threads_future_cancels_the_task(loop: Loop, patience: Patience) -> None:
    """The returned Future can be used to cancel the task in the event loop.

    If this fails: look for a cancellation that is not carried to the loop's thread.
    """
    trace: list[str] = []

    async def sleep() -> None:
        try:
            trace.append("started")
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise

    async def scenario() -> None:
        future = asyncio.run_coroutine_threadsafe(sleep(), loop)
        await until(patience, lambda: trace, "the start of the task")
        in_thread(future.cancel).result()
        await until(patience, lambda: len(trace) == 2, "the cancellation")
        assert future.cancelled()

    loop.run_until_complete(scenario())
    assert trace == ["started", "cancelled"]


@requirement("threads.debug-wrong-thread", MUST, cite="asyncio-dev: Debug Mode")
@each("context", [None, contextvars.Context()])
@each("method", ["call_soon", "call_later", "call_at"])
@each("place", ["outside of a run", "in a callback"])
@each("runner", ["the main thread", "another"])
def test_debug_mode_refuses_calls_from_the_wrong_thread(
    make_loop: Factory,
    patience: Patience,
    method: str,
    context: contextvars.Context | None,
    place: str,
    runner: str,
) -> None:
    """In debug mode, many non-threadsafe asyncio APIs (such as loop.call_soon() and loop.call_at()) raise an exception.

    If this fails: look for the check that debug mode adds: the call comes from another thread than the one that runs,
    whichever that is, whatever loop the other may run, and whenever debug mode was set.
    """
    loop, other = make_loop(), make_loop()
    loop.set_debug(runner == "the main thread")

    def call() -> str:
        try:
            if method == "call_soon":
                loop.call_soon(lambda: None, context=context)
            else:
                getattr(loop, method)(3600.0, lambda: None, context=context)
        except RuntimeError:
            return "refused"
        return "accepted"

    async def scenario() -> str:
        loop.set_debug(True)  # in the other thread's run, not before
        helper = in_thread(lambda: at(place, other, call))
        while helper.is_alive():
            await asyncio.sleep(0.001)
        set_there.set()
        while runner == "another" and not asked.is_set():
            await asyncio.sleep(0.001)
        return str(helper.result())

    set_there, asked = threading.Event(), threading.Event()
    if runner == "the main thread":
        assert loop.run_until_complete(scenario()) == "refused"
    else:
        running = in_thread(lambda: loop.run_until_complete(scenario()))
        patience.wait(set_there, "the other thread's run")
        try:
            assert at(place, other, call) == "refused"
        finally:
            asked.set()
        assert running.result() == "refused"


@requirement("threads.stop-from-thread", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_a_thread_can_stop_the_loop_through_call_soon_threadsafe(loop: Loop) -> None:
    """call_soon_threadsafe(loop.stop) from another thread ends run_forever().

    If this fails: look for a stop flag that is read before the poll only.
    """
    loop.call_soon(lambda: threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,)).start())
    loop.run_forever()
    assert not loop.is_running()


@requirement("threads.closed-loop", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_a_thread_cannot_schedule_on_a_closed_loop(loop: Loop, make_loop: Factory) -> None:
    """call_soon_threadsafe() raises RuntimeError if called on a loop that's been closed, on a secondary thread too.

    If this fails: look for a queue of other threads that is filled whether or not anybody will look at it, or for a
    check of the loop that runs in the thread, if one does, in place of the one that is meant.
    """
    other = make_loop()
    turn(loop)
    loop.close()

    async def from_another_loop() -> None:
        loop.call_soon_threadsafe(lambda: None)

    with pytest.raises(RuntimeError):
        in_thread(lambda: loop.call_soon_threadsafe(lambda: None)).result()
    with pytest.raises(RuntimeError):
        in_thread(lambda: other.run_until_complete(from_another_loop())).result()


@requirement("threads.once", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("running", [False, True])
def test_equal_calls_from_a_thread_are_not_merged(loop: Loop, patience: Patience, running: bool) -> None:
    """Each callback that a thread schedules is called exactly once, also one that is scheduled several times.

    If this fails: look for a queue that merges equal callbacks, or wake-ups that are counted instead of the queue.
    """
    calls: list[str] = []
    note = calls.append

    def work() -> None:
        for _ in range(100):
            loop.call_soon_threadsafe(note, "same")
        loop.call_soon_threadsafe(calls.append, "last")

    if running:
        loop.call_soon(lambda: in_thread(work).result())
    else:
        in_thread(work).result()
    patience.run_until(loop, lambda: "last" in calls, "the last callback")
    turn(loop, 2)
    assert calls == ["same"] * 100 + ["last"]
