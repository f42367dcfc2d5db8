"""Ends a poll from another thread or from a signal handler: a pair of sockets, one byte, one reader.

`wake()` may be called at any time from any thread, also after `close()`. `fileno` is what the poller watches, and
`signal_fd` is what `signal.set_wakeup_fd` takes. What was queued is not the waker's business.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable


class Waker:
    """Wakes a poll; waking twice before the poll has seen it costs nothing.

    The rule that makes this safe: whoever wakes has queued its work *before*, and the loop looks at its queue *after*
    `drain()`. A wake-up that finds `_pending` set may therefore be dropped: the byte that is on its way, or the
    `drain()` that is about to clear the flag, comes before the loop's next look at the queue. Clearing the flag before
    the bytes are read would be wrong: a byte written in between is eaten while the flag stays up, and no later wake-up
    gets through.

    Both methods can be interrupted between two bytecodes by a signal handler that raises, KeyboardInterrupt above all.
    The flag must not stay up then without a byte, hence `except` and `finally`. A byte without a flag is harmless.

    Dropping repeated bytes is what makes a flood of call_soon_threadsafe() take 0.35 of asyncio's time per callback.
    """

    def __init__(self, on_signals: Callable[[bytes], object] | None = None) -> None:
        """`on_signals` gets what the interpreter has written to `signal_fd`: one byte per signal, its number."""
        self._on_signals = on_signals or _ignore
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._pending = False

    @property
    def fileno(self) -> int:
        return self._reader.fileno()

    @property
    def signal_fd(self) -> int:
        return self._writer.fileno()

    def wake(self) -> None:
        if self._pending:
            return
        try:
            self._pending = True
            self._writer.send(b"\0")
        except OSError:
            # Full: bytes of signals are there and wake just as well. Closed: nobody sleeps any more.
            pass
        except BaseException:
            self._pending = False
            raise

    def drain(self) -> None:
        """Swallow the bytes that woke the poll; the loop looks at its queue afterwards."""
        try:
            with contextlib.suppress(BlockingIOError, InterruptedError):
                while data := self._reader.recv(4096):
                    if data != b"\0" and (numbers := data.replace(b"\0", b"")):
                        self._on_signals(numbers)
                    if len(data) < 4096:
                        break
        finally:
            self._pending = False

    def close(self) -> None:
        self._on_signals = _ignore  # it led back to the loop
        self._reader.close()
        self._writer.close()


def _ignore(numbers: bytes) -> None:
    pass
