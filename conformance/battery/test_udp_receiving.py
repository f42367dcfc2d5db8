"""Chapter udp: datagram_received() and error_received(): what a protocol is told of datagrams and of errors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.datagrams import (
    HERE,
    arrival,
    blocked_endpoint,
    endpoint,
    refusing_peer,
    udp_peer,
    unix_datagram_pair,
)
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams, raising
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECEIVED = "asyncio-protocol: DatagramProtocol.datagram_received"
REPORTED = "asyncio-dev: Detect never-retrieved exceptions"
ERROR = "asyncio-protocol: DatagramProtocol.error_received"


@requirement("udp.received", MUST, cite=RECEIVED)
def test_datagram_received_gets_the_data_and_the_sender(loop: Loop, patience: Patience) -> None:
    """datagram_received() is called with a bytes object of the incoming data, and the address of the peer sending it.

    If this fails: look for a bytearray, or for an address object that is not the tuple that sockets have.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        peer.sendto(b"data", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: protocol.received, "datagram_received()")
        assert protocol.received == [(b"data", peer.getsockname())]
        data, address = protocol.received[0]
        assert type(data) is bytes
        assert isinstance(address, tuple)


@requirement("udp.received-senders", MUST, cite=RECEIVED)
def test_each_datagram_comes_with_its_own_sender(loop: Loop, patience: Patience) -> None:
    """addr is the address of the peer sending the data, also when the datagrams of several are read at once.

    If this fails: look for the address of the last datagram of a batch.
    """
    with udp_peer() as first, udp_peer() as second, endpoint(loop) as (transport, protocol):
        sent = []
        for number in range(10):
            peer = (first, second)[number % 2]
            sent.append((b"%d" % number, peer.getsockname()))
            peer.sendto(sent[-1][0], transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: len(protocol.received) == 10, "ten datagrams")
        assert sorted(protocol.received) == sorted(sent)


@requirement("udp.received-empty", MUST, cite=RECEIVED)
def test_empty_datagrams_are_received(loop: Loop, patience: Patience) -> None:
    """datagram_received() is called when a datagram is received, also when it is empty.

    If this fails: look for an empty read that is taken for the end of a stream, or for a spurious event.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        for data in (b"", b"next"):
            peer.sendto(data, transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: len(protocol.received) == 2, "two datagrams")
        assert {data for data, _ in protocol.received} == {b"", b"next"}
    with udp_peer() as peer, endpoint(loop, local_addr=HERE, remote_addr=peer.getsockname()) as (transport, protocol):
        for data in (b"", b"next"):
            peer.sendto(data, transport.get_extra_info("sockname"))
        patience.run_until(
            loop, lambda: len(protocol.received) == 2, "two datagrams of the peer that it is connected to"
        )
        assert {data for data, _ in protocol.received} == {b"", b"next"}


@requirement("udp.received-boundaries", MUST, cite=RECEIVED)
def test_each_datagram_is_received_by_itself(loop: Loop, patience: Patience) -> None:
    """datagram_received() is called once for each datagram, with all of its data.

    If this fails: look for a buffer of a packet's size, or for datagrams that are joined.
    """
    sent = [b"a", b"b" * 9000, b"c"]
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        for data in sent:
            peer.sendto(data, transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: len(protocol.received) == 3, "three datagrams")
        assert sorted(data for data, _ in protocol.received) == sent


@requirement("udp.received-large", MUST, cite=RECEIVED, needs=("linux",))
@each("family", [socket.AF_INET, socket.AF_UNIX], ids=["udp", "unix"])
def test_a_large_datagram_is_received_whole(
    loop: Loop, patience: Patience, tmp_path: Path, family: socket.AddressFamily
) -> None:
    """datagram_received() gets a bytes object with all of the data, as long as the system lets a datagram be.

    If this fails: look for a receive buffer smaller than the largest datagram, or for a view of it that is handed out.
    """
    lengths = (2000, 20_000, 65_507, 100_000) if family == socket.AF_UNIX else (2000, 20_000, 65_507)
    sent = [bytes([number]) * length for number, length in enumerate(lengths)]
    with contextlib.ExitStack() as stack:
        if family == socket.AF_UNIX:
            ours, peer = stack.enter_context(unix_datagram_pair(tmp_path))
            _, protocol = stack.enter_context(endpoint(loop, sock=ours))
            send = peer.send
        else:
            peer = stack.enter_context(udp_peer())
            transport, protocol = stack.enter_context(endpoint(loop))
            peer.connect(transport.get_extra_info("sockname"))
            send = peer.send
        for count, data in enumerate(sent, 1):
            send(data)
            patience.run_until(loop, lambda: len(protocol.received) == count, "the datagram")  # noqa: B023
        assert [data for data, _ in protocol.received] == sent
        assert {type(data) for data, _ in protocol.received} == {bytes}


@requirement("udp.received-stays-valid", SHOULD, cite=RECEIVED)
def test_received_data_may_be_kept(loop: Loop, patience: Patience) -> None:
    """data is an object of the protocol's own: it does not change when the next datagram comes.

    If this fails: look for one receive buffer that is handed out again and again.
    """
    sent = [bytes([number]) * 1000 for number in range(20)]
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        for data in sent:
            peer.sendto(data, transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: len(protocol.received) == 20, "twenty datagrams")
        assert sorted(data for data, _ in protocol.received) == sent


@requirement("udp.received-while-sending", MUST, cite=RECEIVED)
def test_endpoints_of_one_loop_talk_to_each_other(loop: Loop, patience: Patience) -> None:
    """Endpoints of one loop can talk to each other: each receives what the other sends.

    If this fails: look for a registration that one endpoint takes from the other.
    """
    with endpoint(loop) as (first, one), endpoint(loop) as (second, two):
        sent = [b"%d" % number for number in range(10)]
        for data in sent:
            first.sendto(data, second.get_extra_info("sockname"))
            second.sendto(data, first.get_extra_info("sockname"))
        patience.run_until(loop, lambda: len(one.received) == len(two.received) == 10, "ten datagrams each way")
        assert sorted(data for data, _ in one.received) == sorted(data for data, _ in two.received) == sent


@requirement("udp.failing-datagram-received", SHOULD, cite=REPORTED)
def test_an_exception_in_datagram_received_is_reported(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception in datagram_received() is given to the exception handler, and the loop goes on.

    If this fails: look for an exception that is swallowed at the border of a foreign function, or one that stops it.
    """
    watch.allow("reported")
    error = LookupError("in datagram_received()")

    class Fails(Datagrams):
        datagram_received = raising(error)

    with udp_peer() as peer, endpoint(loop, local_addr=HERE, protocol=Fails()) as (transport, _):
        peer.sendto(b"x", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: watch.reported, "the exception handler's call")
        assert [context["exception"] for context in watch.reported] == [error]


