"""Chapter tls: records that come in pieces, early or together, and what a protocol may do in its callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, receive_exactly, tcp_pair
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.refusals import refused
from conformance.kit.secured import BIG, MADE_SIDES, SIDES, own_context, secured, upgrading
from conformance.kit.servers import Service, accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class ByHand:
    """A client's end of TLS whose records the test sends itself, in the pieces that it likes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PEER_TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context().wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)

    def shake_hands(self) -> None:
        """All of the handshake but the client's last word, which stays in `outgoing`."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                return
            self.sock.sendall(self.outgoing.read())
            self.incoming.write(self.sock.recv(65536))

    def record(self, data: bytes) -> bytes:
        """The record of `data`, after what else was to be sent."""
        self.tls.write(data)
        return self.outgoing.read()


@contextlib.contextmanager
def by_hand(loop: Loop, make: Any = Events) -> Iterator[tuple[Service, ByHand]]:
    """A TLS server of the loop, and a client made by hand that has connected."""
    with serving(loop, ssl=server_context()) as service:
        service.make = make
        with dial(service) as sock:
            yield service, ByHand(sock)


@requirement("tls.data-with-handshake", MUST, cite="asyncio-protocol: Protocol.data_received")
@each("how", ["server", "upgraded"])
def test_data_that_comes_with_the_handshake_is_received(loop: Loop, patience: Patience, how: str) -> None:
    """Data that arrives together with the last word of the handshake is received, after connection_made().

    If this fails: look for data that waits, decrypted or not, until more arrives.
    """
    with contextlib.ExitStack() as stack:
        if how == "server":
            service, client = stack.enter_context(by_hand(loop))
        else:
            sock, peer = stack.enter_context(tcp_pair())
            beneath, protocol = stack.enter_context(opened(loop, loop.create_connection(Events, sock=sock)))
            as_server: Any = {"sslcontext": server_context(), "server_side": True, "server_hostname": None}
            task = upgrading(loop, beneath, protocol, **as_server)
            client = ByHand(peer)

        def speak() -> None:
            client.shake_hands()
            client.sock.sendall(client.record(b"at once"))

        drive(loop, patience, in_thread(speak))
        if how == "server":
            protocol = accepted(loop, patience, service)
        else:
            loop.run_until_complete(task)
        patience.run_until(loop, lambda: protocol.received == b"at once", "the data")
        assert protocol.names[0] == "connection_made"


@requirement("tls.split-record", MUST, cite="PEP 3156: Stream Protocols")
def test_a_record_may_come_in_pieces(loop: Loop, patience: Patience) -> None:
    """A record that arrives byte by byte is received once, when it is complete.

    If this fails: look for a read that takes a part of a record for the whole, or for an error.
    """
    with by_hand(loop) as (service, client):
        drive(loop, patience, in_thread(client.shake_hands))
        record = client.record(b"bit by bit")
        for place in range(len(record) - 1):
            client.sock.sendall(record[place : place + 1])
            turn(loop)
        protocol = accepted(loop, patience, service)
        assert protocol.received == b""
        client.sock.sendall(record[-1:])
        patience.run_until(loop, lambda: protocol.received == b"bit by bit", "the data")


@requirement("tls.many-records", MUST, cite="PEP 3156: Stream Protocols")
def test_many_records_may_come_at_once(loop: Loop, patience: Patience) -> None:
    """All records that arrive together are received, without anything else arriving.

    If this fails: look for one record decrypted per readable socket.
    """
    with by_hand(loop) as (service, client):
        drive(loop, patience, in_thread(client.shake_hands))
        client.sock.sendall(b"".join(client.record(b"%4d" % number) for number in range(100)))
        protocol = accepted(loop, patience, service)
        expected = b"".join(b"%4d" % number for number in range(100))
        patience.run_until(loop, lambda: len(protocol.received) >= len(expected), "the data")
        assert protocol.received == expected


@requirement("tls.data-with-end", MUST, cite="asyncio-protocol: Protocol.eof_received")
def test_data_that_comes_with_the_end_is_received(loop: Loop, patience: Patience) -> None:
    """Data that arrives together with the peer's close_notify is received, and before eof_received().

    If this fails: look for an end that is seen first.
    """
    with by_hand(loop) as (service, client):
        drive(loop, patience, in_thread(client.shake_hands))
        last = client.record(b"the last")
        with contextlib.suppress(ssl.SSLError):
            client.tls.unwrap()
        client.sock.sendall(last + client.outgoing.read())
        protocol = accepted(loop, patience, service)
        patience.run_until(loop, lambda: "eof_received" in protocol.names, "eof_received()")
        assert protocol.received == b"the last"
        assert protocol.names.index("data_received") < protocol.names.index("eof_received")


@requirement("tls.write-when-made", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@MADE_SIDES
def test_data_can_be_written_when_the_connection_is_made(loop: Loop, patience: Patience, side: str) -> None:
    """What is written in connection_made() is sent.

    If this fails: look for a state that is set after the protocol was told of it.
    """

    speaks = Reacts("connection_made", lambda transport: transport.write(b"hello"))
    with secured(loop, patience, side, protocol=lambda: speaks) as (_, _, peer):
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 5))) == b"hello"


@requirement("tls.write-of-nothing", SHOULD, cite="asyncio-protocol: WriteTransport.write")
def test_writing_nothing_over_tls_changes_nothing(loop: Loop, patience: Patience) -> None:
    """write(b"") neither fails nor ends a TLS connection.

    If this fails: look for an SSL_write() of no bytes, which OpenSSL leaves undefined.
    """
    with secured(loop, patience) as (transport, protocol, peer):
        transport.write(b"")
        transport.write(b"x")
        transport.write(b"")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 1))) == b"x"
        assert not protocol.lost


@requirement("tls.write-rejects-text", SHOULD, cite="asyncio-protocol: WriteTransport.write")
@each("data", ["text", 5, None], ids=repr)
def test_a_tls_transport_refuses_what_is_no_buffer(loop: Loop, patience: Patience, data: Any) -> None:
    """write() of a TLS transport raises an exception for what is not bytes-like.

    If this fails: look for an error that surfaces later, and ends the connection.
    """
    with secured(loop, patience) as (transport, _, _), refused():
        transport.write(data)


@requirement("tls.close-stops-receiving", MUST, cite="asyncio-protocol: BaseTransport.close")
@SIDES
def test_nothing_is_received_over_tls_after_close(loop: Loop, patience: Patience, side: str) -> None:
    """After close() no more data is received, though the shutdown of TLS still reads.

    If this fails: look for data that is handed out while the peer's close_notify is awaited.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.close()
        with contextlib.suppress(OSError):
            peer.sendall(b"too late")
        turn(loop, 20)
        assert "data_received" not in protocol.names


