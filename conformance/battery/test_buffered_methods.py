"""Chapter buffered: changing protocols, methods that take them, and errors in their callbacks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from conformance.battery.test_buffered import LARGE, connected
from conformance.kit.buffers import Buffers
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_exactly, reset, tcp_pair
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.secured import tls_over, upgrading
from conformance.kit.servers import Service, accepted, dial, serving, shut
from conformance.kit.threads import in_thread
from conformance.kit.ways import TCP_WAYS, WAYS, joined
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: BaseTransport.set_protocol"
STREAMING = "asyncio-protocol: Buffered Streaming Protocols"


@requirement("buffered.switch-to", MUST, cite=SET)
@WAYS
def test_a_transport_can_go_over_to_buffers(loop: Loop, patience: Patience, way: str) -> None:
    """set_protocol() can give a transport with a streaming protocol one with buffers, which gets what follows.

    If this fails: look for the kind of the protocol looked at when the transport is made only.
    """
    second = Buffers()
    with joined(loop, patience, way, Events()) as (transport, first, peer):
        peer.sendall(b"first")
        patience.run_until(loop, lambda: first.received == b"first", "the first data")
        transport.set_protocol(second)
        peer.sendall(b"second")
        patience.run_until(loop, lambda: second.received == b"second", "the data in the buffer")
        assert "connection_made" not in second.names
        assert first.received == b"first"
        transport.set_protocol(first)


@requirement("buffered.switch-from", MUST, cite=SET)
@WAYS
def test_a_transport_can_go_over_to_streaming(loop: Loop, patience: Patience, way: str) -> None:
    """set_protocol() can give a transport with a buffered protocol one without, whose data_received() is then called.

    If this fails: look for a receive into the old protocol's buffer that is still under way.
    """
    second = Events()
    with joined(loop, patience, way, Buffers()) as (transport, first, peer):
        peer.sendall(b"first")
        patience.run_until(loop, lambda: first.received == b"first", "the first data")
        transport.set_protocol(second)
        peer.sendall(b"second")
        patience.run_until(loop, lambda: second.received == b"second", "the data")
        assert first.received == b"first"
        transport.set_protocol(first)


@requirement("buffered.streaming-stays", MUST, cite="asyncio-protocol: Protocol")
@WAYS
def test_a_streaming_protocol_may_have_a_get_buffer(loop: Loop, patience: Patience, way: str) -> None:
    """A subclass of asyncio.Protocol is a streaming protocol, also if it has methods of its own named get_buffer().

    If this fails: look for a protocol that is taken for a buffered one because of an attribute.
    """

    class Streaming(Events):
        get_buffer = buffer_updated = raising(AssertionError("called by the loop"))

    with joined(loop, patience, way, Streaming()) as (transport, first, peer):
        for protocol in (first, Streaming()):
            transport.set_protocol(protocol)
            peer.sendall(b"data")
            patience.run_until(loop, lambda: len(protocol.received) >= 4, "the data")  # noqa: B023
            assert protocol.received == b"data"
        transport.set_protocol(first)


@requirement("buffered.switch-in-callback", MUST, cite=SET)
@WAYS
def test_a_protocol_can_hand_over_to_buffers(loop: Loop, patience: Patience, way: str) -> None:
    """set_protocol() may be called in data_received(): a handshake is read there, and what follows into buffers.

    If this fails: look for data read in advance, or a choice made once per readable socket.
    """
    second = Buffers()
    hands_over = Reacts("data_received", lambda transport: transport.set_protocol(second))
    with joined(loop, patience, way, hands_over) as (transport, first, peer):
        peer.sendall(b"1")
        patience.run_until(loop, lambda: first.received == b"1", "the first data")
        peer.sendall(b"second")
        patience.run_until(loop, lambda: second.received == b"second", "the data in the buffer")
        transport.set_protocol(first)


@requirement("buffered.switch-buffers", MUST, cite=SET)
@WAYS
def test_a_transport_can_go_from_buffers_to_others(loop: Loop, patience: Patience, way: str) -> None:
    """set_protocol() can give a transport another buffered protocol, into whose buffers it receives from then on.

    If this fails: look for methods of the first protocol that are kept.
    """
    second = Buffers()
    with joined(loop, patience, way, Buffers()) as (transport, first, peer):
        peer.sendall(b"first")
        patience.run_until(loop, lambda: first.received == b"first", "the first data")
        transport.set_protocol(second)
        peer.sendall(b"second")
        patience.run_until(loop, lambda: second.received == b"second", "the data in the other buffer")
        assert "connection_made" not in second.names
        assert first.received == b"first"
        transport.set_protocol(first)


@requirement("buffered.server", MUST, cite=STREAMING)
def test_a_server_takes_buffered_protocols(loop: Loop, patience: Patience) -> None:
    """Buffered protocols can be used with any method that supports streaming ones: create_server() is one.

    If this fails: look for a transport of accepted sockets with a read path of its own.
    """
    with serving(loop) as service:
        service.make = Buffers  # type: ignore[assignment]  # it has all that a service looks at
        with dial(service) as peer:
            protocol = accepted(loop, patience, service)
            peer.sendall(b"data")
            patience.run_until(loop, lambda: protocol.received == b"data", "the data in the buffer")


@requirement("buffered.unix", MUST, cite=STREAMING, needs=("unix",))
def test_unix_sockets_take_buffered_protocols(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_unix_server() and create_unix_connection() take buffered protocols.

    If this fails: look for a transport of Unix sockets with a read path of its own.
    """
    service, path = Service(make=Buffers), str(tmp_path / "s")  # type: ignore[arg-type]  # as above
    service.server = loop.run_until_complete(loop.create_unix_server(service, path))
    transport, client = loop.run_until_complete(loop.create_unix_connection(Buffers, path))
    server = accepted(loop, patience, service)
    transport.write(b"to the server")
    server.transport.write(b"to the client")
    patience.run_until(loop, lambda: server.received == b"to the server", "the server's data")
    patience.run_until(loop, lambda: client.received == b"to the client", "the client's data")
    transport.abort()
    shut(loop, service)


