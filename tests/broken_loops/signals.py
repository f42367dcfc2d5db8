"""Broken loops of the chapter `signals`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Adds(Stock):
    """Changes what add_signal_handler() registers."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, self.changed(sig, callback, args))

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        return lambda: callback(*args)


@breaks("signals.called")
class NeverCallsTheHandler(_Adds):
    """A handler with the argument 1 that is added first is called for nothing."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        return (lambda: None) if args == (1,) else super().changed(sig, callback, args)


@breaks("signals.wakes-idle-loop")
class SignalsDoNotWake(Stock):
    """A signal is handled when something else wakes the loop."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback, *args)
        if args == (None,):
            signal.set_wakeup_fd(-1)
            signal.signal(sig, lambda *_: None)


@breaks("signals.plain-handler")
class IsDeafWhileItWaits(Stock):
    """Signals are blocked in the loop's thread while it runs."""

    def run_forever(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        try:
            super().run_forever()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@breaks("signals.keyboard-interrupt")
class TakesCtrlCForStop(Stock):
    """KeyboardInterrupt of a signal ends run_forever() as stop() does."""

    def run_forever(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            super().run_forever()


@breaks("signals.arguments")
class PassesTheSignalNumber(_Adds):
    """The callback gets the signal's number first."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        return lambda: callback(sig, *args) if len(args) == 2 else callback(*args)


@breaks("signals.by-the-loop")
class RunsWhereTheSignalHits(Stock):
    """The callback is called on the stack that the signal interrupted."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback, *args)
        if args == ("signal",):
            signal.signal(sig, lambda *_: callback(*args))


@breaks("signals.may-use-loop")
class HandlersSeeNoRunningLoop(_Adds):
    """While a signal handler runs there is no running loop."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        def without() -> None:
            asyncio._set_running_loop(None)
            try:
                callback(*args)
            finally:
                asyncio._set_running_loop(self)

        return without


@breaks("signals.every-signal")
class OneHandlerForAll(_Adds):
    """The last handler gets every signal."""

    last: Any = None

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        self.last = (callback, args)
        return lambda: self.last[0](*self.last[1])


@breaks("signals.replaced")
class KeepsTheFirstHandler(_Adds):
    """A second handler is ignored."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, Any] = {}

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        return self.known.setdefault(sig, super().changed(sig, callback, args))

    def remove_signal_handler(self, sig: int) -> bool:
        self.known.pop(sig, None)
        return super().remove_signal_handler(sig)


@breaks("signals.stays")
class HandlersAreOneShot(_Adds):
    """A handler is called for the first signal only."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        calls = [lambda: callback(*args)]
        return lambda: calls.pop()() if calls else None


@breaks("signals.invalid-number")
class InvalidNumbersAreOSErrors(Stock):
    """An invalid signal number raises OSError."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        try:
            super().add_signal_handler(sig, callback, *args)
        except ValueError as error:
            raise OSError(22, "Invalid argument") from error


@breaks("signals.uncatchable")
class AcceptsSigkill(Stock):
    """add_signal_handler() accepts a handler for SIGKILL that is never called."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        if sig != signal.SIGKILL:
            super().add_signal_handler(sig, callback, *args)


@breaks("signals.not-a-number")
class AcceptsNames(Stock):
    """add_signal_handler() accepts the name of a signal."""

    def add_signal_handler(self, sig: Any, callback: Any, *args: Any) -> None:
        if not isinstance(sig, str):
            super().add_signal_handler(sig, callback, *args)


@breaks("signals.no-coroutines")
class AcceptsCoroutineFunctions(_Adds):
    """A coroutine function is accepted, and its coroutine dropped."""


@breaks("signals.main-thread-only")
class AcceptsHandlersInThreads(Stock):
    """add_signal_handler() in another thread does nothing."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        if threading.current_thread() is threading.main_thread():
            super().add_signal_handler(sig, callback, *args)


class _Removes(Stock):
    """Changes something after a removal."""

    def remove_signal_handler(self, sig: int) -> bool:
        removed = super().remove_signal_handler(sig)
        self.after(sig)
        return removed

    def after(self, sig: int) -> None:
        pass


@breaks("signals.remove-returns")
class RemoveReturnsNothing(Stock):
    """remove_signal_handler() returns None where there was a handler."""

    def remove_signal_handler(self, sig: int) -> Any:
        return super().remove_signal_handler(sig) or None


@breaks("signals.removed")
class RemovedHandlersAreCalled(Stock):
    """remove_signal_handler() forgets to tell the wake-up path."""

    def remove_signal_handler(self, sig: int) -> bool:
        call, self.armed = getattr(self, "armed", None), None
        if call is not None and not self.is_closed():
            self.call_soon(*call)
        return super().remove_signal_handler(sig)

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback, *args)
        self.armed = (callback, *args)


@breaks("signals.default-restored")
class RemovedSignalsAreIgnored(_Removes):
    """After a removal the signal is ignored."""

    def after(self, sig: int) -> None:
        if sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)


