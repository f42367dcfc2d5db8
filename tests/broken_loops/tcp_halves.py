"""Broken loops of the chapters `tcp` and `flow`: transports one half of which is closed."""

from __future__ import annotations

import array
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.tcp_ways import OverIpv6, OverUnix


@breaks("tcp.is-closing-halves")
class WriteEofIsClosing(OverStreams):
    """is_closing() says True after write_eof()."""

    class Stream(StreamTransport):
        def is_closing(self) -> bool:
            return self._closing or self._eof_written


@breaks("tcp.is-closing-halves")
class ThePeersEndIsClosing(OverStreams):
    """is_closing() says True when the peer has sent its end, whatever eof_received() says."""

    class Stream(StreamTransport):
        def is_closing(self) -> bool:
            return self._closing or self._at_eof


@breaks("tcp.write-eof-half-closes")
class NothingIsHeardBeforeTheEnd(OverStreams):
    """What comes while write_eof() waits for the buffer is thrown away."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            if self._eof_written and self._buffer and self._sock is not None:
                self._sock.recv(65536)
            else:
                super()._read_ready()


@breaks("tcp.is-closing-while-flushing")
class FlushingIsNotClosing(OverStreams):
    """is_closing() says False until the buffer is empty."""

    class Stream(StreamTransport):
        def is_closing(self) -> bool:
            return self._closing and not self._buffer


@breaks("tcp.abort-half-closed")
class NoAbortAfterTheEnd(OverStreams):
    """abort() does nothing when write_eof() has shut the writing half."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if self._buffer or not self._eof_written:
                super().abort()


@breaks("tcp.abort-half-closed")
class FlushesForWhoHasEnded(OverStreams):
    """abort() is close() when the peer has sent its end."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if self._at_eof:
                self.close()
            else:
                super().abort()


class _Inside(OverStreams):
    """Transports that know in which callback they are."""

    class Stream(StreamTransport):
        inside = ""

        def _begin(self, waiter: Any) -> None:
            self.inside = "connection_made"
            super()._begin(waiter)
            self.inside = ""

        def _read_ready(self) -> None:
            self.inside = "data_received"
            super()._read_ready()
            self.inside = ""


@breaks("tcp.write-eof-inside")
class EndsNothingWhenMade(_Inside):
    """write_eof() inside connection_made() is forgotten."""

    class Stream(_Inside.Stream):
        def write_eof(self) -> None:
            if self.inside != "connection_made":
                super().write_eof()


@breaks("tcp.write-eof-inside")
class EndsNothingWhenRead(_Inside):
    """write_eof() inside data_received() is forgotten."""

    class Stream(_Inside.Stream):
        def write_eof(self) -> None:
            if self.inside != "data_received":
                super().write_eof()


@breaks("tcp.pause-after-the-end")
class NothingToPauseAfterTheEnd(OverStreams):
    """pause_reading() raises RuntimeError when the peer has sent its end."""

    class Stream(StreamTransport):
        def pause_reading(self) -> None:
            if self._at_eof and not self._closing:
                raise RuntimeError("nothing is read any more")
            super().pause_reading()


class KnowsTheFirst(StreamTransport):
    """Remembers the protocol that it was made for."""

    first: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.first = self.first or protocol
        super().set_protocol(protocol)


@breaks("tcp.set-protocol-until-the-end")
class ErrorsGoToTheFirst(OverStreams):
    """A connection that was reset is reported to the protocol that it was made for."""

    class Stream(KnowsTheFirst):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            if exc is not None:
                self._protocol = self.first
            super()._call_connection_lost(exc)


@breaks("tcp.connect-interleave")
class OneOfTheFirstInARace(EventLoop):
    """interleave is taken for 1 if there is a happy_eyeballs_delay."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("interleave") and kwargs.get("happy_eyeballs_delay") is not None:
            kwargs["interleave"] = 1
        return await super().create_connection(*args, **kwargs)


@breaks("flow.halves-independent")
class NobodyResumesWhoHasEnded(OverStreams):
    """resume_writing() is not called after write_eof()."""

    class Stream(StreamTransport):
        def _buffer_shrank(self) -> None:
            if not self._eof_written:
                super()._buffer_shrank()


@breaks("flow.halves-independent")
class PausesOnePartOnly(OverStreams):
    """pause_writing() is not called while reading is paused."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            if not self._paused:
                super()._buffer_grew()


@breaks("flow.buffer-size")
class NothingWaitsAfterTheEnd(OverStreams):
    """get_write_buffer_size() returns 0 after write_eof()."""

    class Stream(StreamTransport):
        def get_write_buffer_size(self) -> int:
            return 0 if self._eof_written else super().get_write_buffer_size()


@breaks("buffered.kinds")
class KnowsThreeKindsOfBuffers(OverStreams):
    """get_buffer() must return a bytearray, a memoryview or an array."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            protocol, get_buffer = self._protocol, self._protocol.get_buffer

            def checked(sizehint: int) -> Any:
                buffer = get_buffer(sizehint)
                if not isinstance(buffer, (bytearray, memoryview, array.array)):
                    raise TypeError("no buffer")
                return buffer

            protocol.get_buffer = checked
            super()._read_into_buffer()
            del protocol.get_buffer


@breaks("tcp.write-accepts-buffers")
class UnixConnectionsTakeBytes(OverUnix):
    """write() of a connection over a Unix socket takes bytes only."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not isinstance(data, bytes):
                raise TypeError("bytes are expected")
            super().write(data)


@breaks("tcp.write-of-nothing")
class AnEmptyBufferIsTheEnd(OverStreams):
    """write() of an empty bytearray closes the transport."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not data and not isinstance(data, bytes):
                self.close()
            else:
                super().write(data)


@breaks("tcp.close-flushes")
class AbortsIpv6(OverIpv6):
    """close() of a connection of IPv6 is abort()."""

    class Stream(StreamTransport):
        def close(self) -> None:
            self.abort()


@breaks("tcp.end-inside-eof-received")
class NoAbortInsideTheEnd(OverStreams):
    """abort() inside eof_received() is forgotten."""

    class Stream(StreamTransport):
        inside = False

        def _receive_eof(self) -> None:
            self.inside = True
            super()._receive_eof()
            self.inside = False

        def abort(self) -> None:
            if not self.inside:
                super().abort()


@breaks("tcp.set-protocol-inside")
class BeginsWithTheFirst(OverStreams):
    """A protocol that is set inside connection_made() is replaced by the one before it."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            first = self._protocol
            super()._begin(waiter)
            self.set_protocol(first)


@breaks("tcp.set-protocol-inside")
class EndsWithTheFirst(OverStreams):
    """A protocol that is set inside eof_received() is replaced by the one before it."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            first = self._protocol
            super()._receive_eof()
            self._protocol = first
