"""Broken loops of the chapter `tcp`: what they write, and how they end, for one kind of connection or of data only."""

from __future__ import annotations

import contextlib
import select
from typing import Any

from reference_loop.buffers import Data
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.tcp_ways import OverAccepted, OverUnix


@breaks("tcp.failing-data-received")
class AcceptedConnectionsOutliveErrors(OverAccepted):
    """An accepted connection goes on when data_received() has raised."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            if isinstance(exc, OSError):
                super()._fail(exc, message)
            else:
                self._report(exc, message)


@breaks("tcp.failing-eof-received")
class UnixErrorsAreUnheard(OverUnix):
    """An exception in eof_received() of a connection of a Unix socket is given to connection_lost() only."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            self._force_close(exc)


@breaks("tcp.write-after-loss-is-quiet")
class UnixIsLoudWhenItIsLost(OverUnix):
    """write() to a connection of a Unix socket that is lost raises."""

    class Stream(StreamTransport):
        def write(self, data: Data) -> None:
            if self._sock is None:
                raise RuntimeError("the connection is lost")
            super().write(data)


@breaks("tcp.no-write-after-eof")
class AcceptedConnectionsForgetInSilence(OverAccepted):
    """write() of an accepted connection after write_eof() does nothing."""

    class Stream(StreamTransport):
        def write(self, data: Data) -> None:
            if not self._eof_written:
                super().write(data)


@breaks("tcp.buffered-data-is-copied")
class UnixKeepsBytearrays(OverUnix):
    """A connection of a Unix socket keeps a view of a bytearray that waits."""

    class Stream(StreamTransport):
        def _append(self, data: Data) -> None:
            if isinstance(data, bytearray) or (isinstance(data, memoryview) and isinstance(data.obj, bytearray)):
                self._buffer.append(memoryview(data))
                self._buffer_size += len(data)
                self._buffer_grew()
            else:
                super()._append(data)


@breaks("tcp.end-when-read")
class AcceptedConnectionsReadOnceMore(OverAccepted):
    """An accepted connection that is closed inside data_received() gives its protocol what is left in the socket."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            super()._read_ready()
            if self._closing and self._sock is not None and not self._at_eof:
                with contextlib.suppress(OSError):
                    if data := self._sock.recv(100):
                        self._protocol.data_received(data)


@breaks("tcp.wide-items-buffered")
class CutsItemsForBytes(OverStreams):
    """What the kernel does not take of a view of wide items is cut out by items."""

    class Stream(StreamTransport):
        def write(self, data: Data) -> None:
            if not isinstance(data, memoryview) or data.itemsize == 1 or self._buffer or self._barred:
                super().write(data)
                return
            sent = self._sock.send(data)  # type: ignore[union-attr]  # it is open
            if rest := data[sent:].tobytes():
                self._start_writing()
                self._append(rest)


@breaks("tcp.write-accepts-buffers")
class WritesFromTheBeginning(OverStreams):
    """Of a view, what is sent begins where its memory does."""

    class Stream(StreamTransport):
        def write(self, data: Data) -> None:
            if isinstance(data, memoryview) and isinstance(data.obj, bytearray):
                data = bytes(data.obj[: data.nbytes])
            super().write(data)


@breaks("tcp.eof-received-once")
class TheEndOvertakesMuchData(OverStreams):
    """The end of the stream is told as soon as the kernel knows of it, though there is more to read."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            super()._read_ready()
            if self._sock is None or self._closing or self._at_eof:
                return
            looking = select.poll()
            looking.register(self._fd, select.POLLRDHUP)
            if any(event & select.POLLRDHUP for _, event in looking.poll(0)):
                self._receive_eof()


class _Resumes(OverStreams):
    """Resumes reading after `method`."""

    method = ""

    def _start_stream(self, *args: Any, **how: Any) -> StreamTransport:
        transport = super()._start_stream(*args, **how)
        method = getattr(transport, self.method)

        def resuming(*given: Any) -> None:
            method(*given)
            transport.resume_reading()

        setattr(transport, self.method, resuming)
        return transport


@breaks("flow.pause-outlasts-writing")
class WritingResumes(_Resumes):
    """write() resumes reading."""

    method = "write"


@breaks("flow.pause-outlasts-writing")
class HalfAnEndResumes(_Resumes):
    """write_eof() resumes reading."""

    method = "write_eof"


@breaks("flow.pause-outlasts-writing")
class AnEmptyBufferResumes(OverStreams):
    """Reading is resumed when all that was buffered is sent."""

    class Stream(StreamTransport):
        def _write_ready(self) -> None:
            super()._write_ready()
            if not self._buffer:
                self.resume_reading()


@breaks("flow.reset-after-resume")
class ResetsOfThePauseAreEnds(OverStreams):
    """A reset that came while reading was paused is an end without a reason."""

    class Stream(StreamTransport):
        was_paused = False

        def resume_reading(self) -> None:
            self.was_paused = self._paused
            super().resume_reading()

        def _fail(self, exc: BaseException, message: str) -> None:
            if self.was_paused and isinstance(exc, ConnectionResetError):
                self._force_close(None)
            else:
                super()._fail(exc, message)


@breaks("flow.buffer-size")
class WhatClosesIsEmpty(OverStreams):
    """get_write_buffer_size() of a transport that is closing is 0."""

    class Stream(StreamTransport):
        asked = False

        def close(self) -> None:
            self.asked = True
            super().close()
            self.asked = False

        def get_write_buffer_size(self) -> int:
            return 0 if self._closing and not self.asked else super().get_write_buffer_size()


@breaks("tcp.write-error-after-eof")
class NobodyIsThereAfterTheEnd(OverStreams):
    """A write error of a connection whose peer has sent its end is dropped."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            if self._at_eof and isinstance(exc, OSError):
                self._drop_buffer()
                self._stop_writing()
            else:
                super()._fail(exc, message)


@breaks("tcp.peer-gone-before")
class NeedsANameOfItsPeer(OverStreams):
    """A socket whose peer has gone is not made into a connection."""

    def _start_stream(self, sock: Any, protocol: Any, **how: Any) -> StreamTransport:
        sock.getpeername()
        return super()._start_stream(sock, protocol, **how)


class _GoesOnAfter(OverStreams):
    """Tells a paused protocol to go on when `method` is called."""

    method = ""

    def _start_stream(self, *args: Any, **how: Any) -> StreamTransport:
        transport = super()._start_stream(*args, **how)
        method = getattr(transport, self.method)

        def going_on() -> None:
            if transport._flow.paused:
                transport._flow.paused = False
                transport._tell("resume_writing")
            method()

        setattr(transport, self.method, going_on)
        return transport


@breaks("flow.not-resumed-by-an-end")
class WriteEofGoesOn(_GoesOnAfter):
    """write_eof() calls resume_writing()."""

    method = "write_eof"


@breaks("flow.not-resumed-by-an-end")
class CloseGoesOn(_GoesOnAfter):
    """close() calls resume_writing()."""

    method = "close"


@breaks("flow.limits-large")
class LimitsHave32Bits(OverStreams):
    """Limits are cut to 32 bits."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(*(mark if not mark or mark < 0 else mark % 2**32 for mark in (high, low)))
