"""Chapter lifecycle: one running loop for each thread."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import failing, value_of
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("lifecycle.nested-run", MUST, cite="asyncio-eventloop: loop.run_forever")
@each("what", ["for ever", "until a pending future is done", "until a future is done that is done"])
@each("debug", [False, True])
def test_a_running_loop_cannot_be_run_again(make_loop: Factory, what: str, debug: bool) -> None:
    """A loop that is running cannot be run from one of its own callbacks: RuntimeError, and it goes on.

    If this fails: look for a re-entrant run: callbacks would run inside callbacks; or for a future that is done and
    thus needs no run.
    """
    loop = make_loop()
    loop.set_debug(debug)
    errors: list[str] = []
    future = loop.create_future()
    if what == "until a future is done that is done":
        future.set_result("before")

    def nested() -> None:
        try:
            loop.run_forever() if what == "for ever" else loop.run_until_complete(future)
        except RuntimeError:
            errors.append("refused")

    loop.call_soon(nested)
    turn(loop, 2)
    assert errors == ["refused"]


@requirement("lifecycle.running-elsewhere", SHOULD, cite="PEP 3156: Starting, Stopping and Closing")
@each("method", ["run_forever", "run_until_complete"])
def test_another_thread_cannot_run_a_loop_that_runs(make_loop: Factory, method: str) -> None:
    """run_forever() and run_until_complete() cannot be called when the loop is already running: nor in another thread.

    If this fails: look for a check of the loop that runs in the thread of the caller, which is none.
    """
    loop = make_loop()
    errors: list[str] = []
    done = loop.create_future()
    done.set_result(None)

    def run() -> None:
        try:
            loop.run_forever() if method == "run_forever" else loop.run_until_complete(done)
        except RuntimeError:
            errors.append("refused")

    def run_elsewhere() -> None:
        loop.stop()  # so that a run that is not refused ends
        in_thread(run).result()
        loop.stop()

    loop.call_soon(run_elsewhere)
    loop.run_forever()
    assert errors == ["refused"]


@requirement("lifecycle.refused-run", SHOULD, cite=("asyncio-eventloop: get_running_loop", "gh-130145"))
@pytest.mark.parametrize("whose", ["its own", "another"])
@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_a_run_that_is_refused_leaves_the_running_loop(loop: Loop, make_loop: Factory, whose: str, method: str) -> None:
    """After a run that was refused as a loop is running in this thread, get_running_loop() returns that loop.

    If this fails: look for a mark of the running loop that is removed on every way out of a run.
    """
    refused = loop if whose == "its own" else make_loop()
    arguments = [refused.create_future()] if method == "run_until_complete" else []
    seen: list[object] = []

    def nested() -> None:
        with contextlib.suppress(RuntimeError):
            getattr(refused, method)(*arguments)
        seen.extend([loop.is_running(), asyncio._get_running_loop()])
        asyncio._set_running_loop(loop)  # where it went, the run would end in errors that say less

    loop.call_soon(nested)
    turn(loop, 2)
    assert seen == [True, loop]


@requirement("lifecycle.refused-run-changes-nothing", SHOULD, cite=("asyncio-eventloop: loop.run_forever", "gh-130145"))
@pytest.mark.parametrize("whose", ["its own", "its own in a thread", "another"])
@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_the_loop_goes_on_after_a_run_that_is_refused(loop: Loop, make_loop: Factory, whose: str, method: str) -> None:
    """A run that is refused ends neither the run of the loop nor a later one of its own, and leaves the hooks alone.

    If this fails: look for stop() as the callback of a future, which is added before the refusal and stays there; or
    for what is undone on every way out of a run.
    """
    refused = make_loop() if whose == "another" else loop
    future = refused.create_future()

    def run() -> None:
        with contextlib.suppress(RuntimeError):
            getattr(refused, method)(*([future] if method == "run_until_complete" else []))

    async def main() -> list[bool]:
        hooks = sys.get_asyncgen_hooks()
        in_thread(run).result() if whose == "its own in a thread" else run()
        seen = [loop.is_running(), sys.get_asyncgen_hooks() == hooks]
        asyncio._set_running_loop(loop)  # where it went, a requirement of its own says so
        future.set_result(None)
        await turns(5)
        return seen

    assert loop.run_until_complete(main()) == [True, True]
    refused.run_until_complete(turns(5))


@requirement("lifecycle.one-loop-per-thread", MUST, cite="asyncio-runner: run")
def test_no_other_loop_can_run_in_a_thread_that_runs_one(loop: Loop, make_loop: Factory) -> None:
    """A loop cannot be run while another asyncio event loop is running in the same thread: RuntimeError.

    If this fails: look for a run that does not ask for, or does not set, the running loop of the thread.
    """
    other = make_loop()
    errors: list[str] = []

    def nested() -> None:
        try:
            other.run_until_complete(other.create_future())
        except RuntimeError:
            errors.append("refused")
        except BaseException as error:
            errors.append(repr(error))

    loop.call_soon(nested)
    turn(loop, 2)
    assert errors == ["refused"]


@requirement("lifecycle.running-loop", MUST, cite="asyncio-eventloop: get_running_loop")
def test_get_running_loop_is_this_loop_in_callbacks_and_coroutines(loop: Loop, patience: Patience) -> None:
    """get_running_loop() returns the running event loop in the current OS thread, in callbacks and in coroutines.

    If this fails: call asyncio's _set_running_loop() when a run begins, as the documentation asks of loop authors. The
    exception handler is called in the run, too, and a run is not over when stop() is called.
    """
    seen: list[Loop] = []

    async def ask() -> None:
        seen.append(asyncio.get_running_loop())

    def callback(*args: object) -> None:
        seen.append(asyncio.get_running_loop())

    def reader() -> None:
        loop.remove_reader(ours)
        callback()

    def writer() -> None:
        loop.remove_writer(ours)
        callback()

    def handler() -> None:
        loop.remove_signal_handler(signal.SIGUSR1)
        callback()

    future = loop.create_future()
    future.add_done_callback(callback)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        loop.add_reader(ours, reader)
        loop.add_writer(ours, writer)
        loop.call_soon(callback)
        loop.call_later(0, callback)
        loop.call_at(loop.time(), callback)
        loop.call_soon_threadsafe(callback)
        loop.call_soon(future.set_result, None)
        loop.run_until_complete(ask())
        patience.run_until(loop, lambda: len(seen) == 8, "the callbacks")
    loop.call_soon(loop.add_signal_handler, signal.SIGUSR1, handler)
    loop.call_soon(send)
    patience.run_until(loop, lambda: len(seen) == 9, "the signal handler")
    loop.set_exception_handler(callback)
    loop.call_soon(raising(LookupError()))
    patience.run_until(loop, lambda: len(seen) == 10, "the call of the exception handler")
    loop.call_soon(loop.stop)
    loop.call_soon(callback)  # in the batch that stop() lets run
    loop.run_forever()
    assert len(seen) == 11
    assert all(each is loop for each in seen)


@requirement("lifecycle.running-loop-cleared", MUST, cite="asyncio-eventloop: get_running_loop")
@pytest.mark.parametrize("how", ["returns", "raises", "stopped", "SystemExit", "KeyboardInterrupt"])
def test_there_is_no_running_loop_after_a_run(loop: Loop, how: str) -> None:
    """If there is no running event loop, get_running_loop() raises RuntimeError: so too after every way a run can end.

    If this fails: look for a marker that is reset only when the run ends well, or by stop().
    """
    if how == "stopped":
        turn(loop)
    elif how in ("SystemExit", "KeyboardInterrupt"):
        loop.call_soon(raising(SystemExit() if how == "SystemExit" else KeyboardInterrupt()))
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            loop.run_forever()
    elif how == "returns":
        loop.run_until_complete(value_of())
    else:
        with pytest.raises(LookupError):
            loop.run_until_complete(failing())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@requirement("lifecycle.get-event-loop-running", MUST, cite="asyncio-eventloop: get_event_loop")
def test_get_event_loop_is_the_running_loop(loop: Loop) -> None:
    """When called from a coroutine or a callback, get_event_loop() will always return the running event loop.

    If this fails: look for a loop that answers by what was set for the thread.
    """

    async def ask() -> Loop:
        return asyncio.get_event_loop()

    assert loop.run_until_complete(ask()) is loop


@requirement("lifecycle.thread-runs-loop", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_a_loop_runs_in_another_thread_than_the_main_one(make_loop: Factory, patience: Patience) -> None:
    """An event loop runs in a thread (typically the main thread), but any thread can make, run and close one.

    If this fails: look for signal handling, or another thing of the main thread, in the start of every run, or for
    timers that are made of signals.
    """

    def work() -> object:
        loop = make_loop()

        async def main() -> object:
            await asyncio.sleep(0.001)
            assert await loop.run_in_executor(None, int, "42") == 42  # whose end wakes the loop
            await loop.shutdown_default_executor()
            return await value_of()

        try:
            return loop.run_until_complete(main())
        finally:
            loop.close()

    assert in_thread(work).result(2 * patience.seconds) == "value"


@requirement("lifecycle.another-thread", SHOULD, cite="asyncio-dev: Concurrency and Multithreading")
def test_a_loop_runs_in_whichever_thread_calls_it(loop: Loop, patience: Patience) -> None:
    """A loop runs in the thread that calls it, be it the one that made it, another one, or the first one again.

    So it is with close().

    If this fails: look for the identity of a thread that is taken when the loop is made, or when it first runs.
    """

    async def thread() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    def elsewhere() -> int:
        return in_thread(lambda: loop.run_until_complete(thread())).result(2 * patience.seconds)

    here = threading.get_ident()
    assert elsewhere() != here
    assert loop.run_until_complete(thread()) == here
    assert elsewhere() != here
    in_thread(loop.close).result()
    assert loop.is_closed()


@requirement("lifecycle.loops-in-threads", MUST, cite="asyncio-dev: Concurrency and Multithreading")
def test_loops_run_side_by_side_in_threads(make_loop: Factory, patience: Patience) -> None:
    """Each thread's running loop is its own: loops run side by side without seeing each other.

    If this fails: look for the running loop, or the loop's clock or poller, in a global variable.
    """
    barrier = threading.Barrier(3, timeout=patience.seconds)

    def work() -> bool:
        loop = make_loop()

        async def meet() -> bool:
            await loop.run_in_executor(None, barrier.wait)
            return asyncio.get_running_loop() is loop

        try:
            same = loop.run_until_complete(meet())
            loop.run_until_complete(loop.shutdown_default_executor())
            return same
        finally:
            loop.close()

    helpers = [in_thread(work) for _ in range(3)]
    assert [helper.result(2 * patience.seconds) for helper in helpers] == [True, True, True]
