"""Chapter watchers: what add_reader() and add_writer() take as a callback, and what they answer."""

from __future__ import annotations

import functools
import socket
from asyncio import AbstractEventLoop as Loop
from typing import Any

import pytest

from conformance.kit.patience import Patience, turn
from conformance.requirement import MUST, SHOULD, requirement

_SIDES = ["reader", "writer"]


@requirement("watchers.partial", MUST, cite="asyncio-eventloop: loop.add_writer")
@pytest.mark.parametrize("side", _SIDES)
def test_keyword_arguments_are_passed_by_partial(loop: Loop, side: str) -> None:
    """Use functools.partial() to pass keyword arguments to callback.

    If this fails: look for callbacks that must be plain functions.
    """
    seen: list[Any] = []

    def callback(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        getattr(loop, f"add_{side}")(ours.fileno(), functools.partial(callback, "bound", key="word"), "argument")
        turn(loop, 2)
        getattr(loop, f"remove_{side}")(ours.fileno())
    assert seen[0] == (("bound", "argument"), {"key": "word"})


@requirement("watchers.methods", SHOULD, cite="asyncio-eventloop: loop.add_reader")
@pytest.mark.parametrize("side", _SIDES)
def test_any_callable_will_do(loop: Loop, patience: Patience, side: str) -> None:
    """The callback may be any callable: a bound method of a built-in type, or an object with __call__.

    If this fails: look for a test that only functions pass.
    """

    class Callable:
        calls = 0

        def __call__(self) -> None:
            self.calls += 1

    seen: list[str] = []
    counter = Callable()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for sock, other, callback, args in (ours, theirs, seen.append, ("x",)), (theirs, ours, counter, ()):
            other.send(b"x")
            getattr(loop, f"add_{side}")(sock.fileno(), callback, *args)
        patience.run_until(loop, lambda: seen and counter.calls, "both callbacks")
        for sock in ours, theirs:
            getattr(loop, f"remove_{side}")(sock.fileno())
