"""Chapter sendfile: what cannot be sent, and without the fallback."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import Any

import pytest

from conformance.battery.test_sendfile import LARGE, SMALL, connected, connected_for, kinds, source, takes_memory
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, tcp_pair
from conformance.kit.refusals import REFUSALS, refused
from conformance.kit.secured import secured
from conformance.kit.threads import in_thread
from conformance.kit.waiting import assert_waits
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CITE = "asyncio-eventloop: loop.sendfile"
SOCK = "asyncio-eventloop: loop.sock_sendfile"


def over_transport(loop: Loop, file: Any, *args: Any, **kwargs: Any) -> Any:
    with connected(loop) as (transport, _, _):
        return loop.run_until_complete(loop.sendfile(transport, file, *args, **kwargs))


def over_socket(loop: Loop, file: Any, *args: Any, **kwargs: Any) -> Any:
    with tcp_pair() as (ours, _):
        return loop.run_until_complete(loop.sock_sendfile(ours, file, *args, **kwargs))


@requirement("sendfile.not-available", MUST, cite="asyncio-exceptions: SendfileNotAvailableError")
def test_without_the_fallback_it_is_an_error(loop: Loop) -> None:
    """If the system call cannot send the file and fallback is False, sendfile() raises SendfileNotAvailableError.

    If this fails: look for a fallback that is used all the same, or an OSError of the system call.
    """
    # What is no regular file may be refused for that, whatever fallback is.
    with pytest.raises(asyncio.SendfileNotAvailableError if takes_memory(loop) else REFUSALS):
        over_transport(loop, io.BytesIO(SMALL), fallback=False)


@requirement("sendfile.sock-not-available", MUST, cite="asyncio-exceptions: SendfileNotAvailableError")
def test_without_the_fallback_it_is_an_error_for_a_socket(loop: Loop) -> None:
    """If the system call cannot send the file and fallback is False, sock_sendfile() raises SendfileNotAvailableError.

    If this fails: look for a fallback that is used all the same, or an OSError of the system call.
    """
    with pytest.raises(asyncio.SendfileNotAvailableError):
        over_socket(loop, io.BytesIO(SMALL), fallback=False)


@requirement("sendfile.native", MUST, cite=CITE)
def test_a_regular_file_needs_no_fallback(loop: Loop, tmp_path: Path) -> None:
    """sendfile() uses os.sendfile() if available: without fallback a regular file is sent over a plain connection.

    If this fails: look for a loop that knows the fallback only.
    """
    with source("file", tmp_path, SMALL) as file:
        assert over_transport(loop, file, fallback=False) == 1000


@requirement("sendfile.sock-native", MUST, cite=SOCK)
def test_a_regular_file_needs_no_fallback_for_a_socket(loop: Loop, tmp_path: Path) -> None:
    """sock_sendfile() uses os.sendfile() if possible: without fallback a regular file is sent over a socket.

    If this fails: look for a loop that knows the fallback only.
    """
    with source("file", tmp_path, SMALL) as file:
        assert over_socket(loop, file, fallback=False) == 1000


@requirement("sendfile.tls-not-available", MUST, cite=CITE)
@each("side", ["client", "server", "upgraded"])
def test_without_the_fallback_tls_is_an_error(loop: Loop, patience: Patience, tmp_path: Path, side: str) -> None:
    """Over TLS, where the system call is of no use, sendfile() raises an error if fallback is False.

    If this fails: look for os.sendfile() on the socket beneath, which sends plain text.
    """
    # SendfileNotAvailableError is documented; asyncio itself raises its base class here.
    with secured(loop, patience, side) as (transport, _, _), source("file", tmp_path, SMALL) as file, refused():
        loop.run_until_complete(loop.sendfile(transport, file, fallback=False))


@requirement("sendfile.closing", SHOULD, cite=CITE)
@each("kind", ["file", "tls"])
def test_a_closing_transport_sends_no_file(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """sendfile() on a transport that is closing raises an exception.

    If this fails: look for a file sent to nobody, and counted as sent.
    """
    with connected_for(loop, patience, kind) as (transport, _, _), source(kind, tmp_path, SMALL) as file:
        transport.close()
        with refused(OSError):
            loop.run_until_complete(loop.sendfile(transport, file))


@requirement("sendfile.transport-type", SHOULD, cite=CITE)
def test_a_pipe_takes_no_file(loop: Loop, tmp_path: Path) -> None:
    """sendfile() on a transport that cannot send files, as that of a pipe, raises an exception.

    If this fails: look for an AttributeError, or a file that is written in part.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as pipe, source("file", tmp_path, SMALL) as file:
        transport, _ = loop.run_until_complete(loop.connect_write_pipe(asyncio.BaseProtocol, pipe))
        try:
            with refused():
                loop.run_until_complete(loop.sendfile(transport, file))
        finally:
            transport.abort()
            turn(loop, 3)


