"""Debug mode: checks that cost time, the origin of handles and coroutines, and callbacks that take too long.

See "Debug Mode" in the documentation's "Developing with asyncio". With debug mode off, nothing here runs.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
import traceback
from types import FrameType

from .core import LoopCore, logger
from .handles import Handle

# As deep as asyncio looks: enough to leave the framework and reach the application.
_STACK_DEPTH = 10


def debug_wanted() -> bool:
    """Whether the user asked for debug mode: -X dev or PYTHONASYNCIODEBUG, unless -E or -I ignores the latter."""
    return sys.flags.dev_mode or (not sys.flags.ignore_environment and bool(os.environ.get("PYTHONASYNCIODEBUG")))


def creation_stack() -> traceback.StackSummary:
    """The stack of whoever called the loop, outermost frame first; source lines are read only when shown."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    stack = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=_STACK_DEPTH, lookup_lines=False)
    stack.reverse()
    return stack


def describe(callback: object) -> str:
    """A callback's name and place, or the task whose step it is; the name of its type if it raises when asked."""
    try:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            return repr(owner)
        name = getattr(callback, "__qualname__", None) or repr(callback)
        code = getattr(inspect.unwrap(callback) if callable(callback) else None, "__code__", None)
        return f"{name}() at {code.co_filename}:{code.co_firstlineno}" if code else f"{name}()"
    except Exception:  # of its __repr__, or of a __getattr__ that finds whatever it is asked for
        return f"{type(callback).__qualname__}()"


def _describe_handle(handle: Handle, callback: object) -> str:
    try:
        owner = getattr(callback, "__self__", None)
        return repr(owner if isinstance(owner, asyncio.Task) else handle)
    except Exception:
        return f"{type(callback).__qualname__}()"


class DebugMixin(LoopCore):
    """get_debug, set_debug and the checks of debug mode."""

    _tracking_origins = False
    _saved_origin_depth = 0

    def get_debug(self) -> bool:
        """Whether the loop is in debug mode (asyncio-eventloop: loop.get_debug)."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:
        """Turn debug mode on or off (asyncio-eventloop: loop.set_debug)."""
        self._debug = bool(enabled)
        if self.is_running():
            # The depth is the running thread's own setting, and this may be another thread.
            self.call_soon_threadsafe(self._track_origins, self._debug)

    def _check_thread(self) -> None:
        if self._thread_id is not None and self._thread_id != threading.get_ident():
            raise RuntimeError(
                "Non-thread-safe operation invoked on an event loop other than the current one: "
                "use call_soon_threadsafe()"
            )

    def _check_callback(self, callback: object, method: str) -> None:
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError(f"coroutines cannot be used with {method}(): run {callback!r} with create_task()")
        if not callable(callback):
            raise TypeError(f"a callable object was expected by {method}(), got {callback!r}")

    def _track_origins(self, enabled: bool) -> None:
        """Have coroutines that were never awaited say where they were made (`sys`: coroutine origin tracking)."""
        if enabled == self._tracking_origins:
            return
        if enabled:
            self._saved_origin_depth = sys.get_coroutine_origin_tracking_depth()
            sys.set_coroutine_origin_tracking_depth(_STACK_DEPTH)
        else:
            sys.set_coroutine_origin_tracking_depth(self._saved_origin_depth)
        self._tracking_origins = enabled

    def _run_timed(self, handle: Handle) -> None:
        """Run a handle in debug mode: log what takes longer than `slow_callback_duration` seconds."""
        callback = handle._callback  # a handle that cancels itself forgets it
        self._current_handle = handle
        start = self.time()
        try:
            self._run_handle(handle)
        finally:
            self._current_handle = None
            duration = self.time() - start
            if duration >= self.slow_callback_duration:
                logger.warning("Executing %s took %.3f seconds", _describe_handle(handle, callback), duration)
            handle = callback = None  # type: ignore[assignment]  # see _run_handle()
