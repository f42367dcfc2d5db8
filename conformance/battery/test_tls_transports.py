"""Chapter tls: what a TLS transport tells, and what it does with data."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_exactly
from conformance.kit.protocols import Reacts
from conformance.kit.secured import BIG, CLIENTS, SERVERS, SIDES, VERSIONS, exchange, own_context, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
INFO = "asyncio-protocol: BaseTransport.get_extra_info"


@requirement("tls.peercert", MUST, cite=INFO)
@VERSIONS
@SIDES
def test_the_peers_certificate_is_told(loop: Loop, patience: Patience, side: str, version: Any) -> None:
    """'peercert' is the peer certificate, the result of getpeercert(): None if a server was shown none.

    If this fails: look for a certificate in binary form, or none; or for a dictionary where there is nothing to tell.
    """
    with secured(loop, patience, side, ours=own_context(side, version)) as (transport, _, _):
        told = transport.get_extra_info("peercert")
        assert told == transport.get_extra_info("ssl_object").getpeercert()
        if side in SERVERS:
            assert told is None
        else:
            assert told["subjectAltName"] == (("DNS", "localhost"),)


@requirement("tls.cipher", MUST, cite=INFO)
@VERSIONS
@SIDES
def test_the_cipher_is_told(loop: Loop, patience: Patience, side: str, version: Any) -> None:
    """'cipher' is a three-value tuple: the name of the cipher, the version of the protocol, the number of secret bits.

    If this fails: look for the name alone.
    """
    with secured(loop, patience, side, ours=own_context(side, version)) as (transport, _, peer):
        assert transport.get_extra_info("cipher") == peer.cipher()


@requirement("tls.compression", MUST, cite=INFO)
@SIDES
def test_the_compression_is_told(loop: Loop, patience: Patience, side: str) -> None:
    """'compression' is the compression algorithm as a string, or None if the connection isn't compressed.

    If this fails: look for a name that is not known, so that the default comes back.
    """
    with secured(loop, patience, side) as (transport, _, peer):
        assert transport.get_extra_info("compression", "unknown") == peer.compression()


@requirement("tls.sslcontext", MUST, cite=INFO)
@SIDES
def test_the_context_is_told(loop: Loop, patience: Patience, side: str) -> None:
    """'sslcontext' is the ssl.SSLContext instance, the one that was given.

    If this fails: look for a context made anew.
    """
    context = own_context(side)
    with secured(loop, patience, side, ours=context) as (transport, _, _):
        assert transport.get_extra_info("sslcontext") is context


@requirement("tls.ssl-object", MUST, cite=INFO)
@SIDES
def test_the_tls_object_is_told(loop: Loop, patience: Patience, side: str) -> None:
    """'ssl_object' is the ssl.SSLObject or ssl.SSLSocket instance.

    If this fails: look for a TLS implementation of the loop's own, without the methods that programs use.
    """
    with secured(loop, patience, side) as (transport, _, peer):
        tls = transport.get_extra_info("ssl_object")
        assert isinstance(tls, ssl.SSLObject | ssl.SSLSocket)
        assert (tls.version(), tls.server_side) == (peer.version(), side in SERVERS)


@requirement("tls.socket-info", MUST, cite=INFO)
@SIDES
def test_the_socket_beneath_is_told(loop: Loop, patience: Patience, side: str) -> None:
    """'socket', 'sockname' and 'peername' are told by a TLS transport too.

    If this fails: look for information that stays with the transport beneath.
    """
    with secured(loop, patience, side) as (transport, _, peer):
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("sockname") == peer.getpeername()
        assert transport.get_extra_info("socket").getsockname() == peer.getpeername()


@requirement("tls.large", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@each("side", ["client", "server"])
def test_much_data_passes_both_ways_at_once(loop: Loop, patience: Patience, side: str) -> None:
    """Everything that is written arrives, in order, in both directions at the same time.

    If this fails: look for records cut at a buffer's border, or a direction that waits for the other.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.write(BIG)
        assert drive(loop, patience, in_thread(lambda: exchange(peer, BIG, len(BIG)))) == BIG
        patience.run_until(loop, lambda: len(protocol.received) >= len(BIG), "the last byte")
        assert protocol.received == BIG


