"""Chapter sendfile: loop.sendfile(), which sends a file over a transport."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.files import FAR, far_file
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, reset, shrink_buffers, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.refusals import REFUSALS
from conformance.kit.secured import secured
from conformance.kit.threads import in_thread
from conformance.kit.waiting import assert_waits
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CITE = "asyncio-eventloop: loop.sendfile"
SMALL = bytes(range(200)) * 5
LARGE = bytes(range(251)) * 6000  # 1.5 MB: more than shrunk buffers take, of a period that no block divides
MEDIUM = LARGE[:80_000]  # several blocks, and no more than the system takes at once
REFUSED_IN_MEMORY = (TypeError, ValueError, asyncio.SendfileNotAvailableError)
AHEAD = 500  # turns of a millisecond: a file of which so little has been read by then is not read ahead any further


def takes_memory(loop: Loop) -> bool:
    """Whether sendfile() sends what is in memory only: the documentation says that a file must be a regular one."""
    with connected(loop) as (transport, _, _):
        try:
            loop.run_until_complete(loop.sendfile(transport, io.BytesIO(b"x")))
        except REFUSED_IN_MEMORY:
            return False
    return True


def if_memory_is_taken(test: Callable[..., None]) -> Callable[..., None]:
    """A case of the kind "memory" is left out if the loop refuses all such files: `sendfile.memory` says so, once."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        try:
            test(**fixtures)
        except REFUSED_IN_MEMORY:
            if "memory" not in fixtures.values() or takes_memory(fixtures["loop"]):
                raise

    return run


def kinds(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Each kind: a regular file is sent by os.sendfile(); what is in memory only is read and written.

    A transport for TLS is another one, with a fallback of its own.
    """
    return lambda test: each("kind", names)(if_memory_is_taken(test))


KINDS = kinds("file", "memory")
KINDS_AND_TLS = kinds("file", "memory", "tls")


@contextlib.contextmanager
def source(kind: str, tmp_path: Path, data: bytes) -> Iterator[Any]:
    """A file with this data, of the file system or in memory."""
    if kind == "memory":
        yield io.BytesIO(data)
        return
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as file:
        yield file


@contextlib.contextmanager
def connected(loop: Loop) -> Iterator[tuple[Any, Any, socket.socket]]:
    """(transport, protocol, peer) of a connection with small buffers; aborted at the end."""
    with tcp_pair() as (ours, peer):
        shrink_buffers(ours, peer)
        transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
        try:
            yield transport, protocol, peer
        finally:
            if not protocol.lost:
                transport.abort()
            turn(loop, 3)


def connected_for(loop: Loop, patience: Patience, kind: str) -> Any:
    """A connection as `connected()` makes it, over TLS if that is the kind."""
    return secured(loop, patience) if kind == "tls" else connected(loop)


def several(kind: str) -> bytes:
    """Data that takes several pieces, but does not ask more of the fallback than `sendfile.fallback-buffers` does."""
    return MEDIUM if kind == "memory" else LARGE


@requirement("sendfile.content", MUST, cite=CITE)
@KINDS
def test_a_file_is_sent(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sendfile() sends a file over a transport, all of it, whatever the peer's speed.

    If this fails: look for a short os.sendfile() whose rest is not sent, or sent again.
    """
    data = several(kind)
    with connected(loop) as (transport, _, peer), source(kind, tmp_path, data) as file:
        receiving = in_thread(lambda: receive_exactly(peer, len(data)))
        loop.run_until_complete(loop.sendfile(transport, file))
        assert drive(loop, patience, receiving) == data


@requirement("sendfile.memory", SHOULD, cite="asyncio-exceptions: SendfileNotAvailableError")
def test_what_is_no_regular_file_is_read_and_sent(loop: Loop, patience: Patience) -> None:
    """A file of a type for which the system call is not available, as one in memory, is read and sent instead.

    If this fails: look for a file that must have a descriptor.
    """
    with connected(loop) as (transport, _, peer):
        assert loop.run_until_complete(loop.sendfile(transport, io.BytesIO(SMALL))) == len(SMALL)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(SMALL)))) == SMALL


