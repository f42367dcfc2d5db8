"""Chapter pipes: what else is a pipe, and what the callbacks of its protocol may do."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from conformance.kit.blocked import blocked
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, KINDS, both
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.refusals import refused
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low, until_paused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECEIVED = "asyncio-protocol: Protocol.data_received"
SOME = bytes(range(250)) * 200  # 50 kB: less than a pipe holds


@requirement("pipes.kinds", SHOULD, cite="asyncio-eventloop: loop.connect_read_pipe")
@each("kind", KINDS)
def test_pipes_sockets_and_terminals_can_be_connected(loop: Loop, patience: Patience, kind: str) -> None:
    """pipe is a file-like object: a buffered one, a socket or a terminal can be read and written, as sys.stdin is.

    What counts is its descriptor: it may be a text file, as sys.stdin is, or an object with fileno() and close().

    If this fails: look for a test of the descriptor's kind that only pipes pass, or for a file that must be raw.
    """
    with both(loop, patience, kind) as (reading, writer, *ends):
        writer.write(b"through ")
        writer.write(b"")
        writer.write(b"the pipe")
        patience.run_until(loop, lambda: len(reading.received) >= 16, "the data")
        assert reading.received == b"through the pipe"

    def closed() -> bool:
        return all(end.fileno() == -1 if kind == "sockets" else end.closed for end in ends)

    patience.run_until(loop, closed, "the end of both files")


@requirement("pipes.terminal-end", SHOULD, cite="asyncio-protocol: BaseProtocol.connection_lost")
def test_the_end_of_a_terminal_is_the_end_of_the_connection(loop: Loop, patience: Patience) -> None:
    """When nobody has the other side of a terminal open any more, the connection is lost, and no error is reported.

    If this fails: look for EIO, by which some systems tell the end of a terminal, taken for an error of the loop's.
    """
    read_end, write_end = KINDS["terminal"]()
    _, reading = loop.run_until_complete(loop.connect_read_pipe(Events, read_end))
    write_end.write(b"the last line")
    patience.run_until(loop, lambda: reading.received, "the data")
    write_end.close()
    patience.run_until(loop, lambda: reading.lost, "connection_lost()")
    assert reading.received == b"the last line"
    turn(loop, 2)


@requirement("pipes.terminal-input", SHOULD, cite="asyncio-eventloop: loop.connect_write_pipe")
def test_input_at_a_terminal_does_not_end_a_transport_that_writes(loop: Loop, patience: Patience) -> None:
    """A terminal that is connected by connect_write_pipe() stays open when there is something to read at it.

    If this fails: look for a descriptor that is watched for the end of its reader by watching it for input.
    """
    ours, theirs = KINDS["terminal"]()
    with theirs:
        theirs.write(b"typed")
        copy = open(os.dup(ours.fileno()), "wb", buffering=0)  # noqa: SIM115 (the transport owns it)
        ours.close()
        transport, protocol = loop.run_until_complete(loop.connect_write_pipe(Events, copy))
        turn(loop, 5)
        transport.write(b"shown")
        shown = drive(loop, patience, in_thread(lambda: os.read(theirs.fileno(), 100)))
        assert (shown, transport.is_closing()) == (b"shown", False)
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("pipes.terminal-both", SHOULD, cite=("asyncio-eventloop: loop.connect_read_pipe", "uvloop#543"))
@each("first", ["reader", "writer"])
def test_a_terminal_is_read_and_written(loop: Loop, patience: Patience, first: str) -> None:
    """A terminal may be connected for writing and for reading at once, as programs do that ask their users.

    If this fails: look for input that the transport that writes takes, as it watches for the end of its reader.
    """
    user, program = KINDS["terminal"]()
    copy = open(os.dup(program.fileno()), "rb", buffering=0)  # noqa: SIM115 (the transport owns it)
    with user:
        if first == "reader":
            reader, reading = loop.run_until_complete(loop.connect_read_pipe(Events, copy))
        writer, writing = loop.run_until_complete(loop.connect_write_pipe(Events, program))
        if first == "writer":
            reader, reading = loop.run_until_complete(loop.connect_read_pipe(Events, copy))
        for answer in (b"one", b"two", b"three"):
            writer.write(b"ask")
            assert drive(loop, patience, in_thread(lambda: os.read(user.fileno(), 100))) == b"ask"
            os.write(user.fileno(), answer)
            patience.run_until(loop, lambda: reading.received.endswith(answer), "the answer")  # noqa: B023
        assert reading.received == b"onetwothree"
        reader.close()
        writer.abort()
        patience.run_until(loop, lambda: reading.lost and writing.lost, "both connection_lost()")


@requirement("pipes.one-protocol", MUST, cite="asyncio-eventloop: loop.connect_read_pipe")
@each("name", ["connect_read_pipe", "connect_write_pipe"])
def test_the_factory_is_called_once(loop: Loop, name: str) -> None:
    """protocol is an object instantiated by the protocol_factory, which is called once.

    If this fails: look for a factory that is tried before the pipe is connected.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    read, write = os.pipe()
    ours, theirs = (read, write) if name == "connect_read_pipe" else (write, read)
    file = open(ours, "rb" if ours == read else "wb", buffering=0)  # noqa: SIM115 (the transport owns it)
    transport, protocol = loop.run_until_complete(getattr(loop, name)(factory, file))
    transport.close()
    turn(loop, 4)
    os.close(theirs)
    assert made == [protocol]


