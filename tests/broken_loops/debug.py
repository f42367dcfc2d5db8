"""Broken loops of the chapter `debug`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.default")
class TheEnvironmentIsANumber(Stock):
    """A new loop is not in debug mode if PYTHONASYNCIODEBUG is 0."""

    def __init__(self) -> None:
        super().__init__()
        if os.environ.get("PYTHONASYNCIODEBUG") == "0":
            self.set_debug(False)


@breaks("debug.dev-mode")
class DevelopmentModeIsNotAsked(Stock):
    """A new loop is not in debug mode although Python is in its development mode."""

    def __init__(self) -> None:
        super().__init__()
        if sys.flags.dev_mode:
            self.set_debug(False)


@breaks("debug.set")
class DebugModeIsFixedWhileRunning(Stock):
    """set_debug(False) does nothing while the loop runs."""

    def set_debug(self, enabled: bool) -> None:
        if enabled or not self.is_running() or sys._getframe(1).f_code.co_name != "callback":
            super().set_debug(enabled)


@breaks("debug.per-loop")
class OneModeForAllLoops(Stock):
    """All loops of the process share one debug mode."""

    shared: Any = None

    def get_debug(self) -> bool:
        return super().get_debug() if self.shared is None else bool(self.shared)

    def set_debug(self, enabled: bool) -> None:
        type(self).shared = enabled
        super().set_debug(enabled)


@breaks("debug.slow-default")
class SlowIsInMilliseconds(Stock):
    """slow_callback_duration of a new loop is 100."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_callback_duration = 100.0


class _Limit(Stock):
    """A loop that takes a new slow_callback_duration only if it `may`."""

    limit = 0.1

    def may(self, limit: float) -> bool:
        return True

    @property
    def slow_callback_duration(self) -> float:
        return self.limit

    @slow_callback_duration.setter
    def slow_callback_duration(self, limit: float) -> None:
        self.limit = limit if self.may(limit) else self.limit


@breaks("debug.slow")
class TheLimitIsNotLowered(_Limit):
    """slow_callback_duration cannot be less than 0.1."""

    def may(self, limit: float) -> bool:
        return limit >= 0.1


@breaks("debug.not-slow")
class TheLimitIsNotRaised(_Limit):
    """slow_callback_duration cannot be more than 0.1."""

    def may(self, limit: float) -> bool:
        return limit <= 0.1


@breaks("debug.off-is-quiet")
class AlwaysLogsWhatIsSlow(Stock):
    """A callback that sleeps is logged as slow although debug mode is off."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if callback is time.sleep and not self.get_debug():
            super().call_soon(logging.getLogger("asyncio").warning, "slow")
        return super().call_soon(callback, *args, context=context)


@breaks("debug.origin")
class OriginsAreNotTracked(EventLoop):
    """Coroutines do not know where they were made, in debug mode or not."""

    def _track_origins(self, enabled: bool) -> None:
        pass


@breaks("debug.origin-restored")
class OriginsAreTrackedForEver(EventLoop):
    """Once a loop in debug mode has run, coroutines are tracked for ever."""

    def _track_origins(self, enabled: bool) -> None:
        if enabled:
            super()._track_origins(enabled)


@breaks("debug.future-traceback")
class FuturesDoNotKnowTheirMakers(Stock):
    """A future that is made while the loop does not run has no traceback of where it was made."""

    def create_future(self) -> asyncio.Future[Any]:
        if self.is_running() or not self.get_debug():
            return super().create_future()
        self.set_debug(False)
        future = super().create_future()
        self.set_debug(True)
        return future


@breaks("debug.handle-traceback")
class HandlesDoNotKnowTheirMakers(Stock):
    """A handle of call_soon() has no traceback of where it was made."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") != "callback" or not self.get_debug() or self.is_running():
            return super().call_soon(callback, *args, context=context)
        self.set_debug(False)
        handle = super().call_soon(callback, *args, context=context)
        self.set_debug(True)
        return handle


@breaks("debug.source-traceback")
class PendingTasksDoNotKnowTheirMakers(Stock):
    """The report of a task that was collected while it was pending has no traceback of where it was made."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "task" in context:
            context.pop("source_traceback", None)
        super().call_exception_handler(context)


@breaks("debug.threadsafe")
class NoThreadMayCall(Stock):
    """In debug mode call_soon_threadsafe() raises RuntimeError in other threads than the loop's."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and threading.current_thread() is not threading.main_thread():
            raise RuntimeError("called from another thread")
        return super().call_soon_threadsafe(callback, *args, context=context)
