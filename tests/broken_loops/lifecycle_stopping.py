"""Broken loops of the chapter `lifecycle`: stopping and closing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("lifecycle.run-forever-until-stop")
class EndsWhenIdle(EventLoop):
    """run_forever() returns when no callback is ready."""

    def run_forever(self) -> None:
        if not asyncio.all_tasks(self):
            self.call_soon(lambda: self._ready or self.stop())
        super().run_forever()


@breaks("lifecycle.stop-before-run")
class StopBeforeRunIsForgotten(Stock):
    """stop() before run_forever() is answered by running until nothing is ready."""

    early = False

    def stop(self) -> None:
        if self.is_running():
            super().stop()
        else:
            self.early = True

    def run_forever(self) -> None:
        if self.early:
            self.early = False
            self.call_soon(self.call_soon, self.call_soon, super().stop)
        super().run_forever()


@breaks("lifecycle.stop-before-run-polls")
class StopBeforeRunWaitsForATimer(Stock):
    """With stop() called before, run_forever() waits for the next timer."""

    early = False

    def stop(self) -> None:
        self.early = not self.is_running()
        super().stop()

    def run_forever(self) -> None:
        if self.early and not getattr(self, "_ready", None):
            self.early = False
            threading.Event().wait()
        self.early = False
        super().run_forever()


@breaks("lifecycle.stop-finishes-batch")
class StopLeavesAtOnce(EventLoop):
    """stop() drops what is ready behind it."""

    def stop(self) -> None:
        if self.is_running() and self._ready:
            waiting = list(self._ready)
            self._ready.clear()
            super().stop()
            for handle in waiting:
                if getattr(handle, "_args", None) != ("behind",):
                    self._ready.append(handle)
        else:
            super().stop()


@breaks("lifecycle.stop-finishes-batch")
class StopsRefuseThreadsafeCallbacks(EventLoop):
    """What call_soon_threadsafe() schedules in the last batch, after stop(), is not there in the next run."""

    _stopped = False

    def run_forever(self) -> None:
        self._stopped = False
        super().run_forever()

    def stop(self) -> None:
        self._stopped = self.is_running()
        super().stop()

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if self._stopped and self.is_running():
            handle.cancel()
        return handle


@breaks("lifecycle.stop-once")
class StopsAreCounted(Stock):
    """Each stop() ends one run: two calls end the next run as well."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1
        super().stop()

    def run_forever(self) -> None:
        self.stops = max(0, self.stops - 1)
        if self.stops:
            super().stop()
        super().run_forever()


@breaks("lifecycle.restart")
class RunsTenTimes(Stock):
    """The loop refuses to run after ten runs."""

    runs = 0

    def run_forever(self) -> None:
        self.runs += 1
        if self.runs > 10:
            raise RuntimeError("worn out")
        super().run_forever()


@breaks("lifecycle.is-running")
class BelievesItRunsAfterAnError(Stock):
    """is_running() stays True after a run that ended with an exception."""

    stuck = False

    def run_until_complete(self, future: Any) -> Any:
        self.stuck = False
        try:
            return super().run_until_complete(future)
        except LookupError:
            self.stuck = True
            raise

    def is_running(self) -> bool:
        return self.stuck or super().is_running()

    def close(self) -> None:
        self.stuck = False
        super().close()


@breaks("lifecycle.is-closed")
class IsNeverClosed(Stock):
    """is_closed() is None after close()."""

    def is_closed(self) -> Any:
        return super().is_closed() or 0


@breaks("lifecycle.close-idempotent")
class ClosesOnce(Stock):
    """The second close() raises."""

    def close(self) -> None:
        if self.is_closed():
            raise RuntimeError("closed already")
        super().close()


@breaks("lifecycle.close-while-running")
class IgnoresCloseWhileRunning(Stock):
    """close() of a running loop is silently ignored."""

    def close(self) -> None:
        if not self.is_running():
            super().close()


@breaks("lifecycle.closed-cannot-run")
class AClosedLoopReturnsAtOnce(Stock):
    """run_forever() of a closed loop does nothing."""

    def run_forever(self) -> None:
        if not self.is_closed():
            super().run_forever()


@breaks("lifecycle.closed-refuses-coroutine")
class AClosedLoopTakesCoroutines(Stock):
    """run_until_complete() of a coroutine on a closed loop returns None."""

    def run_until_complete(self, future: Any) -> Any:
        if self.is_closed() and asyncio.iscoroutine(future):
            future.close()
            return None
        return super().run_until_complete(future)


@breaks("lifecycle.base-exception-leaves-task")
class StopsTheRunAfterAnExit(Stock):
    """The stop() that belongs to a task that raises KeyboardInterrupt or SystemExit ends the run after it."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except (KeyboardInterrupt, SystemExit):
            self.call_soon(self.stop)
            raise
