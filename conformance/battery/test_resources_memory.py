"""Chapter resources: what is forgotten without the collector, and what warns when it was not closed."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.kit.blocked import blocked
from conformance.kit.datagrams import endpoint
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import free_port, tcp_pair
from conformance.kit.pipes import Plain
from conformance.kit.protocols import Datagrams, Events
from conformance.loops import LoopSpec, new_loop
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
LOST = "asyncio-protocol: BaseProtocol.connection_lost"
DEBUG = "asyncio-dev: Debug Mode"


class Thing:
    """Something that a weak reference can watch."""

    def method(self, *_: object) -> None:
        """A callback."""


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Nothing is freed but by its reference count."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@requirement("resources.protocol-forgotten", SHOULD, cite=LOST, needs=("unix",))
@pytest.mark.parametrize("kind", ["socket", "pipe", "udp"])
@pytest.mark.usefixtures("without_collector")
def test_a_closed_transport_forgets_its_protocol(loop: Loop, kind: str) -> None:
    """After connection_lost(), a transport that somebody keeps does not keep its protocol, nor the two each other.

    If this fails: look for a cycle that only the collector can free, connection by connection.
    """

    def use() -> tuple[Any, weakref.ref[Any]]:
        opened: Any = endpoint(loop, protocol=Datagrams()) if kind == "udp" else blocked(loop, kind)
        with opened as (transport, protocol, *_):
            transport.abort()
            for _ in range(1000):  # not with `patience`, whose own closures are a cycle
                turn(loop)
                if protocol.lost:
                    break
                time.sleep(0.001)
            turn(loop, 3)
            return transport, weakref.ref(protocol)

    transport, gone = use()
    _run_until_gone(loop, gone)
    del transport


def _run_until_gone(loop: Loop, *gone: weakref.ref[Any]) -> None:
    """Not with `patience`, whose own closures are a cycle."""
    for _ in range(1000):
        if all(reference() is None for reference in gone):
            return
        turn(loop)
        time.sleep(0.001)
    raise AssertionError("it was not forgotten within 1000 turns")


_FAILURES: dict[str, Callable[[Loop], Any]] = {
    "tcp": lambda loop: loop.create_connection(Events, "127.0.0.1", free_port()),
    "unix": lambda loop: loop.create_unix_connection(Events, "/nowhere/at/all"),
}


@requirement("resources.failure-forgotten", SHOULD, cite="gh-88863", needs=("unix",))
@pytest.mark.parametrize("way", _FAILURES)
@pytest.mark.usefixtures("without_collector")
def test_the_exception_of_a_failed_connection_is_forgotten(loop: Loop, patience: Patience, way: str) -> None:
    """The exception of a connection that could not be made is in no cycle: it goes with its caller.

    If this fails: look for a variable that holds the exception in a frame of its traceback; `finally: del` mends it.
    """

    async def tries(thing: Thing) -> None:
        try:
            await _FAILURES[way](loop)
        except OSError as error:
            error.thing = thing  # type: ignore[attr-defined]  # an exception itself takes no weak reference

    thing: Thing | None = Thing()
    gone = weakref.ref(thing)
    assert thing is not None
    loop.run_until_complete(tries(thing))
    thing = None
    patience.in_turns.run_until(loop, lambda: gone() is None, "the end of the exception")


@requirement("resources.removed-watcher-forgotten", SHOULD, cite="asyncio-eventloop: loop.remove_reader")
@pytest.mark.parametrize("side", ["reader", "writer"])
def test_a_removed_watcher_is_forgotten(loop: Loop, patience: Patience, side: str) -> None:
    """remove_reader() and remove_writer() let the callback and its arguments go.

    If this fails: look for a table of descriptors whose entries are only switched off.
    """
    thing = Thing()
    gone = weakref.ref(thing)
    ours, peer = socket.socketpair()
    with ours, peer:
        getattr(loop, f"add_{side}")(ours, thing.method, thing)
        turn(loop, 2)
        getattr(loop, f"remove_{side}")(ours)
        del thing
        # Not at once: what has been seen of a descriptor may still be on its way, and refer to itself.
        patience.run_until(loop, lambda: gc.collect() < 0 or gone() is None, "the end of the callback")


@requirement("resources.cancelled-timer-forgotten", SHOULD, cite="gh-80788")
@pytest.mark.usefixtures("without_collector")
def test_a_cancelled_timer_is_forgotten(loop: Loop) -> None:
    """A cancelled timer lets its callback and arguments go long before it would have been due.

    If this fails: look for a timer that stays in the queue, with all that it refers to, until its time.
    """
    thing = Thing()
    gone = weakref.ref(thing)
    handle = loop.call_later(3600, thing.method, thing)
    turn(loop, 2)
    handle.cancel()
    del thing
    _run_until_gone(loop, gone)


@requirement("resources.result-forgotten", SHOULD, cite="asyncio-eventloop: loop.run_until_complete")
@pytest.mark.usefixtures("without_collector")
def test_the_result_of_a_run_is_forgotten(loop: Loop) -> None:
    """The loop keeps no reference to the result that run_until_complete() has returned, nor to the arguments.

    It may have one until it runs again.

    If this fails: look for the last future kept in an attribute of the loop.
    """

    async def main(argument: Thing) -> tuple[Thing, Thing]:
        return argument, Thing()

    given, made = loop.run_until_complete(main(Thing()))
    gone = [weakref.ref(given), weakref.ref(made)]
    del given, made
    _run_until_gone(loop, *gone)


@requirement("resources.executor-forgotten", SHOULD, cite="asyncio-eventloop: loop.run_in_executor")
def test_the_result_of_an_executor_is_forgotten(loop: Loop, patience: Patience) -> None:
    """Neither the loop nor the idle thread keeps what run_in_executor() was given and has returned.

    If this fails: look for a thread that keeps its last piece of work until the next one comes.
    """
    given = Thing()
    made = loop.run_until_complete(loop.run_in_executor(None, lambda thing: (thing, Thing()), given))
    gone = [weakref.ref(given), weakref.ref(made[1])]
    del given, made
    turn(loop, 2)
    gc.collect()
    patience.until(lambda: [reference() for reference in gone] == [None, None], "the release of both")


@requirement("resources.closed-loop-forgotten", SHOULD, cite="asyncio-eventloop: loop.close")
def test_a_closed_loop_is_forgotten(loop_spec: LoopSpec) -> None:
    """A closed loop that nobody refers to is freed, with what it had been given.

    If this fails: look for a registry of loops that is never cleaned up.
    """
    thing = Thing()
    gone = weakref.ref(thing)
    loop = new_loop(loop_spec)
    loop.set_exception_handler(thing.method)
    loop.set_task_factory(lambda loop, coro, **kwargs: asyncio.Task(coro, loop=loop, **kwargs))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del loop, thing
    gc.collect()
    assert gone() is None


def warnings_of(drop: Callable[[], None]) -> list[type[Warning]]:
    """The ResourceWarnings of what `drop` lets go."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drop()
        gc.collect()
    return [each.category for each in caught if each.category is ResourceWarning]


