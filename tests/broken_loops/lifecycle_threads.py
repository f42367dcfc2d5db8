"""Broken loops of the chapter `lifecycle`: threads, and exceptions that leave the loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("lifecycle.thread-runs-loop", "lifecycle.loops-in-threads")
class RunsInTheMainThreadOnly(Stock):
    """The loop runs in the main thread only."""

    def run_forever(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("not the main thread")
        super().run_forever()


class _MainThreadOnly(Stock):
    """Refuses, outside of the main thread, the methods with these names."""

    names: tuple[str, ...] = ()

    def __getattribute__(self, name: str) -> Any:
        elsewhere = threading.current_thread() is not threading.main_thread()
        if elsewhere and name in object.__getattribute__(self, "names"):
            raise RuntimeError("not the main thread")
        return super().__getattribute__(name)


@breaks("lifecycle.used-in-a-thread")
class ServesInTheMainThreadOnly(_MainThreadOnly):
    """create_server() raises RuntimeError in a thread that is not the main one."""

    names = ("create_server",)


@breaks("lifecycle.used-in-a-thread")
class SendsDatagramsInTheMainThreadOnly(_MainThreadOnly):
    """create_datagram_endpoint() raises RuntimeError in a thread that is not the main one."""

    names = ("create_datagram_endpoint",)


@breaks("lifecycle.used-in-a-thread")
class ReadsPipesInTheMainThreadOnly(_MainThreadOnly):
    """connect_read_pipe() raises RuntimeError in a thread that is not the main one."""

    names = ("connect_read_pipe",)


@breaks("lifecycle.another-thread")
class BelongsToItsThread(Stock):
    """The loop runs only in the thread that has made it."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def run_forever(self) -> None:
        if threading.get_ident() != self.thread:
            raise RuntimeError("another thread's loop")
        super().run_forever()


@breaks("lifecycle.base-exception-keeps")
class ForgetsTheRestOfTheBatch(EventLoop):
    """When an exception leaves the loop, the callbacks behind it are dropped."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            self._ready.clear()
            raise


@breaks("lifecycle.base-exception-leaves")
class SwallowsExitsOfCallbacks(Stock):
    """SystemExit and KeyboardInterrupt of a callback stop the loop, and nothing is raised."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") != "callback":
            return super().call_soon(callback, *args, context=context)

        def guarded() -> None:
            try:
                callback(*args)
            except (SystemExit, KeyboardInterrupt):
                self.stop()

        return super().call_soon(guarded, context=context)


@breaks("lifecycle.base-exception-leaves-task")
class SwallowsExitsOfTasks(Stock):
    """SystemExit and KeyboardInterrupt of the main coroutine are turned into RuntimeError."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError("the task ended") from error


@breaks("lifecycle.idle-wakes")
class CannotBeWoken(EventLoop):
    """call_soon_threadsafe() does not wake a loop that waits."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if threading.get_ident() == self._thread_id or callback != self.stop:
            return super().call_soon_threadsafe(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[arg-type]
        return handle


@breaks("lifecycle.stop-from-nested-task")
class StopCancelsTasks(Stock):
    """When the loop stops, tasks that wait for a future are cancelled."""

    def run_forever(self) -> None:
        super().run_forever()
        for task in asyncio.all_tasks(self):
            if task.get_coro().__name__ == "wait":  # type: ignore[union-attr]
                task.cancel()


@breaks("lifecycle.running-elsewhere")
class AsksItsOwnThreadOnly(EventLoop):
    """A loop that runs can be run in another thread at the same time."""

    def run_forever(self) -> None:
        if self.is_running() and asyncio._get_running_loop() is None:
            return
        super().run_forever()

    def run_until_complete(self, future: Any) -> Any:
        if self.is_running() and asyncio._get_running_loop() is None:
            return future.result()
        return super().run_until_complete(future)


@breaks("lifecycle.refused-run-changes-nothing")
class IsStoppedByAFutureItRefused(Stock):
    """A future ends the run of the loop in which run_until_complete() was refused for it."""

    def run_until_complete(self, future: Any) -> Any:
        if self.is_running() and asyncio.isfuture(future):
            future.add_done_callback(lambda _future: self.stop())
        return super().run_until_complete(future)


class _UndoesWhatItRefused(Stock):
    """Undoes something after a run_forever() that was refused."""

    def undo(self) -> None:
        pass

    def run_forever(self) -> None:
        refused = asyncio._get_running_loop() is not None or self.is_running()
        try:
            super().run_forever()
        finally:
            if refused:
                self.undo()


@breaks("lifecycle.refused-run-changes-nothing")
class UnhooksTheLoopThatRuns(_UndoesWhatItRefused):
    """A run that is refused takes the hooks for generators away from the loop that runs."""

    def undo(self) -> None:
        sys.set_asyncgen_hooks(None, None)


@breaks("lifecycle.refused-run-changes-nothing")
class EndsWithTheRunItRefused(_UndoesWhatItRefused):
    """A run that is refused stops the loop."""

    def undo(self) -> None:
        self.stop()


@breaks("lifecycle.stop-from-anywhere")
class FailuresCannotStop(Stock):
    """A stop() is forgotten when the callback that called it raises."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "handle" in context:
            self._stopping = False
        super().call_exception_handler(context)


@breaks("lifecycle.stop-from-anywhere")
class HandlersCannotStop(Stock):
    """A stop() that the exception handler calls is forgotten."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        stopping = self._stopping  # type: ignore[has-type]
        super().call_exception_handler(context)
        self._stopping = stopping


@breaks("lifecycle.running-loop")
class HandlersRunOutside(Stock):
    """While the exception handler is called, no loop is the running one."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            super().call_exception_handler(context)
        finally:
            asyncio._set_running_loop(running)


@breaks("lifecycle.base-exception-keeps")
class DebuggedExitsEmptyTheQueue(EventLoop):
    """In debug mode an exit drops the callbacks that wait behind it."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            if self.get_debug():
                self._ready.clear()
            raise


@breaks("lifecycle.exception")
class RaisesFromNone(Stock):
    """run_until_complete() raises exceptions once more "from None": what had caused them is gone."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except Exception as error:
            raise error from None


@breaks("lifecycle.another-thread")
class IsClosedWhereItWasMade(Stock):
    """close() refuses to work in another thread than the one that made the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.made_in = threading.get_ident()

    def close(self) -> None:
        if threading.get_ident() != self.made_in:
            raise RuntimeError("made in another thread")
        super().close()


@breaks("lifecycle.nested-run")
class NestsInDebugMode(Stock):
    """In debug mode a loop that runs can be run again."""

    def run_forever(self) -> None:
        if self.get_debug() and self.is_running():
            return
        super().run_forever()


@breaks("lifecycle.stop-before-run")
class StopsRunsInDebugMode(Stock):
    """In debug mode a stop() before the run is forgotten."""

    def stop(self) -> None:
        if not self.get_debug() or self.is_running():
            super().stop()


@breaks("lifecycle.close-clears")
class KeepsItsQueuesInDebugMode(Stock):
    """In debug mode close() keeps what was pending, to be looked at."""

    kept: list[Any]

    def close(self) -> None:
        if self.get_debug() and not self.is_closed():
            self.kept = [*self._ready, *self._scheduled]  # type: ignore[attr-defined]
        super().close()
