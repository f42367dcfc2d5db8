"""Chapter errors: what every report to the exception handler has, whatever it is about."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, failing
from conformance.kit.generators import Generator, start
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_pair
from conformance.kit.protocols import raising
from conformance.kit.signals import send
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
_FAIL = raising(LookupError("of the program"))


class _Raises(asyncio.Protocol):
    """Cannot bear data."""

    def data_received(self, data: bytes) -> None:
        raise LookupError("of the protocol")


async def _open(trace: list[object]) -> Generator:
    try:
        yield 1
    finally:
        trace.append("closed")
        raise LookupError("of the generator")


async def _wait(loop: Loop) -> None:
    await loop.create_future()


def _lost_future(loop: Loop) -> None:
    future = loop.create_future()
    future.set_exception(LookupError("of the future"))


def _lost_task(loop: Loop) -> None:
    loop.run_until_complete(asyncio.wait([loop.create_task(failing())]))


def _destroyed_task(loop: Loop) -> None:
    task = loop.create_task(_wait(loop))
    turn(loop, 2)
    del task


def _by_signal(loop: Loop) -> None:
    def callback() -> None:
        loop.remove_signal_handler(signal.SIGUSR1)
        _FAIL()

    loop.add_signal_handler(signal.SIGUSR1, callback)
    loop.call_soon(send)


def _by_generator(loop: Loop) -> None:
    async def main() -> None:
        generator = _open([])
        await start(generator)
        await loop.shutdown_asyncgens()

    loop.run_until_complete(main())


def _by_protocol(loop: Loop) -> None:
    with unix_pair() as (ours, peer):
        loop.run_until_complete(loop.create_connection(_Raises, sock=ours.dup()))
        peer.send(b"data")
        loop.run_until_complete(asyncio.sleep(0.01))


_REPORTED: dict[str, Callable[[Loop], Any]] = {
    "a callback": lambda loop: loop.call_soon(_FAIL),
    "a timer": lambda loop: loop.call_later(0, _FAIL),
    "a call from a thread": lambda loop: in_thread(lambda: loop.call_soon_threadsafe(_FAIL)).result(),
    "a future's callback": lambda loop: done_future(loop).add_done_callback(_FAIL),
    "a signal": _by_signal,
    "a lost exception of a future": _lost_future,
    "a lost exception of a task": _lost_task,
    "a task that is destroyed": _destroyed_task,
    "a generator": _by_generator,
    "a protocol": _by_protocol,
}


@requirement("errors.message", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
@each("what", _REPORTED)
@each("debug", [False, True])
def test_every_report_has_a_message(loop: Loop, patience: Patience, watch: Any, what: str, debug: bool) -> None:
    """context is a dict whose key message, an error message, is no optional one: each report has it, and it is a str.

    If this fails: look for a report of the loop's own futures, tasks, generators or transports that names the exception
    only: what logs such contexts asks for context["message"].
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    loop.set_debug(debug)
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    kept = _REPORTED[what](loop)
    gc.collect()
    patience.in_turns.run_until(loop, lambda: seen, "the report")
    del kept
    for context in seen:
        assert isinstance(context, dict)
        assert isinstance(context.get("message"), str)
        assert context["message"]
