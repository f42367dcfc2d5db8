"""Broken loops of the chapter `flow`: when a protocol is told to pause, and to go on."""

from __future__ import annotations

from typing import Any

from reference_loop import EventLoop
from reference_loop.flow import WriteFlow
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


class OverFlow(EventLoop):
    """Makes stream transports and write pipes with a flow control of the class `Flow`."""

    Flow: type[WriteFlow] = WriteFlow

    def _start_stream(self, *args: Any, **how: Any) -> Any:
        transport = super()._start_stream(*args, **how)
        transport._flow = self.Flow()
        return transport

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        transport, protocol = await super().connect_write_pipe(protocol_factory, pipe)
        transport._flow = self.Flow()
        return transport, protocol


@breaks("flow.pause")
class PausesAtItsOwnMark(OverFlow):
    """With limits of 100 and 1000 bytes, a buffer of 1800 bytes is not paused."""

    class Flow(WriteFlow):
        __slots__ = ()

        def must_pause(self, size: int) -> bool:
            return super().must_pause(size if (self.high, self.low) != (1000, 100) or size != 1800 else 0)


@breaks("flow.pause-strictly")
class PausesAtTheMark(OverFlow):
    """pause_writing() is called when the buffer's size equals a high watermark that is not zero."""

    class Flow(WriteFlow):
        __slots__ = ()

        def must_pause(self, size: int) -> bool:
            return super().must_pause(size + 1 if size and self.high != self.low else size)


@breaks("flow.zero-high-pauses")
class TakesZeroForUnlimited(OverFlow):
    """A high watermark of zero never pauses."""

    class Flow(WriteFlow):
        __slots__ = ()

        def must_pause(self, size: int) -> bool:
            return self.high != 0 and super().must_pause(size)


@breaks("flow.pause-once")
class PausesAtEachWrite(OverFlow):
    """pause_writing() is called for each write above the high watermark."""

    class Flow(WriteFlow):
        __slots__ = ()

        def must_pause(self, size: int) -> bool:
            if size > self.high:
                self.paused = False
            return super().must_pause(size)


@breaks("flow.resume")
class NeverResumes(OverFlow):
    """With limits of 100 and 1000 bytes, resume_writing() is never called."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return (self.high, self.low) != (1000, 100) and super().may_resume(size)


@breaks("flow.not-resumed-above-low")
class ResumesBelowHigh(OverFlow):
    """resume_writing() is called as soon as the buffer is not above the high watermark."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return super().may_resume(min(size, self.low) if size <= self.high and self.low else size)


@breaks("flow.resume-at-low")
class ResumesBelowLow(OverFlow):
    """resume_writing() is called when the buffer is below a low watermark that is not zero, and not at it."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return (size < self.low or size == 0) and super().may_resume(size)


@breaks("flow.resume-before-empty")
class ResumesWhenEmpty(OverFlow):
    """resume_writing() is called when the buffer of a socket is empty, whatever the low watermark is."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return (size == 0 or size <= 4096) and super().may_resume(size)


@breaks("flow.zero-low-resumes")
class TakesZeroForALittle(OverFlow):
    """A low watermark of zero counts as half the high one."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return super().may_resume(0 if self.low == 0 and size <= self.high // 2 else size)


@breaks("flow.paired")
class PausesTheFirstTimeOnly(OverFlow):
    """After the first resume_writing(), pause_writing() is not called any more."""

    class Flow(WriteFlow):
        __slots__ = ("resumed",)

        def must_pause(self, size: int) -> bool:
            return not hasattr(self, "resumed") and super().must_pause(size)

        def may_resume(self, size: int) -> bool:
            if super().may_resume(size):
                self.resumed = True
                return True
            return False


@breaks("flow.small-writes")
class ResumesWithoutAPause(OverFlow):
    """resume_writing() is called each time that the buffer has drained to a low watermark that equals the high one."""

    class Flow(WriteFlow):
        __slots__ = ()

        def may_resume(self, size: int) -> bool:
            return super().may_resume(size) or (size == 0 and 0 < self.low == self.high)


@breaks("flow.writelines")
class WritesLinesUnchecked(OverStreams):
    """writelines() does not look at the high watermark."""

    class Stream(StreamTransport):
        unchecked = False

        def writelines(self, list_of_data: Any) -> None:
            self.unchecked = True
            super().writelines(list_of_data)
            self.unchecked = False

        def _buffer_grew(self) -> None:
            if not self.unchecked:
                super()._buffer_grew()


@breaks("flow.write-while-paused")
class DropsWhatIsTooMuch(OverStreams):
    """What is written while writing is paused is dropped if it comes in pieces of a thousand bytes."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not (self._flow.paused and self._flow.high == 0 and len(data) == 1000):
                super().write(data)


@breaks("flow.lowered")
class LooksAtMarksWhenWriting(OverStreams):
    """set_write_buffer_limits() does not look at what is buffered."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            self._flow.set_limits(high, low)
