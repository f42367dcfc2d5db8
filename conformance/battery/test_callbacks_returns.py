"""Chapter callbacks: the value that a callback returns, which is nobody's."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.signals import send
from conformance.kit.watching import add, remove
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
VALUES = [None, True, False, 0, 1, -1, [1], RuntimeError("returned")]
_ONCE: dict[str, Callable[[Loop, Callable[..., object]], object]] = {
    "call_soon": lambda loop, callback: loop.call_soon(callback),
    "call_soon_threadsafe": lambda loop, callback: loop.call_soon_threadsafe(callback),
    "call_later": lambda loop, callback: loop.call_later(0.001, callback),
    "call_at": lambda loop, callback: loop.call_at(loop.time(), callback),
    "add_done_callback": lambda loop, callback: done_future(loop).add_done_callback(callback),
}


@requirement("callbacks.return-value-ignored", MUST, cite="PEP 3156: Basic Callbacks")
@each("way", _ONCE)
@each("value", VALUES)
def test_what_a_callback_returns_is_ignored(loop: Loop, patience: Patience, way: str, value: object) -> None:
    """The value that a callback returns has no effect: it is called once.

    If this fails: look for a return code of a C or Rust trampoline taken from the callback, or for a timer of the
    library underneath that comes again as long as its function returns true.
    """
    calls: list[int] = []

    def callback(*_future: object) -> object:
        calls.append(1)
        return value

    _ONCE[way](loop, callback)
    patience.run_until(loop, lambda: calls, "the callback")
    if way == "call_later":
        loop.run_until_complete(asyncio.sleep(0.002))
    turn(loop, 3)
    assert calls == [1]


@requirement("callbacks.return-value-stays", SHOULD, cite="PEP 3156: Handles")
@each("way", ["reader", "writer", "signal"])
@each("value", VALUES)
def test_what_a_callback_returns_removes_nothing(
    loop: Loop, patience: Patience, watch: Any, way: str, value: object
) -> None:
    """Some callbacks are called until they are removed, whatever they return: of descriptors and of signals.

    If this fails: look for a source of the library underneath that goes as soon as its function returns false.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    calls: list[int] = []
    with unix_pair() as (ours, peer):

        def callback() -> object:
            calls.append(1)
            if way == "reader":
                ours.recv(1)
            return value

        def run_until(count: int) -> None:
            patience.run_until(loop, lambda: len(calls) >= count, "the callback")

        if way == "signal":
            loop.add_signal_handler(signal.SIGUSR1, callback)
            for number in (1, 2):
                loop.call_soon(send)
                run_until(number)
            loop.remove_signal_handler(signal.SIGUSR1)
        else:
            peer.sendall(b"123")
            add(loop, way)(ours, callback)
            run_until(3)
            remove(loop, way)(ours)


@requirement("callbacks.example-hello", MUST, cite="asyncio-eventloop: Hello World with call_soon()")
def test_a_callback_says_hello_and_stops_the_loop(loop: Loop) -> None:
    """A callback that gets the loop itself as its argument says hello, and stops the loop, which is then closed.

    If this fails: look for an argument that is replaced, or dropped, lest the loop refer to itself.
    """
    said: list[object] = []

    def hello_world(given: Loop) -> None:
        said.append(given)
        given.stop()

    loop.call_soon(hello_world, loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
    assert len(said) == 1
    assert said[0] is loop
