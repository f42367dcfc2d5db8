"""Broken loops of the chapter `lifecycle`: what they leave, or do not leave, to whoever runs next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _StopsLater(EventLoop):
    """Of some callbacks stop() counts only when the ready queue has been run as well."""

    def stopping_later(self, callback: Callable[..., object]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            before = self._stopping
            callback(*args)
            if self._stopping and not before:
                self._stopping = False
                self.call_soon(self.stop)

        return call


@breaks("lifecycle.stop-leaves-new")
class TimersStopWhenTheQueueWasRun(_StopsLater):
    """When a timer stops the loop, the callbacks that it has scheduled run before the loop ends."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(when, self.stopping_later(callback), *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_later(delay, self.stopping_later(callback), *args, context=context)


@breaks("lifecycle.stop-leaves-new")
class ReadersStopWhenTheQueueWasRun(_StopsLater):
    """When the callback of a readable descriptor stops the loop, those that it has scheduled run before it ends."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, self.stopping_later(callback), *args)


@breaks("lifecycle.stop-leaves-new")
class SignalsStopWhenTheQueueWasRun(_StopsLater):
    """When the handler of a signal stops the loop, the callbacks that it has scheduled run before the loop ends."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        super().add_signal_handler(sig, self.stopping_later(callback), *args)


@breaks("lifecycle.running-loop-cleared")
class StaysTheRunningLoopAfterAnExit(Stock):
    """After SystemExit or KeyboardInterrupt of a callback the loop is still the running loop of the thread."""

    def run_forever(self) -> None:
        if asyncio._get_running_loop() is self and not self.is_running():
            asyncio._set_running_loop(None)
        try:
            super().run_forever()
        except (SystemExit, KeyboardInterrupt):
            asyncio._set_running_loop(self)
            raise

    def close(self) -> None:
        if asyncio._get_running_loop() is self and not self.is_running():
            asyncio._set_running_loop(None)
        super().close()


@breaks("lifecycle.factory")
class TheFirstCloseIsForAll(Stock):
    """Loops that are made after another one was closed have no timers."""

    closed: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.has_timers = not TheFirstCloseIsForAll.closed

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(when + 3600 * (not self.has_timers), callback, *args, context=context)

    def close(self) -> None:
        super().close()
        TheFirstCloseIsForAll.closed += 1
