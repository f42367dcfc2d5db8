"""Broken loops of the chapter `streams`: writers that are right over one kind of connection, wrong over another."""

from __future__ import annotations

from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.streams import SERVERS, UNIX, TampersWithStreams
from tests.broken_loops.streams_writing import LostBeforeTheFlush
from tests.broken_loops.subprocess_transport import hides, replaced


@breaks("streams.write")
class EmptyWritesEndStreams(TampersWithStreams):
    """write() of nothing closes an accepted stream."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "write", lambda write, data: write(data) if data else transport.close())


@breaks("streams.write")
class UnixStreamsTakeBytesOnly(TampersWithStreams):
    """write() of a stream over a Unix socket does not take a memoryview."""

    of = UNIX

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if isinstance(data, memoryview):
                raise TypeError("a bytes object is needed")
            write(data)

        replaced(transport, "write", write)


@breaks("streams.writelines")
class LinesOvertakeTheBuffer(TampersWithStreams):
    """writelines() sends its pieces before what waits in the buffer."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def writelines(writelines: Any, pieces: Any) -> None:
            waiting = list(transport._buffer)
            transport._buffer.clear()
            writelines(list(pieces) + waiting)

        replaced(transport, "writelines", writelines)


@breaks("streams.writelines")
class AThousandLines(TampersWithStreams):
    """writelines() of an accepted stream sends what one system call takes: 1024 pieces."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda write, pieces: write(list(pieces)[:1024]))


def _written_later(loop: Any, transport: Any, name: str) -> None:
    """What the method is called with is written a moment later."""

    def later(write: Any, data: Any) -> None:
        loop.call_later(0.3, write, list(data) if name == "writelines" else bytes(data))

    replaced(transport, name, later)


@breaks("streams.write")
class WritersBideTheirTime(TampersWithStreams):
    """write() of a stream waits a moment for more before it tries to send."""

    def patch(self, transport: Any, protocol: Any) -> None:
        _written_later(self, transport, "write")


@breaks("streams.writelines")
class LinesBideTheirTime(TampersWithStreams):
    """writelines() of a stream waits a moment for more before it tries to send."""

    def patch(self, transport: Any, protocol: Any) -> None:
        _written_later(self, transport, "writelines")


@breaks("streams.drain-waits")
class UnixWritersAreNotPaused(TampersWithStreams):
    """pause_writing() is not called for streams over Unix sockets."""

    of = UNIX

    def tamper(self, protocol: Any) -> None:
        protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("streams.drain-waits")
class ResumesWritersAtTheHighMark(TampersWithStreams):
    """resume_writing() is called for a stream when the buffer is below the high watermark."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def resume() -> None:
            if transport._protocol_paused and transport.get_write_buffer_size() <= transport._high_water:
                transport._protocol_paused = False
                protocol.resume_writing()

        transport._maybe_resume_protocol = resume


@breaks("streams.drain-ends")
class PausedWritersAreNotToldTheEnd(TampersWithStreams):
    """abort() does not call connection_lost() of a stream that is paused."""

    of = SERVERS

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            if exc is not None or not protocol._paused:
                told(exc)

        replaced(protocol, "connection_lost", lost)


@breaks("streams.close", "streams.wait-closed-waits")
class AcceptedStreamsCloseByAbort(TampersWithStreams):
    """close() of an accepted stream drops what was not sent yet."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "close", lambda close: transport.abort() if transport.get_write_buffer_size() else close())


@breaks("streams.wait-closed-waits")
class UnixStreamsAreLostTooSoon(LostBeforeTheFlush):
    """connection_lost() of a stream over a Unix socket is called by close(), while data waits to be sent."""

    of = UNIX


@breaks("streams.is-closing")
class AnAbortIsNoClosing(TampersWithStreams):
    """is_closing() of a stream is false after abort() until the connection is lost."""

    def patch(self, transport: Any, protocol: Any) -> None:
        aborted: list[None] = []

        def abort(abort: Any) -> None:
            aborted.append(None)
            abort()

        replaced(transport, "abort", abort)
        replaced(
            transport,
            "is_closing",
            lambda closing: closing() and (not aborted or transport._sock is None),
        )


@breaks("streams.is-closing-lost")
class ClosingIsWhatTheUserDoes(TampersWithStreams):
    """is_closing() of a stream is what close() and abort() have made it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        called: list[None] = []

        def end(end: Any) -> None:
            called.append(None)
            end()

        replaced(transport, "close", end)
        replaced(transport, "abort", end)
        transport.is_closing = lambda: bool(called)


@breaks("streams.write-eof")
class UnixWriteEofEndsReading(TampersWithStreams):
    """write_eof() of a stream over a Unix socket ends reading too."""

    of = UNIX

    def patch(self, transport: Any, protocol: Any) -> None:
        def end(end: Any) -> None:
            end()
            replaced(protocol, "data_received", lambda told, data: None)

        replaced(transport, "write_eof", end)


@breaks("streams.can-write-eof")
class AcceptedStreamsCannotWriteEof(TampersWithStreams):
    """can_write_eof() of an accepted stream is false."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.can_write_eof = lambda: False


@breaks("streams.half-open")
class TheEndClosesUnixStreams(TampersWithStreams):
    """The peer's end closes a stream over a Unix socket, whatever eof_received() returns."""

    of = UNIX

    def tamper(self, protocol: Any) -> None:
        def ended(told: Any) -> bool:
            told()
            return False

        replaced(protocol, "eof_received", ended)


@breaks("streams.transport")
class AcceptedStreamsHaveNoName(TampersWithStreams):
    """An accepted stream does not tell its own address."""

    of = SERVERS

    def patch(self, transport: Any, protocol: Any) -> None:
        hides(transport, "sockname")


@breaks("streams.drain-waits")
class PausesWritersOnce(TampersWithStreams):
    """pause_writing() is called once for each stream, however often its buffer fills."""

    def tamper(self, protocol: Any) -> None:
        told: list[None] = []

        def pause(pause: Any) -> None:
            if not told:
                pause()
            told.append(None)

        replaced(protocol, "pause_writing", pause)


@breaks("streams.is-closing")
class OpenUntilItIsFlushed(TampersWithStreams):
    """is_closing() is False as long as data waits to be sent."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "is_closing", lambda closing: closing() and not transport.get_write_buffer_size())