@requirement("tls.connection-lost-once", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@SIDES
def test_a_tls_connection_is_lost_once(loop: Loop, patience: Patience, side: str) -> None:
    """connection_lost() is called exactly once for a TLS connection, however often it is ended.

    If this fails: look for the layers that each report the end.
    """
    with secured(loop, patience, side) as (transport, protocol, _):
        transport.close()
        transport.abort()
        transport.abort()
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 5)
        assert protocol.names.count("connection_lost") == 1


@requirement("tls.abort-after-closes", MUST, cite="asyncio-protocol: WriteTransport.abort")
def test_a_closing_tls_connection_can_be_aborted(loop: Loop, patience: Patience) -> None:
    """abort() closes a TLS connection that waits for the peer's goodbye, however often close() was called before.

    If this fails: look for a second close() that lets go of what abort() needs.
    """
    with secured(loop, patience) as (transport, protocol, _):
        transport.close()
        transport.close()
        transport.abort()
        until_lost(loop, patience.in_turns, protocol)


@requirement("tls.lost-not-inline", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
@each("method", ["close", "abort"])
def test_a_tls_connection_is_not_lost_inside_close(loop: Loop, patience: Patience, method: str) -> None:
    """connection_lost() of a TLS connection is called from the loop, not from inside close() or abort().

    If this fails: look for a callback on the caller's stack, whose own state is half done.
    """
    with secured(loop, patience) as (transport, protocol, _):
        getattr(transport, method)()
        assert not protocol.lost


@requirement("tls.extra-default", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
def test_unknown_information_is_the_default(loop: Loop, patience: Patience) -> None:
    """get_extra_info() of a TLS transport returns the default for a name that it does not know.

    If this fails: look for the default lost on the way to the transport beneath.
    """
    with secured(loop, patience) as (transport, _, _):
        assert transport.get_extra_info("weather") is None
        assert transport.get_extra_info("weather", "rain") == "rain"
        assert transport.get_extra_info(name="weather", default="rain") == "rain"
        assert [transport.get_extra_info("weather", false) for false in (0, "", ())] == [0, "", ()]


@requirement("tls.version", MUST, cite="ssl: ssl.SSLContext.maximum_version")
@SIDES
def test_the_contexts_version_is_spoken(loop: Loop, patience: Patience, side: str) -> None:
    """The version of TLS is one that the context allows: with a maximum of 1.2, that.

    If this fails: look for a context that is rebuilt from some of its settings.
    """
    with secured(loop, patience, side, ours=own_context(side, ssl.TLSVersion.TLSv1_2)) as (_, _, peer):
        assert peer.version() == "TLSv1.2"


@requirement("tls.callback-error", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_an_error_in_data_received_is_reported(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception that data_received() of a TLS connection raises is given to the exception handler.

    If this fails: look for an error that ends the connection in silence.
    """
    watch.allow("reported")
    with secured(loop, patience, protocol=lambda: Reacts("data_received", raising(ZeroDivisionError()))) as (
        _,
        _,
        peer,
    ):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: watch.reported, "the report")
        assert isinstance(watch.reported[0]["exception"], ZeroDivisionError)


@requirement("tls.abrupt-end-reason", MAY, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_the_reason_of_an_abrupt_end(loop: Loop, patience: Patience, answer: Any) -> None:
    """What connection_lost() is given when the peer ends without close_notify is left open.

    If this fails: nothing is forbidden; the answer is recorded.
    """
    with secured(loop, patience) as (_, protocol, peer):
        with socket.socket(fileno=peer.detach()) as beneath:
            beneath.shutdown(socket.SHUT_WR)
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        answer("None" if protocol.reason is None else type(protocol.reason).__name__)


@requirement("tls.write-returns-none", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@SIDES
def test_write_over_tls_returns_none(loop: Loop, patience: Patience, side: str) -> None:
    """write() of a TLS transport returns None, whether the kernel takes all of the data, a part of it or nothing.

    If this fails: look for the number of bytes that were taken, or for an object that stands for the operation.
    """
    with secured(loop, patience, side) as (transport, _, _):
        data = (b"", b"data", BIG, b"more", b"")
        assert [transport.write(each) for each in data] == [None] * len(data)