@requirement("buffered.accepted-socket", MUST, cite=STREAMING)
def test_an_accepted_socket_takes_a_buffered_protocol(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() takes a buffered protocol.

    If this fails: look for a transport of accepted sockets with a read path of its own.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Buffers, ours))
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.received == b"data", "the data in the buffer")
        transport.abort()
        turn(loop, 3)


@requirement("buffered.start-tls", MUST, cite=STREAMING)
def test_an_upgrade_takes_a_buffered_protocol(loop: Loop, patience: Patience) -> None:
    """start_tls() takes a buffered protocol, which gets the decrypted data in its buffers.

    If this fails: look for get_buffer() called for the records of TLS.
    """
    with connected(loop) as (beneath, protocol, sock):
        beginning = upgrading(loop, beneath, protocol)
        helper = tls_over(sock, "server")
        transport = loop.run_until_complete(beginning)
        with drive(loop, patience, helper) as peer:
            peer.sendall(b"data")
            patience.run_until(loop, lambda: protocol.received == b"data", "the data in the buffer")
            transport.abort()
            turn(loop, 4)


@requirement("buffered.writes", MUST, cite="asyncio-protocol: WriteTransport.write")
def test_a_buffered_protocol_can_write(loop: Loop, patience: Patience) -> None:
    """A buffered protocol writes as a streaming one does: its transport has write().

    If this fails: look for a transport that is made for reading only.
    """
    with connected(loop) as (transport, _, peer):
        transport.write(LARGE)
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(LARGE)))) == LARGE


