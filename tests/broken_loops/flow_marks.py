"""Broken loops of the chapter `flow`: the watermarks and the size of a buffer."""

from __future__ import annotations

from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("flow.limits")
class ReturnsHighBeforeLow(OverStreams):
    """get_write_buffer_limits() returns (high, low)."""

    class Stream(StreamTransport):
        def get_write_buffer_limits(self) -> tuple[int, int]:
            return self._flow.high, self._flow.low


@breaks("flow.limits")
class RoundsToPages(OverStreams):
    """Limits above a page are rounded up to whole pages."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, -(-low // 4096) * 4096 if low is not None and low > 4096 else low)


@breaks("flow.limits-by-position")
class TakesLowFirst(OverStreams):
    """The first argument of set_write_buffer_limits() is the low watermark."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, *marks: Any, **named: Any) -> None:
            super().set_write_buffer_limits(*reversed(marks), **named)


@breaks("flow.limits-unset")
class HasNoLimits(OverStreams):
    """A new transport has no limits."""

    class Stream(StreamTransport):
        limited = False

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            self.limited = True
            super().set_write_buffer_limits(high, low)

        def get_write_buffer_limits(self) -> Any:
            return super().get_write_buffer_limits() if self.limited else (0, float("inf"))


@breaks("flow.limits-default")
class HasLargeLimits(OverStreams):
    """The default limits are those of a megabyte."""

    class Stream(StreamTransport):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._flow.set_limits(high=1 << 20)


@breaks("flow.limits-reset")
class TakesNoneForUnchanged(OverStreams):
    """set_write_buffer_limits() without arguments changes nothing."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            if not high is low is None:
                super().set_write_buffer_limits(high, low)


@breaks("flow.low-by-default")
class LeavesTheLowWatermark(OverStreams):
    """When only the high watermark is given, the low one stays."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            before = self._flow.low
            super().set_write_buffer_limits(high, low)
            if high and low is None:
                self._flow.low = before


@breaks("flow.high-by-default")
class ComparesWithADefault(OverStreams):
    """A low watermark above the default high one is refused unless a high one is given."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(65536 if high is None else high, low)


@breaks("flow.zero-high-forces-low")
class TakesZeroForNotGiven(OverStreams):
    """A high watermark of zero is the default one."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high or None, low)


@breaks("flow.zero-low-kept")
class TakesZeroForAQuarter(OverStreams):
    """A low watermark of zero is a quarter of the high one."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, None if low == 0 and high != 1 else low)


@breaks("flow.low-above-high")
class SwapsLimits(OverStreams):
    """A low watermark above the high one takes its place."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            if high is not None and low is not None and low > high >= 0:
                high, low = low, high
            super().set_write_buffer_limits(high, low)


@breaks("flow.negative-limits")
class AllowsNegativeLimits(OverStreams):
    """A low watermark of -1 is accepted: resume_writing() is never called."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, 0 if low == -1 and high == 5 else low)


@breaks("flow.refused-limits")
class StoresBeforeItCompares(OverStreams):
    """Limits that are refused are in force."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            try:
                super().set_write_buffer_limits(high, low)
            except ValueError:
                if high is not None:
                    self._flow.high = high
                raise


@breaks("flow.low-by-default")
class KeepsTheLowWatermark(OverStreams):
    """The low watermark stays what it was set to when only the high one is set again, also above it."""

    class Stream(StreamTransport):
        former: int | None = None

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high, low)
            if high is not None and low is None and self.former is not None:
                self._flow.low = self.former
            self.former = low


@breaks("flow.high-by-default")
class KeepsTheHighWatermark(OverStreams):
    """The high watermark stays what it was set to when only the low one is set again."""

    class Stream(StreamTransport):
        former: int | None = None

        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            if high is None and low is not None:
                high = self.former
            super().set_write_buffer_limits(high, low)
            self.former = high


@breaks("flow.limits-of-each")
class SharesLimits(OverStreams):
    """Limits are those of all stream transports of the loop."""

    class Stream(StreamTransport):
        def __init__(self, loop: Any, *args: Any) -> None:
            super().__init__(loop, *args)
            self._flow = loop.__dict__.setdefault("flow", self._flow)


@breaks("flow.buffer-size")
class CountsWrites(OverStreams):
    """The size of the buffer does not include what was written last."""

    class Stream(StreamTransport):
        def get_write_buffer_size(self) -> int:
            return super().get_write_buffer_size() - (len(self._buffer[-1]) if len(self._buffer) == 2 else 0)


@breaks("flow.buffer-size-in-bytes")
class CountsItemsOfViews(OverStreams):
    """A view of larger items counts as many bytes as it has items."""

    class Stream(StreamTransport):
        excess = 0

        def write(self, data: Any) -> None:
            super().write(data)
            if isinstance(data, memoryview) and data.itemsize > 1:
                self.excess = data.nbytes - len(data)

        def get_write_buffer_size(self) -> int:
            return max(0, super().get_write_buffer_size() - self.excess)
