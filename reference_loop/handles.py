"""The handles that the loop queues: asyncio's own, filled without their constructors.

`CallbacksMixin` fills them; all else is inherited, so that they are `asyncio.Handle` in all that can be seen.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core import LoopCore


class Handle(asyncio.Handle):
    """A callback with its arguments and its context."""

    __slots__ = ()

    # The slots of the base class. A cancelled handle has forgotten its callback and its arguments.
    _callback: Callable[..., object]
    _args: tuple[Any, ...]
    _loop: LoopCore
    _context: Context
    _cancelled: bool
    _repr: str | None
    _source_traceback: traceback.StackSummary | None

    def cancel(self) -> None:
        # As the base class does, without asking the loop by a call whether it is in debug mode.
        if not self._cancelled:
            self._cancelled = True
            if self._loop._debug:
                self._repr = repr(self)  # so that a log can still say what it was
            self._callback = self._args = None  # type: ignore[assignment]


class TimerHandle(asyncio.TimerHandle, Handle):
    """The same with a deadline."""

    __slots__ = ()

    _when: float
    _scheduled: bool

    def cancel(self) -> None:
        # Without the base class's three further calls, `_timer_handle_cancelled` of the loop among them, adding and
        # cancelling a timer takes 0.6 of asyncio's time; 0.66 with them.
        if not self._cancelled:
            self._loop._timers.cancelled_hint += 1
            Handle.cancel(self)