@requirement("tls.data-is-bytes", MUST, cite="asyncio-protocol: Protocol.data_received")
@SIDES
def test_data_is_non_empty_bytes(loop: Loop, patience: Patience, side: str) -> None:
    """data is a non-empty bytes object, over TLS too.

    If this fails: look for a memoryview of the decrypted record, or an empty read for a record without data.
    """
    with secured(loop, patience, side) as (_, protocol, peer):
        for size in (1, 20000):
            peer.sendall(bytes(size))
        patience.run_until(loop, lambda: len(protocol.received) == 20001, "the data")
        chunks = [argument for name, argument in protocol.calls if name == "data_received"]
        assert all(type(chunk) is bytes and chunk for chunk in chunks)


@requirement("tls.writelines", MUST, cite="asyncio-protocol: WriteTransport.writelines")
@SIDES
def test_writelines_writes_every_piece(loop: Loop, patience: Patience, side: str) -> None:
    """writelines() writes a list, or any iterable, of data bytes, bytes-like objects among them.

    If this fails: look for a method of the transport beneath, which sends plain text.
    """
    with secured(loop, patience, side) as (transport, _, peer):
        transport.writelines(iter([b"a", bytearray(b""), memoryview(b"bc")]))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"abc"


@requirement("tls.write-copies", MUST, cite="PEP 3156: Bidirectional Stream Transports")
@each("side", ["client", "server"])
def test_a_bytearray_may_be_changed_after_write(loop: Loop, patience: Patience, side: str) -> None:
    """What write() was given is sent as it was then, whatever is done to a bytearray afterwards.

    If this fails: look for data that is encrypted later, out of the caller's buffer.
    """
    with secured(loop, patience, side) as (transport, _, peer):
        data = bytearray(BIG)
        transport.write(data)
        data[:] = bytes(len(data))
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(BIG)))) == BIG


@requirement("tls.write-eof", MUST, cite="asyncio-protocol: WriteTransport.can_write_eof")
@SIDES
def test_tls_has_no_write_eof(loop: Loop, patience: Patience, side: str) -> None:
    """can_write_eof() is False, and write_eof() raises NotImplementedError: SSL has no half-closed connections.

    If this fails: look for the method of the transport beneath, perhaps once the transport is closing.
    """
    with secured(loop, patience, side) as (transport, _, _):
        assert transport.can_write_eof() is False
        try:
            transport.write_eof()
        except NotImplementedError:
            transport.close()
            assert transport.can_write_eof() is False
            return
        pytest.fail("write_eof() of a TLS transport raised nothing")


@requirement("tls.pause-writing", MUST, cite="asyncio-protocol: BaseProtocol.pause_writing")
@each("case", [("client", None), ("server", None), *((side, 0) for side in CLIENTS + SERVERS)])
def test_a_peer_that_does_not_read_pauses_the_protocol(loop: Loop, patience: Patience, case: Any) -> None:
    """pause_writing() is called when the buffer passes its limit, resume_writing() when it has drained.

    If this fails: look for flow control that ends at the transport beneath, or waits for one that was never full.
    """
    side, low = case
    data = BIG if low is None else BIG[:500_000]
    with secured(loop, patience, side) as (transport, protocol, peer):
        keep_limits_low(transport)
        if low is not None:
            transport.set_write_buffer_limits(high=100_000, low=low)
        transport.write(data)
        transport.write(data)
        drive(loop, patience, in_thread(lambda: receive_exactly(peer, 2 * len(data))))
        patience.run_until(loop, lambda: "resume_writing" in protocol.names, "resume_writing()")
        names = [name for name in protocol.names if name.endswith("_writing")]
        assert names[:2] == ["pause_writing", "resume_writing"]


