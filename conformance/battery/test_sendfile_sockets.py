"""Chapter sendfile: loop.sock_sendfile(), which sends a file over a socket of the caller."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.battery.test_sendfile import LARGE, SMALL, source
from conformance.kit.cases import each
from conformance.kit.certificates import client_context
from conformance.kit.files import FAR, far_file
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_exactly, reset, shrink_buffers, tcp_pair
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.kit.waiting import assert_waits
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CITE = "asyncio-eventloop: loop.sock_sendfile"
# It is the asynchronous version of socket.sendfile(), which sends what is no regular file by send().
KINDS = each("kind", ["file", "memory"])


@contextmanager
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected socket for the loop, and its peer, with small buffers."""
    with tcp_pair() as (ours, peer):
        shrink_buffers(ours, peer)
        yield ours, peer


@requirement("sendfile.sock-content", MUST, cite=CITE)
@KINDS
def test_a_file_is_sent_over_a_socket(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() sends a file over a socket, all of it, whatever the peer's speed.

    If this fails: look for a short os.sendfile() whose rest is not sent, or sent again.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, LARGE) as file:
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        loop.run_until_complete(loop.sock_sendfile(ours, file))
        assert drive(loop, patience, receiving) == LARGE


@requirement("sendfile.sock-returns", MUST, cite=CITE)
@KINDS
def test_the_number_of_bytes_sent_over_a_socket_is_returned(loop: Loop, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() returns the total number of bytes sent.

    If this fails: look for the size of the last piece, or for None.
    """
    with sockets() as (ours, _), source(kind, tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sock_sendfile(ours, file)) == 1000


@requirement("sendfile.sock-offset", MUST, cite=CITE)
@KINDS
def test_offset_tells_where_to_start_for_a_socket(loop: Loop, tmp_path: Path, kind: str) -> None:
    """offset of sock_sendfile() tells from where to start reading the file.

    If this fails: look for the file's own position used instead, or added, or for an offset of 32 bits.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, SMALL) as file:
        file.seek(5)
        assert loop.run_until_complete(loop.sock_sendfile(ours, file, 990)) == 10
        assert receive_exactly(peer, 10) == SMALL[990:]
        with far_file(tmp_path, SMALL) as far:
            if kind == "file" and far is not None:
                assert loop.run_until_complete(loop.sock_sendfile(ours, far, FAR + 980, 15)) == 15
                assert far.tell() == FAR + 995
                assert receive_exactly(peer, 15) == SMALL[980:995]


@requirement("sendfile.sock-count", MUST, cite=CITE)
@KINDS
def test_count_tells_how_much_to_send_over_a_socket(loop: Loop, tmp_path: Path, kind: str) -> None:
    """count of sock_sendfile() is the total number of bytes to transmit, as opposed to sending until EOF.

    If this fails: look for a count that is taken for an end.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sock_sendfile(ours, file, 100, 30)) == 30
        assert loop.run_until_complete(loop.sock_sendfile(ours, file, 200, 1)) == 1
        loop.run_until_complete(loop.sock_sendall(ours, b"!"))
        assert receive_exactly(peer, 32) == SMALL[100:130] + SMALL[200:201] + b"!"


@requirement("sendfile.sock-count-large", MUST, cite=CITE)
@KINDS
def test_count_holds_for_all_pieces_over_a_socket(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """count of sock_sendfile() is the total number of bytes to transmit, though they take many pieces.

    If this fails: look for a last piece that is not cut.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, LARGE) as file:
        receiving = in_thread(lambda: receive_exactly(peer, 1_000_001))
        assert loop.run_until_complete(loop.sock_sendfile(ours, file, 1, 1_000_000)) == 1_000_000
        loop.run_until_complete(loop.sock_sendall(ours, b"!"))
        assert drive(loop, patience, receiving) == LARGE[1:1_000_001] + b"!"


@requirement("sendfile.sock-count-beyond", MUST, cite=CITE)
@KINDS
def test_a_count_beyond_the_end_ends_with_the_file(loop: Loop, tmp_path: Path, kind: str) -> None:
    """If the file ends before count bytes are sent, sock_sendfile() returns how many there were.

    If this fails: look for a wait for the rest, or for count returned as it is.
    """
    with sockets() as (ours, _), source(kind, tmp_path, SMALL) as file:
        assert loop.run_until_complete(loop.sock_sendfile(ours, file, 900, 5000)) == 100


