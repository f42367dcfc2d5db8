"""Chapter signals: remove_signal_handler(), and what close() leaves behind."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.signals import send
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


@pytest.fixture
def quiet() -> Iterator[None]:
    """SIGUSR1 is ignored around the test: a signal that a broken loop does not catch must not end the process."""
    before = signal.signal(USR1, lambda *_: None)
    yield
    signal.signal(USR1, before)


@requirement("signals.remove-returns", MUST, cite="asyncio-eventloop: loop.remove_signal_handler")
@each("debug", [False, True])
@each("number", [USR1, USR2, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("any_handlers")
def test_remove_tells_whether_there_was_a_handler(loop: Loop, debug: bool, number: int) -> None:
    """remove_signal_handler() returns True if the signal handler was removed, or False if no handler was set.

    If this fails: look for None, or for an error where there is nothing to remove, or for signals that the loop, or
    Python, always has a handler for.
    """

    async def scenario() -> None:
        assert loop.remove_signal_handler(number) is False
        loop.add_signal_handler(number, lambda: None)
        assert loop.remove_signal_handler(number) is True
        assert loop.remove_signal_handler(number) is False

    loop.set_debug(debug)
    loop.run_until_complete(scenario())


@requirement("signals.remove-invalid", SHOULD, cite="PEP 3156: Signal callbacks")
@each("number", [0, -1, signal.NSIG, 100000])
def test_a_handler_of_an_invalid_signal_cannot_be_removed(loop: Loop, number: int) -> None:
    """remove_signal_handler() raises the same exceptions as add_signal_handler(): ValueError for an invalid number.

    If this fails: look for a number that is only looked up in a table of handlers.
    """
    with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
        loop.remove_signal_handler(number)


@requirement("signals.removed", MUST, cite="asyncio-eventloop: loop.remove_signal_handler")
@pytest.mark.usefixtures("any_handlers")
def test_a_removed_handler_is_not_called(loop: Loop, quiet: None) -> None:
    """remove_signal_handler() removes the handler for the signal: it is not called any more.

    If this fails: look for a handler that is removed from a table that the wake-up path does not use.
    """

    async def scenario() -> None:
        calls: list[int] = []
        loop.add_signal_handler(USR1, calls.append, 1)
        loop.remove_signal_handler(USR1)
        signal.signal(USR1, lambda *_: None)
        send()
        await turns(5)
        assert calls == []

    loop.run_until_complete(scenario())


@requirement("signals.default-restored", SHOULD, cite="asyncio-eventloop: loop.remove_signal_handler")
@pytest.mark.parametrize("number", [USR1, USR2, signal.SIGINT, signal.SIGTERM], ids=["USR1", "USR2", "INT", "TERM"])
def test_removing_restores_the_default(loop: Loop, number: signal.Signals) -> None:
    """After remove_signal_handler() the signal has Python's default handling: SIGINT raises KeyboardInterrupt again.

    If this fails: look for a handler that is replaced by nothing: the signal would be ignored; or for a signal that
    stays blocked.
    """

    async def scenario() -> None:
        loop.add_signal_handler(number, lambda: None)
        loop.remove_signal_handler(number)
        expected = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        assert signal.getsignal(number) == expected
        assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    loop.run_until_complete(scenario())


@requirement("signals.close-removes", SHOULD, cite="asyncio-eventloop: loop.close")
def test_close_removes_the_handlers(loop: Loop) -> None:
    """close() removes the signal handlers that are still set: signals do not reach a loop that is gone.

    If this fails: look for a handler that writes to a closed descriptor, or for one handler of several. SIGINT raises
    KeyboardInterrupt again, as after remove_signal_handler().
    """
    numbers = (USR1, signal.SIGINT, USR2, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, lambda: None)
    loop.close()
    defaults = [signal.SIG_DFL, signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(number) for number in numbers] == defaults


@requirement("signals.wakeup-fd-returned", SHOULD, cite="signal: signal.set_wakeup_fd")
@pytest.mark.usefixtures("any_handlers")
def test_the_wakeup_descriptor_is_given_back(loop: Loop) -> None:
    """When its last handler was removed and it was closed, the loop leaves no wake-up descriptor set.

    If this fails: look for a set_wakeup_fd() without its counterpart: the next signal writes into a foreign file.
    """

    async def scenario() -> None:
        loop.add_signal_handler(USR1, lambda: None)
        loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario())
    loop.close()
    assert signal.set_wakeup_fd(-1) == -1


@requirement("signals.wakeup-fd-kept", SHOULD, cite=("signal: signal.set_wakeup_fd", "uvloop#295"))
def test_a_wakeup_descriptor_of_somebody_else_is_kept(loop: Loop) -> None:
    """The wake-up descriptor that was set before a run is set after it, if the loop has no signal handlers of its own.

    If this fails: look for a run that ends with set_wakeup_fd(-1), whatever there was at its beginning.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        before = signal.set_wakeup_fd(ours.fileno())
        try:
            loop.run_until_complete(turns(2))
            turn(loop)
        finally:
            left = signal.set_wakeup_fd(before)
        assert left == ours.fileno()


@requirement("signals.remove-while-stopped", SHOULD, cite="asyncio-eventloop: loop.remove_signal_handler")
def test_handlers_can_be_added_and_removed_while_the_loop_is_stopped(loop: Loop, patience: Patience) -> None:
    """Signal handlers can be added, replaced and removed while the loop does not run.

    If this fails: look for signal handling that exists only during a run.
    """
    calls: list[str] = []
    loop.add_signal_handler(USR1, calls.append, "first")
    loop.add_signal_handler(USR1, calls.append, "second")
    loop.call_soon(send)
    patience.run_until(loop, lambda: calls, "the signal handler")
    assert calls == ["second"]
    loop.add_signal_handler(USR1, calls.append, "third")
    assert loop.remove_signal_handler(USR1) is True
    assert signal.getsignal(USR1) == signal.SIG_DFL
