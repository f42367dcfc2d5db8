"""Broken loops of the chapter `tcp`: ends of connections, and callbacks that fail."""

from __future__ import annotations

import contextlib
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OddSocket, OverStreams


@breaks("tcp.close-flushes")
class CloseDropsTheBuffer(OverStreams):
    """close() forgets what is buffered."""

    class Stream(StreamTransport):
        def close(self) -> None:
            self.abort()


@breaks("tcp.close-stops-receiving")
class ReadsWhileItFlushes(OverStreams):
    """After close(), data is received until the buffer is sent."""

    class Stream(StreamTransport):
        def close(self) -> None:
            was_reading = self._reading
            super().close()
            if self._buffer and was_reading:
                self._reading = True
                self._loop._poller.set_reader(self._fd, self._loop._handle(self._read_ready, (), self._context))


@breaks("tcp.close-reports-none")
class WaitsForTheOtherHalf(OverStreams):
    """close() after write_eof() of a transport with an empty buffer waits for the peer's end."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if not self._eof_written or self._buffer:
                super().close()


@breaks("tcp.close-reports-none")
class CloseIsAnError(OverStreams):
    """connection_lost() gets an exception after close(), unless the peer has ended the stream before."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._closing or self._at_eof or self._buffer:
                super().close()
            else:
                self._force_close(ConnectionAbortedError("closed"))


@breaks("tcp.connection-lost-once")
class AbortAfterCloseReportsAgain(OverStreams):
    """abort() of a transport that is closing calls connection_lost() once more."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if self._lost and self._protocol is not None:
                self._loop.call_soon(self._protocol.connection_lost, None)
            super().abort()


@breaks("tcp.connection-lost-last")
class DeliversAReadAfterTheEnd(OverStreams):
    """Data that had come when the transport was aborted is delivered after connection_lost()."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            protocol, data = self._protocol, b""
            with contextlib.suppress(OSError):
                data = self._sock.recv(1000)  # type: ignore[union-attr]
            super()._call_connection_lost(exc)
            if len(data) == 1000:
                protocol.data_received(data)


@breaks("tcp.connection-lost-not-inline")
class LosesOnTheSpot(OverStreams):
    """connection_lost(None) is called inside close() and abort()."""

    class Stream(StreamTransport):
        def _lose(self, exc: BaseException | None) -> None:
            if exc is not None:
                super()._lose(exc)
            else:
                self._lost = self._barred = True
                self._call_connection_lost(exc)


@breaks("tcp.abort-drops")
class AbortIsClose(OverStreams):
    """The first abort() is a close()."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            super().abort() if self._closing else self.close()


@breaks("tcp.abort-after-the-end")
class CannotAbortWhatHasEnded(OverStreams):
    """abort() uses the socket, which is gone when a close() has ended."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            self._sock.fileno()  # type: ignore[union-attr]
            super().abort()


@breaks("tcp.is-closing")
class IsClosingWhenClosed(OverStreams):
    """is_closing() is True only once the socket is closed."""

    class Stream(StreamTransport):
        def is_closing(self) -> bool:
            return self._sock is None


@breaks("tcp.is-closing")
class IsOpenWhenThePeerHasClosed(OverStreams):
    """is_closing() says what close() and abort() have done, and nothing of the peer's end."""

    class Stream(StreamTransport):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

        def abort(self) -> None:
            self.closed = True
            super().abort()

        def _receive_eof(self) -> None:
            super()._receive_eof()
            self.closed = True

        def is_closing(self) -> bool:
            return self.closed


@breaks("tcp.eof-received-once")
class ReportsTheEndAgainAndAgain(OverStreams):
    """A descriptor that is readable because the stream has ended is reported in each turn."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            super()._receive_eof()
            self._at_eof = False
            self._start_reading()


@breaks("tcp.eof-false-closes")
class NoneKeepsTheConnection(OverStreams):
    """A connection is kept if eof_received() returns None."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            protocol = self._protocol

            class Asks:
                def eof_received(self) -> bool:
                    keep_open = protocol.eof_received()
                    return keep_open is None or bool(keep_open)

            self._protocol = Asks()
            try:
                super()._receive_eof()
            finally:
                self._protocol = protocol


@breaks("tcp.eof-true-keeps-open")
class WritesNothingAfterThePeersEnd(OverStreams):
    """What is written after the peer has ended its half is dropped."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not self._at_eof:
                super().write(data)


@breaks("tcp.reset-is-reported")
class TakesAResetForTheEnd(OverStreams):
    """A connection that was reset ends as one that was closed."""

    class Socket(OddSocket):
        def recv(self, count: int) -> bytes:
            try:
                return self.real.recv(count)
            except ConnectionResetError:
                return b""


@breaks("tcp.write-error-is-reported")
class DropsWriteErrors(OverStreams):
    """A failed write is taken for one that worked."""

    class Socket(OddSocket):
        def send(self, data: Any) -> int:
            try:
                return self.real.send(data)
            except ConnectionError:
                return len(data)


@breaks("tcp.write-after-loss-is-quiet")
class RaisesForALateWrite(OverStreams):
    """write() raises when the connection was lost."""

    class Stream(StreamTransport):
        def _note_lost_write(self) -> None:
            raise RuntimeError("the transport is closed")


@breaks("tcp.failing-data-received")
class SwallowsExceptionsOfDataReceived(OverStreams):
    """An exception in data_received() is forgotten."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            if "data_received" not in message:
                super()._fail(exc, message)


@breaks("tcp.failing-eof-received")
class SwallowsExceptionsOfEofReceived(OverStreams):
    """An exception in eof_received() counts as a false answer."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            self.close() if "eof_received" in message else super()._fail(exc, message)


@breaks("tcp.failing-connection-lost")
class DropsTheLastException(OverStreams):
    """An exception of connection_lost() disappears."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            with contextlib.suppress(Exception):
                super()._call_connection_lost(exc)


@breaks("tcp.failing-connection-lost")
class KeepsTheSocketOfAFailure(OverStreams):
    """When connection_lost() raises, the socket stays open."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._protocol.connection_lost(exc)
            self._release()