@requirement("sendfile.sock-empty", MUST, cite=CITE)
@KINDS
def test_an_empty_file_is_sent_over_a_socket(loop: Loop, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() of an empty file, or from an offset at the end of one or beyond, sends nothing and returns 0.

    If this fails: look for a call that returns no number when there is nothing to do.
    """
    with sockets() as (ours, _):
        for data, offset in ((b"", 0), (SMALL, 1000), (SMALL, 2000)):
            with source(kind, tmp_path, data) as file:
                assert loop.run_until_complete(loop.sock_sendfile(ours, file, offset)) == 0


@requirement("sendfile.sock-position", MUST, cite=CITE)
@KINDS
def test_the_position_is_updated_by_a_socket(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() updates the file position: file.tell() is offset and the number of bytes sent.

    If this fails: look for os.sendfile(), which with an offset leaves the position where it was, or for a count that
    begins anew with every piece.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, LARGE) as file:
        loop.run_until_complete(loop.sock_sendfile(ours, file, 100, 30))
        assert file.tell() == 130
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE) - 70))
        loop.run_until_complete(loop.sock_sendfile(ours, file, 100))
        assert file.tell() == len(LARGE)
        drive(loop, patience, receiving)


@requirement("sendfile.sock-position-after-error", MUST, cite=CITE)
@KINDS
def test_the_position_is_updated_after_an_error_of_a_socket(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str
) -> None:
    """sock_sendfile() updates the file position even when it raises an error, as when the peer resets the connection.

    If this fails: look for the position set on return only.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, LARGE) as file:
        sending = loop.create_task(loop.sock_sendfile(ours, file, 1000))
        receiving = in_thread(lambda: receive_exactly(peer, 300_000))
        patience.run_until(loop, lambda: sending.done() or not receiving.is_alive(), "the first part of the file")
        assert_waits(sending)
        reset(peer)
        patience.run_until(loop, sending.done, "the end of sock_sendfile()")
        assert isinstance(sending.exception(), OSError)
        assert 1000 < file.tell() < len(LARGE)


@requirement("sendfile.sock-waits", MUST, cite=CITE)
@KINDS
def test_the_loop_goes_on_while_a_socket_sends(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() is asynchronous: it waits for a peer that does not read, and lets the loop go on meanwhile.

    If this fails: look for a socket made blocking, or socket.sendfile() called as it is.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, LARGE) as file:
        sending = loop.create_task(loop.sock_sendfile(ours, file))
        loop.run_until_complete(asyncio.sleep(0.02))
        assert_waits(sending)
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE)))
        assert loop.run_until_complete(sending) == len(LARGE)
        drive(loop, patience, receiving)


@requirement("sendfile.sock-cancelled", SHOULD, cite="asyncio-task: Task Cancellation")
@KINDS
def test_sending_over_a_socket_can_be_cancelled(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() that is cancelled lets go of the socket, which stays open.

    If this fails: look for a writer that stays registered and goes on sending.
    """
    with sockets() as (ours, _), source(kind, tmp_path, LARGE) as file:
        sending = loop.create_task(loop.sock_sendfile(ours, file))
        loop.run_until_complete(asyncio.sleep(0.005))
        assert_waits(sending)
        sending.cancel()
        patience.run_until(loop, sending.done, "the end of sending")
        assert sending.cancelled()
        assert loop.remove_writer(ours) is False
        assert ours.fileno() != -1


@requirement("sendfile.sock-stays-open", MUST, cite=CITE)
@KINDS
def test_the_socket_stays_open(loop: Loop, tmp_path: Path, kind: str) -> None:
    """sock_sendfile() leaves socket and file open: other data can be sent afterwards.

    If this fails: look for a file or socket object made of the descriptor, which closes it.
    """
    with sockets() as (ours, peer), source(kind, tmp_path, SMALL) as file:
        loop.run_until_complete(loop.sock_sendfile(ours, file))
        loop.run_until_complete(loop.sock_sendall(ours, b"after"))
        assert receive_exactly(peer, 1005) == SMALL + b"after"
        assert file.seek(0) == 0


@requirement("sendfile.sock-datagram", MUST, cite=CITE)
def test_a_datagram_socket_is_refused(loop: Loop, tmp_path: Path) -> None:
    """sock must be a SOCK_STREAM socket: one of datagrams raises an exception.

    If this fails: look for a file sent in datagrams that nobody can put together.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as sock, source("file", tmp_path, SMALL) as file:
        sock.setblocking(False)
        with refused(OSError):
            loop.run_until_complete(loop.sock_sendfile(sock, file))


@requirement("sendfile.sock-tls", SHOULD, cite="gh-90410")
def test_an_ssl_socket_is_refused(loop: Loop, tmp_path: Path) -> None:
    """sock_sendfile() does not take an ssl.SSLSocket: an exception is raised.

    If this fails: look for os.sendfile() on its descriptor, which sends plain text.
    """
    with tcp_pair() as (ours, _), source("file", tmp_path, SMALL) as file:
        wrapped = client_context().wrap_socket(ours, server_hostname="localhost", do_handshake_on_connect=False)
        with wrapped, refused():
            loop.run_until_complete(loop.sock_sendfile(wrapped, file))


@requirement("sendfile.sock-blocking", SHOULD, cite=CITE)
def test_a_blocking_socket_is_refused_in_debug_mode(loop: Loop, tmp_path: Path) -> None:
    """sock must be a non-blocking socket: in debug mode another one is refused.

    If this fails: look for the check that the other sock_ methods have.
    """
    loop.set_debug(True)
    with tcp_pair() as (ours, _), source("file", tmp_path, SMALL) as file:
        ours.setblocking(True)
        with refused():
            loop.run_until_complete(loop.sock_sendfile(ours, file))
