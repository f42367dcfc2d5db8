"""Chapter signals: handlers of the signal module, and Ctrl-C, while the loop waits."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.signals import interrupt
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
USR1 = signal.SIGUSR1
WINCH = signal.SIGWINCH  # which is ignored by default: no broken loop ends the process


@requirement("signals.plain-handler", SHOULD, cite="PEP 475: Modified functions")
def test_a_handler_of_the_signal_module_runs_while_the_loop_waits(loop: Loop, patience: Patience) -> None:
    """A handler of signal.signal() is called while the loop waits for I/O, and the wait goes on.

    If this fails: look for a poll that is restarted after EINTR in the loop's own language, where no handler can run.
    """
    calls: list[int] = []

    def work() -> None:
        try:
            interrupt(loop, patience, USR1)
            patience.until(lambda: calls, "the handler")
        finally:
            loop.call_soon_threadsafe(loop.stop)

    before = signal.signal(USR1, lambda *_: calls.append(1))
    try:
        helper = in_thread(work)
        loop.run_forever()
        helper.result()
    finally:
        signal.signal(USR1, before)
    assert calls == [1]


@requirement("signals.keyboard-interrupt", SHOULD, cite="signal: default_int_handler")
def test_ctrl_c_ends_a_loop_that_waits(loop: Loop, patience: Patience) -> None:
    """SIGINT raises KeyboardInterrupt by default, out of run_forever() too, and while the loop waits for I/O.

    If this fails: look for exceptions of Python's signal handlers, which a poll has to ask for after EINTR.
    """
    helper = in_thread(lambda: interrupt(loop, patience, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    helper.result()
    assert not loop.is_running()
    turn(loop)


@requirement("signals.next-loop", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@each("made", ["before", "afterwards"])
@each("removed", [False, True])
def test_signals_reach_the_loop_that_a_program_has_next(
    make_loop: Factory, patience: Patience, watch: Any, made: str, removed: bool
) -> None:
    """Set callback as the handler, also when another loop had one for the signal, and was closed: that of the last one.

    A program that calls asyncio.run() twice has two loops, one after the other.

    If this fails: look for what the process has once, as handlers or a pipe, and that is set up for its first loop.
    """
    watch.allow("signal")  # what is left behind is another requirement
    calls: list[str] = []

    def wait_for_it(loop: Loop, name: str) -> None:
        loop.add_signal_handler(WINCH, calls.append, name)
        helper = in_thread(lambda: interrupt(loop, patience, WINCH))
        patience.run_until(loop, lambda: name in calls, f"the handler of the {name} loop")
        helper.result()

    first = make_loop()
    other = make_loop() if made == "before" else None
    wait_for_it(first, "first")
    if removed:
        first.remove_signal_handler(WINCH)
    first.close()
    second = other or make_loop()
    wait_for_it(second, "second")
    second.remove_signal_handler(WINCH)
    assert calls == ["first", "second"]


@requirement("signals.program-raises", SHOULD, cite="signal: signal.signal")
def test_an_exception_of_a_handler_of_the_program_is_not_lost(loop: Loop, patience: Patience) -> None:
    """An exception that a handler of signal.signal() raises while the loop waits leaves the loop, or is reported.

    If this fails: look for a poll that takes any exception for an interrupted system call, and begins again.
    """

    def report(loop: Loop, context: dict[str, Any]) -> None:
        seen.append(context.get("exception"))
        loop.stop()

    error = LookupError("of the program")
    seen: list[object] = []
    loop.set_exception_handler(report)
    before = signal.signal(USR1, raising(error))
    try:
        helper = in_thread(lambda: interrupt(loop, patience, USR1))
        try:
            loop.run_forever()
        except LookupError as caught:
            seen.append(caught)
        helper.result()
    finally:
        signal.signal(USR1, before)
    assert seen == [error]
    assert not loop.is_running()
    turn(loop)
