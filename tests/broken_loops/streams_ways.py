"""Broken loops of the chapter `streams`: readers that are right over one kind of connection, wrong over another."""

from __future__ import annotations

from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.streams import CLIENTS, SERVERS, UNIX, TampersWithStreams, TheEndIsNotTold
from tests.broken_loops.subprocess_transport import replaced


@breaks("streams.read-all", "streams.readexactly", "streams.end-after-pause")
class AcceptedStreamsAreNotResumed(TampersWithStreams):
    """resume_reading() of a stream that a server has accepted does nothing."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.resume_reading = lambda: None


@breaks("streams.reading-is-bounded")
class UnixStreamsAreNotPausedReading(TampersWithStreams):
    """pause_reading() of a stream over a Unix socket does nothing."""

    of = UNIX

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.pause_reading = transport.resume_reading = lambda: None


@breaks("streams.end-after-pause")
class TheEndPassesAPause(TampersWithStreams):
    """While reading is paused the end of a stream is looked for, and what is in front of it dropped."""

    of = CLIENTS + SERVERS + UNIX

    def patch(self, transport: Any, protocol: Any) -> None:
        over: list[None] = []

        def look() -> None:
            if over or transport.is_reading() or transport.is_closing():
                return
            try:
                ended = not transport._sock.recv(65536)
            except BlockingIOError:
                ended = False
            if ended:
                over.append(None)
                protocol.eof_received()
            else:
                self.call_later(0.0005, look)

        def pause(pause: Any) -> None:
            pause()
            self.call_soon(look)

        if protocol._stream_reader._limit < 100:
            replaced(transport, "pause_reading", pause)


@breaks("streams.read-end")
class UnixStreamsDoNotEnd(TheEndIsNotTold):
    """The end of a stream over a Unix socket is not told if it comes with a word."""

    of = UNIX


@breaks("streams.reset")
class AnAcceptedResetIsAnEnd(TampersWithStreams):
    """A reset of an accepted stream is told as a regular end to who reads and does not write."""

    of = SERVERS

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(exc if protocol._paused else None))


@breaks("streams.drain-after-reset", "streams.reset", "streams.is-closing-lost")
class AResetOfAStreamIsAnAbort(TampersWithStreams):
    """A reset is told as ConnectionAbortedError."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(exc and ConnectionAbortedError()))


@breaks("streams.close-ends-reading")
class AnAbortIsAnError(TampersWithStreams):
    """abort() of the transport of a stream is told as ConnectionAbortedError if nothing was written."""

    of = UNIX

    def patch(self, transport: Any, protocol: Any) -> None:
        def abort(abort: Any) -> None:
            if not protocol._paused and protocol._stream_reader._waiter is not None:
                replaced(protocol, "connection_lost", lambda told, exc: told(ConnectionAbortedError()))
            abort()

        replaced(transport, "abort", abort)
