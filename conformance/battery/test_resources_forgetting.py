"""Chapter resources: what a loop that goes on has done with, and lets go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.children import finish
from conformance.kit.patience import Patience, turn
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class Used:
    """A callback that a weak reference can watch."""

    def __call__(self, *_: object) -> None:
        """Does nothing."""


def gone(*references: weakref.ref[Any]) -> bool:
    """Whether nothing is left of them, cycles aside. A loop may need a few turns to close what it has."""
    gc.collect()
    return all(reference() is None for reference in references)


def _soon(loop: Loop, callback: Used) -> None:
    loop.call_soon(callback)


def _threadsafe(loop: Loop, callback: Used) -> None:
    loop.call_soon_threadsafe(callback, callback)


def _later(loop: Loop, callback: Used) -> None:
    loop.call_later(0.001, callback)
    loop.run_until_complete(asyncio.sleep(0.003))


def _cancelled(loop: Loop, callback: Used) -> None:
    loop.call_soon(callback).cancel()


def _future(loop: Loop, callback: Used) -> None:
    future = loop.create_future()
    future.add_done_callback(callback)
    future.set_result(callback)


def _task(loop: Loop, callback: Used) -> None:
    async def use() -> Used:
        await asyncio.sleep(0)
        return callback

    loop.run_until_complete(loop.create_task(use()))


def _signal(loop: Loop, callback: Used) -> None:
    loop.add_signal_handler(signal.SIGUSR1, callback, callback)
    turn(loop)
    loop.remove_signal_handler(signal.SIGUSR1)


def _handler(loop: Loop, callback: Used) -> None:
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.call_exception_handler({"message": "used", "task": callback})
    loop.set_exception_handler(None)


_USES: dict[str, Callable[[Loop, Used], None]] = {
    "call_soon": _soon, "call_soon_threadsafe": _threadsafe, "call_later": _later, "cancelled": _cancelled,
    "future": _future, "task": _task, "signal": _signal, "exception": _handler,
}  # fmt: skip


@requirement("resources.done-forgotten", SHOULD, cite="asyncio-eventloop: loop.call_soon")
@pytest.mark.parametrize("name", _USES)
def test_what_is_done_is_forgotten(loop: Loop, patience: Patience, watch: Any, name: str) -> None:
    """Each callback is called once: then the loop keeps it no longer, nor its arguments, a task's result, or a handler.

    If this fails: look for the last handle, task or context that is kept until the next one comes, or for ever.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    callback: Used | None = Used()
    reference = weakref.ref(callback)
    assert callback is not None
    _USES[name](loop, callback)
    callback = None
    patience.run_until(loop, lambda: gone(reference), "the callback's end")


@requirement("resources.child-forgotten", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost",
             needs=("shell",))  # fmt: skip
def test_the_protocol_of_a_child_is_forgotten(loop: Loop, patience: Patience) -> None:
    """After connection_lost() the loop keeps neither the protocol of a child nor its transport.

    If this fails: look for a table of children by their number, from which none is taken out.
    """
    protocol: Any = finish(loop, patience, "echo out")
    references: list[weakref.ref[Any]] = [weakref.ref(protocol)]
    with contextlib.suppress(TypeError):  # nobody has promised that a transport can be referred to weakly
        references.append(weakref.ref(protocol.transport))
    protocol = None
    patience.run_until(loop, lambda: gone(*references), "the end of the protocol and its transport")
