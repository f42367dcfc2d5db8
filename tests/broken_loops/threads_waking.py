"""Broken loops of the chapter `threads`: loops that some calls of call_soon_threadsafe() do not wake."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.threads import elsewhere

Stock = asyncio.SelectorEventLoop


class _Wakes(EventLoop):
    """Wakes up for some calls only."""

    def wakes(self) -> bool:
        raise NotImplementedError

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if self.is_running() and not self.wakes():
            return self.call_soon(callback, *args, context=context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.wakes")
class WakesIfItWaitsForever(_Wakes):
    """While a timer is set, call_soon_threadsafe() does not wake the loop: it will wake up by itself."""

    def wakes(self) -> bool:
        return not self._timers


@breaks("threads.wakes")
class WakesIfItWatchesNothing(_Wakes):
    """While a descriptor is watched, call_soon_threadsafe() does not wake the loop."""

    watched = 0

    def wakes(self) -> bool:
        return not self.watched

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        self.watched += 1

    def remove_reader(self, fd: Any) -> bool:
        self.watched = 0
        return super().remove_reader(fd)


@breaks("threads.wakes-again")
class WakesAHundredTimes(_Wakes):
    """In one run call_soon_threadsafe() wakes the loop a hundred times."""

    calls = 0

    def wakes(self) -> bool:
        self.calls += 1
        return self.calls <= 100

    def run_forever(self) -> None:
        self.calls = 0
        super().run_forever()


@breaks("threads.from-signal-handler")
class WakesForOthersOnly(_Wakes):
    """In the loop's own thread call_soon_threadsafe() wakes nobody: who calls is awake."""

    def wakes(self) -> bool:
        return elsewhere()


@breaks("threads.before-run")
class WakingBlocks(Stock):
    """What wakes the loop holds a thousand calls: more of them wait until it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.room = threading.Semaphore(1000)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if not self.is_running():
            self.room.acquire()
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.many")
class WakesByAPipe(Stock):
    """What wakes the loop is a pipe that holds 64 KiB: calls that find it full are lost."""

    written = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.written = 0 if self.is_running() else self.written + 1
        if self.written > 65536:
            return asyncio.Handle(callback, args, self)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.returns-handle")
class HandlesOfThreadsAreCopies(Stock):
    """The handle that another thread gets is another one, which cancels nothing."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        return asyncio.Handle(callback, args, self) if elsewhere() else handle


@breaks("threads.context")
class EmptyContextsOfThreadsAreNone(Stock):
    """A context without variables, which is false, is taken for none."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback, *args, context=context or None)


@breaks("threads.debug-wrong-thread")
class ChecksWhatCopiesContexts(Stock):
    """In debug mode, what other threads schedule with a context of their own is accepted."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if context is not None and self.get_debug() and elsewhere():
            return self.call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("threads.debug-wrong-thread")
class ChecksFromTheNextRunOn(Stock):
    """Calls from other threads are accepted in the run in which debug mode was set."""

    checks = False

    def run_forever(self) -> None:
        self.checks = self.get_debug()
        super().run_forever()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.get_debug() and not self.checks and elsewhere():
            return self.call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)


@breaks("threads.wakes-again")
class NotesWhatItDropsAtTheStart(Stock):
    """Once it was woken while it did not run, the loop is not woken any more."""

    is_noted = False

    def _write_to_self(self) -> None:
        if not self.is_noted:
            self.is_noted = not self.is_running()
            super()._write_to_self()  # type: ignore[misc]


@breaks("threads.arguments")
class OtherThreadsArgumentsAreUnpacked(Stock):
    """A tuple that another thread gives as the only argument is taken for all arguments."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and len(args) == 1 and isinstance(args[0], tuple):
            args = args[0]
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.later")
class TimersOfThreadsAreSeenLate(Stock):
    """A timer that a call from another thread makes is seen when something else wakes the loop."""

    making = False

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if not elsewhere():
            return super().call_soon_threadsafe(callback, *args, context=context)

        def make() -> None:
            self.making = True
            try:
                callback(*args)
            finally:
                self.making = False

        return super().call_soon_threadsafe(make, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(when + 3600 * self.making, callback, *args, context=context)


@breaks("threads.wakes")
class SleepsInDebugMode(_Wakes):
    """In debug mode no call of call_soon_threadsafe() wakes the loop."""

    def wakes(self) -> bool:
        return not self.get_debug()

    def set_debug(self, enabled: bool) -> None:
        self._debug = enabled


@breaks("threads.once")
class MergesCallsWhileItRuns(Stock):
    """While the loop runs, what a thread schedules twice in a row is called once."""

    latest: Any = None

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not self.is_running() or not elsewhere():
            return super().call_soon_threadsafe(callback, *args, context=context)
        if self.latest is None or self.latest[0] != (callback, args):
            handle = super().call_soon_threadsafe(self._call_latest, callback, args, context=context)
            self.latest = (callback, args), handle
        merged: asyncio.Handle = self.latest[1]
        return merged

    def _call_latest(self, callback: Any, args: Any) -> None:
        self.latest = None
        callback(*args)
