"""Chapter tcp: what a protocol may do to its transport inside its own callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import (
    PEER_TIMEOUT,
    drive,
    receive_all,
    receive_exactly,
    shrink_buffers,
    shrink_transport,
    socket_path,
    tcp_pair,
    unix_pair,
)
from conformance.kit.protocols import Reacts, while_handling
from conformance.kit.servers import accepted, dial, serving, serving_unix
from conformance.kit.threads import in_thread
from conformance.kit.transports import BIG, until_lost
from conformance.kit.ways import UNIX, joined
from conformance.kit.ways import WAYS as EVERY_WAY
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
WAYS = each("how", ["close", "abort"])
WHERE = each("where", ["data_received", "eof_received"])


SIDES = each("side", ["client", "server", *(["unix", "unix server"] if UNIX else [])])


@contextlib.contextmanager
def made_at_once(
    loop: Loop, patience: Patience, side: str, protocol: Reacts, first: bytes = b""
) -> Iterator[socket.socket]:
    """The peer of a connection that its protocol may have ended already; `first` waits for a client to be made."""
    with contextlib.ExitStack() as stack:
        if side == "client":
            ours, peer = stack.enter_context(tcp_pair())
            opening: Any = loop.create_connection
        elif side == "unix":
            ours, peer = stack.enter_context(unix_pair())
            opening = loop.create_unix_connection
        else:
            unix = side == "unix server"
            service = stack.enter_context(
                serving_unix(loop, stack.enter_context(socket_path())) if unix else serving(loop)
            )
            service.make = lambda: protocol
            peer = stack.enter_context(dial(service))
        peer.settimeout(PEER_TIMEOUT)
        peer.sendall(first)
        if "server" in side:
            accepted(loop, patience, service)
        else:
            shrink_buffers(ours, peer)
            stack.enter_context(opened(loop, opening(lambda: protocol, sock=ours)))
        yield peer


def leaves(how: str, words: bytes) -> Reacts:
    """A protocol that says something and leaves as soon as it is told of the connection."""

    def leave(transport: Any) -> None:
        shrink_transport(transport)
        transport.write(words)
        getattr(transport, how)()

    return Reacts("connection_made", leave)


@requirement("tcp.end-when-made", MUST, cite="asyncio-protocol: BaseTransport.close")
@SIDES
@each(
    ("how", "words"), [("close", b"bye"), ("close", BIG), ("abort", b"bye")], ids=["close", "close after much", "abort"]
)
def test_a_protocol_may_end_the_connection_as_it_is_made(
    loop: Loop, patience: Patience, side: str, how: str, words: bytes
) -> None:
    """close() and abort() inside connection_made() end the connection: what was written before close() is sent.

    If this fails: look for reading that is started behind connection_made(), whatever that has done, or data that
    waits to be sent and is forgotten.
    """
    protocol = leaves(how, words)
    with made_at_once(loop, patience, side, protocol) as peer:
        reading = in_thread(lambda: receive_all(peer))
        until_lost(loop, patience, protocol)
        told = [name for name in protocol.names if not name.endswith("_writing")]
        assert told == ["connection_made", "connection_lost"]
        assert protocol.reason is None
        with contextlib.suppress(ConnectionError):  # abort() may reset the connection
            assert drive(loop, patience, reading) == words or how == "abort"


@requirement("tcp.unread-when-made", MUST, cite="asyncio-protocol: BaseTransport.close")
@WAYS
@SIDES
@each("data", [b"", 8 * BIG], ids=["nothing-waits", "data-waits"])
def test_nothing_is_received_by_who_ends_as_it_is_made(
    loop: Loop, patience: Patience, side: str, how: str, data: bytes
) -> None:
    """After close() or abort() inside connection_made(), no data is received, though some is there, or is to be sent.

    If this fails: look for reading that is started behind connection_made(), whatever that has done.
    """

    def leave(transport: Any) -> None:
        shrink_transport(transport)
        transport.write(data)
        getattr(transport, how)()

    protocol = Reacts("connection_made", leave)
    with made_at_once(loop, patience, side, protocol, b"unread"):
        turn(loop, 20)
        assert "data_received" not in protocol.names
        protocol.transport.abort()
        until_lost(loop, patience, protocol)


@requirement("tcp.write-when-made", MUST, cite="asyncio-protocol: BaseProtocol.connection_made")
@EVERY_WAY
def test_a_protocol_may_write_as_the_connection_is_made(loop: Loop, patience: Patience, way: str) -> None:
    """What a protocol writes inside connection_made() is sent, whichever way the connection came about.

    If this fails: look for a transport that can be written to only when connection_made() has returned.
    """

    def greet(transport: Any) -> None:
        transport.write(b"hello, ")
        transport.writelines([b"pe", b"er"])

    with joined(loop, patience, way, Reacts("connection_made", greet)) as (_, _, peer):
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 11))) == b"hello, peer"


@requirement("tcp.end-when-read", MUST, cite="asyncio-protocol: BaseTransport.close")
@WAYS
@EVERY_WAY
def test_a_protocol_may_end_the_connection_as_it_reads(loop: Loop, patience: Patience, how: str, way: str) -> None:
    """After close() or abort() inside data_received(), no more data is received, though there is some.

    If this fails: look for a loop that reads until nothing is left, and asks only then whether it may.
    """

    def send() -> None:
        with contextlib.suppress(OSError):
            peer.sendall(BIG)

    with joined(loop, patience, way, Reacts("data_received", lambda transport: getattr(transport, how)())) as (
        _,
        protocol,
        peer,
    ):
        sending = in_thread(send)
        until_lost(loop, patience, protocol)
        drive(loop, patience, sending)
        assert protocol.names == ["connection_made", "data_received", "connection_lost"]


def _told(where: str, peer: Any) -> None:
    """Have the loop call the protocol's method `where`."""
    if where == "data_received":
        peer.sendall(b"x")
    else:
        peer.shutdown(socket.SHUT_WR)


