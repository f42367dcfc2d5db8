"""Chapter tls: what a protocol may do to a TLS transport inside its callbacks, and how its methods are called."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, reset
from conformance.kit.protocols import Events, Reacts, raising, while_handling
from conformance.kit.secured import BIG, SIDES, secured
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
INFO = "asyncio-protocol: BaseTransport.get_extra_info"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"


def leave(peer: Any) -> bytes:
    """What the peer gets until the end, of whatever kind, which it answers."""
    data = b""
    with contextlib.suppress(OSError):
        data = receive_all(peer)
    say_goodbye(peer)
    return data


def say_goodbye(peer: Any) -> None:
    """Send close_notify, and wait for the other one, if there is somebody to say it."""
    with contextlib.suppress(OSError):
        peer.unwrap()


def _written_until_paused(loop: Loop, patience: Patience, transport: Any, protocol: Events) -> bytes:
    """Write more than the buffer takes; what was written when pause_writing() was called, at once or a turn later."""
    written = b""
    while "pause_writing" not in protocol.names and len(written) < 2 * len(BIG):
        transport.write(BIG)
        written += BIG
    patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
    return written


@requirement("tls.end-inside-except", MUST, cite=(CLOSE, "asyncio-protocol: WriteTransport.abort"))
@each("how", ["close", "abort"])
@SIDES
def test_an_exception_that_is_handled_is_no_reason(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """After close() or abort() of a TLS transport, connection_lost() gets None, also if an exception is being handled.

    If this fails: look for the exception of the caller, such as sys.exception(), taken for one of the connection.
    """
    with secured(loop, patience, side, lambda: Reacts("data_received", while_handling(how))) as (_, protocol, peer):
        peer.sendall(b"what nobody understands")
        helper = in_thread(lambda: leave(peer))
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper)
        assert protocol.reason is None


@requirement("tls.set-protocol-inside", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@each("where", ["data_received", "eof_received"])
@SIDES
def test_tls_may_be_handed_over_inside_a_callback(loop: Loop, patience: Patience, side: str, where: str) -> None:
    """set_protocol() inside data_received() or eof_received() of a TLS connection holds: what follows is the new one's.

    If this fails: look for a protocol that is looked up before a callback, and used again behind it.
    """
    second = Events()
    first = Reacts(where, lambda transport: transport.set_protocol(second), once=True)
    with secured(loop, patience, side, lambda: first) as (_, _, peer):
        peer.sendall(b"1")
        patience.run_until(loop, lambda: first.received == b"1", "the first data")
        if where == "data_received":
            peer.sendall(b"second")
            patience.run_until(loop, lambda: second.received == b"second", "the data of the new protocol")
        helper = in_thread(lambda: say_goodbye(peer))
        until_lost(loop, patience, second)
        assert first.names == ["connection_made", "data_received", "eof_received"][: 2 + (where == "eof_received")]
        assert second.names[-1] == "connection_lost"
        drive(loop, patience, helper)
        first.calls.append(("connection_lost", None))  # which has been told to the other one


@requirement("tls.write-inside-pause", SHOULD, cite=PAUSE)
@SIDES
def test_writing_inside_pause_writing(loop: Loop, patience: Patience, side: str) -> None:
    """What is written inside pause_writing() of a TLS connection is sent after what was written before.

    If this fails: look for a write() that is inside another one, and forgets or overtakes it.
    """
    protocol = Reacts("pause_writing", lambda transport: transport.write(b"in between"))
    with secured(loop, patience, side, lambda: protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=100_000)
        expected = _written_until_paused(loop, patience, transport, protocol)
        expected += b"in between"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected
        assert protocol.names.count("pause_writing") == 1


@requirement("tls.close-inside-pause", SHOULD, cite=CLOSE)
@each("callback", ["pause_writing", "resume_writing"])
@SIDES
def test_closing_inside_pause_writing(loop: Loop, patience: Patience, side: str, callback: str) -> None:
    """A protocol may close a TLS transport inside pause_writing() or resume_writing(): what it wrote is flushed.

    If this fails: look for a close() that finds the buffer empty, because the write is still under way, or for one that
    drops what is still below the low watermark.
    """
    protocol = Reacts(callback, lambda transport: transport.close())
    with secured(loop, patience, side, lambda: protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=600_000, low=500_000)
        expected = _written_until_paused(loop, patience, transport, protocol)
        assert drive(loop, patience, in_thread(lambda: leave(peer))) == expected
        until_lost(loop, patience, protocol)
        assert protocol.reason is None


@requirement("tls.methods-by-name", SHOULD, cite="asyncio-protocol: §Transports")
@SIDES
def test_the_methods_of_a_tls_transport_take_arguments_by_name(loop: Loop, patience: Patience, side: str) -> None:
    """write(), writelines(), set_protocol() and get_extra_info() of TLS take arguments by the names that they have.

    If this fails: look for parameters that are taken by position only, or called by another name.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.set_protocol(protocol=protocol)
        assert transport.get_extra_info(name="no such thing", default="default") == "default"
        transport.set_write_buffer_limits(high=2000, low=100)
        transport.write(data=b"one")
        transport.writelines(list_of_data=[b"two"])
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 6))) == b"onetwo"