@requirement("udp.error-received", MUST, cite=ERROR, needs=("linux",))
def test_error_received_tells_that_a_datagram_was_not_delivered(loop: Loop, patience: Patience) -> None:
    """error_received() is called when an operation raises an OSError, as when the peer's port refuses a datagram.

    If this fails: look for ECONNREFUSED that is dropped, the first or a later one, or that ends the endpoint.
    """
    with refusing_peer() as nobody, endpoint(loop, remote_addr=nobody.getsockname()) as (transport, protocol):
        for count in range(1, 4):
            transport.sendto(b"nobody is there")
            patience.run_until(loop, lambda: len(protocol.errors) == count, f"error_received() number {count}")  # noqa: B023
            assert isinstance(protocol.errors[-1], ConnectionRefusedError)


@requirement("udp.error-is-not-the-end", SHOULD, cite=ERROR, needs=("linux",))
def test_an_endpoint_goes_on_after_an_error(loop: Loop, patience: Patience) -> None:
    """An endpoint stays open after error_received(): it sends, and receives, when its peer has come.

    If this fails: look for errors of one datagram that are treated as those of a stream.
    """
    with refusing_peer() as peer, endpoint(loop, remote_addr=peer.getsockname()) as (transport, protocol):
        for count in range(1, 4):
            transport.sendto(b"nobody is there")
            patience.run_until(loop, lambda: len(protocol.errors) == count, "error_received()")  # noqa: B023
            turn(loop, 3)
            assert not transport.is_closing()
        peer.connect(transport.get_extra_info("sockname"))
        transport.sendto(b"anybody?")
        assert arrival(loop, patience, peer)[0] == b"anybody?"
        peer.send(b"yes")
        patience.run_until(loop, lambda: protocol.received, "the answer")
        assert "connection_lost" not in protocol.names
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.lost == [None]


def _refusal(data: bytes, address: Any) -> int | None:
    """The number of the error that the system answers such a datagram with."""
    with udp_peer() as plain:
        try:
            plain.sendto(data, address)
        except OSError as error:
            return error.errno
    return None


