"""Broken loops of the chapter `callbacks`: what a callback returns has a meaning for the library underneath."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.return-value-ignored")
class TimersGoOnWhileTrue(Stock):
    """A callback of call_later() that returns True is called again after the delay."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        def again(*args: Any) -> None:
            if callback(*args) is True:
                self.call_later(delay, callback, *args)

        return super().call_later(delay, again, *args, context=context)


@breaks("callbacks.return-value-stays")
class ReadersGoWhenFalse(Stock):
    """A callback of add_reader() that returns False is removed."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def once_more(*args: Any) -> None:
            if callback(*args) is False:
                self.remove_reader(fd)

        super().add_reader(fd, once_more, *args)


@breaks("callbacks.return-value-stays")
class SignalsGoWhenNone(Stock):
    """A callback of add_signal_handler() that does not return True is removed."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        def once_more(*args: Any) -> None:
            if callback(*args) is None:
                self.remove_signal_handler(sig)

        super().add_signal_handler(sig, once_more, *args)
