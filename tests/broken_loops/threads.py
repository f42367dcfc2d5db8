"""Broken loops of the chapter `threads`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
import time
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def elsewhere() -> bool:
    return threading.current_thread() is not threading.main_thread()


@breaks("threads.runs")
class RunsInTheCallersThread(Stock):
    """A lambda is called by the thread that schedules it."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and getattr(callback, "__name__", "") == "<lambda>" and not args:
            callback()
            return asyncio.Handle(print, (), self)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.wakes", "threads.stop-from-thread")
class DoesNotWakeForStop(EventLoop):
    """call_soon_threadsafe(stop) does not wake the loop."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and callback == self.stop:
            time.sleep(0.1)  # until the loop waits
            handle = asyncio.Handle(callback, args, self, context)
            self._ready.append(handle)  # type: ignore[arg-type]
            return handle
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.order")
class DropsUnderContention(Stock):
    """The four hundredth call of a thread is lost."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and args == (400,):
            args = (401,)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.returns-handle")
class ReturnsNothing(Stock):
    """call_soon_threadsafe() returns None."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.returns-handle")
class HandlesOfThreadsDoNotCancel(Stock):
    """cancel() of a handle that another thread got does not reach the callback."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if threading.current_thread() is threading.main_thread():
            return handle
        return asyncio.Handle(callback, args, self, context)


@breaks("threads.arguments")
class PassesOneArgument(Stock):
    """call_soon_threadsafe() passes at most two arguments."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback, *args[:2], context=context)


@breaks("threads.same-thread")
class ServesAnotherQueueLater(Stock):
    """In the loop's own thread, call_soon_threadsafe() is served one iteration later."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args == ("second",):
            return self.call_soon(self.call_soon, callback, *args)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.before-run")
class ForgetsCallsWhileStopped(Stock):
    """What a thread schedules while the loop does not run is lost."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and not self.is_running() and args == (2,):
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.from-signal-handler")
class HoldsALockWhileRunning(Stock):
    """A callback is run under a lock that call_soon_threadsafe() takes as well."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if len(args) != 2:
            return super().call_soon(callback, *args, context=context)

        def locked() -> None:
            with self.lock:
                callback(*args)

        return super().call_soon(locked, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        with self.lock:
            return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.error-reported")
class LosesErrorsOfThreads(Stock):
    """An exception of a callback that a thread scheduled is lost."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def guarded(*args: Any) -> None:
            try:
                callback(*args)
            except LookupError:
                self.stop()

        plain = not elsewhere() or getattr(callback, "__name__", "") != "callback"
        return super().call_soon_threadsafe(callback if plain else guarded, *args, context=context)


@breaks("threads.context")
class TakesTheContextOfTheLoop(Stock):
    """A callback that a thread scheduled runs in an empty context."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(callback, *args, context=context or contextvars.Context())


@breaks("threads.context")
class TakesTheContextOfTheRun(Stock):
    """A callback that a thread schedules while the loop runs has the context in which the run began."""

    context: Any = None

    def run_forever(self) -> None:
        self.context = contextvars.copy_context()
        try:
            super().run_forever()
        finally:
            self.context = None

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if context is None and self.context is not None:
            context = self.context.copy()
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.run-coroutine")
class CoroutinesOfThreadsSeeNoLoop(Stock):
    """A coroutine that a thread submits is told that another loop runs."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__name__", "") == "value":
            coro.close()

            async def other() -> object:
                return object()

            coro = other()
        return super().create_task(coro, **kwargs)


@breaks("threads.run-coroutine-exception")
class CoroutinesOfThreadsFailSilently(Stock):
    """A failing coroutine that a thread submits ends with None."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if getattr(coro, "__name__", "") != "fail":
            return super().create_task(coro, **kwargs)

        async def silent() -> None:
            with contextlib.suppress(LookupError):
                await coro

        return super().create_task(silent(), **kwargs)


@breaks("threads.run-coroutine-cancel")
class CancelsOfThreadsAreLost(Stock):
    """A cancellation that a thread asks for is not carried to the loop."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if elsewhere() and args and isinstance(args[0], concurrent.futures.Future):
            return asyncio.Handle(callback, args, self, context)
        if elsewhere() and getattr(callback, "__name__", "") == "cancel":
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.debug-wrong-thread")
class DebugChecksCallSoonOnly(Stock):
    """In debug mode, call_at() from another thread is accepted."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if elsewhere():
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)


@breaks("threads.closed-loop")
class ThreadsFillTheQueueOfAClosedLoop(Stock):
    """call_soon_threadsafe() on a closed loop raises in the main thread only."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.is_closed() and elsewhere():
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.once")
class MergesWhatThreadsSchedule(Stock):
    """A callback that a thread has scheduled, and that waits, is not scheduled again with the same arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Any, asyncio.Handle] = {}

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if not args or not isinstance(args[0], str):
            return super().call_soon_threadsafe(callback, *args, context=context)
        key = (callback.__name__, args)
        if key not in self.waiting:
            self.waiting[key] = super().call_soon_threadsafe(callback, *args, context=context)
            super().call_soon_threadsafe(self.waiting.pop, key, None)
        return self.waiting[key]


@breaks("threads.protocols")
class MakesProtocolsInThreads(Stock):
    """The protocol of a connection that a server accepts is made in a thread of its own."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def factory() -> Any:
            made: list[Any] = []
            maker = threading.Thread(target=lambda: made.append(protocol_factory()))
            maker.start()
            maker.join()
            return made[0]

        return await super().create_server(factory, *args, **kwargs)


@breaks("threads.protocols")
class TellsOfExitsFromAThread(Stock):
    """process_exited() is called by the thread that waits for the child."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def factory() -> Any:
            protocol = protocol_factory()
            exited = protocol.process_exited

            def process_exited() -> None:
                waiter = threading.Thread(target=exited)
                waiter.start()
                waiter.join()

            protocol.process_exited = process_exited
            return protocol

        return await super().subprocess_exec(factory, *args, **kwargs)


@breaks("threads.from-signal-handler")
class HoldsALockWhileScheduling(Stock):
    """call_soon_threadsafe() holds a lock that is not re-entrant."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        with self.lock:
            return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.once")
class WakesOnceForEqualCalls(Stock):
    """call_soon_threadsafe() takes an equal call that waits already for the same one."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        for handle in list(self._ready):  # type: ignore[attr-defined]
            if handle._callback is callback and handle._args == args == ("same",):
                return handle  # type: ignore[no-any-return]
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("threads.context")
class TakesACopyOver(Stock):
    """A callback that another thread schedules runs in a copy of the context that it is given."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        copied = None if context is None else context.copy()
        return super().call_soon_threadsafe(callback, *args, context=copied)


@breaks("threads.same-thread")
class QueuesOutsideOfARun(Stock):
    """What call_soon_threadsafe() schedules while the loop does not run is put behind the queue when it runs."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if not self.is_running() and args == ("second",):
            self.__dict__.setdefault("late", []).append(handle)
        return handle

    def run_forever(self) -> None:
        for handle in self.__dict__.pop("late", []):
            self._ready.remove(handle)  # type: ignore[attr-defined]
            self._ready.append(handle)  # type: ignore[attr-defined]
        super().run_forever()
