"""Chapter tcp: what a connection answers that was lost, or is about to end."""

from __future__ import annotations

import asyncio
import contextlib
import os

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, reset
from conformance.kit.threads import in_thread
from conformance.kit.transports import lost_inside_write, until_lost
from conformance.kit.ways import WAYS, joined
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_BIG = bytes(range(251)) * 8000  # 2 MB: more than shrunk buffers take


@requirement(
    "tcp.writelines-after-loss-is-quiet", SHOULD, cite=("asyncio-protocol: WriteTransport.writelines", "gh-136234")
)
@WAYS
def test_writelines_to_a_lost_connection_does_not_raise(loop: Loop, patience: Patience, way: str) -> None:
    """writelines() after the connection was lost does not raise, as write() does not: nobody may know of it yet.

    If this fails: look for a quick path of writelines() to a socket that is gone.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        transport.abort()
        transport.writelines([b"no", b"body"])
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        for _ in range(10):
            transport.writelines([b"no", b"body"])
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1


@requirement(
    "tcp.closed-socket-number",
    SHOULD,
    cite=("asyncio-protocol: BaseTransport.get_extra_info", "socket: socket.fileno", "zuvloop#75"),
)
@WAYS
def test_the_socket_of_a_closed_transport_names_no_other_file(loop: Loop, patience: Patience, way: str) -> None:
    """The 'socket' of a transport does not name another file when it is closed: fileno() is -1 then.

    If this fails: look for an object that has kept the number alone: an option that is set late would be set for
    another connection.
    """
    with joined(loop, patience, way) as (transport, protocol, _), contextlib.ExitStack() as stack:
        sock = transport.get_extra_info("socket")
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        others = {stack.enter_context(open(os.devnull, "rb")).fileno() for _ in range(5)}
        for each in (sock, transport.get_extra_info("socket")):
            number = -1
            with contextlib.suppress(OSError, AttributeError):
                number = each.fileno()
            assert number not in others


@requirement("tcp.write-while-closing-is-quiet", SHOULD, cite=("asyncio-protocol: BaseTransport.close", "zuvloop#17"))
@WAYS
def test_writing_to_a_closing_connection_does_not_raise(loop: Loop, patience: Patience, way: str) -> None:
    """write() does not raise after close(), while what was written before is flushed: others may not know of it yet.

    If this fails: look for a check that is right for write_eof(), which is this side's own word.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.write(_BIG)
        transport.close()
        for _ in range(10):
            transport.write(b"late")
        received = drive(loop, patience, in_thread(lambda: receive_all(peer)))
        assert received.startswith(_BIG)  # what becomes of the rest is left open
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert protocol.reason is None


@requirement(
    "tcp.lost-not-inside-write",
    SHOULD,
    cite=("PEP 3156: Mutual Exclusion of Callbacks", "asyncio-protocol: BaseProtocol.connection_lost"),
)
@each("method", ["write", "writelines"])
@WAYS
def test_a_write_that_fails_returns_before_the_loss_is_told(
    loop: Loop, patience: Patience, way: str, method: str
) -> None:
    """write() that finds the peer gone returns before connection_lost() is called: no callback starts inside another.

    If this fails: look for an error of the system call that is told where it was found, on the caller's stack.
    """
    with joined(loop, patience, way) as (transport, protocol, peer):
        transport.pause_reading()  # only writing finds out
        turn(loop, 2)
        reset(peer)
        assert not lost_inside_write(loop, patience, transport, protocol, method)
        until_lost(loop, patience, protocol)