@requirement("tls.buffer-limits", MUST, cite="asyncio-protocol: WriteTransport.set_write_buffer_limits")
@SIDES
def test_the_limits_can_be_set(loop: Loop, patience: Patience, side: str) -> None:
    """set_write_buffer_limits() takes high and low in this order, and get_write_buffer_limits() returns (low, high).

    If this fails: look for limits that belong to the transport beneath only, or one order for both, or for a transport
    that keeps its limits while it calls pause_writing().
    """
    made = Reacts("pause_writing", lambda transport: transport.set_write_buffer_limits(high=2000, low=700))
    with secured(loop, patience, side, lambda: made) as (transport, protocol, _):
        transport.set_write_buffer_limits(high=4000, low=1000)
        assert transport.get_write_buffer_limits() == (1000, 4000)
        transport.set_write_buffer_limits(3000, 500)
        assert transport.get_write_buffer_limits() == (500, 3000)
        patience.run_until(loop, lambda: not transport.get_write_buffer_size(), "an empty buffer")
        transport.write(BIG)
        transport.write(BIG)
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        assert transport.get_write_buffer_limits() == (700, 2000)


@requirement("tls.pause-reading", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_reading_can_be_paused(loop: Loop, patience: Patience, side: str) -> None:
    """After pause_reading() no data is passed to the protocol until resume_reading() is called.

    If this fails: look for data that was decrypted already and is handed out all the same.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"data")
        loop.run_until_complete(asyncio.sleep(0.005))
        assert (bytes(protocol.received), transport.is_reading()) == (b"", False)
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"data", "the data")


@requirement("tls.pause-in-callback", SHOULD, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_reading_can_be_paused_between_records(loop: Loop, patience: Patience, side: str) -> None:
    """pause_reading() in data_received() holds for the records that are already decrypted, or waiting to be.

    If this fails: look for a loop over the records of one read that does not look at the pause.
    """

    paused: list[Any] = []

    def pause(transport: Any) -> None:
        if not paused:  # or data that come a byte at a time would take minutes
            paused.append(transport.pause_reading())

    pausing = Reacts("data_received", pause)

    def send() -> None:
        for _ in range(90):  # more than one read takes
            peer.sendall(bytes(1000))

    with secured(loop, patience, side, protocol=lambda: pausing) as (transport, protocol, peer):
        sending = in_thread(send)
        patience.run_until(loop, lambda: protocol.received, "the first data")
        loop.run_until_complete(asyncio.sleep(0.003))
        assert protocol.names.count("data_received") == 1

        def everything() -> bool:
            transport.resume_reading()
            return len(protocol.received) == 90_000

        patience.run_until(loop, everything, "the last record")
        sending.result()


class Buffered(asyncio.BufferedProtocol):
    """Keeps what it gets in buffers of a thousand bytes, each of them new and of the given kind."""

    def __init__(self, kind: Callable[[bytearray], Any]) -> None:
        self.kind = kind
        self.received = bytearray()
        self.lost = False

    def get_buffer(self, sizehint: int) -> Any:
        self.buffer = bytearray(1000)
        return self.kind(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes > 0
        self.received += self.buffer[:nbytes]

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True


@requirement("tls.buffered", MUST, cite="asyncio-protocol: BufferedProtocol.buffer_updated")
def test_a_buffered_protocol_works_over_tls(loop: Loop, patience: Patience) -> None:
    """A BufferedProtocol gets decrypted data in the buffers that it gives.

    If this fails: look for get_buffer() called for the encrypted data.
    """
    with secured(loop, patience, protocol=lambda: Buffered(memoryview)) as (_, protocol, peer):
        peer.sendall(BIG[:100_000])
        patience.run_until(loop, lambda: len(protocol.received) >= 100_000, "the data")
        assert protocol.received == BIG[:100_000]


@requirement("tls.buffered-bytearray", MUST, cite="asyncio-protocol: BufferedProtocol.get_buffer")
def test_any_buffer_will_do_over_tls(loop: Loop, patience: Patience) -> None:
    """get_buffer() must return an object implementing the buffer protocol: a bytearray is one, over TLS too.

    If this fails: look for a slice of the buffer that is filled: of a bytearray it is a copy.
    """
    with secured(loop, patience, protocol=lambda: Buffered(lambda buffer: buffer)) as (_, protocol, peer):
        peer.sendall(BIG[:100_000])
        patience.run_until(loop, lambda: len(protocol.received) >= 100_000, "the data")
        assert protocol.received == BIG[:100_000]