@requirement("sendfile.fallback-buffers", MUST, cite=CITE)
@kinds("memory")
def test_what_is_buffered_of_a_file_stays_as_it_was(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """What the fallback reads of a file is sent as it was read, though the transport has to buffer it.

    If this fails: look for one buffer into which each block is read, while the transport still keeps the last.
    """
    with connected(loop) as (transport, _, peer), source(kind, tmp_path, LARGE) as file:
        transport.set_write_buffer_limits(high=2 * len(LARGE))  # all of it may be buffered
        sending = loop.create_task(loop.sendfile(transport, file))
        for _ in range(AHEAD):  # a loop may also wait until all was sent
            if sending.done() or file.tell() == len(LARGE):
                break
            loop.run_until_complete(asyncio.sleep(0.001))
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        assert loop.run_until_complete(sending) == len(LARGE)
        assert drive(loop, patience, receiving) == LARGE


@requirement("sendfile.returns", MUST, cite=CITE)
@KINDS
def test_the_number_of_bytes_is_returned(loop: Loop, tmp_path: Path, kind: str) -> None:
    """sendfile() returns the total number of bytes sent.

    If this fails: look for the size of the last piece, or for None.
    """
    with connected(loop) as (transport, _, _), source(kind, tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sendfile(transport, file)) == 1000


@requirement("sendfile.offset", MUST, cite=CITE)
@KINDS
def test_offset_tells_where_to_start(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """offset tells from where to start reading the file.

    If this fails: look for the file's own position used instead, or added, or for an offset of 32 bits.
    """
    with connected(loop) as (transport, _, peer), source(kind, tmp_path, SMALL) as file:
        file.seek(5)
        assert loop.run_until_complete(loop.sendfile(transport, file, 990)) == 10
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 10))) == SMALL[990:]
        with far_file(tmp_path, SMALL) as far:
            if kind == "file" and far is not None:
                assert loop.run_until_complete(loop.sendfile(transport, far, FAR + 980, 15)) == 15
                assert far.tell() == FAR + 995
                assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 15))) == SMALL[980:995]


@requirement("sendfile.count", MUST, cite=CITE)
@KINDS
def test_count_tells_how_much_to_send(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """count is the total number of bytes to transmit, as opposed to sending the file until EOF is reached.

    If this fails: look for a count that is taken for an end, or that holds for a piece only.
    """
    with connected(loop) as (transport, _, peer), source(kind, tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sendfile(transport, file, 100, 30)) == 30
        assert loop.run_until_complete(loop.sendfile(transport, file, 200, 1)) == 1
        transport.write(b"!")
        expected = SMALL[100:130] + SMALL[200:201] + b"!"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 32))) == expected


