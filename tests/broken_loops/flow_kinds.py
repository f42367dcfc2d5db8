"""Broken loops of the chapter `flow`: marks and callbacks wrong for TCP, or for accepted connections, only."""

from __future__ import annotations

import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.flow_writing import WritesLinesUnchecked
from tests.broken_loops.over_streams import KnowsWhatItTells, OverStreams
from tests.broken_loops.tcp_halves import KnowsTheFirst
from tests.broken_loops.tcp_ways import OverAccepted, OverSome


class _OverTcp(OverSome):
    """Those of TCP over IPv4."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return sock.family == socket.AF_INET


@breaks("flow.pause-strictly")
class TcpPausesAtTheMark(_OverTcp):
    """A connection of TCP is paused when its buffer has reached the high watermark."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            if self._buffer_size >= self._flow.high and not self._flow.paused:
                self._flow.paused = True
                self._tell("pause_writing")


@breaks("flow.resume-before-empty")
class TcpResumesWhenEmpty(_OverTcp):
    """A connection of TCP is resumed when its buffer is empty."""

    class Stream(StreamTransport):
        def _buffer_shrank(self) -> None:
            if not self._buffer_size:
                super()._buffer_shrank()


@breaks("flow.zero-low-resumes", "flow.zero-low-kept")
class TcpHasNoLowMarkOfZero(_OverTcp):
    """A low watermark of zero is taken for none by connections of TCP."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, low or None)


@breaks("flow.write-inside-pause")
class AcceptedConnectionsAreMuteInsidePause(OverAccepted):
    """What is written inside pause_writing() of an accepted connection is lost."""

    class Stream(KnowsWhatItTells, StreamTransport):
        def write(self, data: Any) -> None:
            if self.telling != "pause_writing":
                super().write(data)


@breaks("flow.abort-inside-pause")
class TcpFlushesWhenPaused(_OverTcp):
    """abort() inside pause_writing() of a connection of TCP flushes."""

    class Stream(KnowsWhatItTells, StreamTransport):
        def abort(self) -> None:
            self.close() if self.telling == "pause_writing" else super().abort()


@breaks("flow.close-inside-pause")
class AcceptedConnectionsDropWhenPaused(OverAccepted):
    """close() inside pause_writing() of an accepted connection drops the buffer."""

    class Stream(KnowsWhatItTells, StreamTransport):
        def close(self) -> None:
            self.abort() if self.telling == "pause_writing" else super().close()


@breaks("flow.failing-pause")
class TcpWritesRaiseWhatPausesDo(_OverTcp):
    """An exception in pause_writing() comes out of the write() of a connection of TCP."""

    class Stream(StreamTransport):
        def _tell(self, method: str) -> None:
            getattr(self._protocol, method)()


@breaks("flow.another-protocol")
class TcpPausesTheFirst(_OverTcp):
    """Flow control of a connection of TCP is told to the protocol for which it was made."""

    class Stream(KnowsTheFirst):
        def _tell(self, method: str) -> None:
            getattr(self.first, method)()


@breaks("flow.not-resumed-by-an-end")
class TcpResumesWhenClosed(_OverTcp):
    """close() of a connection of TCP resumes its protocol."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._flow.paused and not self._closing:
                self._flow.paused = False
                self._tell("resume_writing")
            super().close()


@breaks("flow.paired")
class TcpIsPausedOnce(_OverTcp):
    """A connection of TCP is paused and resumed once."""

    class Stream(StreamTransport):
        told = 0

        def _tell(self, method: str) -> None:
            self.told += 1
            if self.told < 3:
                super()._tell(method)


@breaks("flow.limits-of-each")
class TcpSharesItsLimits(_OverTcp):
    """Limits of one connection of TCP are those of all."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, low)
            for other in self._loop._transports.values():
                if isinstance(other, StreamTransport):
                    other._flow.set_limits(self._flow.high, self._flow.low)


@breaks("flow.lowered")
class TcpLooksAtItsMarksWhenItWrites(_OverTcp):
    """A high watermark below the buffer of a connection of TCP does not pause."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            self._flow.set_limits(high, low)


@breaks("flow.writelines")
class AcceptedConnectionsPauseByWrite(OverAccepted):
    """writelines() of an accepted connection does not pause."""

    Stream = WritesLinesUnchecked.Stream


@breaks("flow.buffer-size-inside")
class CountsWhenItHasPaused(OverSome):
    """The size of a buffer inside pause_writing() is what it was before the write."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return True

    class Stream(KnowsWhatItTells, StreamTransport):
        def get_write_buffer_size(self) -> int:
            return self._flow.high if self.telling == "pause_writing" else super().get_write_buffer_size()


@breaks("flow.resume-at-low-sockets")
class SocketsResumeBelowTheMark(OverStreams):
    """The protocol of a socket is resumed when less is buffered than the low watermark."""

    class Stream(StreamTransport):
        def _buffer_shrank(self) -> None:
            if self._buffer_size < self._flow.low or not self._buffer_size:
                super()._buffer_shrank()


@breaks("flow.close-inside-resume-flushes")
class ClosingDropsWhereItResumes(OverStreams):
    """close() inside resume_writing() drops the rest of the buffer."""

    class Stream(KnowsWhatItTells, StreamTransport):
        def close(self) -> None:
            self.abort() if self.telling == "resume_writing" else super().close()


@breaks("flow.limits-inside-pause")
class KeepsItsMarksWhilePausing(OverStreams):
    """set_write_buffer_limits() inside pause_writing() has no effect."""

    class Stream(KnowsWhatItTells, StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            if not self.telling:
                super().set_write_buffer_limits(high, low)
