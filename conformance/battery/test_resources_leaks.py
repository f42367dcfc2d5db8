"""Chapter resources: descriptors, threads and signal state that loops and transports give back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.certificates import NAME, client_context
from conformance.kit.children import ChildEvents
from conformance.kit.datagrams import udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, free_port, tcp_pair
from conformance.kit.protocols import Datagrams, Events
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement
from conformance.watch import Snapshot, open_descriptors, settling

Loop = asyncio.AbstractEventLoop
MakeLoop = Callable[[], Loop]
CLOSE = "asyncio-eventloop: loop.close"
CLOSE_TRANSPORT = "asyncio-protocol: BaseTransport.close"
HERE = ("127.0.0.1", 0)


def used(make_loop: MakeLoop, times: int = 3) -> Snapshot:
    """The state of the process before the last of so many loops that ran and were closed.

    What the first ones left may be the business of their module (a thread pool, a cache), not of each loop.
    """
    for _ in range(times):
        before = Snapshot.take()
        loop = make_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return before


@requirement("resources.loop-descriptors", SHOULD, cite=CLOSE)
def test_a_closed_loop_has_no_descriptors(make_loop: MakeLoop, patience: Patience) -> None:
    """close() closes the file descriptors that the loop has opened for itself.

    If this fails: look for the poller, a timer or the pair of sockets that wakes it.
    """
    assert "descriptor" not in used(make_loop).leaks(settle=settling(2 * patience.seconds))


@requirement("resources.loop-threads", SHOULD, cite=CLOSE)
def test_a_closed_loop_has_no_threads(make_loop: MakeLoop, patience: Patience) -> None:
    """close() ends the threads that the loop has started for itself.

    If this fails: look for a thread that waits in the kernel, or for a runtime per loop.
    """
    assert "thread" not in used(make_loop).leaks(settle=settling(2 * patience.seconds))


@requirement("resources.loop-signals", SHOULD, cite=CLOSE)
def test_a_closed_loop_leaves_the_state_of_signals(make_loop: MakeLoop, patience: Patience) -> None:
    """A loop that was asked for no signal leaves signal handlers and the wake-up descriptor as they were.

    If this fails: look for SIGINT or SIGCHLD handlers that are set for the loop's own purposes, and kept.
    """
    left = used(make_loop, times=1).leaks(settle=settling(2 * patience.seconds))
    assert "signal" not in left
    assert "wakeup-fd" not in left


def open_with(loop: Loop) -> frozenset[int]:
    """The descriptors that are open while the loop runs: some loops open a few for each run."""

    async def look() -> frozenset[int]:
        return open_descriptors()

    return open_descriptors() | loop.run_until_complete(look())


def _tcp(loop: Loop) -> Any:
    with tcp_pair() as (ours, _):
        return loop.run_until_complete(loop.create_connection(Events, sock=ours.dup()))


def _udp(loop: Loop) -> Any:
    return loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, local_addr=HERE))


def _read_pipe(loop: Loop) -> Any:
    reading, writing = os.pipe()
    try:
        return loop.run_until_complete(loop.connect_read_pipe(Events, os.fdopen(reading, "rb", buffering=0)))
    finally:
        os.close(writing)


def _write_pipe(loop: Loop) -> Any:
    reading, writing = os.pipe()
    try:
        return loop.run_until_complete(loop.connect_write_pipe(Events, os.fdopen(writing, "wb", buffering=0)))
    finally:
        os.close(reading)


def _process(loop: Loop) -> Any:
    return loop.run_until_complete(loop.subprocess_exec(ChildEvents, "/bin/cat"))


OPENED: dict[str, Callable[[Loop], Any]] = {
    "tcp": _tcp,
    "udp": _udp,
    "read-pipe": _read_pipe,
    "write-pipe": _write_pipe,
    "process": _process,
}


@requirement("resources.transport-descriptors", MUST, cite=CLOSE_TRANSPORT, needs=("shell",))
@pytest.mark.parametrize("kind", OPENED)
def test_a_closed_transport_has_no_descriptors(loop: Loop, patience: Patience, kind: str) -> None:
    """A transport that was closed has closed its file descriptors, while the loop lives on.

    If this fails: look for descriptors that are closed with the loop, or when the transport is collected.
    """
    kept = []
    for _ in range(2):  # what is opened once for all, as to wait for children, is opened by the first
        before = open_with(loop)
        transport, protocol = OPENED[kind](loop)
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")  # noqa: B023 (called at once)
        kept.append(transport)
    patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")


def _refused(loop: Loop) -> Any:
    return loop.create_connection(Events, "127.0.0.1", free_port())


def _refused_twice(loop: Loop) -> Any:
    return loop.create_connection(Events, "localhost", free_port())


async def _local_addr_in_use(loop: Loop) -> Any:
    with socket.create_server(HERE) as taken:
        return await loop.create_connection(Events, "127.0.0.1", free_port(), local_addr=taken.getsockname())


async def _server_in_use(loop: Loop) -> Any:
    with socket.create_server(HERE) as taken:
        return await loop.create_server(Events, *taken.getsockname())


async def _endpoint_in_use(loop: Loop) -> Any:
    with udp_peer() as taken:
        return await loop.create_datagram_endpoint(Datagrams, taken.getsockname())


def _no_program(loop: Loop) -> Any:
    return loop.subprocess_exec(ChildEvents, "/nowhere/no program")


def _no_tls(loop: Loop) -> Any:
    """A server that answers in plain text, and waits for the end."""
    listening = socket.create_server(HERE)

    def answer() -> None:
        with listening, listening.accept()[0] as peer, contextlib.suppress(OSError):
            peer.settimeout(PEER_TIMEOUT)
            peer.recv(65536)
            peer.sendall(b"there is no TLS here, and there never was")
            while peer.recv(65536):
                pass

    in_thread(answer)
    return loop.create_connection(Events, *listening.getsockname(), ssl=client_context(), server_hostname=NAME)


FAILED: dict[str, Callable[[Loop], Any]] = {
    "refused": _refused,
    "several-refused": _refused_twice,
    "bind": _local_addr_in_use,
    "server": _server_in_use,
    "endpoint": _endpoint_in_use,
    "program": _no_program,
    "tls": _no_tls,
}


@requirement("resources.failed-opening", SHOULD, cite=("gh-153133", CLOSE_TRANSPORT), needs=("ipv4",))
@pytest.mark.parametrize("kind", FAILED)
def test_a_failed_opening_leaves_no_descriptors(loop: Loop, patience: Patience, kind: str) -> None:
    """What could not be connected, bound or started leaves no file descriptor open.

    If this fails: look for a socket that is left to the collector when its attempt has failed.
    """
    errors = []
    for _ in range(2):
        before = open_with(loop)
        try:
            loop.run_until_complete(FAILED[kind](loop))
        except OSError as error:
            errors.append(error)  # alive, with all that its traceback refers to
    assert len(errors) == 2
    patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")


@requirement("resources.failed-unix-opening", SHOULD, cite=("gh-153133", CLOSE_TRANSPORT), needs=("unix",))
@pytest.mark.parametrize("method", ["create_unix_connection", "create_unix_server"])
def test_a_failed_opening_of_a_unix_socket_leaves_no_descriptors(
    loop: Loop, patience: Patience, tmp_path: Path, method: str
) -> None:
    """A Unix socket that could not be connected or bound leaves no file descriptor open.

    If this fails: look for a socket that is left to the collector when its attempt has failed.
    """
    errors = []
    for _ in range(2):
        before = open_with(loop)
        try:
            loop.run_until_complete(getattr(loop, method)(Events, str(tmp_path / "no" / "directory")))
        except OSError as error:
            errors.append(error)
    assert len(errors) == 2
    patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")


@requirement("resources.cancelled-opening", SHOULD, cite="asyncio-task: Task.cancel")
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_cancelled_connecting_leaves_no_descriptors(loop: Loop, patience: Patience, after: int) -> None:
    """create_connection() that is cancelled, at whatever point, leaves no file descriptor open.

    If this fails: look for a connection that is made when nobody waits for it.
    """

    async def main(address: Any) -> None:
        connecting = asyncio.ensure_future(loop.create_connection(Events, *address))
        await turns(after)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connecting.result()[0].abort()

    with socket.create_server(HERE) as listening:
        loop.run_until_complete(main(listening.getsockname()))
        before = open_with(loop)
        loop.run_until_complete(main(listening.getsockname()))
        turn(loop, 3)
        patience.run_until(loop, lambda: open_descriptors() <= before, "the descriptors' end")


@requirement("resources.reused-numbers", MUST, cite=CLOSE_TRANSPORT)
def test_a_descriptor_is_closed_once(loop: Loop, patience: Patience) -> None:
    """A transport closes its descriptor once: what gets the same number afterwards is left alone.

    If this fails: look for a number that is closed again when the transport is collected, or the loop is closed.
    """
    transport, protocol = _tcp(loop)
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    turn(loop, 3)
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(open(os.devnull, "rb")) for _ in range(5)]
        transport.abort()
        turn(loop, 3)
        transport = None
        loop.close()
        assert all(os.fstat(other.fileno()) for other in others)
