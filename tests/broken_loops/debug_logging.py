"""Broken loops of the chapter `debug`: loggers, wrong threads, and the limit of slow callbacks."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.logger")
class LogsUnderItsOwnName(Stock):
    """Exceptions that nobody handles are logged by the logger of this module."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        logging.getLogger(__name__).error(context["message"], exc_info=context.get("exception"))


@breaks("debug.logger-level")
class LogsAtAnyLevel(Stock):
    """Exceptions that nobody handles are given to all handlers, whatever the level of the logger."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        logger = logging.getLogger("asyncio")
        if logger.isEnabledFor(logging.CRITICAL):
            super().default_exception_handler(context)
        else:
            logger.handle(logger.makeRecord("asyncio", logging.ERROR, "", 0, context["message"], (), None))


@breaks("debug.wrong-thread-callback")
class RefusesTooLate(Stock):
    """In debug mode call_soon() from another thread raises, but the callback is scheduled."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        try:
            return super().call_soon(callback, *args, context=context)
        except RuntimeError:
            if not self.is_closed():
                self.call_soon_threadsafe(callback, *args, context=context)
            raise


@breaks("debug.right-thread")
class BelongsToItsMaker(Stock):
    """In debug mode call_later() works only in the thread that made the loop."""

    def __init__(self) -> None:
        self.maker = threading.get_ident()
        super().__init__()

    def call_later(self, delay: Any, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.get_debug() and threading.get_ident() != self.maker:
            raise RuntimeError("call this in the thread of the loop")
        return super().call_later(delay, callback, *args, context=context)


@breaks("debug.slow-duration")
class ReadsTheLimitAtTheStart(Stock):
    """slow_callback_duration counts from the next run."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = self.counted = 0.1

    @property
    def slow_callback_duration(self) -> float:  # type: ignore[override]
        return self.counted if self.is_running() else self.wanted

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self.wanted = seconds

    def run_forever(self) -> None:
        self.counted = self.wanted
        super().run_forever()


@breaks("debug.slow-duration")
class CountsSlownessInMilliseconds(Stock):
    """slow_callback_duration is kept as a whole number of milliseconds, which infinity is not."""

    milliseconds = 100

    @property
    def slow_callback_duration(self) -> float:
        return self.milliseconds / 1000

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self.milliseconds = int(seconds * 1000)