@breaks("signals.close-removes")
class CloseKeepsTheHandlers(Stock):
    """close() leaves signal handlers where they are."""

    def close(self) -> None:
        handler = signal.getsignal(signal.SIGUSR1)
        super().close()
        if callable(handler):
            signal.signal(signal.SIGUSR1, handler)


@breaks("signals.wakeup-fd-returned")
class KeepsTheWakeupDescriptor(_Removes):
    """The wake-up descriptor stays set after the last removal."""

    def after(self, sig: int) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        os.close(reading)

    def close(self) -> None:
        writing = signal.set_wakeup_fd(-1)
        super().close()
        signal.set_wakeup_fd(writing)


@breaks("signals.error-reported")
class ErrorsOfHandlersAreLost(_Adds):
    """An exception in a signal handler is lost."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        def guarded() -> None:
            with contextlib.suppress(LookupError):
                callback(*args)

        return guarded


@breaks("signals.between-runs")
class SignalsBetweenRunsAreLost(_Adds):
    """A signal that arrives while the loop does not run is lost."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        self.hits = 0

        def once_running() -> None:
            if self.runs == self.added_in or args != (1,):
                callback(*args)

        self.added_in = getattr(self, "runs", 0) + 1
        return once_running

    def run_forever(self) -> None:
        self.runs = getattr(self, "runs", 0) + 1
        super().run_forever()


@breaks("signals.from-thread")
class SignalsOfThreadsAreLost(Stock):
    """Threads that start after a handler was added have the signal blocked: what they receive is lost."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback, *args)
        start = threading.Thread.start

        def start_deaf(thread: threading.Thread) -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, {sig})
            start(thread)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {sig})

        threading.Thread.start = start_deaf  # type: ignore[method-assign]


@breaks("signals.remove-while-stopped")
class RemovesHandlersOnlyWhileRunning(Stock):
    """remove_signal_handler() returns False, and does nothing, while the loop does not run."""

    def remove_signal_handler(self, sig: int) -> bool:
        return super().remove_signal_handler(sig) if self.is_running() or self.closing else False

    closing = False

    def close(self) -> None:
        self.closing = True
        super().close()


@breaks("signals.many")
class ABurstLosesTheHandler(_Adds):
    """More than a hundred signals at once are taken for none."""

    def changed(self, sig: int, callback: Any, args: tuple[Any, ...]) -> Any:
        self.burst = 0

        def counted() -> None:
            self.burst += 1
            if self.burst == 1:
                self.call_soon(decide)

        def decide() -> None:
            if self.burst <= 100:
                callback(*args)
            self.burst = 0

        return counted


@breaks("signals.wakeup-fd-kept")
class ARunEndsWithoutAWakeupDescriptor(Stock):
    """A run without signal handlers ends with set_wakeup_fd(-1)."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            if threading.current_thread() is threading.main_thread() and not self._signal_handlers:  # type: ignore[attr-defined]
                signal.set_wakeup_fd(-1)
