"""Chapter watchers: what can be watched, and what counts as being ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept
from conformance.kit.datagrams import refusing_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, listener, reset, tcp_pair, unix_pair
from conformance.kit.refusals import Answer, refused
from conformance.kit.watching import add, remove
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
READ = "asyncio-eventloop: loop.add_reader"
WRITE = "asyncio-eventloop: loop.add_writer"
REMOVE = ("asyncio-eventloop: loop.remove_reader", "asyncio-eventloop: loop.remove_writer")
WATCHING = "PEP 3156: I/O Callbacks"
both = each("side", ["reader", "writer"])


@requirement("watchers.file-objects", MUST, cite=(READ, "asyncio-platforms: All Platforms", "selectors: Introduction"))
@both
def test_a_file_object_stands_for_its_descriptor(loop: Loop, patience: Patience, side: str) -> None:
    """fd may be a file object with a fileno() method, which stands for its descriptor, also one that is false.

    If this fails: look for an argument that must be an integer, or a table keyed by the object.
    """

    class Empty:
        """A file in which nothing is: its length is 0."""

        def fileno(self) -> int:
            return ours.fileno()

        def __len__(self) -> int:
            return 0

    calls: list[int] = []
    with unix_pair() as (ours, peer):
        peer.send(b"x")
        add(loop, side)(ours, calls.append, 1)
        patience.run_until(loop, lambda: calls, "the callback")
        remove(loop, side)(ours.fileno())
        calls.clear()
        turn(loop, 3)
        assert calls == []
        add(loop, side)(ours.fileno(), calls.append, 1)
        remove(loop, side)(ours)
        turn(loop, 3)
        assert calls == []
        for first, second in ((ours, ours.fileno()), (ours.fileno(), ours)):
            add(loop, side)(first, calls.append, 1)
            add(loop, side)(second, calls.append, 2)
            patience.run_until(loop, lambda: calls, "the callback that replaced another")
            remove(loop, side)(first)
            turn(loop, 3)
            assert set(calls) == {2}
            calls.clear()
        add(loop, side)(Empty(), calls.append, 1)
        patience.run_until(loop, lambda: calls, "the callback of the file that is false")
        remove(loop, side)(Empty())
        calls.clear()
        turn(loop, 3)
        assert calls == []


@requirement("watchers.invalid-descriptor", SHOULD, cite="selectors: selectors.BaseSelector.register")
@both
@each("fd", ["no file", None, -1])
def test_what_is_no_descriptor_is_refused(loop: Loop, side: str, fd: Any) -> None:
    """A negative number, or an object without fileno(), raises an exception.

    If this fails: look for a number passed to the kernel unchecked.
    """
    adding = add(loop, side)
    with refused(OSError, *([] if fd == -1 else [AttributeError])):  # of fileno()
        adding(fd, int)


@requirement("watchers.closed-loop", SHOULD, cite="asyncio-eventloop: loop.close")
@both
def test_a_closed_loop_watches_nothing(loop: Loop, side: str) -> None:
    """add_reader() and add_writer() on a closed loop raise RuntimeError, and there is nothing to remove.

    If this fails: look for a registration with a selector that is gone.
    """
    with unix_pair() as (ours, _):
        loop.close()
        with pytest.raises(RuntimeError):
            add(loop, side)(ours.fileno(), int)
        assert not remove(loop, side)(ours.fileno())


@requirement("watchers.transports-are-private", MAY, cite="gh-4365")
@each("method", ["add_reader", "add_writer", "remove_reader", "remove_writer"])
def test_the_descriptor_of_a_transport_may_be_refused(loop: Loop, method: str, answer: Answer) -> None:
    """Whether the descriptor of an open transport can be watched or unwatched, or is refused, is left open.

    If this fails: look for a transport that cannot be closed any more.
    """
    with tcp_pair() as (ours, _):
        fd = ours.fileno()
        transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=ours))
        arguments: Any = (fd, int) if method.startswith("add") else (fd,)
        try:
            getattr(loop, method)(*arguments)
        except RuntimeError:
            answer("refused")
        else:
            answer("accepted")
            getattr(loop, method.replace("add", "remove"))(fd)
        transport.abort()
        turn(loop, 3)


@requirement("watchers.pipes", MUST, cite=(READ, WRITE, "asyncio-platforms: All Platforms"))
def test_pipes_can_be_watched(loop: Loop, patience: Patience) -> None:
    """Any descriptor that the system can poll may be watched: both ends of a pipe, too, as long as they are ready.

    If this fails: look for socket calls on whatever is watched, or for watchers that tell of a pipe once.
    """
    calls: list[str] = []
    reading, writing = os.pipe()
    try:
        loop.add_writer(writing, calls.append, "writer")
        loop.add_reader(reading, calls.append, "reader")
        patience.run_until(loop, lambda: len(calls) >= 3, "the writer's third call")
        assert set(calls) == {"writer"}
        os.write(writing, b"x")
        patience.run_until(loop, lambda: calls.count("reader") >= 3, "the reader's third call")
        loop.remove_writer(writing)
        loop.remove_reader(reading)
    finally:
        os.close(reading)
        os.close(writing)


@requirement("watchers.end-of-file", MUST, cite=READ)
def test_the_end_of_the_stream_is_something_to_read(loop: Loop, patience: Patience) -> None:
    """A reader is called when the other end has closed, for as long as it watches.

    The end of a pipe is a hang-up, and nothing else.

    If this fails: look for a hang-up event that is masked out, or reported once.
    """
    calls: list[bytes] = []
    with unix_pair() as (ours, peer):
        loop.add_reader(ours.fileno(), lambda: calls.append(ours.recv(1)))
        peer.close()
        patience.run_until(loop, lambda: len(calls) >= 3, "the third call")
        loop.remove_reader(ours.fileno())
    assert set(calls) == {b""}
    calls.clear()
    reading, writing = os.pipe()
    try:
        loop.add_reader(reading, lambda: calls.append(os.read(reading, 1)))
        turn(loop, 2)
        os.close(writing)
        patience.run_until(loop, lambda: len(calls) >= 3, "the third call for the pipe")
        loop.remove_reader(reading)
    finally:
        os.close(reading)
    assert set(calls) == {b""}


@requirement("watchers.errors-wake", SHOULD, cite="selectors: Introduction")
@both
def test_a_reset_wakes_both_sides(loop: Loop, patience: Patience, side: str) -> None:
    """A connection that was reset wakes a reader and a writer: they find the error by trying.

    If this fails: look for error events that are dropped, so that nobody hears of them.
    """
    calls: list[int] = []
    with tcp_pair() as (ours, peer):
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(bytes(1 << 20))
        add(loop, side)(ours.fileno(), calls.append, 1)
        reset(peer)
        patience.run_until(loop, lambda: calls, "the callback")
        remove(loop, side)(ours.fileno())


@requirement("watchers.broken-pipe", SHOULD, cite="selectors: Introduction")
def test_the_writer_of_a_full_pipe_is_woken_when_nobody_reads_it(loop: Loop, patience: Patience) -> None:
    """The writer of a pipe whose other end was closed is called: it finds EPIPE by trying.

    If this fails: look for an error event without a write event, which wakes nobody.
    """
    calls: list[int] = []
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(65536))
        loop.add_writer(writing, calls.append, 1)
        turn(loop, 3)
        assert calls == []
        os.close(reading)
        reading = -1
        patience.run_until(loop, lambda: calls, "the callback")
        loop.remove_writer(writing)
    finally:
        os.close(writing)
        if reading >= 0:
            os.close(reading)


@requirement("watchers.listening-sockets", MUST, cite=READ)
def test_a_listening_socket_can_be_watched(loop: Loop, patience: Patience) -> None:
    """A listening socket is available for reading when a connection waits to be accepted.

    If this fails: look for watchers that are made for connected sockets only.
    """
    calls: list[int] = []
    with listener() as listening:
        loop.add_reader(listening.fileno(), calls.append, 1)
        turn(loop, 3)
        assert calls == []
        with socket.create_connection(listening.getsockname(), PEER_TIMEOUT):
            patience.run_until(loop, lambda: calls, "the callback")
            accept(listening).close()
        loop.remove_reader(listening.fileno())


@requirement("watchers.duplicates", MUST, cite=WATCHING)
def test_two_numbers_of_one_file_have_watchers_of_their_own(loop: Loop, patience: Patience) -> None:
    """Two descriptors that name the same open file are watched independently of each other.

    If this fails: look for a table keyed by the file instead of by the number.
    """
    calls: list[str] = []
    with unix_pair() as (ours, peer), ours.dup() as copy:
        loop.add_reader(ours.fileno(), calls.append, "ours")
        loop.add_reader(copy.fileno(), calls.append, "copy")
        peer.send(b"x")
        patience.run_until(loop, lambda: set(calls) == {"ours", "copy"}, "both callbacks")
        loop.remove_reader(ours.fileno())
        calls.clear()
        patience.run_until(loop, lambda: calls, "the callback that is left")
        assert set(calls) == {"copy"}
        loop.remove_reader(copy.fileno())


@requirement("watchers.outlast-errors", MUST, cite=(READ, WRITE, "zuvloop#45"))
@both
def test_a_watcher_outlasts_errors(loop: Loop, patience: Patience, side: str) -> None:
    """A descriptor on which there was an error is monitored on: its callback is called for what comes afterwards.

    If this fails: look for an error event that ends the watch, or that is reported in place of the callback.
    """
    received: list[bytes] = []
    refusals: list[int] = []

    def look() -> None:
        if error := ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            refusals.append(error)  # and is gone
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            received.append(ours.recv(100))

    with refusing_peer() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.setblocking(False)
        ours.connect(peer.getsockname())
        add(loop, side)(ours, look)
        for number in range(1, 4):
            ours.send(b"nobody is there")
            patience.run_until(loop, lambda: len(refusals) == number, "the error")  # noqa: B023 (called at once)
        peer.connect(ours.getsockname())
        peer.send(b"data")
        patience.run_until(loop, lambda: received, "the callback for the data")
        assert remove(loop, side)(ours) is True
    assert received == [b"data"]
