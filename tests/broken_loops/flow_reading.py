"""Broken loops of the chapter `flow`: transports that read when they were told not to."""

from __future__ import annotations

import contextlib
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("flow.paused-reading-stops-the-peer")
class ReadsInSecret(OverStreams):
    """While reading is paused, what comes is read and kept in memory."""

    class Stream(StreamTransport):
        secret = b""

        def pause_reading(self) -> None:
            super().pause_reading()
            if not self._closing:
                self._loop.call_soon(self._hoard)

        def _hoard(self) -> None:
            if self._paused and not self._closing:
                with contextlib.suppress(BlockingIOError):
                    self.secret += self._sock.recv(1 << 20)  # type: ignore[union-attr]
                self._loop.call_soon(self._hoard)

        def resume_reading(self) -> None:
            super().resume_reading()
            if self.secret:
                self._protocol.data_received(self.secret)
                self.secret = b""


@breaks("flow.pause-reading-inside-connection-made")
class StartsReadingAnyhow(OverStreams):
    """Reading starts after connection_made(), whether it has paused it or not."""

    class Stream(StreamTransport):
        def _start_reading(self) -> None:
            self._paused = False
            super()._start_reading()


@breaks("flow.pause-reading-when-closed")
class CannotPauseAfterClose(OverStreams):
    """pause_reading() raises when the transport is closing."""

    class Stream(StreamTransport):
        def pause_reading(self) -> None:
            if self._sock is None:
                raise RuntimeError("the transport is closed")
            super().pause_reading()


@breaks("flow.close-while-reading-is-paused")
class DeliversTheRestWhenClosing(OverStreams):
    """close() of a transport that is paused delivers what has come."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._paused and not self._closing:
                with contextlib.suppress(BlockingIOError):
                    self._protocol.data_received(self._sock.recv(100))  # type: ignore[union-attr]
            super().close()


@breaks("flow.eof-after-resume")
class ForgetsTheEndThatCame(OverStreams):
    """After a pause, a short last message is dropped with the end that follows it at once."""

    class Stream(StreamTransport):
        was_paused = False

        def resume_reading(self) -> None:
            self.was_paused = self._paused
            super().resume_reading()

        def _read_ready(self) -> None:
            if self.was_paused and self._sock is not None and len(self._sock.recv(11, 2)) == 10:  # MSG_PEEK
                self._sock.recv(10)
            self.was_paused = False
            super()._read_ready()


@breaks("flow.pause-and-resume")
class CancelsTooLate(OverStreams):
    """A pause that is taken back at once is in force again some turns later."""

    class Stream(StreamTransport):
        def resume_reading(self) -> Any:
            if self._paused and not self._closing:
                self._loop.call_soon(self._loop.call_soon, self._stop_reading)
            super().resume_reading()


@breaks("flow.resume-reading-not-inline")
class ReadsAsItResumes(OverStreams):
    """resume_reading() reads, and hands out, what has come meanwhile."""

    class Stream(StreamTransport):
        def resume_reading(self) -> None:
            paused = self._paused and not self._closing
            super().resume_reading()
            if paused and self._reading:
                self._read_ready()
