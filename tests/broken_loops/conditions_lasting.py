"""Broken loops that forget when a run ends, or in another thread, what lasts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Ends(Stock):
    """Does something when run_until_complete() ends."""

    def end(self) -> None:
        """Called while the loop does not run."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        finally:
            if not self.is_running() and not self.is_closed():
                self.end()


@breaks("lifecycle.stop-from-nested-task")
class CancelsTheOthers(_Ends):
    """run_until_complete() cancels the tasks that are left."""

    def end(self) -> None:
        for task in asyncio.all_tasks(self):
            task.cancel()


@breaks("lifecycle.stop-from-nested-task")
class AnExitCancelsAllTasks(Stock):
    """An exit that leaves the loop cancels all tasks."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            for task in asyncio.all_tasks(self):
                task.cancel()
            raise


@breaks("callbacks.kept-across-stop")
class DropsWhatTheLastTurnScheduled(_Ends):
    """What is ready when run_until_complete() ends is cancelled."""

    def __init__(self) -> None:
        self.handles: list[asyncio.Handle] = []
        super().__init__()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        def run() -> None:
            self.handles.remove(handle)
            callback(*args)

        handle = super().call_soon(run, context=context)
        self.handles.append(handle)
        return handle

    def end(self) -> None:
        for handle in self.handles:
            handle.cancel()
        self.handles.clear()


@breaks("tasks.get-factory")
class AFactoryIsForOneRun(_Ends):
    """The task factory is forgotten when run_until_complete() ends."""

    def end(self) -> None:
        self.set_task_factory(None)


@breaks("debug.slow-duration")
class WhatIsSlowIsForOneRun(_Ends):
    """slow_callback_duration is what it was at first when run_until_complete() ends."""

    def end(self) -> None:
        self.slow_callback_duration = 0.1


@breaks("debug.set")
class DebugModeIsForOneRun(_Ends):
    """Debug mode ends with run_until_complete()."""

    def end(self) -> None:
        self.set_debug(False)


@breaks("lifecycle.is-closed")
class IsOpenElsewhere(Stock):
    """In another thread is_closed() returns False."""

    def is_closed(self) -> bool:
        return super().is_closed() and threading.current_thread() is threading.main_thread()
