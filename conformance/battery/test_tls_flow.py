"""Chapter tls: flow control of TLS connections, what is set as they are made, and ends that come during a pause."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

import pytest

from conformance.battery.test_tls_upgrade import plain, upgrade
from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, shrink_buffers, tcp_pair
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.secured import BIG, MADE_SIDES, SIDES, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import received_inside_resume, until_lost
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
PAUSE = "asyncio-protocol: ReadTransport.pause_reading"
WRITE = "asyncio-protocol: BaseProtocol.pause_writing"


@requirement("tls.paired", MUST, cite=WRITE)
@each("how", ["write", "writelines"])
@SIDES
def test_pauses_of_writing_over_tls_come_in_pairs(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """pause_writing() and resume_writing() of a TLS connection are paired, as often as its buffer fills and drains.

    If this fails: look for a pause that every write asks for again, or a state that is left once, or twice.
    """
    half = BIG[: len(BIG) // 2]
    with secured(loop, patience, side) as (transport, protocol, peer):
        write: Any = transport.write if how == "write" else lambda data: transport.writelines([data])
        transport.set_write_buffer_limits(high=100_000)
        for rounds in (1, 2, 3):
            for _ in range(3):
                write(half)
            patience.run_until(loop, lambda: protocol.names[-1] == "pause_writing", "pause_writing()")
            assert protocol.names.count("pause_writing") == rounds
            helper = in_thread(lambda: receive_exactly(peer, 3 * len(half)))
            drive(loop, patience, helper)
            patience.run_until(loop, lambda: protocol.names[-1] == "resume_writing", "resume_writing()")
        assert protocol.names == ["connection_made", *["pause_writing", "resume_writing"] * 3]


class _Sets(Events):
    """Sets something of its transport inside connection_made()."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.next = Events()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(b"hello")  # for asyncio, which forgets the handshake's last word if nothing but a pause follows
        if self.what == "pause_reading":
            transport.pause_reading()
        elif self.what == "limits":
            transport.set_write_buffer_limits(high=30_000, low=200)
        else:
            transport.set_protocol(self.next)


