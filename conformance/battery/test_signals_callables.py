"""Chapter signals: what add_signal_handler() takes as a signal and as a callback."""

from __future__ import annotations

import asyncio
import functools
import signal
from typing import Any

import pytest

from conformance.kit.patience import Patience
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop

pytestmark = pytest.mark.usefixtures("any_handlers")


@requirement("signals.partial", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_keyword_arguments_are_passed_by_partial(loop: Loop, patience: Patience) -> None:
    """Use functools.partial() to pass keyword arguments to callback.

    If this fails: look for a test of the callback that only functions pass.
    """
    seen: list[Any] = []

    def callback(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    async def scenario() -> None:
        loop.add_signal_handler(signal.SIGUSR1, functools.partial(callback, "bound", key="word"), "argument")
        signal.raise_signal(signal.SIGUSR1)
        await until(patience, lambda: seen, "the callback")
        loop.remove_signal_handler(signal.SIGUSR1)

    loop.run_until_complete(scenario())
    assert seen == [(("bound", "argument"), {"key": "word"})]


@requirement(
    "signals.by-name",
    MUST,
    cite=("asyncio-eventloop: loop.add_signal_handler", "asyncio-eventloop: loop.remove_signal_handler"),
)
def test_callback_and_signal_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """add_signal_handler() takes its documented parameter callback by name, too, and remove_signal_handler() sig.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    seen: list[str] = []

    async def scenario() -> None:
        # Not signum: asyncio itself has another name for it than its documentation.
        loop.add_signal_handler(signal.SIGUSR1, callback=lambda: seen.append("called"))
        signal.raise_signal(signal.SIGUSR1)
        await until(patience, lambda: seen, "the callback")
        assert loop.remove_signal_handler(sig=signal.SIGUSR1) is True

    loop.run_until_complete(scenario())


@requirement("signals.plain-numbers", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
@pytest.mark.parametrize("kind", [int, signal.Signals])
def test_a_signal_may_be_a_plain_number(loop: Loop, patience: Patience, kind: type[int]) -> None:
    """signum may be a member of signal.Signals or a plain int, and either removes what the other has added.

    If this fails: look for a table whose keys are the objects that were given.
    """
    seen: list[str] = []
    other = signal.Signals if kind is int else int

    async def scenario() -> None:
        loop.add_signal_handler(kind(signal.SIGUSR2), seen.append, "called")
        signal.raise_signal(signal.SIGUSR2)
        await until(patience, lambda: seen, "the callback")
        assert loop.remove_signal_handler(other(signal.SIGUSR2)) is True

    loop.run_until_complete(scenario())


@requirement("signals.among-others", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_the_callback_is_invoked_along_with_tasks(loop: Loop, patience: Patience) -> None:
    """The callback will be invoked by loop, along with other queued callbacks and runnable coroutines.

    If this fails: look for signals that wait until the loop has nothing else to do.
    """
    seen: list[str] = []

    async def busy() -> int:
        deadline = loop.time() + patience.seconds
        rounds = 0
        signal.raise_signal(signal.SIGUSR1)
        while not seen and loop.time() < deadline:
            rounds += 1
            await asyncio.sleep(0)
        loop.remove_signal_handler(signal.SIGUSR1)
        return rounds

    loop.add_signal_handler(signal.SIGUSR1, seen.append, "called")
    loop.run_until_complete(busy())
    assert seen == ["called"]


@requirement("signals.no-handle", MUST, cite="PEP 3156: Handles")
def test_signal_handlers_have_no_handles(loop: Loop) -> None:
    """add_signal_handler() does not return a handle: the callback is removed by remove_signal_handler().

    If this fails: look for the object that the loop keeps for itself.
    """
    returned: list[Any] = []

    async def scenario() -> None:
        for _ in range(2):  # the second takes the place of the first
            returned.append(loop.add_signal_handler(signal.SIGUSR1, print))
        assert loop.remove_signal_handler(signal.SIGUSR1) is True

    loop.run_until_complete(scenario())
    assert not any(isinstance(each, asyncio.Handle) or hasattr(each, "cancel") for each in returned)
