"""Chapter schedules: random programs, whose traces must be ones that the contract's own small loop could make.

A failure shows the smallest program found, as Python that needs nothing but asyncio and the loop. What a program can
do is in `conformance.schedules.programs`, and what the contract says of it in `conformance.schedules.model`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.kit.patience import Patience
from conformance.loops import Factory, LoopSpec
from conformance.requirement import MUST, requirement
from conformance.schedules.programs import (
    At,
    Await,
    Cancel,
    CancelFuture,
    CancelTask,
    FromThread,
    Later,
    OnDone,
    Pass,
    Resolve,
    Shield,
    Sleep,
    Soon,
    Stop,
    TimeOut,
)
from conformance.schedules.source import script_of
from conformance.trial import FUZZ, PROGRAM, Fuzz

Explore = Callable[..., None]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """What `--loop-fuzz` asked for."""
    return request.config.stash[FUZZ]


@pytest.fixture
def explore(
    request: pytest.FixtureRequest, fuzz: Fuzz, make_loop: Factory, loop_spec: LoopSpec, patience: Patience
) -> Explore:
    """Draw programs of the given kinds, run them, and fail with the smallest that the loop runs wrong."""

    # Here, because importing Hypothesis takes longer than most runs; `Judge` has done it where these tests will run.
    from conformance.schedules.drawing import programs_of
    from conformance.schedules.explore import Explorer

    def run(*kinds: type, eager: bool = False) -> None:
        explorer = Explorer(make_loop, patience.seconds)
        failure = explorer.explore(programs_of(*kinds, eager=eager), fuzz.seconds, fuzz.seed)
        if failure:
            request.node.stash[PROGRAM] = script_of(failure.program, loop_spec.module, loop_spec.factory)
            pytest.fail(f"the program printed below ran wrong {failure.why}", pytrace=False)

    return run


@requirement("schedules.callbacks", MUST, cite="asyncio-eventloop: loop.call_soon")
def test_programs_of_callbacks(explore: Explore) -> None:
    """Callbacks that schedule and cancel one another run in the order in which they were registered, each exactly once.

    If this fails: look for a queue that is not first-in first-out when callbacks add to it, or forgets a cancellation.
    """
    explore(Soon, Cancel)


@requirement("schedules.stop", MUST, cite="asyncio-eventloop: loop.stop")
def test_programs_that_stop(explore: Explore) -> None:
    """stop() lets the current batch of callbacks end; those they scheduled run in the next run_forever().

    If this fails: look for a stop that ends the batch at once, or only once the queue is empty.
    """
    explore(Soon, Cancel, Stop)


@requirement("schedules.timers", MUST, cite=("asyncio-eventloop: loop.call_at", "asyncio-eventloop: loop.call_later"))
def test_programs_of_timers(explore: Explore) -> None:
    """Timers run once, not before their deadline, in the order of the deadlines, and not when they were cancelled.

    If this fails: look for a heap that loses its order when entries are cancelled, or for timers that are run twice.
    """
    explore(Soon, At, Later, Cancel)


@requirement("schedules.futures", MUST, cite="asyncio-future: Future.add_done_callback")
def test_programs_of_futures(explore: Explore) -> None:
    """Callbacks of a future that becomes done are scheduled with call_soon(), in the order in which they were added.

    If this fails: look for callbacks called by set_result() or cancel() itself, or kept in a set.
    """
    explore(Soon, OnDone, Resolve, CancelFuture)


@requirement("schedules.tasks", MUST, cite="asyncio-task: Task")
def test_programs_of_tasks(explore: Explore) -> None:
    """A task takes each step in a callback of its own, when what it awaits is done, and other tasks run meanwhile.

    If this fails: look for a task that is resumed inside set_result(), or put before what is already scheduled.
    """
    explore(Soon, OnDone, Resolve, Pass, Await)


@requirement("schedules.eager-tasks", MUST, cite="asyncio-task: asyncio.eager_task_factory", since="3.12")
def test_programs_of_eager_tasks(explore: Explore) -> None:
    """With eager_task_factory, a task runs until it blocks while it is created, and from then on as any other.

    If this fails: look for a loop that schedules the first step nevertheless.
    """
    explore(Soon, OnDone, Resolve, Pass, Await, Shield, CancelTask, eager=True)


@requirement("schedules.cancellation", MUST, cite=("asyncio-task: Task.cancel", "asyncio-task: asyncio.shield"))
def test_programs_that_cancel_tasks(explore: Explore) -> None:
    """cancel() throws CancelledError into the task on the next cycle of the loop; shield() protects what is awaited.

    If this fails: look for an error thrown at once, or into a task that has been woken up already.
    """
    explore(Soon, Resolve, Pass, Await, Shield, CancelTask, CancelFuture)


@requirement("schedules.timeouts", MUST, cite=("asyncio-task: asyncio.timeout_at", "asyncio-task: asyncio.sleep"))
def test_programs_of_timeouts(explore: Explore) -> None:
    """Tasks that sleep, time out and are cancelled meanwhile wake once, for the right reason, and not too early.

    If this fails: look for a timer that fires after its cancellation, or for two wake-ups of one task.
    """
    explore(Soon, At, Sleep, TimeOut, CancelTask, Pass)


@requirement("schedules.threads", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
def test_programs_with_threads(explore: Explore) -> None:
    """Callbacks from another thread run once each, in their order, among callbacks and timers of the loop's own.

    If this fails: look for a second queue whose cancelled entries are run, or that is read last first.
    """
    explore(Soon, FromThread, Cancel, At)


@requirement("schedules.everything", MUST, cite="asyncio-eventloop: Scheduling callbacks")
def test_programs_of_everything(explore: Explore) -> None:
    """Callbacks, timers, threads, futures, tasks and stop() keep their rules where a program uses them all.

    If this fails: look at the program; each of its parts is right alone if the other schedules conform.
    """
    explore(
        Soon, At, Later, FromThread, OnDone, Cancel, Resolve, CancelFuture, Stop, CancelTask,
        Pass, Await, Shield, Sleep, TimeOut,
    )  # fmt: skip