@requirement("sendfile.count-large", MUST, cite=CITE)
@KINDS_AND_TLS
def test_count_holds_for_all_pieces(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """count is the total number of bytes to transmit, though they take many pieces.

    If this fails: look for a last piece that is not cut.
    """
    data = several(kind)
    count = len(data) - 10_000
    with connected_for(loop, patience, kind) as (transport, _, peer), source(kind, tmp_path, data) as file:
        receiving = in_thread(lambda: receive_exactly(peer, count + 1))
        assert loop.run_until_complete(loop.sendfile(transport, file, 1, count)) == count
        transport.write(b"!")
        assert drive(loop, patience, receiving) == data[1 : count + 1] + b"!"


@requirement("sendfile.count-beyond", MUST, cite=CITE)
@KINDS
def test_a_count_beyond_the_end_sends_to_the_end(loop: Loop, tmp_path: Path, kind: str) -> None:
    """If the file ends before count bytes are sent, what there was is sent, and its number returned.

    If this fails: look for a wait for the rest, or for count returned as it is, or for one of 32 bits.
    """
    with connected(loop) as (transport, _, _), source(kind, tmp_path, SMALL) as file:
        for count in (5000, 1 << 40):
            assert loop.run_until_complete(loop.sendfile(transport, file, 900, count)) == 100


@requirement("sendfile.empty", MUST, cite=CITE)
@KINDS_AND_TLS
def test_an_empty_file_is_sent(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sendfile() of an empty file, or from an offset at the end of one or beyond, sends nothing and returns 0.

    If this fails: look for a wait until the socket takes the nothing, or for a fallback that is not needed.
    """
    with connected_for(loop, patience, kind) as (transport, _, _):
        for data, offset in ((b"", 0), (SMALL, 1000), (SMALL, 2000)):
            with source(kind, tmp_path, data) as file:
                assert loop.run_until_complete(loop.sendfile(transport, file, offset)) == 0
                assert not transport.is_closing()


@requirement("sendfile.position", MUST, cite=CITE)
@KINDS
def test_the_position_is_updated(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """The file position is updated: file.tell() is offset and the number of bytes sent.

    If this fails: look for os.sendfile(), which with an offset leaves the position where it was, or for a count that
    begins anew with every piece.
    """
    with connected(loop) as (transport, _, peer), source(kind, tmp_path, MEDIUM) as file:
        loop.run_until_complete(loop.sendfile(transport, file, 100, 30))
        assert file.tell() == 130
        receiving = in_thread(lambda: receive_exactly(peer, len(MEDIUM) - 70))
        loop.run_until_complete(loop.sendfile(transport, file, 100))
        assert file.tell() == len(MEDIUM)
        drive(loop, patience, receiving)


@requirement("sendfile.position-after-error", MUST, cite=CITE)
@KINDS_AND_TLS
def test_the_position_is_updated_after_an_error(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str, watch: Any
) -> None:
    """The file position is updated even when sendfile() raises an error, as when the peer resets the connection.

    If this fails: look for the position set on return only.
    """
    watch.allow("reported")
    with connected_for(loop, patience, kind) as (transport, _, peer), source(kind, tmp_path, LARGE) as file:
        transport.set_write_buffer_limits(high=65536)  # by default TLS may take the whole file
        sending = loop.create_task(loop.sendfile(transport, file, 1000))
        receiving = in_thread(lambda: receive_exactly(peer, 100_000))
        patience.run_until(loop, lambda: sending.done() or not receiving.is_alive(), "the first part of the file")
        assert_waits(sending)
        reset(peer)
        patience.run_until(loop, sending.done, "the end of sendfile()")
        assert isinstance(sending.exception(), (*REFUSALS, OSError))
        assert 101_000 <= file.tell() < len(LARGE)


@requirement("sendfile.waits", MUST, cite=CITE)
@KINDS_AND_TLS
def test_the_loop_goes_on_while_a_file_is_sent(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sendfile() is a coroutine that waits for a peer that does not read, and lets the loop go on meanwhile.

    If this fails: look for a socket made blocking, or all of the file read into memory and buffered.
    """
    with connected_for(loop, patience, kind) as (transport, _, peer), source(kind, tmp_path, LARGE) as file:
        transport.set_write_buffer_limits(high=65536)  # by default TLS may take the whole file
        sending = loop.create_task(loop.sendfile(transport, file))
        loop.run_until_complete(asyncio.sleep(0.02))
        assert_waits(sending)
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        assert loop.run_until_complete(sending) == len(LARGE)
        drive(loop, patience, receiving)


@requirement("sendfile.after-writes", SHOULD, cite=CITE)
@KINDS_AND_TLS
def test_a_file_follows_what_was_written(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """What was written before sendfile() is sent before the file; a protocol that was paused for it is resumed.

    If this fails: look for os.sendfile() on a socket while the transport still has data for it, or for another protocol
    that stands in meanwhile and keeps what it is told.
    """
    with connected_for(loop, patience, kind) as (transport, protocol, peer), source(kind, tmp_path, SMALL) as file:
        transport.set_write_buffer_limits(high=1000)
        for _ in range(2):  # TLS passes the first on, to the transport beneath
            transport.write(LARGE)
        receiving = in_thread(lambda: receive_exactly(peer, 2 * len(LARGE) + len(SMALL)))
        loop.run_until_complete(loop.sendfile(transport, file))
        assert drive(loop, patience, receiving) == LARGE + LARGE + SMALL

        def paused() -> bool:
            return [name for name in protocol.names if name.endswith("_writing")][-1:] == ["pause_writing"]

        patience.run_until(loop, lambda: not paused(), "resume_writing()")


@requirement("sendfile.before-writes", SHOULD, cite=CITE)
@KINDS_AND_TLS
def test_what_is_written_afterwards_follows_the_file(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """After sendfile() the transport writes again, and what is written is sent after the file.

    If this fails: look for a transport that stays locked, or a piece of the file that is still buffered.
    """
    data = several(kind)
    with connected_for(loop, patience, kind) as (transport, _, peer), source(kind, tmp_path, data) as file:
        receiving = in_thread(lambda: receive_exactly(peer, len(data) + 5))
        loop.run_until_complete(loop.sendfile(transport, file))
        transport.write(b"after")
        assert drive(loop, patience, receiving) == data + b"after"


@requirement("sendfile.reading", SHOULD, cite=CITE)
@KINDS_AND_TLS
def test_data_is_received_after_a_file_was_sent(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """After sendfile() the protocol receives data as before.

    If this fails: look for reading that is paused for the file, and not resumed.
    """
    with connected_for(loop, patience, kind) as (transport, protocol, peer), source(kind, tmp_path, SMALL) as file:
        loop.run_until_complete(loop.sendfile(transport, file))
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")


@requirement("sendfile.protocol", SHOULD, cite=CITE)
@KINDS_AND_TLS
def test_the_protocol_is_the_same_afterwards(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """After sendfile() the transport has the protocol that it had.

    If this fails: look for a protocol that stands in while the file is sent, and stays.
    """
    with connected_for(loop, patience, kind) as (transport, protocol, _), source(kind, tmp_path, SMALL) as file:
        loop.run_until_complete(loop.sendfile(transport, file))
        assert transport.get_protocol() is protocol


@requirement("sendfile.by-name", MUST, cite="asyncio-eventloop: loop.sendfile")
def test_what_to_send_may_be_given_by_name(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendfile() takes transport, file, offset and count by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    with connected(loop) as (transport, _, peer), source("file", tmp_path, SMALL) as file:
        sending = loop.sendfile(transport=transport, file=file, offset=3, count=7)
        assert loop.run_until_complete(sending) == 7
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 7))) == SMALL[3:10]
