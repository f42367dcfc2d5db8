"""Chapter sendfile: files over connections of every kind, over TLS, and over a transport whose reading is paused."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

from conformance.battery.test_sendfile import (
    CITE,
    KINDS_AND_TLS,
    LARGE,
    SMALL,
    connected,
    connected_for,
    if_memory_is_taken,
    source,
)
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, shrink_buffers, tcp_pair
from conformance.kit.refusals import REFUSALS
from conformance.kit.secured import secured
from conformance.kit.threads import in_thread
from conformance.kit.waiting import assert_waits
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SOCK = "asyncio-eventloop: loop.sock_sendfile"


@requirement("sendfile.ways", MUST, cite=CITE)
@WAYS
def test_a_file_is_sent_over_any_connection(loop: Loop, patience: Patience, tmp_path: Path, way: str) -> None:
    """sendfile() sends a file over a connection to a host, an accepted one, and one of a Unix socket.

    If this fails: look for a transport that is refused for how it came about.
    """
    with joined(loop, patience, way) as (transport, _, peer), source("file", tmp_path, LARGE) as file:
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        assert loop.run_until_complete(loop.sendfile(transport, file)) == len(LARGE)
        assert drive(loop, patience, receiving) == LARGE
        assert file.tell() == len(LARGE)


@requirement("sendfile.from-the-start", MUST, cite=CITE)
def test_the_default_offset_is_the_start(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """offset, 0 by default, tells from where to start reading the file, wherever its position is.

    If this fails: look for an offset of 0 taken for "not given", so that the file is read from its own position.
    """
    with connected(loop) as (transport, _, peer), source("file", tmp_path, SMALL) as file:
        for arguments in ((), (0,)):
            file.seek(400)
            assert loop.run_until_complete(loop.sendfile(transport, file, *arguments)) == len(SMALL)
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL


@requirement("sendfile.tls", MUST, cite=CITE)
@each("side", ["client", "server", "upgraded"])
def test_a_file_is_sent_over_tls(loop: Loop, patience: Patience, tmp_path: Path, side: str) -> None:
    """With fallback, the default, a file is read and sent where the system call is of no use, as over TLS.

    If this fails: look for a file sent in plain text, or not at all.
    """
    with secured(loop, patience, side) as (transport, _, peer), source("file", tmp_path, LARGE) as file:
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        assert loop.run_until_complete(loop.sendfile(transport, file)) == len(LARGE)
        assert drive(loop, patience, receiving) == LARGE


@requirement("sendfile.tls-part", MUST, cite=CITE)
@each(("offset", "count"), [(0, None), (300, None), (0, 200), (300, 200), (300, 5000)])
def test_a_part_of_a_file_is_sent_over_tls(
    loop: Loop, patience: Patience, tmp_path: Path, offset: int, count: int | None
) -> None:
    """offset and count tell which part is sent over TLS, too; its length is returned, and the position is updated.

    If this fails: look for arguments that are not passed on to the fallback.
    """
    expected = SMALL[offset:] if count is None else SMALL[offset : offset + count]
    with secured(loop, patience) as (transport, _, peer), source("file", tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sendfile(transport, file, offset, count)) == len(expected)
        assert file.tell() == offset + len(expected)
        transport.write(b"the end")
        received = drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected) + 7)))
        assert received == expected + b"the end"


@requirement("sendfile.paused", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@KINDS_AND_TLS
def test_a_file_does_not_resume_reading(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """A transport whose reading is paused stays so when a file was sent, until resume_reading() is called.

    If this fails: look for reading that is paused for the file, and resumed whatever it was before.
    """
    connection = connected_for(loop, patience, kind)
    with connection as (transport, protocol, peer), source(kind, tmp_path, SMALL) as file:
        transport.pause_reading()
        loop.run_until_complete(loop.sendfile(transport, file))
        peer.sendall(b"data")
        turn(loop, 20)
        assert transport.is_reading() is False
        assert protocol.received == b""
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"data", "the data after resume_reading()")


@requirement("sendfile.sock-from-the-start", MUST, cite=SOCK)
def test_the_default_offset_for_a_socket_is_the_start(loop: Loop, tmp_path: Path) -> None:
    """offset of sock_sendfile(), 0 by default, is from where the file is read, wherever its position is.

    If this fails: look for an offset of 0 taken for "not given", so that the file is read from its own position.
    """
    with tcp_pair() as (ours, peer), source("file", tmp_path, SMALL) as file:
        for arguments in ((), (0,)):
            file.seek(400)
            assert loop.run_until_complete(loop.sock_sendfile(ours, file, *arguments)) == len(SMALL)
            assert receive_exactly(peer, len(SMALL)) == SMALL


@requirement("sendfile.fallback-from-the-start", MUST, cite=(CITE, SOCK, "gh-150107"))
@each("way", ["memory", "tls", "sock"])
@if_memory_is_taken
def test_the_fallback_reads_from_the_start(loop: Loop, patience: Patience, tmp_path: Path, way: str) -> None:
    """offset, 0 by default, tells from where to start reading also what is read by hand, as what is sent over TLS.

    If this fails: look for a fallback that seeks only where the offset is true.
    """
    with contextlib.ExitStack() as stack:
        if way == "sock":
            to, peer = stack.enter_context(tcp_pair())
        else:
            to, _, peer = stack.enter_context(connected_for(loop, patience, way))
        file = stack.enter_context(source("file" if way == "tls" else "memory", tmp_path, SMALL))
        send: Any = loop.sock_sendfile if way == "sock" else loop.sendfile
        for arguments in ((), (0,)):
            file.seek(400)
            assert loop.run_until_complete(send(to, file, *arguments)) == len(SMALL)
            assert file.tell() == len(SMALL)
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL


@requirement("sendfile.modes", MUST, cite=(CITE, SOCK))
@each("opened", ["rb", "r+b", "w+b", "unbuffered", "temporary", "named"])
def test_a_file_may_be_open_for_writing_too(loop: Loop, patience: Patience, tmp_path: Path, opened: str) -> None:
    """file must be a regular file object opened in binary mode, which may be for writing, too, or without a buffer.

    If this fails: look for a comparison of the mode with "rb", or for a class that a file object must have.
    """
    path = tmp_path / "file"
    path.write_bytes(SMALL)
    with contextlib.ExitStack() as stack:
        if opened == "temporary":
            file: Any = stack.enter_context(tempfile.TemporaryFile())
        elif opened == "named":
            file = stack.enter_context(tempfile.NamedTemporaryFile())
        elif opened == "unbuffered":
            file = stack.enter_context(open(path, "rb", buffering=0))
        else:
            file = stack.enter_context(open(path, opened))
        if opened in ("w+b", "temporary", "named"):
            file.write(SMALL)
            file.flush()
        with connected(loop) as (transport, _, peer):
            assert loop.run_until_complete(loop.sendfile(transport, file)) == len(SMALL)
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL
        file.seek(0)
        with secured(loop, patience) as (transport, _, peer):
            assert loop.run_until_complete(loop.sendfile(transport, file)) == len(SMALL)
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL
        with tcp_pair() as (ours, peer):
            assert loop.run_until_complete(loop.sock_sendfile(ours, file)) == len(SMALL)
            assert receive_exactly(peer, len(SMALL)) == SMALL


@requirement("sendfile.several", MUST, cite=(CITE, SOCK))
@each("how", ["sendfile", "sock_sendfile"])
def test_files_are_sent_side_by_side(loop: Loop, patience: Patience, tmp_path: Path, how: str) -> None:
    """A file that waits for its peer keeps no other file from being sent to another.

    If this fails: look for a lock, a buffer or a thread that all files share.
    """
    with contextlib.ExitStack() as stack:
        files = []
        for name, data in (("slow", LARGE), ("quick", SMALL)):
            directory = tmp_path / name
            directory.mkdir(exist_ok=True)
            files.append(stack.enter_context(source("file", directory, data)))
        slow, quick = files
        if how == "sendfile":
            (one, _, _), (other, _, peer) = (stack.enter_context(connected(loop)) for _ in range(2))
        else:
            (one, slow_peer), (other, peer) = (stack.enter_context(tcp_pair()) for _ in range(2))
            shrink_buffers(one, slow_peer)
        waiting = loop.create_task(getattr(loop, how)(one, slow))
        turn(loop, 3)
        sending = asyncio.wait_for(getattr(loop, how)(other, quick), patience.seconds)
        assert loop.run_until_complete(sending) == len(SMALL)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL
        turn(loop, 2)
        assert_waits(waiting)
        waiting.cancel()
        loop.run_until_complete(asyncio.wait([waiting]))


@requirement("sendfile.position-when-cancelled", MUST, cite=(CITE, SOCK))
@each("how", ["memory", "tls", "sock"])
@if_memory_is_taken
def test_the_position_is_updated_when_the_fallback_is_cancelled(
    loop: Loop, patience: Patience, tmp_path: Path, how: str
) -> None:
    """The file position is always updated: also when a file that is read and sent by hand is cancelled on the way.

    If this fails: look for the position set on return only, or for the errors of sending only.
    """
    # asyncio forgets it when os.sendfile() waits and is cancelled, which is not asked for here.
    with contextlib.ExitStack() as stack:
        if how == "sock":
            way, peer = stack.enter_context(tcp_pair())
            shrink_buffers(way, peer)
        else:
            way, _, peer = stack.enter_context(connected_for(loop, patience, how))
            way.set_write_buffer_limits(high=65536)
        file = stack.enter_context(source("file" if how == "tls" else "memory", tmp_path, LARGE))
        send: Any = loop.sock_sendfile if how == "sock" else loop.sendfile
        sending = loop.create_task(send(way, file, 1000))
        # More than a block, as asyncio counts whole ones, and less than is on its way to the end of the file.
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE) // 2))
        patience.run_until(loop, lambda: sending.done() or not receiving.is_alive(), "the first part of the file")
        loop.run_until_complete(asyncio.sleep(0.01))  # until nothing more goes
        assert_waits(sending)
        sending.cancel()
        loop.run_until_complete(asyncio.wait([sending]))
        assert sending.cancelled()
        assert 1000 < file.tell() < len(LARGE)


@requirement("sendfile.reads-after-refusal", SHOULD, cite=CITE)
@each("refused", [{"fallback": False}, {"count": -1}, {"offset": -1}])
def test_a_connection_reads_on_when_a_file_is_refused(loop: Loop, patience: Patience, refused: dict[str, Any]) -> None:
    """When sendfile() raises because of what it was given, the connection goes on: data is received as before.

    If this fails: look for reading that is paused for the time of sending, and not resumed when that does not begin.
    """
    with connected(loop) as (transport, protocol, peer):
        try:
            loop.run_until_complete(loop.sendfile(transport, io.BytesIO(SMALL), **refused))
        except NotImplementedError:
            raise
        except (*REFUSALS, OSError):
            pass
        assert transport.is_reading()
        peer.sendall(b"question")
        patience.run_until(loop, lambda: protocol.received.endswith(b"question"), "the data")
        transport.write(b"answer")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"answer"
