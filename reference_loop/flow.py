"""Flow control of writing: when a protocol has to pause, and when it may go on ("Flow Control Callbacks").

`WriteFlow` is the rule alone. `FlowControlledTransport` applies it to a protocol and is the base of every transport
that has a write buffer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .core import LoopCore

# As documented, and as asyncio has it: a protocol pauses when more than 64 KiB wait, and goes on at a quarter of that.
_DEFAULT_HIGH = 64 * 1024


class WriteFlow:
    """Two water marks, in bytes, and whether the writer was told to pause."""

    __slots__ = ("high", "low", "paused")

    def __init__(self) -> None:
        self.paused = False
        self.set_limits()

    def set_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks; one that is not given follows from the other. ValueError unless high >= low >= 0."""
        if high is None:
            high = _DEFAULT_HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"Write buffer limits must satisfy high >= low >= 0, not {high!r} >= {low!r} >= 0")
        self.high, self.low = high, low

    def must_pause(self, size: int) -> bool:
        """True once, when a buffer that grew has passed the high-water mark."""
        if self.paused or size <= self.high:
            return False
        self.paused = True
        return True

    def may_resume(self, size: int) -> bool:
        """True once, when a buffer that shrank has reached the low-water mark after must_pause()."""
        if not self.paused or size > self.low:
            return False
        self.paused = False
        return True


class FlowControlledTransport(asyncio.Transport):
    """A transport with a protocol and a write buffer.

    The derived class implements get_write_buffer_size(), calls `_buffer_grew()` and `_buffer_shrank()`, and sets
    `_protocol` to None when connection_lost() has been called, so that no cycle keeps the two alive.
    """

    _protocol: Any
    _extra: dict[str, Any]  # what get_extra_info() looks at

    def __init__(self, loop: LoopCore, protocol: asyncio.BaseProtocol, extra: dict[str, Any] | None) -> None:
        super().__init__(extra)
        self._loop = loop
        self._flow = WriteFlow()
        self.set_protocol(protocol)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the transport to another protocol (asyncio-protocol: BaseTransport.set_protocol)."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol (asyncio-protocol: BaseTransport.get_protocol)."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks in bytes (asyncio-protocol: WriteTransport.set_write_buffer_limits)."""
        self._flow.set_limits(high, low)
        self._buffer_grew()
        self._buffer_shrank()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high) in bytes (asyncio-protocol: WriteTransport.get_write_buffer_limits)."""
        return self._flow.low, self._flow.high

    def _buffer_grew(self) -> None:
        if self._flow.must_pause(self.get_write_buffer_size()):
            self._tell("pause_writing")

    def _buffer_shrank(self) -> None:
        if self._flow.may_resume(self.get_write_buffer_size()):
            self._tell("resume_writing")

    def _announce_low(self) -> None:
        """Have resume_writing() called when the buffer has drained, though it was never full."""
        self._flow.paused = True

    def _tell(self, method: str) -> None:
        if self._protocol is None:
            return
        try:
            getattr(self._protocol, method)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._report(exc, f"protocol.{method}() failed")

    def _report(self, exc: BaseException, message: str) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
        )
