"""Chapter tls: peers that never come to an end, handshakes that outlast their server, and protocols that are false."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from conformance.battery.test_tls_records import ByHand
from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_server_context, server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, listener, receive_exactly, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import SERVERS, SIDES, TIMED_OUT, own_context, secured, upgrading
from conformance.kit.servers import accepted, dial, serving
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
# The heads of records of 16 kB, so that for long there is nothing to complain of.
HANDSHAKE, DATA = b"\x16\x03\x01\x3f\x00", b"\x17\x03\x03\x3f\x00"
TIME = 0.05


def dripping(peer: socket.socket, head: bytes = HANDSHAKE) -> Any:
    """Called again and again, sends the rest of a record byte by byte; True when nobody takes it."""
    peer.setblocking(False)
    peer.send(head)

    def drip() -> bool:
        try:
            peer.send(b"\0")
            return not peer.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    return drip


@requirement(
    "tls.handshake-timeout-whole",
    MUST,
    cite=("asyncio-eventloop: loop.create_connection", "asyncio-eventloop: loop.create_server"),
)
@each("side", ["client", "server", "upgraded", "upgraded-server"])
def test_a_slow_handshake_has_no_more_time(loop: Loop, patience: Patience, watch: Any, side: str) -> None:
    """ssl_handshake_timeout is the time to wait for the handshake to complete: what comes of it byte by byte adds none.

    If this fails: look for a timer that begins anew whenever something is read.
    """
    watch.allow("reported")
    with contextlib.ExitStack() as stack:
        if side == "server":
            how: Any = {"ssl": server_context(), "ssl_handshake_timeout": TIME}
            peer = stack.enter_context(dial(stack.enter_context(serving(loop, **how))))
            patience.in_turns.run_until(loop, dripping(peer), "the end of the connection")
            return
        if side == "client":
            listening = stack.enter_context(listener())
            how = {"ssl": client_context(), "server_hostname": NAME, "ssl_handshake_timeout": TIME}
            task: Any = loop.create_task(loop.create_connection(Events, *listening.getsockname(), **how))
            peer = stack.enter_context(drive(loop, patience, in_thread(lambda: listening.accept()[0])))
        else:
            sock, peer = stack.enter_context(tcp_pair())
            beneath, protocol = loop.run_until_complete(loop.create_connection(Events, sock=sock))
            how = {"server_side": True, "server_hostname": None} if side == "upgraded-server" else {}
            context = own_context(side)
            task = upgrading(loop, beneath, protocol, sslcontext=context, ssl_handshake_timeout=TIME, **how)
        drip = dripping(peer)
        patience.in_turns.run_until(loop, lambda: drip() or task.done(), "the end of the connection")
        with pytest.raises(TIMED_OUT):
            loop.run_until_complete(task)
        turn(loop, 3)


@requirement("tls.shutdown-timeout-whole", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_what_still_comes_gives_a_shutdown_no_more_time(loop: Loop, patience: Patience, side: str) -> None:
    """ssl_shutdown_timeout is the time to wait for the shutdown to complete: what comes byte by byte adds none.

    If this fails: look for a timer that begins anew whenever something is read.
    """
    with secured(loop, patience, side, ssl_shutdown_timeout=TIME) as (transport, protocol, peer):
        transport.close()
        with socket.socket(fileno=peer.detach()) as beneath:
            drip = dripping(beneath, DATA)
            patience.in_turns.run_until(loop, lambda: drip() or protocol.lost, "the end of the connection")
        patience.in_turns.run_until(loop, lambda: protocol.lost, "connection_lost()")


class _Empty(Events):
    """A protocol that is false."""

    def __len__(self) -> int:
        return 0


@requirement("tls.false-protocol", MUST, cite="asyncio-eventloop: loop.create_connection")
@SIDES
def test_protocols_of_tls_may_be_false(loop: Loop, patience: Patience, side: str) -> None:
    """protocol_factory may return any protocol, also one that is false, as an object without items is.

    If this fails: look for a test for truth where one for None was meant, between TLS and the application.
    """
    with secured(loop, patience, side, _Empty) as (transport, protocol, peer):
        assert protocol.names == ["connection_made"]
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
        transport.abort()
        patience.in_turns.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("tls.sni-callback", MUST, cite="asyncio-eventloop: loop.create_server")
@each("side", SERVERS)
def test_the_context_is_asked_for_names(loop: Loop, patience: Patience, side: str) -> None:
    """ssl is the context that is used: its sni_callback is called with the name that the client sends.

    If this fails: look for a context that is rebuilt from some of its settings, or one that is made once for all.
    """
    names: list[Any] = []
    context = new_server_context()
    context.sni_callback = lambda _object, name, _context: names.append(name)
    with secured(loop, patience, side, ours=context):
        assert names == [NAME]


@requirement("tls.handshake-outlasts-server", SHOULD, cite="asyncio-eventloop: Server.close")
def test_a_handshake_goes_on_when_the_server_is_closed(loop: Loop, patience: Patience) -> None:
    """close() leaves the sockets of existing incoming connections open: also those whose handshake is not complete.

    If this fails: look for a close() that aborts what it does not count as a connection yet.
    """
    with serving(loop, ssl=server_context()) as service, dial(service) as peer:
        client = ByHand(peer)
        drive(loop, patience, in_thread(client.shake_hands))  # but for its last word
        service.server.close()
        turn(loop, 3)
        peer.sendall(client.record(b"still here"))
        protocol = accepted(loop, patience, service)
        patience.run_until(loop, lambda: protocol.received == b"still here", "the data")
