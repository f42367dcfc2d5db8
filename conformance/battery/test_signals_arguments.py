"""Chapter signals: numbers, callbacks and threads that add_signal_handler() refuses."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any, cast

import pytest

from conformance.kit.cases import each
from conformance.kit.refusals import REFUSALS, refused
from conformance.kit.signals import send_later
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2

pytestmark = pytest.mark.usefixtures("any_handlers")


async def _coroutine() -> None:
    """Never awaited."""


@requirement("signals.invalid-number", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@each("number", [0, -1, signal.NSIG, 100000])
def test_an_invalid_signal_number_is_a_value_error(loop: Loop, number: int) -> None:
    """Raise ValueError if the signal number is invalid.

    If this fails: look for an OSError of sigaction that is passed through.
    """
    with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
        loop.add_signal_handler(number, lambda: None)


@requirement("signals.uncatchable", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["SIGKILL", "SIGSTOP"])
def test_an_uncatchable_signal_is_a_runtime_error(loop: Loop, number: int) -> None:
    """Raise ValueError if the signal is uncatchable, RuntimeError if there is a problem setting up the handler.

    If this fails: look for an error that is swallowed: nobody can catch SIGKILL. Or the handler is in a table already.
    """
    with pytest.raises((ValueError, RuntimeError)):
        loop.add_signal_handler(number, lambda: None)
    removed = False
    with contextlib.suppress(*REFUSALS, OSError):  # such a number may be refused here, too
        removed = loop.remove_signal_handler(number)
    assert removed is False, "nothing was set"


@requirement("signals.not-a-number", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
@pytest.mark.parametrize("number", ["SIGINT", None, 1.5], ids=repr)
def test_what_is_no_signal_number_is_a_type_error(loop: Loop, number: Any) -> None:
    """add_signal_handler() raises an exception for a signal that is not an integer.

    If this fails: look for a conversion that accepts anything.
    """
    with refused():
        loop.add_signal_handler(number, lambda: None)


@requirement("signals.no-coroutines", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_coroutine_function_is_no_signal_handler(loop: Loop) -> None:
    """add_signal_handler() refuses a coroutine function, which would never be awaited, and changes nothing.

    If this fails: look for a handler that makes a coroutine and drops it, or that is set before it is looked at.
    """

    async def scenario() -> None:
        with refused():
            loop.add_signal_handler(USR1, cast(Any, _coroutine))
        assert loop.remove_signal_handler(USR1) is False
        loop.add_signal_handler(USR1, lambda: None)
        with refused():
            loop.add_signal_handler(USR1, cast(Any, _coroutine))
        assert loop.remove_signal_handler(USR1) is True

    loop.run_until_complete(scenario())


@requirement("signals.main-thread-only", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@each("debug", [False, True])
def test_handlers_can_be_added_in_the_main_thread_only(loop: Loop, debug: bool) -> None:
    """Like signal.signal(), this function must be invoked in the main thread: elsewhere it raises an exception.

    If this fails: look for a registration in a thread that never gets signals.
    """
    loop.set_debug(debug)

    def add() -> type[BaseException] | None:
        try:
            loop.add_signal_handler(USR1, lambda: None)
        except (RuntimeError, ValueError) as error:
            return type(error)
        return None

    assert in_thread(add).result() is not None
    assert loop.remove_signal_handler(USR1) is False, "nothing was set"


@requirement("signals.refused-keeps", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
@pytest.mark.parametrize("why", ["uncatchable", "invalid", "coroutine function", "thread"])
def test_handlers_stay_when_another_is_refused(loop: Loop, why: str) -> None:
    """A handler that add_signal_handler() refuses leaves those alone that were set before: they wake a loop that waits.

    If this fails: look for a wake-up descriptor that is given back as if the refused handler had been the only one.
    """

    def add() -> None:
        number = {"uncatchable": signal.SIGKILL, "invalid": signal.NSIG}.get(why, USR2)
        callback: Any = _coroutine if why == "coroutine function" else lambda: None
        with contextlib.suppress(*REFUSALS):
            loop.add_signal_handler(number, callback)

    async def scenario() -> None:
        arrived = loop.create_future()
        loop.add_signal_handler(USR1, arrived.set_result, None)
        in_thread(add).result() if why == "thread" else add()
        helper = in_thread(send_later)
        await arrived
        loop.remove_signal_handler(USR1)
        helper.result()

    loop.run_until_complete(scenario())