@requirement("sendfile.text", SHOULD, cite=CITE)
@each("kind", ["plain", "tls"])
def test_a_text_file_is_refused(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """The file must be opened in binary mode: sendfile() of a text file raises an exception.

    If this fails: look for text that is sent as its bytes happen to be, perhaps by what sends where the system cannot.
    """
    path = tmp_path / "text"
    path.write_text("text")
    # What reads by hand, over TLS, may find out by a method that only files of bytes have.
    also = [AttributeError] if kind == "tls" else []
    with connected_for(loop, patience, kind) as (transport, _, _), path.open() as file, refused(*also):
        text: Any = file
        loop.run_until_complete(loop.sendfile(transport, text))


@requirement("sendfile.sock-text", SHOULD, cite=SOCK)
def test_a_text_file_is_refused_for_a_socket(loop: Loop, tmp_path: Path) -> None:
    """The file must be opened in binary mode: sock_sendfile() of a text file raises an exception.

    If this fails: look for text that is sent as its bytes happen to be.
    """
    path = tmp_path / "text"
    path.write_text("text")
    with path.open() as file, refused():
        over_socket(loop, file)


WRONG = each(
    ("offset", "count"),
    [(-1, None), (0, 0), (0, -1), (1.5, None), (0, "1")],
    ids=["offset-negative", "count-zero", "count-negative", "offset-float", "count-text"],
)


@requirement("sendfile.numbers", SHOULD, cite=CITE)
@WRONG
def test_numbers_are_checked(loop: Loop, tmp_path: Path, offset: Any, count: Any) -> None:
    """offset is a non-negative integer and count a positive one: sendfile() refuses others.

    If this fails: look for a count of zero taken for "all", or a negative offset given to the system.
    """
    with source("file", tmp_path, SMALL) as file, refused(OSError):
        over_transport(loop, file, offset, count)


@requirement("sendfile.sock-numbers", SHOULD, cite=SOCK)
@WRONG
def test_numbers_are_checked_for_a_socket(loop: Loop, tmp_path: Path, offset: Any, count: Any) -> None:
    """offset is a non-negative integer and count a positive one: sock_sendfile() refuses others.

    If this fails: look for a count of zero taken for "all", or a negative offset given to the system.
    """
    with source("file", tmp_path, SMALL) as file, refused(OSError):
        over_socket(loop, file, offset, count)


@requirement("sendfile.lost", SHOULD, cite=CITE)
@kinds("memory", "tls")
def test_an_abort_ends_a_file(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """If the transport is aborted while a file is read and sent, sendfile() raises an exception.

    If this fails: look for a wait for a transport that is closed.
    """
    with connected_for(loop, patience, kind) as (transport, _, _), source(kind, tmp_path, LARGE) as file:
        transport.set_write_buffer_limits(high=65536)  # by default TLS may take the whole file
        sending = loop.create_task(loop.sendfile(transport, file))
        loop.run_until_complete(asyncio.sleep(0.02))
        assert_waits(sending)
        transport.abort()
        patience.run_until(loop, sending.done, "the end of sendfile()")
        assert isinstance(sending.exception(), (*REFUSALS, OSError))


@requirement("sendfile.write-meanwhile", SHOULD, cite=CITE)
def test_nothing_is_written_into_a_file(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """While os.sendfile() sends a file over a transport, write() raises an exception, or sends behind the file.

    If this fails: look for data that is sent in the middle of the file.
    """
    behind = b"meanwhile"
    with connected(loop) as (transport, _, peer), source("file", tmp_path, LARGE) as file:
        sending = loop.create_task(loop.sendfile(transport, file, fallback=False))
        loop.run_until_complete(asyncio.sleep(0.02))
        assert_waits(sending)
        try:
            transport.write(behind)
        except (*REFUSALS, OSError):
            behind = b""
        receiving = in_thread(lambda: receive_exactly(peer, len(LARGE) + len(behind)))
        loop.run_until_complete(sending)
        assert drive(loop, patience, receiving) == LARGE + behind
