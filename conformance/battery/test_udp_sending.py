"""Chapter udp: DatagramTransport.sendto(): where a datagram goes, what it may hold, and what waits for room."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.datagrams import (
    HERE,
    arrival,
    blocked_endpoint,
    endpoint,
    receive_after_filler,
    udp_peer,
    unix_datagram_pair,
)
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.protocols import Datagrams
from conformance.kit.refusals import REFUSALS, refused
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low, until_paused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SENDTO = "asyncio-protocol: DatagramTransport.sendto"
PEP = "PEP 3156: Datagram Transports"


@requirement("udp.sendto-address", MUST, cite=SENDTO)
def test_sendto_sends_to_the_given_address(loop: Loop, patience: Patience) -> None:
    """sendto() sends the data bytes to the remote peer given by addr, another one in each call.

    If this fails: look for an address that is remembered from the first call.
    """
    with udp_peer() as first, udp_peer() as second, endpoint(loop) as (transport, _):
        for number in range(2):
            for peer, data in ((first, b"to the first"), (second, b"to the second")):
                transport.sendto(data, peer.getsockname())
                assert arrival(loop, patience, peer) == (data, transport.get_extra_info("sockname")), number


@requirement("udp.sendto-default", MUST, cite=SENDTO)
@each("broadcast", [False, True])
@each("arguments", [(), (None,)], ids=["left-out", "None"])
def test_sendto_without_address_sends_to_the_remote_address(
    loop: Loop, patience: Patience, arguments: Any, broadcast: bool
) -> None:
    """If addr is None, which is the default, the data is sent to the target address given on transport creation.

    If this fails: look for an address that is only kept in a connected socket, which a broadcasting one is not.
    """
    with udp_peer() as peer:
        remote = peer.getsockname()
        with endpoint(loop, remote_addr=remote, allow_broadcast=broadcast) as (transport, _):
            transport.sendto(b"data", *arguments)
            assert arrival(loop, patience, peer)[0] == b"data"


@requirement("udp.sendto-by-name", MUST, cite=SENDTO)
def test_sendto_takes_its_arguments_by_name(loop: Loop, patience: Patience) -> None:
    """sendto() takes data and addr by name, too.

    If this fails: look for parameters that are taken by position only, or called by another name.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        transport.sendto(b"one", addr=peer.getsockname())
        transport.sendto(data=b"two", addr=peer.getsockname())
        assert {arrival(loop, patience, peer)[0] for _ in range(2)} == {b"one", b"two"}


