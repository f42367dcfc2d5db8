"""Callbacks for Unix signals ("Unix signals" in the documentation), run by the loop and so free to use it.

Only the main thread can set signal handlers. A handler set here queues the callback itself and wakes the poll;
`signal.set_wakeup_fd` is needed besides, because a poll that is interrupted by a signal goes back to sleep after the
Python handler has run (PEP 475). Since no callback depends on a byte in a pipe, a full pipe loses none, and a forked
child that gets a signal cannot make its parent believe that it got one. (Only where somebody has put another handler
over ours by signal.signal(), the byte is all that we have.)
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import os
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import TypeVarTuple

from .core import LoopCore
from .handles import Handle

Ts = TypeVarTuple("Ts")


class SignalsMixin(LoopCore):
    """add_signal_handler, remove_signal_handler."""

    # What set_wakeup_fd() returned when we took it over, and which file that was: put back when the last handler goes.
    _earlier_wakeup_fd = -1
    _earlier_wakeup_file: tuple[int, int] | None = None

    def __init__(self) -> None:
        super().__init__()
        self._signal_handles: dict[int, Handle] = {}
        self._unnoted: Counter[int] = Counter()  # signals whose byte has not been seen yet

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `callback(*args)` for each signal `sig` (asyncio-eventloop: loop.add_signal_handler).

        Raises ValueError for what is no signal; RuntimeError for one that cannot be caught, and outside the main
        thread.
        """
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError(
                f"coroutines cannot be used with add_signal_handler(): pass a plain function, not {callback!r}"
            )
        _check_signal(sig)
        self._check_closed()
        self._take_wakeup_fd()
        try:
            signal.signal(sig, self._signal_arrived)
            # System calls of other code are restarted instead of failing with EINTR.
            signal.siginterrupt(sig, False)
        except OSError as exc:
            if not self._signal_handles:
                self._give_back_wakeup_fd()
            raise _uncatchable(sig, exc) from exc
        self._signal_handles[sig] = self._handle(callback, args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Restore the default action; return whether there was a handler (asyncio-eventloop:
        loop.remove_signal_handler)."""
        _check_signal(sig)
        handle = self._signal_handles.pop(sig, None)
        if handle is None:
            return False
        try:
            signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        except OSError as exc:
            raise _uncatchable(sig, exc) from exc
        del self._unnoted[sig]
        if not self._signal_handles:
            self._give_back_wakeup_fd()
        return True

    def _signal_arrived(self, signum: int, frame: FrameType | None) -> None:
        # Runs in the main thread between any two bytecodes: deque.append() is atomic and wake() is made for this.
        handle = self._signal_handles.get(signum)
        if handle is not None:
            self._unnoted[signum] += 1
            self._ready.append(handle)
            self._waker.wake()

    def _signals_noted(self, numbers: bytes) -> None:
        # Servers put handlers of their own over ours by signal.signal(), for a while, and expect that the loop's are
        # called nevertheless, since asyncio's are: the interpreter notes the signal for us whoever handles it.
        for signum in numbers:
            handle = self._signal_handles.get(signum)
            if self._unnoted[signum]:
                self._unnoted[signum] -= 1
            elif handle is not None and signal.getsignal(signum) != self._signal_arrived:
                self._ready.append(handle)

    def _remove_signal_handlers(self) -> None:
        """For close(). At interpreter exit it is too late to touch the signal module."""
        if sys.is_finalizing():
            if self._signal_handles:
                warnings.warn(
                    f"{self!r} is closed at interpreter exit: its signal handlers stay",
                    ResourceWarning,
                    source=self,
                    stacklevel=2,
                )
            self._signal_handles.clear()
        for sig in list(self._signal_handles):
            self.remove_signal_handler(sig)

    def _take_wakeup_fd(self) -> None:
        try:
            earlier = signal.set_wakeup_fd(self._waker.signal_fd, warn_on_full_buffer=False)
        except (ValueError, OSError) as exc:  # ValueError: not the main thread
            raise RuntimeError(f"Signal handlers can only be set in the main thread: {exc}") from exc
        if earlier != self._waker.signal_fd:
            self._earlier_wakeup_fd, self._earlier_wakeup_file = earlier, _file_of(earlier)

    def _give_back_wakeup_fd(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            current = signal.set_wakeup_fd(-1)
            wanted = current
            if current == self._waker.signal_fd:
                # Whoever had it may have closed it, and its number may be somebody's file by now.
                same = _file_of(self._earlier_wakeup_fd) == self._earlier_wakeup_file
                wanted = self._earlier_wakeup_fd if same else -1
            self._earlier_wakeup_fd = -1
            if wanted != -1:
                signal.set_wakeup_fd(wanted)


def _file_of(fd: int) -> tuple[int, int] | None:
    """Which file the descriptor stands for (device, inode), as long as it is open."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _check_signal(sig: int) -> None:
    if not isinstance(sig, int):
        raise TypeError(f"sig must be an int, not {sig!r}")
    if sig not in signal.valid_signals():
        raise ValueError(f"invalid signal number {sig}")


def _uncatchable(sig: int, exc: OSError) -> Exception:
    return RuntimeError(f"sig {sig} cannot be caught") if exc.errno == errno.EINVAL else exc
