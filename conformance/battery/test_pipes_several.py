"""Chapter pipes: several pipes at once, those of a loop in another thread, and those of a loop that waits."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive
from conformance.kit.pipes import BIG, reading, writing
from conformance.kit.protocols import Events, Reacts
from conformance.kit.threads import in_thread
from conformance.kit.transports import keep_limits_low
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
RECEIVED = "asyncio-protocol: Protocol.data_received"
CONNECT = ("asyncio-eventloop: loop.connect_read_pipe", "asyncio-eventloop: loop.connect_write_pipe")


def _carried(loop: Loop, patience: Patience, count: int) -> list[bytes]:
    """What arrives through `count` pipes between the loop and itself: each is told its number and much more."""
    writers: list[Any] = []
    readers: list[Any] = []
    files: list[Any] = []
    for _ in range(count):
        ours, theirs = os.pipe()
        source, target = open(ours, "rb", buffering=0), open(theirs, "wb", buffering=0)  # noqa: SIM115 (the transports own them)
        files += source, target
        readers.append(loop.run_until_complete(loop.connect_read_pipe(Events, source)))
        writers.append(loop.run_until_complete(loop.connect_write_pipe(Events, target)))
    for number, (writer, _) in enumerate(writers):
        writer.write(b"%d" % number)
        writer.write(BIG)
        writer.close()
    try:
        patience.run_until(loop, lambda: all(protocol.lost for _, protocol in readers + writers), "the end of all")
        patience.run_until(loop, lambda: all(file.closed for file in files), "the end of all files")
    finally:
        for transport, _ in readers:
            transport.close()
        for transport, protocol in writers:
            if not protocol.lost:
                transport.abort()
        turn(loop, 3)
    return [bytes(protocol.received) for _, protocol in readers]


@requirement("pipes.several", MUST, cite=CONNECT)
def test_several_pipes_are_read_and_written_at_once(loop: Loop, patience: Patience) -> None:
    """Each pipe has its own pair of transport and protocol, however many there are, and its data takes no other way.

    If this fails: look for one slot, or one buffer, that all pipes share, or for one that is served till it is empty.
    """
    assert _carried(loop, patience, 6) == [b"%d" % number + BIG for number in range(6)]


@requirement("pipes.other-thread", SHOULD, cite=(*CONNECT, "asyncio-dev: Concurrency and Multithreading"))
def test_pipes_are_served_by_a_loop_in_another_thread(make_loop: Factory, patience: Patience) -> None:
    """An event loop that runs in another thread than the main one reads and writes pipes, as it does there.

    If this fails: look for a signal (SIGPIPE, SIGIO) or a thread that only the main thread is given.
    """

    def work() -> Any:
        loop = make_loop()
        try:
            return _carried(loop, patience, 2)
        finally:
            loop.close()

    assert in_thread(work).result(2 * patience.seconds) == [b"0" + BIG, b"1" + BIG]


def _settled(loop: Loop, patience: Patience, future: asyncio.Future[None]) -> None:
    """Run the loop until the future is done, without anything that it would do meanwhile, but for one timer."""
    loop.run_until_complete(asyncio.wait_for(future, patience.seconds))


@requirement("pipes.wakes", MUST, cite=RECEIVED)
@each("what", ["data_received", "eof_received", "connection_lost"])
def test_a_loop_that_waits_is_woken_by_a_pipe(loop: Loop, patience: Patience, what: str) -> None:
    """data_received() is called when some data is received: a loop that has nothing to do waits for it, and its end.

    If this fails: look for pipes that are looked at when the loop goes round for another reason.
    """
    called = loop.create_future()
    with reading(loop, Reacts(what, lambda _: called.set_result(None), once=True)) as (_, _, _, end):

        def act() -> None:
            time.sleep(0.003)
            end.close() if what != "data_received" else os.write(end.number, b"data")

        helper = in_thread(act)
        _settled(loop, patience, called)
        helper.result()


@requirement("pipes.wakes-writer", MUST, cite="asyncio-protocol: BaseProtocol.resume_writing")
@each("what", ["resume_writing", "connection_lost"])
def test_a_loop_that_waits_is_woken_by_a_reader(loop: Loop, patience: Patience, what: str) -> None:
    """resume_writing() is called when the buffer drains, and connection_lost() when the reader goes, while the loop has
    nothing else to do.

    If this fails: look for a pipe that is written to when the loop goes round for another reason.
    """
    called = loop.create_future()
    with writing(loop, Reacts(what, lambda _: called.set_result(None), once=True)) as (transport, _, _, end):
        keep_limits_low(transport)
        transport.write(BIG)
        helper = in_thread(lambda: end.read_exactly(len(BIG)) if what == "resume_writing" else end.close())
        _settled(loop, patience, called)
        assert drive(loop, patience, helper) in (BIG, None)


@requirement("pipes.write-when-made", MUST, cite="asyncio-protocol: WriteTransport.write")
@each("data", [b"all", BIG], ids=["few", "many"])
def test_a_pipe_may_be_written_when_the_connection_is_made(loop: Loop, patience: Patience, data: bytes) -> None:
    """write() may be called in connection_made() of a pipe: the reader gets all of it, and what is written later then.

    If this fails: look for a pipe that is registered, or set to non-blocking mode, when its protocol has been told.
    """
    writes = Reacts("connection_made", lambda transport: transport.write(data))
    with writing(loop, writes) as (transport, protocol, file, end):
        transport.write(b"more")
        transport.close()
        assert drive(loop, patience, in_thread(end.read_all)) == data + b"more"
        patience.run_until(loop, lambda: protocol.lost and file.closed, "connection_lost(), and the end of the file")
        assert protocol.reason is None