@requirement("tls.extra-info-closed", SHOULD, cite=INFO)
@each("how", ["close", "abort"])
@SIDES
def test_a_closed_tls_transport_can_be_asked(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """get_extra_info() raises nothing when a TLS transport is closed: it gives what is known, or the default.

    If this fails: look for a question to a TLS object, or to a transport beneath, that is gone.
    """
    with secured(loop, patience, side, Events) as (transport, protocol, peer):
        getattr(transport, how)()
        helper = in_thread(lambda: leave(peer))
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper)
        turn(loop, 2)
        for name in ("peername", "socket", "ssl_object", "sslcontext", "peercert", "cipher"):
            transport.get_extra_info(name)
        assert transport.get_extra_info("no such thing", "default") == "default"


@requirement("tls.abort-inside", MUST, cite="asyncio-protocol: WriteTransport.abort")
@SIDES
def test_aborting_tls_where_it_is_read(loop: Loop, patience: Patience, side: str) -> None:
    """After abort() inside data_received() of a TLS connection no more data is received, though some is decrypted.

    If this fails: look for records that are handed out in a row, whatever the protocol does.
    """
    protocol = Reacts("data_received", lambda transport: transport.abort())
    with secured(loop, patience, side, lambda: protocol) as (_, _, peer):
        for _ in range(5):
            peer.sendall(b"x" * 5000)
        until_lost(loop, patience, protocol)
        turn(loop, 3)
        assert protocol.names == ["connection_made", "data_received", "connection_lost"]
        assert protocol.reason is None


@requirement("tls.callback-error-ends", SHOULD, cite="asyncio-dev: Detect never-retrieved exceptions")
@SIDES
def test_an_exception_in_data_received_ends_tls(loop: Loop, patience: Patience, side: str, watch: Any) -> None:
    """An exception in data_received() of a TLS connection ends it: connection_lost() is called.

    If this fails: look for an error that is reported by the layer of TLS, and goes no further.
    """
    watch.allow("reported")
    error = LookupError("in data_received()")
    with secured(loop, patience, side, lambda: Reacts("data_received", raising(error))) as (_, protocol, peer):
        peer.sendall(b"data")
        until_lost(loop, patience, protocol)
        assert protocol.names.count("data_received") == 1


@requirement("tls.set-protocol-flow", SHOULD, cite=("asyncio-protocol: BaseTransport.set_protocol", PAUSE))
@SIDES
def test_the_protocol_of_tls_that_was_set_last_is_paused(loop: Loop, patience: Patience, side: str) -> None:
    """After set_protocol(), it is the new protocol of a TLS transport that is told to pause and to resume.

    If this fails: look for callbacks bound to the first protocol when the transport was made.
    """
    with secured(loop, patience, side) as (transport, first, peer):
        second = Events()
        transport.set_protocol(second)
        transport.set_write_buffer_limits(high=100_000)
        count = 2
        for _ in range(count):
            transport.write(BIG)
        patience.run_until(loop, lambda: second.names or first.names[1:], "pause_writing()")
        third = Events()
        transport.set_protocol(third)
        drive(loop, patience, in_thread(lambda: receive_exactly(peer, count * len(BIG))))
        patience.run_until(loop, lambda: third.names, "resume_writing()")
        transport.set_protocol(first)
        assert (first.names, second.names) == (["connection_made"], ["pause_writing"])
        assert third.names == ["resume_writing"]


@requirement("tls.pause-outlasts-writing", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@SIDES
def test_a_pause_of_tls_outlasts_writing(loop: Loop, patience: Patience, side: str) -> None:
    """No data is received until resume_reading() is called: writing to a TLS transport does not end a pause.

    If this fails: look for one step that writes what waits and reads what has come.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        peer.sendall(b"unread")
        for data in (b"sent at once", BIG, b"one"):
            transport.write(data)
        expected = b"sent at once" + BIG + b"one"
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, len(expected)))) == expected
        turn(loop, 10)
        assert (transport.is_reading(), bytes(protocol.received)) == (False, b"")
        transport.resume_reading()
        patience.run_until(loop, lambda: protocol.received == b"unread", "the data after resume_reading()")


@requirement("tls.is-closing-inside", MUST, cite="asyncio-protocol: BaseTransport.is_closing")
@each("how", ["close", "abort", "reset", "goodbye"])
@SIDES
def test_tls_is_closing_when_it_is_lost(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """is_closing() of a TLS transport is True inside connection_lost(), whoever has ended the connection.

    If this fails: look for a flag that is set behind the last callback, or by close() and abort() only.
    """
    told: list[object] = []
    asks = Reacts("connection_lost", lambda transport: told.append(transport.is_closing()))
    with secured(loop, patience, side, lambda: asks) as (transport, _, peer):
        if how == "reset":
            helper = in_thread(lambda: reset(peer))
        elif how == "goodbye":
            helper = in_thread(lambda: say_goodbye(peer))
        else:
            getattr(transport, how)()
            helper = in_thread(lambda: say_goodbye(peer))
        until_lost(loop, patience, asks)
        drive(loop, patience, helper)
        assert told == [True]
