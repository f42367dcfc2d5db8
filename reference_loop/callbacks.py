"""Scheduling callbacks, delayed callbacks and the loop's clock ("Scheduling callbacks" in the documentation).

Promises first-in first-out order, a copy of the caller's context unless one is given, and that nothing can be
scheduled on a closed loop. What runs the callbacks is `loop.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from time import monotonic
from typing import Any, TypeVarTuple

from .core import LoopCore
from .debug import creation_stack
from .handles import Handle, TimerHandle

_new = object.__new__
Ts = TypeVarTuple("Ts")


class CallbacksMixin(LoopCore):
    """call_soon, call_soon_threadsafe, call_later, call_at, time."""

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
        """Queue `callback(*args)` for the next turn of the loop (asyncio-eventloop: loop.call_soon)."""
        if self._closed:
            self._check_closed()
        # Making the handle here, without its constructor and what that calls, takes 0.68 of the time of call_soon().
        handle = _new(Handle)
        handle._callback = callback
        handle._args = args
        handle._loop = self
        handle._context = copy_context() if context is None else context
        handle._cancelled = False
        handle._repr = None
        handle._source_traceback = None
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_soon")
            handle._source_traceback = creation_stack()
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """call_soon() from any thread or signal handler (asyncio-eventloop: loop.call_soon_threadsafe)."""
        if self._closed:
            self._check_closed()
        if self._debug:
            self._check_callback(callback, "call_soon_threadsafe")
        handle = self._handle(callback, args, context)
        self._ready.append(handle)
        self._waker.wake()
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        """Call `callback(*args)` once, `delay` seconds from now or later (asyncio-eventloop: loop.call_later)."""
        if delay is None:
            raise TypeError("delay must not be None")
        return self._timer(self.time() + delay, callback, args, context, "call_later")

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        """Call `callback(*args)` once, when time() has reached `when` (asyncio-eventloop: loop.call_at)."""
        if when is None:
            raise TypeError("when cannot be None")
        return self._timer(when, callback, args, context, "call_at")

    def _timer(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None, method: str
    ) -> TimerHandle:
        if self._closed:
            self._check_closed()
        timer = _new(TimerHandle)
        timer._when = when
        timer._callback = callback
        timer._args = args
        timer._loop = self
        timer._context = copy_context() if context is None else context
        timer._cancelled = False
        timer._scheduled = True
        timer._repr = None
        timer._source_traceback = None
        if self._debug:
            self._check_thread()
            self._check_callback(callback, method)
            timer._source_traceback = creation_stack()
        self._timers.add(when, timer)
        return timer

    def time(self) -> float:
        """Seconds on a clock that never goes back (asyncio-eventloop: loop.time)."""
        return monotonic()

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        # TimerHandle.cancel() calls this: the one private method that asyncio expects of every loop.
        self._timers.cancelled_hint += 1

    def _handle(
        self, callback: Callable[..., object], args: tuple[Any, ...] = (), context: Context | None = None
    ) -> Handle:
        handle = _new(Handle)
        handle._callback = callback
        handle._args = args
        handle._loop = self
        handle._context = copy_context() if context is None else context
        handle._cancelled = False
        handle._repr = None
        handle._source_traceback = creation_stack() if self._debug else None
        return handle

    def _check_closed(self) -> None:
        if self._closed:
            raise RuntimeError("Event loop is closed")
