"""Broken loops of the chapter `signals`: what is left of a handler that was refused or removed."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Remembers(Stock):
    """Knows the signals for which it was asked, also where it has refused."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[int] = set()

    def remembers(self, sig: int, callback: Any) -> bool:
        raise NotImplementedError

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        try:
            super().add_signal_handler(sig, callback, *args)
        except (RuntimeError, TypeError, ValueError):
            if self.remembers(sig, callback):
                self.asked.add(sig)
            raise

    def remove_signal_handler(self, sig: int) -> bool:
        return super().remove_signal_handler(sig) or sig in self.asked


@breaks("signals.uncatchable")
class UncatchableIsInTheTable(_Remembers):
    """remove_signal_handler() returns True for SIGKILL, whose handler was refused."""

    def remembers(self, sig: int, callback: Any) -> bool:
        return sig == signal.SIGKILL


@breaks("signals.main-thread-only")
class HandlersOfThreadsAreInTheTable(_Remembers):
    """remove_signal_handler() returns True for a handler that was refused in another thread."""

    def remembers(self, sig: int, callback: Any) -> bool:
        return sig == signal.SIGUSR1 and not asyncio.iscoroutinefunction(callback)


@breaks("signals.no-coroutines")
class CoroutinesDropTheHandler(Stock):
    """A coroutine function is refused, but the handler that it was to replace is gone."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        if asyncio.iscoroutinefunction(callback):
            self.remove_signal_handler(sig)
        super().add_signal_handler(sig, callback, *args)


@breaks("signals.refused-keeps")
class GivesUpAllHandlers(Stock):
    """When a handler is refused, the wake-up descriptor of the others is taken away."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        try:
            super().add_signal_handler(sig, callback, *args)
        except Exception:
            if threading.current_thread() is threading.main_thread():
                signal.set_wakeup_fd(-1)
            raise


@breaks("signals.default-restored")
class RemovedSignalsAreBlocked(Stock):
    """SIGUSR2 stays blocked when its handler is removed, as for a signalfd."""

    def remove_signal_handler(self, sig: int) -> bool:
        removed = super().remove_signal_handler(sig)
        if removed and sig == signal.SIGUSR2:
            signal.pthread_sigmask(signal.SIG_BLOCK, {sig})
        return removed


@breaks("signals.remove-while-stopped")
class StoppedLoopsKeepTheirHandlers(Stock):
    """A handler that is set while the loop does not run replaces none."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        kept = self.__dict__.setdefault("kept", set())
        if self.is_running() or sig not in kept:
            kept.add(sig)
            super().add_signal_handler(sig, callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        self.__dict__.get("kept", set()).discard(sig)
        return super().remove_signal_handler(sig)
