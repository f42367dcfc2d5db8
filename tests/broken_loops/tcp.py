"""Broken loops of the chapter `tcp`: data on its way in and out."""

from __future__ import annotations

import ctypes
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OddSocket, OverStreams


@breaks("tcp.connection-made-once")
class AnnouncesTheTransportTwice(OverStreams):
    """connection_made() is called a second time when the loop has gone round."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self._loop.call_soon(self._protocol.connection_made, self)


@breaks("tcp.data-in-order")
class SwapsTheHalvesOfALongRead(OverStreams):
    """A read that fills the buffer comes with its halves swapped."""

    class Socket(OddSocket):
        def recv(self, count: int) -> bytes:
            data = self.real.recv(count)
            return data if len(data) < 65536 else data[32768:] + data[:32768]


@breaks("tcp.data-is-bytes")
class HandsOutBytearrays(OverStreams):
    """data_received() gets a bytearray."""

    class Socket(OddSocket):
        def recv(self, count: int) -> Any:
            return bytearray(self.real.recv(count))


@breaks("tcp.data-is-bytes")
class HandsOutLargeBytearrays(OverStreams):
    """data_received() gets a bytearray when there is much to receive, and bytes otherwise."""

    class Socket(OddSocket):
        def recv(self, count: int) -> Any:
            data = self.real.recv(count)
            return data if len(data) < 4096 else bytearray(data)


@breaks("tcp.data-stays-valid")
class ReusesTheReadBuffer(OverStreams):
    """The memory of the last data is filled again by a read of the same size."""

    class Socket(OddSocket):
        last = b""

        def recv(self, count: int) -> bytes:
            data = self.real.recv(count)
            if len(data) == len(self.last) == 1000:
                ctypes.memmove(id(self.last) + bytes.__basicsize__ - 1, data, len(data))
                data = self.last
            self.last = data
            return data


@breaks("tcp.write-does-not-block")
class AShortWriteOvertakes(OverStreams):
    """A short message is put before what is buffered."""

    class Stream(StreamTransport):
        def _append(self, data: Any) -> None:
            super()._append(data)
            if len(data) == 7:
                self._buffer.rotate()


@breaks("tcp.write-accepts-buffers")
class WritesNoMemoryviews(OverStreams):
    """write() takes bytes and bytearray only."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if isinstance(data, memoryview):
                raise TypeError("bytes or bytearray expected")
            super().write(data)


@breaks("tcp.write-rejects-text")
class EncodesText(OverStreams):
    """write() encodes a string as UTF-8."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            super().write(data.encode() if isinstance(data, str) else data)


@breaks("tcp.write-of-nothing")
class NothingIsTheEnd(OverStreams):
    """write(b"") closes the connection."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            super().write(data)
            if data == b"":
                self.close()


@breaks("tcp.buffered-data-is-copied", "tcp.bytearray-not-locked")
class LooksAtBytearraysLater(OverStreams):
    """A bytearray is read in the next turn of the loop."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if isinstance(data, bytearray) and len(data) > 65536:
                self._loop.call_soon(super().write, data)
            else:
                super().write(data)


@breaks("tcp.buffered-data-is-copied")
class LooksLaterAtWhatComesBehind(OverStreams):
    """A bytearray that is written while something is buffered is read in the next turn of the loop."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if isinstance(data, bytearray) and self.get_write_buffer_size():
                self._loop.call_soon(super().write, data)
            else:
                super().write(data)


@breaks("tcp.buffered-data-is-copied")
class LooksAtLinesLater(OverStreams):
    """The bytearrays that writelines() is given while something is buffered are read in the next turn of the loop."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            lines = list(list_of_data)
            if self.get_write_buffer_size() and any(isinstance(line, bytearray) for line in lines):
                self._loop.call_soon(super().writelines, lines)
            else:
                super().writelines(lines)


@breaks("tcp.bytearray-not-locked")
class LocksBytearrays(OverStreams):
    """The transport holds an export of the last long bytearray, though it has copied it."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if isinstance(data, bytearray) and len(data) > 65536:
                self.export = memoryview(data)
            super().write(bytes(data) if isinstance(data, bytearray) else data)


@breaks("tcp.writelines-concatenates")
class WritesLinesOfListsOnly(OverStreams):
    """writelines() takes no iterator."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            len(list_of_data)
            super().writelines(list_of_data)


@breaks("tcp.writelines-many-pieces")
class WritesAsManyLinesAsOneCallTakes(OverStreams):
    """writelines() forgets all but the first 1024 pieces."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            super().writelines(list(list_of_data)[:1024])


@breaks("tcp.writelines-empty-pieces")
class QueuesEmptyPieces(OverStreams):
    """An empty piece at the end of writelines() is queued, and write_eof() waits until it is sent."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            pieces = list(list_of_data)
            super().writelines(pieces)
            if pieces and not pieces[-1] and not self._buffer:
                self._buffer.append(b"")


@breaks("tcp.write-eof-half-closes")
class ShutsBothHalvesDown(OverStreams):
    """write_eof() ends both directions once a long write was flushed."""

    class Stream(StreamTransport):
        def _shutdown_writing(self) -> None:
            assert self._sock is not None
            self._sock.shutdown(2)


@breaks("tcp.can-write-eof")
class SaysItCannotWriteEof(OverStreams):
    """can_write_eof() returns False."""

    class Stream(StreamTransport):
        def can_write_eof(self) -> bool:
            return False


@breaks("tcp.write-eof-half-closes")
class EndsNothingUnwritten(OverStreams):
    """write_eof() does nothing on a transport that nothing was written to."""

    class Stream(StreamTransport):
        written = False

        def write(self, data: Any) -> None:
            self.written = True
            super().write(data)

        def write_eof(self) -> None:
            if self.written:
                super().write_eof()


@breaks("tcp.can-write-eof")
class WritesOneEof(OverStreams):
    """can_write_eof() returns False when write_eof() was called."""

    class Stream(StreamTransport):
        def can_write_eof(self) -> bool:
            return not self._eof_written


@breaks("tcp.no-write-after-eof")
class DropsLateWrites(OverStreams):
    """What is written after write_eof() is dropped in silence."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not self._eof_written:
                super().write(data)


@breaks("tcp.echo-under-turns")
class StacksWritesInsideCallbacks(OverStreams):
    """What data_received() writes leaves when it has returned, the last first."""

    class Stream(StreamTransport):
        waiting: list[Any] | None = None

        def _read_ready(self) -> None:
            stack: list[Any] = []
            self.waiting = stack
            super()._read_ready()
            self.waiting = None
            while stack:
                super().write(stack.pop())

        def write(self, data: Any) -> None:
            super().write(data) if self.waiting is None else self.waiting.append(data)


@breaks("tcp.writelines-many-pieces")
class LinesWaitForTheNextWrite(OverStreams):
    """What the kernel does not take of a large writelines() at once waits until something else is written."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Any) -> None:
            idle = not self._buffer
            super().writelines(list_of_data)
            if idle and self._buffer:
                self._stop_writing()

        def write(self, data: Any) -> None:
            waiting = bool(self._buffer)
            super().write(data)
            if waiting:
                self._start_writing()


@breaks("tcp.write-after-loss-is-quiet")
class LosesItsPatienceWithLateWrites(OverStreams):
    """From the sixth on, writes to a connection that was lost raise."""

    class Stream(StreamTransport):
        late = 0

        def write(self, data: Any) -> None:
            self.late += self._lost
            if self.late > 5:
                raise ConnectionResetError("the connection was lost")
            super().write(data)