@requirement("udp.error-of-sending", MUST, cite=ERROR)
@each("refused", [(bytes(70_000), None), (b"to no port", ("127.0.0.1", 0)), (b"to all", ("255.255.255.255", 9))])
def test_error_received_gets_the_errors_of_sendto(loop: Loop, patience: Patience, refused: Any) -> None:
    """error_received() is called with the OSError of a send operation, as of a datagram that is too long.

    The others are sent to a port that there is not, and to the broadcast address, which was not allowed.

    If this fails: look for an error that comes out of sendto(), or closes the transport, or is another one.
    """
    data, addr = refused
    with udp_peer() as peer, endpoint(loop) as (transport, protocol):
        transport.sendto(data, addr or peer.getsockname())
        patience.run_until(loop, lambda: protocol.errors, "error_received()")
        assert isinstance(protocol.errors[0], OSError)
        assert protocol.errors[0].errno == _refusal(data, addr or peer.getsockname())
        transport.sendto(b"shorter", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"shorter"


@requirement("udp.sendto-broadcast-name", SHOULD, cite="socket: Socket families")
def test_the_broadcast_address_has_a_name(loop: Loop, patience: Patience) -> None:
    """addr may be ("<broadcast>", port), as for sockets: programs that look for others in their network say so.

    Here the system refuses it, since it was not allowed.

    If this fails: look for an address that must be a number.
    """
    to_all = ("<broadcast>", 9)
    with endpoint(loop) as (transport, protocol):
        transport.sendto(b"to all", to_all)
        patience.run_until(loop, lambda: protocol.errors, "error_received()")
        assert isinstance(protocol.errors[0], OSError)
        assert protocol.errors[0].errno == _refusal(b"to all", to_all)


@requirement("udp.failing-error-received", SHOULD, cite=REPORTED)
def test_an_exception_in_error_received_does_not_stop_the_loop(loop: Loop, patience: Patience, watch: Any) -> None:
    """An exception in error_received() comes to light, from sendto() or in the exception handler; the loop goes on.

    If this fails: look for an exception that is swallowed at the border of a foreign function.
    """
    watch.allow("reported")
    error = LookupError("in error_received()")
    caught: list[BaseException] = []

    class Fails(Datagrams):
        error_received = raising(error)

    with udp_peer() as peer, endpoint(loop, local_addr=HERE, protocol=Fails()) as (transport, _):
        try:
            transport.sendto(bytes(70_000), peer.getsockname())
        except LookupError as exc:
            caught.append(exc)
        patience.run_until(
            loop, lambda: [*caught, *(each.get("exception") for each in watch.reported)] == [error], "the report"
        )


@requirement("udp.error-of-buffered", MUST, cite=ERROR, needs=("linux",))
def test_error_received_gets_the_errors_of_buffered_datagrams(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """error_received() is called when a datagram that waited for room cannot be sent, as when its peer has gone.

    If this fails: look for an error on the way out of the buffer that is dropped, or ends the endpoint.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        transport.sendto(b"one")
        transport.sendto(b"two")
        turn(loop, 2)
        assert protocol.errors == []
        peer.close()
        patience.run_until(loop, lambda: protocol.errors, "error_received()")
        turn(loop, 10)  # asyncio itself stumbles over an abort() between an error and the next look at the buffer
        assert all(isinstance(error, OSError) for error in protocol.errors)
        assert not transport.is_closing()


@requirement("udp.failing-error-of-buffered", SHOULD, cite=REPORTED, needs=("linux",))
def test_a_failing_error_received_does_not_stop_the_buffer(
    loop: Loop, patience: Patience, tmp_path: Path, watch: Any
) -> None:
    """If error_received() raises for a datagram that waited for room, that one is gone: it is not tried again.

    If this fails: look for a datagram that is taken out of the buffer only when all went well.
    """
    watch.allow("reported")

    class Fails(Datagrams):
        def error_received(self, exc: Exception) -> None:
            super().error_received(exc)
            raise LookupError("in error_received()")

    with blocked_endpoint(loop, tmp_path, Fails()) as (transport, protocol, peer):
        transport.sendto(b"one")
        turn(loop, 2)
        peer.close()
        patience.run_until(loop, lambda: protocol.errors, "error_received()")
        turn(loop, 20)
        assert len(protocol.errors) <= 2  # reading may tell of the peer's end, too
