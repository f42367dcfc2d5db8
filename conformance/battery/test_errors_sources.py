"""Chapter errors: which exceptions are reported to the exception handler, and which are not."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import done_future, failing, value_of
from conformance.kit.oddities import ODD_ERRORS
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import tcp_pair
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_ERROR = LookupError("of the callback")


@pytest.fixture
def seen(loop: Loop) -> list[dict[str, Any]]:
    """The contexts that a custom handler of the test's own was called with."""
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: contexts.append(context))
    return contexts


def _by_timer(loop: Loop, callback: Callable[[], object]) -> Callable[[], object]:
    loop.call_later(0.001, callback)
    return lambda: None


def _from_thread(loop: Loop, callback: Callable[[], object]) -> Callable[[], object]:
    def work() -> None:
        while not loop.is_running():
            time.sleep(0.001)
        loop.call_soon_threadsafe(callback)

    return in_thread(work).result


def _by_future(loop: Loop, callback: Callable[[], object]) -> Callable[[], object]:
    done_future(loop).add_done_callback(lambda _: callback())
    return lambda: None


def _by_descriptor(loop: Loop, callback: Callable[[], object], writer: bool) -> Callable[[], object]:
    left, right = socket.socketpair()
    left.setblocking(False)

    def once() -> None:
        loop.remove_writer(left) if writer else loop.remove_reader(left)
        callback()

    if writer:
        loop.add_writer(left, once)
    else:
        loop.add_reader(left, once)
        right.send(b"x")

    def close() -> None:
        left.close()
        right.close()

    return close


def _by_signal(loop: Loop, callback: Callable[[], object]) -> Callable[[], object]:
    loop.add_signal_handler(signal.SIGUSR1, callback)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    return lambda: loop.remove_signal_handler(signal.SIGUSR1)


_SOURCES: dict[str, Callable[[Loop, Callable[[], object]], Callable[[], object]]] = {
    "timer": _by_timer,
    "threadsafe": _from_thread,
    "future": _by_future,
    "reader": lambda loop, callback: _by_descriptor(loop, callback, writer=False),
    "writer": lambda loop, callback: _by_descriptor(loop, callback, writer=True),
    "signal": _by_signal,
}


@requirement("errors.all-callbacks", MUST, cite="asyncio-eventloop: Error Handling API")
@each("source", _SOURCES)
@each("debug", [False, True])
def test_exceptions_of_all_callbacks_are_reported(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, source: str, debug: bool
) -> None:
    """The handler is called for callbacks of timers, threads, watched descriptors and signals as for any other.

    If this fails: look for a way from the poller to a callback that goes past the common one.
    """
    loop.set_debug(debug)
    close = _SOURCES[source](loop, raising(_ERROR))
    patience.run_until(loop, lambda: seen, "the call of the handler")
    turn(loop)
    close()
    assert [context["exception"] for context in seen] == [_ERROR]
    seen.clear()


class _Fatal(BaseException):
    """As a test runner may raise for a failure that no `except Exception` is to catch."""