@requirement("buffered.lost", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@WAYS
def test_a_buffered_protocol_is_told_of_the_end(loop: Loop, patience: Patience, way: str) -> None:
    """connection_lost() of a buffered protocol is called once, as the last call, with None after close().

    If this fails: look for a buffer asked for when the transport is closed.
    """
    with joined(loop, patience, way, Buffers()) as (transport, protocol, _):
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1
        assert protocol.names[-1] == "connection_lost"
        assert protocol.reason is None


@requirement("buffered.reset", MUST, cite="asyncio-protocol: BaseProtocol.connection_lost")
@TCP_WAYS
def test_a_buffered_protocol_is_told_of_a_reset(loop: Loop, patience: Patience, way: str) -> None:
    """When the peer resets the connection, connection_lost() of a buffered protocol is called with the exception.

    If this fails: look for an error of the receive that is taken for the end of the stream.
    """
    with joined(loop, patience, way, Buffers()) as (_, protocol, peer):
        reset(peer)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert isinstance(protocol.reason, ConnectionResetError)
        assert "eof_received" not in protocol.names


@requirement("buffered.callback-error", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@each("name", ["get_buffer", "buffer_updated", "eof_received"])
def test_an_error_in_a_callback_is_reported(loop: Loop, patience: Patience, name: str, watch: Any) -> None:
    """An exception that a callback of a buffered protocol raises is given to the exception handler.

    If this fails: look for an error that ends the connection in silence, or the loop.
    """
    watch.allow("reported")
    protocol = Buffers()
    setattr(protocol, name, raising(ZeroDivisionError()))
    with connected(loop, protocol) as (_, _, peer):
        peer.sendall(b"data")
        peer.shutdown(1)
        patience.run_until(loop, lambda: watch.reported, "the report")
        assert any(isinstance(context.get("exception"), ZeroDivisionError) for context in watch.reported)
    watch.reported.clear()


@requirement("buffered.callback-error-ends", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
@each("name", ["get_buffer", "buffer_updated"])
def test_an_error_in_a_callback_ends_the_connection(loop: Loop, patience: Patience, name: str, watch: Any) -> None:
    """An exception in get_buffer() or buffer_updated() ends the connection: connection_lost() is called with it.

    If this fails: look for a transport that goes on, and calls the same callback again for ever.
    """
    watch.allow("reported")
    protocol, error = Buffers(), ZeroDivisionError()
    setattr(protocol, name, raising(error))
    with connected(loop, protocol) as (_, _, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is error


@requirement("buffered.no-buffer", SHOULD, cite="asyncio-protocol: BufferedProtocol.get_buffer")
@each("given", [None, 100, bytes(100)], ids=["None", "number", "read-only"])
def test_what_is_no_buffer_ends_the_connection(loop: Loop, patience: Patience, given: Any, watch: Any) -> None:
    """get_buffer() must return an object implementing the buffer protocol, to write to: the connection ends otherwise.

    If this fails: look for an answer that is taken for "not now", or for the memory of an object that must not change.
    """
    watch.allow("reported")
    with connected(loop, Buffers(kind=lambda _buffer: given)) as (_, protocol, peer):
        peer.sendall(b"data")
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is not None
        assert protocol.updates == []
        assert "eof_received" not in protocol.names


@requirement("buffered.pause-inside", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@WAYS
def test_pausing_inside_buffer_updated_takes_effect_at_once(loop: Loop, patience: Patience, way: str) -> None:
    """pause_reading() inside buffer_updated() is obeyed before the next read.

    If this fails: look for an inner loop that fills buffers until nothing is left.
    """

    class Pauses(Buffers):
        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.transport.pause_reading()

    with joined(loop, patience, way, Pauses(size=10)) as (transport, protocol, peer):
        peer.sendall(LARGE[:100])
        patience.run_until(loop, lambda: protocol.updates, "the first data")
        turn(loop, 20)
        assert len(protocol.updates) == 1
        patience.run_until(loop, lambda: transport.resume_reading() or len(protocol.received) == 100, "the rest")
        assert protocol.received == LARGE[:100]
