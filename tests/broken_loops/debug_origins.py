"""Broken loops of the chapter `debug`: coroutines that know where they were made, and what else is false or blank."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.origin-while-running")
class TracksFromTheStartOnly(EventLoop):
    """set_debug(True) does not begin to track coroutines while the loop runs."""

    def set_debug(self, enabled: bool) -> None:
        if enabled and self.is_running():
            self._debug = True
        else:
            super().set_debug(enabled)


@breaks("debug.origin-restored")
class TracksNobodyAfterwards(Stock):
    """After a run in debug mode coroutines are not tracked, whatever was set before."""

    def run_forever(self) -> None:
        super().run_forever()
        sys.set_coroutine_origin_tracking_depth(0)


@breaks("debug.default")
class BlankIsEmpty(Stock):
    """A new loop is not in debug mode if PYTHONASYNCIODEBUG is blank, or `false`."""

    def __init__(self) -> None:
        super().__init__()
        if os.environ.get("PYTHONASYNCIODEBUG", "").strip() in ("", "false"):
            self.set_debug(False)


@breaks("debug.set")
class TheModeIsANumber(Stock):
    """get_debug() is 1 or 0."""

    def get_debug(self) -> Any:
        return int(super().get_debug())


@breaks("debug.slow")
class ZeroIsTheUsualLimit(Stock):
    """A slow_callback_duration of 0 is taken for 0.1."""

    limit = 0.1

    @property
    def slow_callback_duration(self) -> float:  # type: ignore[override]
        return self.limit or 0.1

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self.limit = seconds


@breaks("debug.origin-restored")
class TracksAfterAnExit(Stock):
    """After a run in debug mode that SystemExit has left, coroutines are tracked still."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit:
            sys.set_coroutine_origin_tracking_depth(10)
            raise


@breaks("debug.origin-restored")
class TracksAfterAMainCoroutine(Stock):
    """After run_until_complete() in debug mode, coroutines are tracked still."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        finally:
            if self.get_debug():
                sys.set_coroutine_origin_tracking_depth(10)


@breaks("debug.origin-while-running")
class TracksInTheThreadOfTheCaller(EventLoop):
    """set_debug() in another thread has coroutines of that thread tracked."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if getattr(callback, "__name__", "") == "_track_origins":
            callback(*args)
            return None
        return super().call_soon_threadsafe(callback, *args, context=context)
