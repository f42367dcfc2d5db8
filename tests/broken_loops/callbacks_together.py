"""Broken loops of the chapter `callbacks`: batches that are left half-way, and queues that are never left."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

from reference_loop import EventLoop
from reference_loop.handles import Handle
from tests.broken_loops import breaks
from tests.broken_loops.threads import elsewhere


class _OwnCalls(EventLoop):
    """Keeps the calls of other threads apart, and runs all that there are in one callback."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Handle] = []

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if not elsewhere():
            return super().call_soon_threadsafe(callback, *args, context=context)
        self.calls.append(self._handle(callback, args, context))
        super().call_soon_threadsafe(self.run_calls)
        return self.calls[-1]

    def run_calls(self) -> None:
        calls, self.calls = self.calls, []
        for handle in calls:
            if not handle.cancelled():
                self.run(handle)

    def run(self, handle: Handle) -> None:
        self._run_handle(handle)


@breaks("callbacks.all-together")
class AnErrorEndsTheCallsOfThreads(_OwnCalls):
    """When a callback that a thread scheduled raises, those that threads scheduled behind it are lost."""

    def run(self, handle: Handle) -> None:
        handle._context.run(handle._callback, *handle._args)  # type: ignore[arg-type]


@breaks("callbacks.all-together")
class StopsForgetTheOtherSignals(EventLoop):
    """stop() forgets the signals that have arrived together with the one whose handler calls it."""

    def stop(self) -> None:
        super().stop()
        signals = self._signal_handles.values()
        for handle in [each for each in self._ready if each in signals]:
            self._ready.remove(handle)
            self._ready.append(self._handle(lambda: None))


@breaks("callbacks.all-after-an-exit")
class AnExitEndsTheCallsOfThreads(_OwnCalls):
    """When a callback that a thread scheduled leaves the loop, those that threads scheduled behind it are lost."""


class _InOneCall(asyncio.Future[Any]):
    """Calls all its done callbacks in one callback of the loop."""

    def __init__(self, loop: EventLoop) -> None:
        super().__init__(loop=loop)
        self.mine: list[tuple[Any, Any]] = []

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        loop: Any = self.get_loop()
        handle = loop._handle(callback, (self,), context)
        if self.done():
            super().add_done_callback(lambda _: loop._run_handle(handle))
            return
        if not self.mine:
            super().add_done_callback(_InOneCall.call_all)
        self.mine.append((callback, handle))

    def remove_done_callback(self, callback: Any) -> int:
        before = len(self.mine)
        self.mine = [each for each in self.mine if each[0] != callback]
        return before - len(self.mine)

    def call_all(self) -> None:
        mine, self.mine = self.mine, []
        for _, handle in mine:
            self.get_loop()._run_handle(handle)  # type: ignore[attr-defined]


@breaks("callbacks.all-after-an-exit")
class AnExitEndsTheCallbacksOfAFuture(EventLoop):
    """When a done callback leaves the loop, the callbacks behind it of the same future are lost."""

    def create_future(self) -> asyncio.Future[Any]:
        return _InOneCall(self)


@breaks("callbacks.all-after-an-exit")
class AnExitForgetsTheOtherSignals(EventLoop):
    """An exit forgets the signals that have arrived together with the one whose handler leaves the loop."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            signals = self._signal_handles.values()
            self._ready = deque(each for each in self._ready if each not in signals)
            raise


class _Drains(EventLoop):
    """Keeps callbacks of some kind apart, and runs them until there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.apart: deque[Handle] = deque()

    def is_apart(self, callback: Any) -> bool:
        raise NotImplementedError

    def drain(self) -> None:
        while self.apart and not self._stopping:
            handle = self.apart.popleft()
            if not handle.cancelled():
                self._run_handle(handle)
        if self.apart:
            super().call_soon(self.drain)

    def put_apart(self, callback: Any, args: Any, context: Any) -> Handle:
        handle = self._handle(callback, args, context)
        if not self.apart:
            super().call_soon(self.drain)
        self.apart.append(handle)
        return handle


@breaks("callbacks.fairness-io", "callbacks.fairness-timers")
class RunsTheCallsOfThreadsUntilThereIsNone(_Drains):
    """What call_soon_threadsafe() schedules is run until there is none left, before the loop polls again."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if self.is_running() and threading.get_ident() == self._thread_id:
            return self.put_apart(callback, args, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("callbacks.fairness-io", "callbacks.fairness-timers")
class RunsTasksUntilNoneIsReady(_Drains):
    """Tasks that are ready are run until none is, before the loop polls again."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if self.is_running() and isinstance(getattr(callback, "__self__", None), asyncio.Task):
            return self.put_apart(callback, args, context)
        return super().call_soon(callback, *args, context=context)


class _Ring(deque[Handle]):
    """A ring buffer; when it is full it is copied as if its first item were at its beginning."""

    room = 1024
    first = 0

    def popleft(self) -> Handle:
        self.first = (self.first + 1) % self.room
        return super().popleft()

    def append(self, handle: Handle, /) -> None:
        if len(self) == self.room:
            self.rotate(self.first)
            self.first, self.room = 0, 2 * self.room
        super().append(handle)


@breaks("callbacks.many")
class GrowsWithoutItsBeginning(EventLoop):
    """The ready queue is a ring buffer that is copied in the wrong order when it grows while it is worked off."""

    def __init__(self) -> None:
        super().__init__()
        self._ready = _Ring(self._ready)