@requirement("tls.set-when-made", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@each("what", ["pause_reading", "limits", "set_protocol"])
@MADE_SIDES
def test_what_is_set_as_tls_is_made_holds(loop: Loop, patience: Patience, side: str, what: str) -> None:
    """A pause, limits and another protocol that are set inside connection_made() of a TLS connection hold from then on.

    If this fails: look for a state that the end of the handshake sets when it has announced the connection.
    """
    with secured(loop, patience, side, lambda: _Sets(what)) as (transport, protocol, peer):
        peer.sendall(b"data")
        if what == "limits":
            assert transport.get_write_buffer_limits() == (200, 30_000)
        elif what == "set_protocol":
            assert transport.get_protocol() is protocol.next
            patience.run_until(loop, lambda: protocol.next.received == b"data", "the data")
        else:
            loop.run_until_complete(asyncio.sleep(0.005))
            assert (transport.is_reading(), bytes(protocol.received)) == (False, b"")
            transport.resume_reading()
            patience.run_until(loop, lambda: protocol.received == b"data", "the data")
        if what == "set_protocol":
            transport.abort()
            until_lost(loop, patience, protocol.next)
            protocol.calls.append(("connection_lost", None))  # which has been told to the other one


@requirement("tls.eof-after-resume", MUST, cite=PAUSE)
@SIDES
def test_the_end_of_tls_comes_after_a_pause(loop: Loop, patience: Patience, side: str) -> None:
    """After resume_reading(), data that came during the pause of a TLS connection is received, and then its end.

    If this fails: look for an end of the connection beneath that ends TLS before its records are read.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        turn(loop)
        peer.sendall(b"last words")

        def leave() -> None:
            peer.settimeout(0.05)  # nobody answers its goodbye
            with contextlib.suppress(OSError):
                peer.unwrap()
            peer.close()

        drive(loop, patience, in_thread(leave))
        loop.run_until_complete(asyncio.sleep(0.005))
        assert protocol.names == ["connection_made"]
        transport.resume_reading()
        until_lost(loop, patience, protocol)
        assert protocol.received == b"last words"
        assert [name for name in protocol.names if name != "data_received"] == [
            "connection_made", "eof_received", "connection_lost"
        ]  # fmt: skip


@requirement("tls.failing-pause", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@SIDES
def test_an_exception_in_pause_writing_over_tls(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """An exception in pause_writing() of a TLS connection is given to the exception handler, and no data is lost.

    If this fails: look for a write() that raises what its protocol raised, or for an exception that nobody hears of.
    """
    error = LookupError("in pause_writing()")
    watch.allow("reported")
    watch.reported.clear()
    with secured(loop, patience, side, lambda: Reacts("pause_writing", raising(error))) as (transport, _, peer):
        transport.set_write_buffer_limits(high=100_000)
        transport.write(BIG)
        transport.write(BIG)
        patience.run_until(loop, lambda: watch.reported, "the call of the handler")
        assert error in [context.get("exception") for context in watch.reported]
        helper = in_thread(lambda: receive_exactly(peer, 2 * len(BIG)))
        assert drive(loop, patience, helper) == 2 * BIG


@requirement("tls.failing-factory", SHOULD, cite="asyncio-eventloop: loop.create_connection")
def test_an_exception_of_the_factory_comes_out_of_tls(loop: Loop, patience: Patience) -> None:
    """An exception of protocol_factory comes out of create_connection() with ssl, and the connection is closed.

    If this fails: look for a factory that is called where a handshake that failed is reported.
    """
    error = LookupError("of the factory")
    with tcp_pair() as (ours, peer):
        opening: Any = loop.create_connection(raising(error), sock=ours, ssl=client_context(), server_hostname=NAME)
        with pytest.raises(LookupError):
            loop.run_until_complete(opening)
        assert peer.fileno() >= 0


@requirement("tls.resume-not-inline", SHOULD, cite="PEP 3156: Mutual Exclusion of Callbacks")
@SIDES
def test_resuming_over_tls_does_not_receive_by_itself(loop: Loop, patience: Patience, side: str) -> None:
    """resume_reading() of a TLS transport returns before data is received: no callback starts while another one runs.

    If this fails: look for records that lie decrypted, or in the kernel, and are handed out on the spot.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"data")
        turn(loop, 5)
        assert received_inside_resume(loop, patience, transport, protocol, b"data") == b""


@requirement("tls.start-when-full", SHOULD, cite=("asyncio-protocol: BaseProtocol.resume_writing", "gh-109051"))
def test_a_protocol_that_is_paused_before_an_upgrade_is_resumed(loop: Loop, patience: Patience) -> None:
    """resume_writing() is called once, when what waited has gone, also if start_tls() was called in the meantime.

    If this fails: look for an upgrade that begins with an empty buffer, and does not know who was told to pause.
    """
    with plain(loop) as (beneath, protocol, sock):
        shrink_buffers(sock, beneath.get_extra_info("socket"))
        beneath.set_write_buffer_limits(high=1000)
        beneath.write(BIG)
        assert protocol.names == ["connection_made", "pause_writing"]

        def answer() -> ssl.SSLSocket:
            assert receive_exactly(sock, len(BIG)) == BIG
            return server_context().wrap_socket(sock, server_side=True)

        helper = in_thread(answer)
        transport = upgrade(loop, beneath, protocol)
        with drive(loop, patience, helper) as peer:
            transport.write(b"there")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 5))) == b"there"
            peer.sendall(b"and back")
            patience.run_until(loop, lambda: protocol.received == b"and back", "the data")
            turn(loop, 10)  # what waited has gone long ago
            assert [name for name in protocol.names if "writing" in name] == ["pause_writing", "resume_writing"]
            transport.abort()
            turn(loop, 4)