def _read(loop: Loop, protocol: Events) -> tuple[Any, int]:
    """The transport of a pipe that is read by the protocol, and the descriptor that writes."""
    ours, theirs = os.pipe()
    os.write(theirs, SOME)
    file = open(ours, "rb", buffering=0)  # noqa: SIM115 (the transport owns it)
    transport, _ = loop.run_until_complete(loop.connect_read_pipe(lambda: protocol, file))
    return transport, theirs


@requirement("pipes.pause-inside", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
@each("where", ["connection_made", "data_received"])
def test_a_callback_may_pause_the_pipe(loop: Loop, patience: Patience, where: str) -> None:
    """After pause_reading() in a callback no data is passed to the protocol until resume_reading() is called.

    If this fails: look for reading that starts after connection_made(), or for one read that is passed on in pieces.
    """
    protocol = Reacts(where, lambda transport: transport.pause_reading(), once=True)
    transport, theirs = _read(loop, protocol)
    if where == "data_received":
        patience.run_until(loop, lambda: protocol.received, "data")
    seen = len(protocol.calls)
    os.write(theirs, b"more")
    loop.run_until_complete(asyncio.sleep(0.003))
    assert protocol.calls[seen:] == []
    assert protocol.names.count("data_received") == (where == "data_received")
    transport.resume_reading()
    patience.run_until(loop, lambda: len(protocol.received) == len(SOME) + 4, "the rest")
    assert protocol.received == SOME + b"more"
    transport.close()
    turn(loop, 4)
    os.close(theirs)


@requirement("pipes.close-inside", MUST, cite="asyncio-protocol: BaseTransport.close")
@each("where", ["connection_made", "data_received"])
def test_a_callback_may_close_the_pipe(loop: Loop, patience: Patience, where: str) -> None:
    """After close() in a callback no more data is received, and connection_lost(None) is called.

    If this fails: look for one read that is passed on in pieces, or for a reading that starts after connection_made().
    """
    protocol = Reacts(where, lambda transport: transport.close())
    transport, theirs = _read(loop, protocol)
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    turn(loop, 2)
    os.close(theirs)
    assert protocol.names.count("data_received") == (where == "data_received")
    assert protocol.names[-1] == "connection_lost"
    assert protocol.reason is None
    assert transport.is_closing()


@requirement("pipes.pause-closed", MUST, cite="asyncio-protocol: ReadTransport.pause_reading")
def test_a_closed_pipe_can_be_paused(loop: Loop, patience: Patience) -> None:
    """pause_reading() can be called when the transport is already closed; it is not receiving new data any more.

    If this fails: look for an error that a closed transport raises, or for a pipe that is watched again.
    """
    protocol = Events()
    transport, theirs = _read(loop, protocol)
    patience.run_until(loop, lambda: protocol.received == SOME, "the data")
    transport.close()
    transport.pause_reading()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    transport.pause_reading()
    os.close(theirs)
    assert protocol.names[-1] == "connection_lost"


@requirement("pipes.end-while-paused", MUST, cite=("asyncio-protocol: ReadTransport.pause_reading", RECEIVED))
def test_the_end_of_a_paused_pipe_waits_for_its_data(loop: Loop, patience: Patience) -> None:
    """A pipe whose other end is closed while it is paused keeps its data, which resume_reading() lets in, then the end.

    If this fails: look for a hang-up, which pollers tell unasked, that ends a pipe which nobody has read.
    """
    protocol = Events()
    transport, theirs = _read(loop, protocol)
    patience.run_until(loop, lambda: protocol.received == SOME, "the data")
    transport.pause_reading()
    os.write(theirs, b"last")
    os.close(theirs)
    loop.run_until_complete(asyncio.sleep(0.005))
    assert (protocol.lost, "eof_received" in protocol.names) == (False, False)
    transport.resume_reading()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert protocol.received == SOME + b"last"
    assert protocol.names[-3:] == ["data_received", "eof_received", "connection_lost"]
    turn(loop, 2)


@requirement("pipes.error-reported", MUST, cite="asyncio-eventloop: loop.call_exception_handler")
def test_an_exception_of_data_received_is_reported(loop: Loop, patience: Patience, watch: Any) -> None:
    """If data_received() of a pipe's protocol raises, the exception handler is called with the exception.

    If this fails: look for a way from the poller to a protocol on which exceptions are dropped.
    """
    watch.allow("reported")
    error = LookupError("of the protocol")
    protocol = Reacts("data_received", raising(error))
    transport, theirs = _read(loop, protocol)
    patience.run_until(loop, lambda: watch.reported, "the report")
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    os.close(theirs)
    assert {context["exception"] for context in watch.reported} == {error}  # the data may come in pieces


@requirement("pipes.set-writers-protocol", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
def test_the_protocol_of_a_writer_can_be_replaced(loop: Loop, patience: Patience) -> None:
    """set_protocol() of a write pipe sets a new protocol: flow control and connection_lost() are told to that one.

    If this fails: look for callbacks bound to the first protocol.
    """
    theirs, ours = os.pipe()
    file = open(ours, "wb", buffering=0)  # noqa: SIM115 (the transport owns it)
    first, second = Events(), Events()
    transport, _ = loop.run_until_complete(loop.connect_write_pipe(lambda: first, file))
    transport.set_protocol(second)
    assert transport.get_protocol() is second
    keep_limits_low(transport)
    transport.write(BIG)
    patience.run_until(loop, lambda: second.names or "pause_writing" in first.names, "pause_writing()")
    os.close(theirs)
    patience.run_until(loop, lambda: second.lost or first.lost, "connection_lost()")
    assert first.names == ["connection_made"]
    assert (second.names[0], second.names[-1]) == ("pause_writing", "connection_lost")
    turn(loop, 2)


@requirement("pipes.limits", MUST, cite="asyncio-protocol: WriteTransport.set_write_buffer_limits")
def test_the_limits_of_a_write_pipe_are_obeyed(loop: Loop, patience: Patience) -> None:
    """Neither high nor low can be negative, nor low above high; high=0 forces low to 0 and pauses at the first byte.

    The buffer's size must go strictly over the high-water mark.

    If this fails: look for limits that are stored and not looked at, a 0 that is taken for none, or > where >= stands.
    """
    with blocked(loop, "pipe") as (transport, protocol, _):
        for high, low in ((-1, None), (10, 11), (10, -1)):
            with refused():
                transport.set_write_buffer_limits(high=high, low=low)
        transport.set_write_buffer_limits(high=0)
        assert transport.get_write_buffer_limits() == (0, 0)
        transport.set_write_buffer_limits(high=1 << 30)
        transport.write(bytes(1000))
        transport.set_write_buffer_limits(high=transport.get_write_buffer_size() + 10)
        transport.write(bytes(10))
        turn(loop, 10)
        assert protocol.names == ["connection_made"]
        transport.write(bytes(1))
        until_paused(loop, patience, protocol)
        assert protocol.names == ["connection_made", "pause_writing"]
