"""Broken loops of the chapter `tcp`: the peer's end of the stream, and ends that come while others are under way."""

from __future__ import annotations

from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


class OddEnd(StreamTransport):
    """Asks `ends` what becomes of the transport when eof_received() has given an answer."""

    def ends(self, answer: Any) -> None:
        raise NotImplementedError

    def _receive_eof(self) -> None:
        self._at_eof = True
        self._stop_reading()
        self.ends(self._protocol.eof_received())


@breaks("tcp.eof-true-keeps-open")
class OnlyTrueKeepsOpen(OverStreams):
    """eof_received() must return True itself to keep the transport open."""

    class Stream(OddEnd):
        def ends(self, answer: Any) -> None:
            if answer is not True:
                self.close()


@breaks("tcp.eof-false-closes")
class AnEmptyStringKeepsOpen(OverStreams):
    """What eof_received() returns is compared with None and False."""

    class Stream(OddEnd):
        def ends(self, answer: Any) -> None:
            if answer in (None, False):
                self.close()


@breaks("tcp.eof-false-flushes")
class AbortsAtTheEnd(OverStreams):
    """A false eof_received() aborts the transport."""

    class Stream(OddEnd):
        def ends(self, answer: Any) -> None:
            if not answer:
                self.abort()


@breaks("tcp.eof-false-flushes")
class NoLastWords(OverStreams):
    """What is written inside eof_received() is dropped."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if self._reading or not self._at_eof or self._protocol.keep_open:
                super().write(data)


@breaks("tcp.eof-both-ends")
class TwoEndsAreTheEnd(OverStreams):
    """A transport closes itself at the peer's end if write_eof() was called before."""

    class Stream(OddEnd):
        def ends(self, answer: Any) -> None:
            if not answer or self._eof_written:
                self.close()


@breaks("tcp.eof-both-ends")
class WriteEofIsTheSecondEnd(OverStreams):
    """write_eof() after the peer's end closes the transport."""

    class Stream(StreamTransport):
        def write_eof(self) -> None:
            super().write_eof()
            if self._at_eof:
                self.close()


@breaks("tcp.eof-both-ends")
class TellsTheEndAgain(OverStreams):
    """write_eof() after the peer's end has the protocol told of that a second time."""

    class Stream(StreamTransport):
        def write_eof(self) -> None:
            super().write_eof()
            if self._at_eof and self._protocol is not None:
                self._loop.call_soon(self._protocol.eof_received)


@breaks("tcp.close-again")
class LosesItsPatience(OverStreams):
    """A second close() aborts."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._closing:
                self.abort()
            else:
                super().close()


@breaks("tcp.close-flushes")
class AHalfThatIsClosedNeedsNoFlush(OverStreams):
    """close() after write_eof() drops what is buffered."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._eof_written:
                self.abort()
            else:
                super().close()


@breaks("tcp.close-flushes")
class WhoPausesDoesNotFlush(OverStreams):
    """close() while reading is paused drops what is buffered."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if not self.is_reading() and not self._at_eof:
                self.abort()
            else:
                super().close()


@breaks("tcp.abort-while-closing")
class AbortComesTooLate(OverStreams):
    """abort() does nothing once close() was called."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if not self._closing:
                super().abort()


@breaks("tcp.is-reading")
class ReadsAfterAnAbort(OverStreams):
    """is_reading() says True again when the transport was aborted."""

    class Stream(StreamTransport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True
            super().abort()

        def is_reading(self) -> bool:
            return self.aborted or super().is_reading()


@breaks("tcp.write-accepts-buffers")
class WritesNoSubclasses(OverStreams):
    """write() takes exactly bytes, bytearray and memoryview."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if type(data) not in (bytes, bytearray, memoryview):
                raise TypeError("bytes expected")
            super().write(data)


@breaks("tcp.write-accepts-buffers")
class WritesItemsForBytes(OverStreams):
    """write() sends as many bytes of a memoryview as it has items."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            super().write(bytes(data)[: len(data)] if isinstance(data, memoryview) else data)


@breaks("tcp.writelines-concatenates")
class NeedsAFirstLine(OverStreams):
    """writelines() of an empty list is an IndexError."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            lines = list(list_of_data)
            self.write(lines[0])
            super().writelines(lines[1:])


@breaks("tcp.writelines-many-pieces")
class AFewLinesOvertake(OverStreams):
    """A short writelines() goes to the front of what is buffered."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            lines = list(list_of_data)
            waiting = len(self._buffer)
            super().writelines(lines)
            if waiting and len(lines) == 1:
                self._buffer.rotate()


@breaks("tcp.write-eof-half-closes", "tcp.close-flushes")
class KeepsOnePiece(OverStreams):
    """write_eof() flushes the first piece of the buffer, and drops the others."""

    class Stream(StreamTransport):
        def write_eof(self) -> None:
            while len(self._buffer) > 1:
                self._buffer_size -= len(self._buffer.pop())
            super().write_eof()


@breaks("tcp.eof-not-again")
class ResumesToTheEnd(OverStreams):
    """resume_reading() after the end of the stream watches the descriptor again, and the end is told again."""

    class Stream(StreamTransport):
        def resume_reading(self) -> None:
            self._at_eof = False
            super().resume_reading()


@breaks("tcp.eof-true-keeps-open", "streams.half-open")
class FlushesAndLeaves(OverStreams):
    """If data waits to be sent at the peer's end, the transport closes, whatever eof_received() returned."""

    class Stream(OddEnd):
        def ends(self, answer: Any) -> None:
            if not answer or self._buffer:
                self.close()


@breaks("tcp.eof-true-keeps-open")
class LeavesIfItWasPaused(OverStreams):
    """A transport that was paused once closes at the peer's end, whatever eof_received() returned."""

    class Stream(OddEnd):
        was_paused = False

        def pause_reading(self) -> None:
            self.was_paused = True
            super().pause_reading()

        def ends(self, answer: Any) -> None:
            if not answer or self.was_paused:
                self.close()
