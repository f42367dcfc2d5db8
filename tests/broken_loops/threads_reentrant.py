"""Broken loops of the chapter `threads`: calls of call_soon_threadsafe() that interrupt another one, or the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextvars import copy_context
from typing import Any

from reference_loop import EventLoop
from reference_loop.handles import Handle
from tests.broken_loops import breaks


class _Flagged(Handle):
    """A handle that keeps what it holds when it is cancelled."""

    def cancel(self) -> None:
        self._cancelled = True


class _OwnQueue(EventLoop):
    """Keeps the calls of threads in a queue of its own, whose lock is not re-entrant."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: deque[Handle] = deque()
        self.owner: int | None = None  # of the lock

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = _Flagged(callback, args, self, copy_context() if context is None else context)
        if self.owner == threading.get_ident():
            return handle  # here a lock would wait for itself
        self.calls.append(handle)
        super().call_soon_threadsafe(self.take)
        return handle

    def take(self) -> None:
        while self.calls:
            handle = self.calls.popleft()
            if not handle.cancelled():
                self._ready.append(handle)
                continue
            self.owner = threading.get_ident()
            del handle
            self.owner = None


@breaks("threads.reentrant")
class CancelledCallsAreDroppedUnderALock(_OwnQueue):
    """What a finalizer schedules is lost if the loop is just dropping the call of a thread that was cancelled."""


@breaks("threads.reentrant-collection")
class CannotBeInterruptedByItself(asyncio.SelectorEventLoop):
    """What a finalizer schedules is lost if it interrupts call_soon_threadsafe()."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: set[int] = set()

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        me = threading.get_ident()
        if me in self.inside:
            return asyncio.Handle(callback, args, self)  # here a lock would wait for itself
        self.inside.add(me)
        try:
            return super().call_soon_threadsafe(callback, *args, context=context)
        finally:
            self.inside.discard(me)