@requirement("resources.unclosed-loop", SHOULD, cite=DEBUG)
def test_a_loop_that_was_not_closed_warns(loop_spec: LoopSpec) -> None:
    """A loop that is freed without having been closed emits a ResourceWarning, and none if it was closed.

    If this fails: look for a type without a finalizer.
    """

    def drop(close: bool) -> Callable[[], None]:
        def make() -> None:
            loop = new_loop(loop_spec)
            loop.run_until_complete(asyncio.sleep(0))
            if close:
                loop.close()

        return make

    assert warnings_of(drop(close=True)) == []
    assert warnings_of(drop(close=False)) != []


def _tcp(loop: Loop) -> Any:
    with tcp_pair() as (ours, _):
        return loop.run_until_complete(loop.create_connection(Events, sock=ours.dup()))


def _unix(loop: Loop) -> Any:
    ours, peer = socket.socketpair()
    with peer:
        ours.setblocking(False)
        return loop.run_until_complete(loop.create_unix_connection(Events, sock=ours))


def _udp(loop: Loop) -> Any:
    return loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0)))


def _read_pipe(loop: Loop) -> Any:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb"):
        return loop.run_until_complete(loop.connect_read_pipe(Events, Plain(reading)))


def _write_pipe(loop: Loop) -> Any:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"):
        return loop.run_until_complete(loop.connect_write_pipe(Events, Plain(writing)))


_UNCLOSED = {"tcp": _tcp, "udp": _udp, "read-pipe": _read_pipe, "write-pipe": _write_pipe} | (
    {"unix": _unix} if hasattr(socket, "AF_UNIX") else {}
)


@requirement("resources.unclosed-transport", SHOULD, cite=DEBUG)
@pytest.mark.parametrize("kind", _UNCLOSED)
def test_a_transport_that_was_not_closed_warns(loop: Loop, kind: str) -> None:
    """A transport that is freed without having been closed emits a ResourceWarning, and none if it was closed.

    If this fails: look for a type without a finalizer. (That a file object warns for itself is not enough for a pipe.)
    """

    def drop(close: bool) -> Callable[[], None]:
        def make() -> None:
            transport, _ = _UNCLOSED[kind](loop)
            if close:
                transport.close()
                turn(loop, 3)
            else:
                loop.close()

        return make

    assert warnings_of(drop(close=True)) == []
    assert warnings_of(drop(close=False)) != []