@requirement("errors.base-exception-sources", SHOULD, cite="gh-66894")
@each("source", _SOURCES)
@each("error", [_Fatal(), asyncio.CancelledError(), GeneratorExit()], ids=lambda error: type(error).__name__)
def test_other_base_exceptions_of_all_callbacks_are_reported(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, watch: Any, source: str, error: BaseException
) -> None:
    """A BaseException of timers, threads, descriptors or signals is reported, unless it is one of the two exits.

    If this fails: look for sources whose callbacks have a catch of their own, which catches Exception only.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    close = _SOURCES[source](loop, raising(error))
    patience.run_until(loop, lambda: seen, "the call of the handler")
    turn(loop)
    close()
    assert [context["exception"] for context in seen] == [error]
    seen.clear()


class _Exit(SystemExit):
    """As a server may raise for an exit of its own."""


class _Interrupt(KeyboardInterrupt):
    """As a test runner may raise for an interrupt of its own."""


def _task(loop: Loop, callback: Callable[[], object]) -> Callable[[], object]:
    """A task that calls the callback; what is returned retrieves its exception."""

    async def call() -> None:
        callback()

    return loop.create_task(call()).exception


@requirement("errors.exits-leave", SHOULD, cite="gh-66894")
@each("source", [*_SOURCES, "task"])
@each("error", [SystemExit(3), KeyboardInterrupt(), _Exit(3), _Interrupt()], ids=lambda error: type(error).__name__)
def test_exits_of_all_callbacks_leave_the_loop(loop: Loop, watch: Any, source: str, error: BaseException) -> None:
    """SystemExit and KeyboardInterrupt of tasks, and of callbacks of timers, threads, descriptors or signals, leave the
    loop.

    If this fails: look for sources whose callbacks have a catch of their own, or for a test of the exact class, which
    passes over subclasses of the two. Servers end themselves in this way when SIGTERM comes.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    loop.set_exception_handler(lambda _loop, _context: loop.stop())  # where it does not belong
    close = _SOURCES.get(source, _task)(loop, raising(error))
    with pytest.raises(type(error)) as caught:
        loop.run_forever()
    close()
    assert caught.value is error
    assert not loop.is_running()
    assert loop.run_until_complete(value_of()) == "value"