@requirement("tcp.close-inside-flushes", MUST, cite="asyncio-protocol: BaseTransport.close")
@WHERE
@EVERY_WAY
def test_closing_inside_a_callback_flushes(loop: Loop, patience: Patience, way: str, where: str) -> None:
    """close() inside a callback of the protocol flushes buffered data, and then calls connection_lost(None).

    If this fails: look for a connection that has ended when its callback returns, with data that waits.
    """

    def leave(transport: Any) -> None:
        transport.write(BIG)
        transport.close()

    with joined(loop, patience, way, Reacts(where, leave, once=True, keep_open=True)) as (_, protocol, peer):
        _told(where, peer)
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == BIG
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tcp.abort-inside-drops", MUST, cite="asyncio-protocol: WriteTransport.abort")
@WHERE
@EVERY_WAY
def test_aborting_inside_a_callback_drops(loop: Loop, patience: Patience, way: str, where: str) -> None:
    """abort() inside a callback of the protocol does not wait for buffered data, which is lost: nobody reads it.

    If this fails: look for an end that is noted until the callback returns, and is one in order then.
    """
    waiting: list[int] = []

    def leave(transport: Any) -> None:
        transport.write(BIG)
        waiting.append(transport.get_write_buffer_size())
        transport.abort()

    with joined(loop, patience, way, Reacts(where, leave, once=True, keep_open=True)) as (_, protocol, peer):
        _told(where, peer)
        patience.run_until(loop, lambda: waiting, where)
        assert waiting[0] > 0
        until_lost(loop, patience.in_turns, protocol)
        assert protocol.reason is None


@requirement(
    "tcp.end-inside-except",
    MUST,
    cite=("asyncio-protocol: BaseTransport.close", "asyncio-protocol: WriteTransport.abort"),
)
@WAYS
@EVERY_WAY
def test_an_exception_that_is_handled_is_no_reason(loop: Loop, patience: Patience, way: str, how: str) -> None:
    """After close() or abort(), connection_lost() gets None, also if an exception is being handled where it is called.

    If this fails: look for the exception of the caller, such as sys.exception(), taken for one of the connection.
    """
    with joined(loop, patience, way, Reacts("data_received", while_handling(how))) as (_, protocol, peer):
        peer.sendall(b"what nobody understands")
        until_lost(loop, patience, protocol)
        assert protocol.reason is None
