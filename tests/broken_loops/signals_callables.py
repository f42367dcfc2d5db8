"""Broken loops of the chapter `signals`: what may be a signal and a callback, and when it is called."""

from __future__ import annotations

import asyncio
import functools
import signal
from typing import Any, ClassVar

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("signals.partial")
class HandlesSignalsWithoutKeywords(Stock):
    """A partial is called without the keyword arguments that it has."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        if isinstance(callback, functools.partial):
            callback = functools.partial(callback.func, *callback.args)
        super().add_signal_handler(sig, callback, *args)


@breaks("signals.plain-numbers")
class TellsNumbersFromSignals(Stock):
    """remove_signal_handler() does not know SIGUSR2 by another type than that with which it was added."""

    added: type = int

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        super().add_signal_handler(sig, callback, *args)
        self.added = type(sig)

    def remove_signal_handler(self, sig: int) -> bool:
        if sig == signal.SIGUSR2 and type(sig) is not self.added:
            return False
        return super().remove_signal_handler(sig)


@breaks("signals.among-others")
class ForgetsSignalsWhenBusy(Stock):
    """A signal that arrives while a task of the name `busy` is ready is forgotten."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        def unless_busy() -> None:
            if not any(task.get_coro().__name__ == "busy" for task in asyncio.all_tasks(self)):
                callback(*args)

        super().add_signal_handler(sig, unless_busy)


@breaks("signals.no-handle")
class SignalsHaveHandles(Stock):
    """add_signal_handler() returns a handle."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> Any:
        super().add_signal_handler(sig, callback, *args)
        return asyncio.Handle(callback, args, self)


@breaks("signals.next-loop")
class SignalsAreSetUpOnce(Stock):
    """Each signal is handled by the loop that first asked for it, also when that is closed."""

    owners: ClassVar[dict[int, asyncio.AbstractEventLoop]] = {}

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        if self.owners.setdefault(sig, self) is self:
            super().add_signal_handler(sig, callback, *args)
        else:
            super().add_signal_handler(sig, lambda: None)