@requirement("udp.sendto-remote-address", MUST, cite=(SENDTO, PEP))
def test_sendto_takes_the_remote_address_of_a_connected_endpoint(loop: Loop, patience: Patience) -> None:
    """An endpoint that has a remote address may name it in sendto(): if both are given, they must match.

    If this fails: look for sendto() on a connected socket, which some systems refuse.
    """
    with udp_peer() as peer, endpoint(loop, remote_addr=peer.getsockname()) as (transport, _):
        transport.sendto(b"data", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"data"


@requirement("udp.sendto-other-address", SHOULD, cite=PEP)
def test_another_address_than_the_remote_one_is_refused_or_sent_to(loop: Loop, patience: Patience) -> None:
    """sendto() with an address other than that of a connected endpoint raises an exception, or sends there.

    If this fails: look for an address that is ignored, so that the datagram reaches somebody else.
    """
    with (
        udp_peer() as peer,
        udp_peer() as other,
        endpoint(loop, remote_addr=peer.getsockname()) as (transport, _),
    ):
        try:
            transport.sendto(b"for another", other.getsockname())
        except (*REFUSALS, OSError):
            pass
        else:
            assert arrival(loop, patience, other)[0] == b"for another"
        transport.sendto(b"next")
        assert arrival(loop, patience, peer)[0] == b"next"


@requirement("udp.sendto-unix-path", MUST, cite=(SENDTO, "uvloop#196"), needs=("unix",))
def test_sendto_takes_the_path_of_a_unix_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """addr is a transport-dependent target address: for a Unix socket it is a path.

    If this fails: look for an address that must be a tuple.
    """
    kind = socket.AF_UNIX, socket.SOCK_DGRAM
    with socket.socket(*kind) as ours, socket.socket(*kind) as peer, endpoint(loop, sock=ours) as (transport, _):
        peer.bind(str(tmp_path / "peer"))
        transport.sendto(b"data", str(tmp_path / "peer"))
        assert arrival(loop, patience, peer)[0] == b"data"


@requirement("udp.sendto-remote-path", MUST, cite=(SENDTO, "zuvloop#19"), needs=("unix",))
def test_sendto_takes_the_path_that_its_socket_is_connected_to(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() sends to addr, also if that is the path to which a Unix socket is connected anyway.

    If this fails: look for a comparison with the remote address that knows the addresses of one family only.
    """
    with unix_datagram_pair(tmp_path) as (ours, peer), endpoint(loop, sock=ours) as (transport, _):
        transport.sendto(b"data", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"data"


@requirement("udp.sendto-returns-none", MUST, cite=PEP)
def test_sendto_returns_none(loop: Loop) -> None:
    """The return value of sendto() is None.

    If this fails: look for the count of the system call.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        answer: object = transport.sendto(b"data", peer.getsockname())
        assert answer is None
    with udp_peer() as peer, endpoint(loop, remote_addr=peer.getsockname()) as (transport, _):
        answer = transport.sendto(b"data")
        assert answer is None


@requirement("udp.sendto-accepts-buffers", SHOULD, cite=SENDTO)
@each(
    "data",
    [
        bytearray(b"data"),
        memoryview(b"<data>")[1:5],
        memoryview(b"data").cast("H"),
        type("Bytes", (bytes,), {})(b"data"),
    ],
    ids=["bytearray", "memoryview", "wide items", "subclass of bytes"],
)
def test_sendto_accepts_buffers(loop: Loop, patience: Patience, data: Any) -> None:
    """data may be a bytearray or a memoryview, as for write().

    If this fails: look for a check for exactly bytes, a view whose offset is lost, or a length in items.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        transport.sendto(data, peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"data"


@requirement("udp.sendto-rejects-text", SHOULD, cite=SENDTO)
@each("data", ["text", None, 3, [100]])
def test_sendto_rejects_what_is_no_bytes(loop: Loop, patience: Patience, data: Any) -> None:
    """sendto() raises an exception at once for data that is no bytes-like object, and the endpoint goes on.

    If this fails: look for text that is encoded, or an error that appears only when the datagram is sent.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        with refused():
            transport.sendto(data, peer.getsockname())
        transport.sendto(b"next", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"next"


@requirement("udp.sendto-empty", MUST, cite=SENDTO, since="3.13", needs=("unix",))
def test_sendto_sends_empty_datagrams(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() can be called with an empty bytes object to send a zero-length datagram.

    If this fails: look for the shortcut for nothing to write, which is right for streams only; for an endpoint that is
    connected, or whose datagrams wait, too.
    """
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        transport.sendto(b"", peer.getsockname())
        transport.sendto(b"next", peer.getsockname())
        assert {arrival(loop, patience, peer)[0] for _ in range(2)} == {b"", b"next"}
    with udp_peer() as peer, endpoint(loop, remote_addr=peer.getsockname()) as (transport, _):
        transport.sendto(b"")
        transport.sendto(b"next")
        assert {arrival(loop, patience, peer)[0] for _ in range(2)} == {b"", b"next"}
    with blocked_endpoint(loop, tmp_path) as (transport, _, peer):
        for data in (b"one", b"", b"next"):
            transport.sendto(data)
        receiving = in_thread(lambda: receive_after_filler(peer, 3))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagrams")
        assert sorted(receiving.result()) == [b"", b"next", b"one"]


@requirement("udp.sendto-boundaries", MUST, cite=SENDTO)
def test_each_sendto_is_one_datagram(loop: Loop, patience: Patience) -> None:
    """Each sendto() sends one datagram, whatever its length: none is cut, split, or joined with another.

    If this fails: look for a write buffer shared with streams, or for a maximum taken for granted.
    """
    messages = [b"a", b"b" * 1500, b"c" * 9000, b"d"]
    with udp_peer() as peer, endpoint(loop) as (transport, _):
        for message in messages:
            transport.sendto(message, peer.getsockname())
        assert sorted(arrival(loop, patience, peer)[0] for _ in messages) == messages


@requirement("udp.sendto-does-not-block", MUST, cite=SENDTO, needs=("unix",))
def test_sendto_buffers_what_there_is_no_room_for(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() does not block; it buffers the data, and sends it in its own datagrams when there is room.

    If this fails: look for a datagram that is dropped when the kernel takes no more, or for a blocking socket.
    """
    messages = [f"message {number:02}".encode() for number in range(20)]
    with blocked_endpoint(loop, tmp_path) as (transport, _, peer):
        for message in messages:
            transport.sendto(message)
        receiving = in_thread(lambda: receive_after_filler(peer, len(messages)))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagrams")
        assert sorted(receiving.result()) == messages


@requirement("udp.sendto-order", SHOULD, cite=SENDTO, needs=("linux",))
def test_datagrams_that_wait_leave_in_their_order(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """Datagrams that wait for room are sent in the order in which they were given to sendto().

    UDP promises none, but Unix sockets do, and what talks over them, as a log does, does not number its datagrams.

    If this fails: look for several that are under way at a time, or for one that must wait and is queued again.
    """
    given: list[bytes] = []
    too_long = bytes(1 << 24)

    class Insists(Datagrams):
        def error_received(self, exc: Exception) -> None:
            super().error_received(exc)
            send(b"inside")

    def send(data: bytes) -> None:
        if data is not too_long:
            given.append(data)
        transport.sendto(data)

    with blocked_endpoint(loop, tmp_path, Insists()) as (transport, _, peer):
        for data in (b"one", too_long, *(b"%d" % number for number in range(50))):
            send(data)
        receiving = in_thread(lambda: receive_after_filler(peer, 52))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagrams")
        assert receiving.result() == given


@requirement("udp.sendto-copies", SHOULD, cite=(SENDTO, "gh-91166"), needs=("unix",))
def test_buffered_datagrams_are_copies(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() buffers the data: a bytearray that is changed afterwards is sent as it was.

    If this fails: look for a reference, or an exported view, kept in place of a copy.
    """
    data = bytearray(b"before")
    with blocked_endpoint(loop, tmp_path) as (transport, _, peer):
        transport.sendto(data)
        data[:] = b"after!"
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the buffered datagram")
        assert receiving.result() == [b"before"]


@requirement("udp.sendto-inside-callbacks", MUST, cite=SENDTO)
def test_sendto_may_be_called_inside_datagram_received(loop: Loop, patience: Patience) -> None:
    """A protocol may answer inside datagram_received(), and begin inside connection_made(), as the documentation's do.

    Or it may pass on to somebody else what it receives.

    If this fails: look for a transport that is locked while it calls its protocol, or not ready when it is told of, or
    that answers whoever has sent something last.
    """

    class Greets(Datagrams):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.sendto(b"hello")

    class Echo(Datagrams):
        to: Any = None

        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            self.transport.sendto(data, self.to or addr)

    with udp_peer() as peer, udp_peer() as other, endpoint(loop, local_addr=HERE, protocol=Echo()) as (transport, echo):
        for number in range(5):
            peer.sendto(b"%d" % number, transport.get_extra_info("sockname"))
        assert sorted(arrival(loop, patience, peer)[0] for _ in range(5)) == [b"0", b"1", b"2", b"3", b"4"]
        echo.to = other.getsockname()
        peer.sendto(b"for another", transport.get_extra_info("sockname"))
        assert arrival(loop, patience, other)[0] == b"for another"
    with udp_peer() as peer, endpoint(loop, remote_addr=peer.getsockname(), protocol=Greets()):
        assert arrival(loop, patience, peer)[0] == b"hello"


@requirement("udp.pause-writing", SHOULD, cite="asyncio-protocol: BaseProtocol.pause_writing", needs=("unix",))
def test_datagrams_have_flow_control(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """pause_writing() is called when more is buffered than the high-water mark, and resume_writing() when it is sent.

    If this fails: look for a buffer of datagrams that grows without telling the protocol, perhaps the third time only.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, peer):
        keep_limits_low(transport)
        for _ in range(200):
            transport.sendto(bytes(1000))
        until_paused(loop, patience, protocol)
        assert protocol.names == ["connection_made", "pause_writing"]
        count = 200
        for times in range(1, 4):
            drive(loop, patience, in_thread(functools.partial(receive_after_filler, peer, count)))
            patience.run_until(loop, lambda: protocol.names[-1] == "resume_writing", "resume_writing()")
            assert protocol.names == ["connection_made", *["pause_writing", "resume_writing"] * times]
            if times == 3:
                break
            count = 0
            paused = functools.partial(lambda so_often: protocol.names.count("pause_writing") > so_often, times)
            while not paused() and transport.get_write_buffer_size() < 1_000_000:
                transport.sendto(bytes(1000))
                count += 1
            patience.in_turns.run_until(loop, paused, "another pause_writing()")


@requirement("udp.write-buffer-size", SHOULD, cite="gh-135444", needs=("unix",))
def test_the_size_of_the_buffer_of_datagrams_is_known(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """get_write_buffer_size() tells how much waits to be sent: at least its bytes, and 0 when all is sent.

    If this fails: look for a size that is not lowered when a datagram has been sent, or raised by one that must wait,
    or for the header of one that cannot be sent, which is counted for ever.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, _, peer):
        assert transport.get_write_buffer_size() == 0
        for number in range(200):  # more than the kernel takes at once
            transport.sendto(bytes(2000))
            if number == 100:
                transport.sendto(bytes(1 << 24))  # longer than any buffer: it cannot be sent
        assert transport.get_write_buffer_size() >= 400_000
        peer.setblocking(False)

        def all_sent() -> bool:
            with contextlib.suppress(BlockingIOError):
                while True:
                    peer.recv(4096)
            size: int = transport.get_write_buffer_size()
            return size == 0

        patience.in_turns.run_until(loop, all_sent, "the buffer's end")


@requirement("udp.buffered-headers", MUST, cite=SENDTO, since="3.13", needs=("unix",))
def test_empty_datagrams_fill_the_buffer(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """The buffer size for flow control accounts for the datagram header: many empty datagrams are told to pause, too.

    If this fails: look for a size that counts data alone: a sender of empty datagrams is never told to pause.
    """
    with blocked_endpoint(loop, tmp_path) as (transport, protocol, _):
        keep_limits_low(transport)
        for _ in range(100_000):
            transport.sendto(b"")
        until_paused(loop, patience, protocol)
        assert protocol.names == ["connection_made", "pause_writing"]
        transport.abort()
        turn(loop, 2)
