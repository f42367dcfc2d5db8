"""Chapter runner: SIGINT while a Runner runs its main task, and the handler that is there afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from conformance.kit.coroutines import value_of
from conformance.loops import Factory
from conformance.requirement import MUST, requirement


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@requirement("runner.sigint-cancels-main", MUST, cite="asyncio-runner: Handling Keyboard Interruption")
def test_sigint_cancels_the_main_task(make_loop: Factory) -> None:
    """When SIGINT is raised by Ctrl-C, the custom signal handler cancels the main task, which can clean up.

    If this fails: look for a loop that a signal does not wake, or one that raises KeyboardInterrupt by itself.
    """
    trace: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            trace.append("cleaned up")
            raise

    with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert trace == ["cleaned up"]


@requirement("runner.sigint-wakes", MUST, cite="asyncio-runner: Handling Keyboard Interruption")
def test_sigint_reaches_a_loop_that_waits(make_loop: Factory) -> None:
    """SIGINT ends a main task that sleeps while nothing else happens: KeyboardInterrupt is raised after cancellation.

    If this fails: look for a poll that is restarted after EINTR.
    """

    async def main() -> None:
        threading.Timer(0.005, interrupt).start()
        await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())


@requirement("runner.second-sigint", MUST, cite="asyncio-runner: Handling Keyboard Interruption")
def test_a_second_sigint_interrupts_a_main_task_that_ignored_the_first(make_loop: Factory) -> None:
    """A user can write a tight loop which is not interruptible by cancel(): the second Ctrl-C raises KeyboardInterrupt.

    If this fails: look for a signal handler that Python code in a callback cannot be interrupted by.
    """
    trace: list[str] = []

    async def main() -> None:
        interrupt()
        trace.append("went on after the first")
        interrupt()
        for _ in range(1000):
            pass
        trace.append("went on after the second")

    with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert trace == ["went on after the first"]


@requirement("runner.sigint-handler-restored", MUST, cite="asyncio-runner: Handling Keyboard Interruption")
def test_the_sigint_handler_is_restored(make_loop: Factory) -> None:
    """The original SIGINT handler is restored when run() is left.

    If this fails: look for a loop that installs a handler of its own for SIGINT.
    """
    before = signal.getsignal(signal.SIGINT)
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(value_of())
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before
