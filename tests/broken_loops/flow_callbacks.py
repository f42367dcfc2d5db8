"""Broken loops of the chapter `flow`: what a protocol may do inside its flow control callbacks."""

from __future__ import annotations

from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.flow_writing import OverFlow
from tests.broken_loops.over_streams import OverStreams


@breaks("flow.close-while-paused")
class WaitsForThePausedProtocol(OverStreams):
    """A transport that closes while its protocol is paused drops what is buffered."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._flow.paused and self._buffer_size > 100_000:
                self.abort()
            else:
                super().close()


@breaks("flow.lost-last")
class ResumesWhenItIsLost(OverStreams):
    """When a connection is lost, a protocol that is paused is told to go on, afterwards."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            protocol, paused = self._protocol, self._flow.paused
            super()._call_connection_lost(exc)
            if paused:
                protocol.resume_writing()


@breaks("flow.abort-inside-pause")
class WatchesAfterTheAbort(OverStreams):
    """A write in which pause_writing() aborts watches the descriptor afterwards."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            super().write(data)
            if self._lost:
                self._start_writing()


@breaks("flow.close-inside-pause")
class FindsNothingToFlush(OverStreams):
    """close() inside pause_writing() loses what is buffered."""

    class Stream(StreamTransport):
        growing = False

        def _buffer_grew(self) -> None:
            self.growing = True
            super()._buffer_grew()
            self.growing = False

        def close(self) -> None:
            if self.growing:
                self.abort()
            super().close()


@breaks("flow.write-inside-pause")
class SetsTheFlagAfterwards(OverStreams):
    """While pause_writing() runs, another write calls it again, unless it was called three times."""

    class Stream(StreamTransport):
        depth = 0

        def _buffer_grew(self) -> None:
            self.depth += 1
            if self.depth < 4 and self.get_write_buffer_size() > self._flow.high:
                self._tell("pause_writing")
                self._flow.paused = True
            self.depth -= 1


@breaks("flow.write-inside-resume")
class ForgetsToWatch(OverStreams):
    """The descriptor is not watched any more after resume_writing() when the buffer was empty before it."""

    class Stream(StreamTransport):
        def _buffer_shrank(self) -> None:
            was_empty = not self._buffer
            super()._buffer_shrank()
            if was_empty and self._buffer:
                self._stop_writing()


@breaks("flow.pause-inside-connection-made")
class IsDeafToTheFirstWrites(OverStreams):
    """What is written inside connection_made() does not count."""

    class Stream(StreamTransport):
        begun = False

        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self.begun = True

        def _buffer_grew(self) -> None:
            if self.begun:
                super()._buffer_grew()


@breaks("flow.failing-pause")
class RaisesOutOfWrite(OverStreams):
    """An exception in pause_writing() comes out of write()."""

    class Stream(StreamTransport):
        def _tell(self, method: str) -> None:
            if method == "pause_writing":
                self._protocol.pause_writing()
            else:
                super()._tell(method)


@breaks("flow.failing-resume")
class EndsWithAFailedResume(OverStreams):
    """An exception in resume_writing() ends the connection."""

    class Stream(StreamTransport):
        def _tell(self, method: str) -> None:
            try:
                getattr(self._protocol, method)()
            except LookupError as exc:
                self._fail(exc, f"protocol.{method}() failed")


@breaks("flow.another-protocol")
class ResumesWhomItPaused(OverStreams):
    """resume_writing() of the protocol that was paused is called, whoever the protocol is by then."""

    class Stream(StreamTransport):
        told: Any = None

        def _tell(self, method: str) -> None:
            now = self._protocol
            if method == "resume_writing":
                self._protocol = self.told
            self.told = self._protocol
            super()._tell(method)
            self._protocol = now


@breaks("flow.raised")
class LooksAtOnce(OverFlow):
    """Raised limits resume a protocol at once."""

    def _start_stream(self, *args: Any, **how: Any) -> Any:
        transport = super()._start_stream(*args, **how)
        set_limits = transport.set_write_buffer_limits

        def at_once(high: int | None = None, low: int | None = None) -> None:
            set_limits(high, low)
            if transport._flow.may_resume(transport.get_write_buffer_size()):
                transport._tell("resume_writing")

        transport.set_write_buffer_limits = at_once
        return transport


@breaks("flow.close-inside-resume")
class EndsTwiceAfterResume(OverStreams):
    """A transport that its protocol closes in resume_writing() is torn down there, and once more afterwards."""

    class Stream(StreamTransport):
        def _write_ready(self) -> None:
            super()._write_ready()
            if self._closing and self._lost and not self._buffer and self._protocol is not None:
                self._call_connection_lost(None)


@breaks("flow.write-to-another-inside-resume")
class ForgetsWritesWhileItResumes(OverStreams):
    """What is written to one transport while the protocol of another is told to go on is dropped."""

    resuming: Any = None

    class Stream(StreamTransport):
        def _buffer_shrank(self) -> None:
            self._loop.resuming = self  # type: ignore[attr-defined]
            super()._buffer_shrank()
            self._loop.resuming = None  # type: ignore[attr-defined]

        def write(self, data: Any) -> None:
            if self._loop.resuming in (None, self):  # type: ignore[attr-defined]
                super().write(data)


@breaks("flow.abort-inside-pause")
class ResumesWhatWasAborted(OverStreams):
    """abort() drops the buffer, and tells the protocol that there is room again."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            super().abort()
            self._buffer_shrank()


@breaks("flow.lost-while-paused")
class WaitsForRoomBeforeTheEnd(OverStreams):
    """A connection that is lost while writing is paused is lost in silence."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            if exc is not None and self._flow.paused:
                self._release()
            else:
                super()._call_connection_lost(exc)


@breaks("flow.lost-while-paused")
class ForgetsErrorsOfWhatIsClosing(OverStreams):
    """An error that ends a closing transport is kept from its protocol."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            if exc is not None and self.errors_are_late:
                self._release()
            else:
                super()._call_connection_lost(exc)

        errors_are_late = False

        def close(self) -> None:
            self.errors_are_late = True
            super().close()


@breaks("flow.failing-pause")
class FailedPausesAreNone(OverStreams):
    """A protocol whose pause_writing() raises is not told to go on later."""

    class Stream(StreamTransport):
        def _report(self, exc: BaseException, message: str) -> None:
            super()._report(exc, message)
            self._flow.paused = False
