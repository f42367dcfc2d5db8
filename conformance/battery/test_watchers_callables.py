"""Chapter watchers: what add_reader() and add_writer() take as a callback, and what they answer."""

from __future__ import annotations

import asyncio
import functools
import socket
from asyncio import AbstractEventLoop as Loop
from typing import Any

from conformance.kit.cases import each
from conformance.kit.oddities import ODD_ARGUMENTS
from conformance.kit.patience import Patience
from conformance.kit.peers import unix_pair
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, SHOULD, requirement

_SIDES = ["reader", "writer"]


@requirement("watchers.partial", MUST, cite="asyncio-eventloop: loop.add_writer")
@each("side", _SIDES)
def test_keyword_arguments_are_passed_by_partial(loop: Loop, patience: Patience, side: str) -> None:
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
        patience.run_until(loop, lambda: seen, "the callback")
        getattr(loop, f"remove_{side}")(ours.fileno())
    assert seen[0] == (("bound", "argument"), {"key": "word"})


@requirement("watchers.methods", SHOULD, cite="asyncio-eventloop: loop.add_reader")
@each("side", _SIDES)
def test_any_callable_will_do(loop: Loop, patience: Patience, side: str) -> None:
    """The callback may be any callable: a bound method of a built-in type, an object with __call__, even a false one.

    If this fails: look for a test that only functions pass, or one for truth where a test for None was meant.
    """

    class Callable:
        calls = 0

        def __call__(self) -> None:
            self.calls += 1

        def __len__(self) -> int:
            return 0

    seen: list[str] = []
    counter = Callable()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for sock, other, callback, args in (ours, theirs, seen.append, ("x",)), (theirs, ours, counter, ()):
            other.send(b"x")
            getattr(loop, f"add_{side}")(sock.fileno(), callback, *args)
        patience.run_until(loop, lambda: seen and counter.calls, "both callbacks")  # it has no items, and so is false
        for sock in ours, theirs:
            getattr(loop, f"remove_{side}")(sock.fileno())


@requirement("watchers.argument-values", MUST, cite="asyncio-eventloop: loop.add_reader")
@each("side", _SIDES)
@each("arguments", ODD_ARGUMENTS)
def test_arguments_are_passed_whatever_they_are(
    loop: Loop, patience: Patience, side: str, arguments: tuple[object, ...]
) -> None:
    """callback is invoked with the specified arguments, also with one that is None, false or a tuple.

    If this fails: look for None as the mark of an argument that is not there, or a tuple that is unpacked.
    """
    seen: list[tuple[object, ...]] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        getattr(loop, f"add_{side}")(ours.fileno(), lambda *args: seen.append(args), *arguments)
        patience.run_until(loop, lambda: seen, "the callback")
        getattr(loop, f"remove_{side}")(ours.fileno())
    assert seen[0] == arguments


@requirement("watchers.replaced-arguments", MUST, cite="asyncio-eventloop: loop.add_reader")
@each("side", _SIDES)
def test_the_same_callback_can_be_given_other_arguments(loop: Loop, patience: Patience, side: str) -> None:
    """When a descriptor is watched again by the same callback, that is invoked with the new arguments.

    If this fails: look for a registration that is kept because descriptor and callback have not changed.
    """
    seen: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        for argument in ("first", "second"):
            getattr(loop, f"add_{side}")(ours.fileno(), seen.append, argument)
        patience.run_until(loop, lambda: seen, "the callback")
        getattr(loop, f"remove_{side}")(ours.fileno())
    assert set(seen) == {"second"}


@requirement("watchers.no-handle", MUST, cite="PEP 3156: Handles")
def test_watchers_have_no_handles(loop: Loop) -> None:
    """add_reader() and add_writer() do not return handles: a watcher is ended by remove_reader() or remove_writer().

    If this fails: look for the object that the loop keeps for itself.
    """
    with unix_pair() as (ours, _):
        for side in ("reader", "writer"):
            for _ in range(2):  # the second takes the place of the first
                returned = add(loop, side)(ours, print)
                assert not isinstance(returned, asyncio.Handle)
                assert not hasattr(returned, "cancel")
            remove(loop, side)(ours)