@requirement("errors.run-until-complete", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
def test_an_exception_that_run_until_complete_raises_is_not_reported(loop: Loop, seen: list[dict[str, Any]]) -> None:
    """An exception that run_until_complete() raises is not reported to the handler, too.

    If this fails: look for a task's exception that is never marked as retrieved.
    """

    async def fail() -> None:
        raise _ERROR

    with pytest.raises(LookupError):
        loop.run_until_complete(fail())
    gc.collect()
    assert seen == []


@requirement("errors.task-never-retrieved", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("kind", ODD_ERRORS)
def test_an_exception_of_a_task_that_nobody_awaits_is_reported(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, kind: str
) -> None:
    """If a task raises and nobody retrieves the exception, the handler is called when the task is collected.

    If this fails: look for a task that is never collected, for an own task class without a finalizer, or for an
    exception that is taken for none: its truth value may be false, and its class none of Exception.
    """
    error_type, arguments = type(ODD_ERRORS[kind]), ODD_ERRORS[kind].args

    async def fail() -> None:
        raise error_type(*arguments)  # a new one: the traceback of one that is kept may keep the task

    task = loop.create_task(fail())
    loop.run_until_complete(asyncio.wait([task]))
    assert seen == []
    del task
    turn(loop, 2)
    gc.collect()
    patience.in_turns.run_until(loop, lambda: seen, "the report")  # a finalizer may leave it to the loop
    assert [type(context["exception"]) for context in seen] == [error_type]
    seen.clear()


@requirement("errors.task-never-retrieved-future", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
@each("kind", ["future", "task"])
def test_the_context_of_a_lost_exception_has_the_future(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, kind: str
) -> None:
    """The context of an exception that nobody retrieved has the key future, which is the task or the future.

    If this fails: look for a finalizer that reports its exception without itself.
    """
    if kind == "future":
        future: asyncio.Future[None] = loop.create_future()
        future.set_exception(LookupError())
    else:
        future = loop.create_task(failing())
        loop.run_until_complete(asyncio.wait([future]))
    del future
    gc.collect()
    patience.in_turns.run_until(loop, lambda: seen, "the report")
    assert asyncio.isfuture(seen[0]["future"])
    assert isinstance(seen[0]["future"], asyncio.Task) is (kind == "task")
    assert seen[0]["future"].exception() is seen[0]["exception"]
    seen.clear()


@requirement("errors.lost-after-close", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("kind", ["future", "task"])
def test_a_lost_exception_is_reported_after_the_loop_was_closed(make_loop: Callable[[], Loop], kind: str) -> None:
    """An exception that nobody retrieved is reported when its future is collected, also once the loop was closed.

    If this fails: look for a handler that close() takes away, or a check for a closed loop in the report.
    Most of what asyncio.run() leaves behind is collected so late.
    """
    contexts: list[dict[str, Any]] = []
    loop = make_loop()
    loop.set_exception_handler(lambda _loop, context: contexts.append(context))
    if kind == "future":
        lost: asyncio.Future[Any] = loop.create_future()
        lost.set_exception(LookupError("lost"))
    else:
        lost = loop.create_task(failing())
        loop.run_until_complete(asyncio.wait([lost]))
    loop.close()
    assert contexts == []
    del lost
    gc.collect()
    assert [type(context["exception"]) for context in contexts] == [LookupError]


@requirement("errors.task-retrieved", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
def test_an_exception_of_a_task_that_was_retrieved_is_not_reported(loop: Loop, seen: list[dict[str, Any]]) -> None:
    """An exception of a task that was awaited, or asked for, is not reported.

    If this fails: look for the mark of a retrieved exception.
    """

    async def fail() -> None:
        raise LookupError("of the task")

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.create_task(fail())
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        task.exception()

    loop.run_until_complete(main())
    gc.collect()
    assert seen == []


@requirement("errors.task-destroyed", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_a_pending_task_that_is_collected_is_reported(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience
) -> None:
    """If a task is collected while it is pending, the handler is called with the key task.

    If this fails: look for a loop that keeps tasks alive, or an own task class without a finalizer.
    """

    async def wait() -> None:
        await loop.create_future()

    task = loop.create_task(wait())
    turn(loop, 2)
    del task
    gc.collect()
    patience.in_turns.run_until(loop, lambda: seen, "the report")
    assert len(seen) == 1
    assert isinstance(seen[0]["task"], asyncio.Task)


class _Raising(asyncio.Protocol):
    """A protocol that raises in one of its methods."""

    def __init__(self, method: str) -> None:
        self.lost = False
        self.raised = False
        self._method = method

    def __getattribute__(self, name: str) -> Any:
        if name in ("connection_made", "data_received", "eof_received", "connection_lost"):
            return lambda *_args: self._called(name)
        return super().__getattribute__(name)

    def _called(self, name: str) -> None:
        self.lost = self.lost or name == "connection_lost"
        if name == self._method and not self.raised:
            self.raised = True
            raise _ERROR


def _raise_in_protocol(loop: Loop, patience: Patience, seen: list[Any], method: str) -> tuple[_Raising, Any]:
    with tcp_pair() as (ours, peer):
        protocol = _Raising(method)

        async def connect() -> Any:
            transport, _ = await loop.create_connection(lambda: protocol, sock=ours)
            return transport

        try:
            transport = loop.run_until_complete(connect())
        except LookupError as error:
            assert method == "connection_made"
            seen.append({"exception": error})  # of connection_made(), told to those who wait for the connection
            return protocol, None
        peer.sendall(b"data")
        if method != "data_received":
            peer.shutdown(socket.SHUT_WR)
        patience.run_until(loop, lambda: protocol.raised and seen, "the call of the handler")
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 2)
        return protocol, transport


@requirement("errors.protocol", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
@each("method", ["connection_made", "data_received", "eof_received", "connection_lost"])
def test_exceptions_of_protocols_are_reported(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience, method: str
) -> None:
    """If a method of a protocol raises, the handler is called with the exception; the loop goes on.

    What connection_made() raises may come out of create_connection() instead.

    If this fails: look for a protocol called by foreign code that clears or prints the exception.
    """
    _raise_in_protocol(loop, patience, seen, method)
    assert [context["exception"] for context in seen] == [_ERROR]
    seen.clear()


@requirement("errors.protocol-keys", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_the_context_of_a_protocols_exception_names_it(
    loop: Loop, seen: list[dict[str, Any]], patience: Patience
) -> None:
    """The context of an exception of data_received() has the keys protocol and transport.

    If this fails: look for an error of a protocol reported as that of a plain callback.
    """
    protocol, transport = _raise_in_protocol(loop, patience, seen, "data_received")
    assert seen[0]["protocol"] is protocol
    assert seen[0]["transport"] is transport
