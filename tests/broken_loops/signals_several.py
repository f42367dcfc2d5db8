"""Broken loops of the chapter `signals`: several handlers and loops, and handlers that change handlers."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _nothing(*_args: object) -> None:
    pass


@breaks("signals.every-number")
class SignalsAreThirtyTwoBits(Stock):
    """Handlers of signals above 31 are not called."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback if sig < 32 else _nothing, *args)


@breaks("signals.every-number")
class KeepsSigchld(Stock):
    """A handler of SIGCHLD is never called."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback if sig != signal.SIGCHLD else _nothing, *args)


@breaks("signals.any-callable")
class SignalsNeedTrueCallbacks(Stock):
    """A signal handler whose truth value is false is taken for none."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback or _nothing, *args)


@breaks("signals.added-again")
class AddsEachSignalOnce(Stock):
    """A handler that is added after a removal for the same signal is not called."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        removed = self.__dict__.setdefault("removed_signals", set())
        super().add_signal_handler(sig, _nothing if sig in removed else callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        was = super().remove_signal_handler(sig)
        if was:
            self.__dict__.setdefault("removed_signals", set()).add(sig)
        return was


@breaks("signals.others-stay")
class OneRemovalIsForAll(Stock):
    """The removal of one handler gives the wake-up descriptor back."""

    def remove_signal_handler(self, sig: int) -> bool:
        was = super().remove_signal_handler(sig)
        if was:
            signal.set_wakeup_fd(-1)
        return was


@breaks("signals.remove-foreign")
class RemovesHandlersOfOthers(Stock):
    """remove_signal_handler() returns False where the loop has no handler, but restores the default."""

    def remove_signal_handler(self, sig: int) -> bool:
        was = super().remove_signal_handler(sig)
        if not was:
            signal.signal(sig, signal.SIG_DFL)
        return was


@breaks("signals.close-other")
class ClosingResetsTheWakeUp(Stock):
    """close() takes the wake-up descriptor away, whoever has set it."""

    def close(self) -> None:
        super().close()
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)


@breaks("signals.inside")
class KeepsTheHandlerThatIsCalled(Stock):
    """While a signal handler is called, it is neither removed nor replaced."""

    called = 0

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        def call() -> None:
            self.called = sig
            try:
                callback(*args)
            finally:
                self.called = 0

        if self.called != sig:
            super().add_signal_handler(sig, call)

    def remove_signal_handler(self, sig: int) -> bool:
        return self.called != sig and super().remove_signal_handler(sig)


@breaks("signals.inside")
class ForgetsASignalOfItsHandler(EventLoop):
    """A signal that arrives while its handler is called is forgotten."""

    called = 0

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        def call() -> None:
            self.called = sig
            try:
                callback(*args)
            finally:
                self.called = 0

        super().add_signal_handler(sig, call)

    def _signal_arrived(self, signum: int, frame: Any) -> None:
        if signum != self.called:
            super()._signal_arrived(signum, frame)


@breaks("signals.replaced")
class KnowsTheCallbackAlready(Stock):
    """A second handler that is the same callback as the first, with other arguments, is ignored."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        known = self.__dict__.setdefault("known_callbacks", {})
        if known.get(sig) is not callback:
            known[sig] = callback
            super().add_signal_handler(sig, callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        self.__dict__.setdefault("known_callbacks", {}).pop(sig, None)
        return super().remove_signal_handler(sig)


@breaks("signals.invalid-number")
class CountsOneSignalTooMany(Stock):
    """NSIG, the first number that is no signal, is accepted."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        if sig != signal.NSIG:
            super().add_signal_handler(sig, callback, *args)


@breaks("signals.close-other")
class EveryNewLoopTakesTheWakeUps(Stock):
    """The wake-up descriptor is taken away from whichever loop has it when another one is made."""

    def __init__(self) -> None:
        super().__init__()
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)


@breaks("signals.replaced")
class KeepsTheArgumentsOfTheFirst(Stock):
    """A handler that replaces another and has no arguments gets those of the first."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        before = self._signal_handlers.get(sig)  # type: ignore[attr-defined]
        super().add_signal_handler(sig, callback, *(args or (before._args if before else ())))


@breaks("signals.replaced")
class PutsTheFormerHandlerBack(Stock):
    """When a handler that has replaced another is removed, the other one is the handler again."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, callback, *args)
        self.__dict__.setdefault("former", {}).setdefault(sig, []).append((callback, *args))

    def remove_signal_handler(self, sig: int) -> bool:
        was = super().remove_signal_handler(sig)
        former = self.__dict__.get("former", {}).get(sig)
        if was and not self.is_closed():
            former.pop()
            if former:
                super().add_signal_handler(sig, *former[-1])
        return was


@breaks("signals.remove-invalid")
class RemovesWhateverIsAsked(Stock):
    """remove_signal_handler() returns False for what is no signal."""

    def remove_signal_handler(self, sig: int) -> bool:
        return sig in signal.valid_signals() and super().remove_signal_handler(sig)


@breaks("signals.children")
class ChildrenTakeSigchld(Stock):
    """A child that is started takes the handler of SIGCHLD away."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        self.remove_signal_handler(signal.SIGCHLD)
        return await super().subprocess_exec(*args, **kwargs)


@breaks("signals.children")
class ChildrenResetTheHandlers(Stock):
    """A child that is started takes every other handler away."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        for number in (signal.SIGUSR1, signal.SIGWINCH):
            self.remove_signal_handler(number)
        return await super().subprocess_exec(*args, **kwargs)


@breaks("signals.children")
class ARemovalHidesChildren(Stock):
    """After a handler of SIGCHLD was removed, the end of a child is not told."""

    hidden = False

    def remove_signal_handler(self, sig: int) -> bool:
        was = super().remove_signal_handler(sig)
        self.hidden |= was and sig == signal.SIGCHLD
        return was

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def hidden() -> Any:
            protocol = protocol_factory()
            if self.hidden:
                protocol.process_exited = lambda: None
                protocol.connection_lost = lambda exc: None
            return protocol

        return await super().subprocess_exec(hidden, *args, **kwargs)


@breaks("signals.close-removes")
class CloseRemovesOneHandler(Stock):
    """close() removes the first of several signal handlers only."""

    def close(self) -> None:
        handlers = self._signal_handlers  # type: ignore[attr-defined]
        for number in list(handlers)[1:]:
            del handlers[number]
        super().close()


@breaks("signals.of-the-program")
class EndsRunsWithTheDefault(Stock):
    """After each run SIGINT raises KeyboardInterrupt, whatever the program had set."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        finally:
            if threading.current_thread() is threading.main_thread() and not self.is_running():
                signal.signal(signal.SIGINT, signal.default_int_handler)


@breaks("signals.of-the-program")
class ClosesWithTheDefaults(Stock):
    """close() sets the default of SIGTERM and SIGHUP, whoever had set what is there."""

    def close(self) -> None:
        super().close()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)


@breaks("signals.close-removes")
class LeavesInterruptsToTheSystem(Stock):
    """After close() a SIGINT that the loop had handled kills the process."""

    def close(self) -> None:
        handled = False
        if threading.current_thread() is threading.main_thread() and not self.is_running():
            handled = self.remove_signal_handler(signal.SIGINT)
        super().close()
        if handled:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


@breaks("signals.program-raises")
class WaitsThroughExceptions(Stock):
    """An exception of a handler of signal.signal() is dropped while the loop waits."""

    def __init__(self) -> None:
        super().__init__()
        selector: Any = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def patient(timeout: float | None = None) -> Any:
            try:
                return select(timeout)
            except LookupError:
                return []

        selector.select = patient
