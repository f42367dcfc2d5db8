"""Flow control of writing: when a protocol has to pause, and when it may go on ("Flow Control Callbacks").

`WriteFlow` is the rule alone. `FlowControlledTransport` applies it to a protocol and is the base of every transport
that has a write buffer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .core import LoopCore, logger
from .transports import ProtocolTransport

# As documented, and as asyncio has it: a protocol pauses when more than 64 KiB wait, and goes on at a quarter of that.
_DEFAULT_HIGH = 64 * 1024
# The first writes after the end are dropped in silence: a protocol may not have heard of it yet.
_QUIET_LOST_WRITES = 5


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
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
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


class FlowControlledTransport(ProtocolTransport, asyncio.Transport):
    """A transport with a write buffer.

    The derived class implements get_write_buffer_size() and calls `_buffer_grew()` and `_buffer_shrank()`.
    """

    _lost_write_message = "socket.send() raised exception."

    def __init__(self, loop: LoopCore, protocol: asyncio.BaseProtocol, extra: dict[str, Any] | None) -> None:
        super().__init__(loop, protocol, extra)
        self._flow = WriteFlow()
        self._lost_writes = 0

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

    def _note_lost_write(self) -> None:
        self._lost_writes += 1
        if self._lost_writes > _QUIET_LOST_WRITES:
            logger.warning(self._lost_write_message)
