"""Broken loops of the chapter `debug`: callbacks that may be slow, and nobody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Unmeasured(Stock):
    """A loop for which no callback that it has `hidden` is slow."""

    limit = 0.1
    was_hidden = False

    @property
    def slow_callback_duration(self) -> float:  # type: ignore[override]  # looked up after each callback
        hidden, self.was_hidden = self.was_hidden, False
        return float("inf") if hidden else self.limit

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        self.limit = seconds

    def hidden(self, callback: Callable[..., object]) -> Callable[..., object]:
        def unmeasured(*args: Any) -> None:
            try:
                callback(*args)
            finally:
                self.was_hidden = self.get_debug()

        return unmeasured


@breaks("debug.slow")
class ThreadsCallUnmeasured(_Unmeasured):
    """Callbacks of call_soon_threadsafe() are not measured."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon_threadsafe(self.hidden(callback), *args, context=context)


@breaks("debug.slow")
class ReadersAreUnmeasured(_Unmeasured):
    """Callbacks of add_reader() are not measured."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, self.hidden(callback), *args)


@breaks("debug.slow")
class SignalsAreUnmeasured(_Unmeasured):
    """Callbacks of add_signal_handler() are not measured."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        super().add_signal_handler(sig, self.hidden(callback), *args)


@breaks("debug.slow")
class WhatAFutureWakesIsUnmeasured(_Unmeasured):
    """Done callbacks, and steps of a task after it has waited for a future, are not measured."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if len(args) == 1 and asyncio.isfuture(args[0]):
            callback = self.hidden(callback)
        return super().call_soon(callback, *args, context=context)


@breaks("debug.slow")
class MeasuresFromTheNextRunOn(_Unmeasured):
    """Nothing is measured in the run in which debug mode was set."""

    is_late = False

    def set_debug(self, enabled: bool) -> None:
        self.is_late = self.is_running() and ((enabled and not self.get_debug()) or self.is_late)
        super().set_debug(enabled)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.is_late:
            callback = self.hidden(callback)
        return super().call_soon(callback, *args, context=context)


@breaks("debug.off-is-quiet")
class DebugsToTheEndOfTheRun(EventLoop):
    """Slow callbacks are logged to the end of a run that began in debug mode."""

    began = False

    def run_forever(self) -> None:
        self.began = self.get_debug()
        super().run_forever()

    def _run_once(self) -> None:
        mode = self._debug
        self._debug = self.began or mode
        try:
            super()._run_once()
        finally:
            self._debug = mode and self._debug


@breaks("debug.slow-default")
class OneDurationForAll(Stock):
    """slow_callback_duration is one for all loops."""

    @property
    def slow_callback_duration(self) -> float:
        return OneDurationForAll.seconds

    @slow_callback_duration.setter
    def slow_callback_duration(self, seconds: float) -> None:
        OneDurationForAll.seconds = seconds

    seconds = 0.1


@breaks("debug.slow-protocols")
class ProtocolsAreUnmeasured(_Unmeasured):
    """What a protocol of a connection does in data_received() is not measured."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            protocol.data_received = self.hidden(protocol.data_received)
            return protocol

        return await super().create_connection(make, *args, **kwargs)


@breaks("debug.slow-unprintable")
class NamesWhatWasSlow(EventLoop):
    """In debug mode a slow callback that has no name, as functions have, is not logged."""

    def _run_timed(self, handle: Any) -> None:
        named = hasattr(handle._callback, "__name__")
        before, self.slow_callback_duration = self.slow_callback_duration, self.slow_callback_duration if named else 9e9
        try:
            super()._run_timed(handle)
        finally:
            self.slow_callback_duration = before


@breaks("debug.slow-unprintable")
class PrintsTheArgumentsOfWhatWasSlow(EventLoop):
    """In debug mode a slow callback is not logged if one of its arguments has no repr()."""

    def _run_timed(self, handle: Any) -> None:
        before = self.slow_callback_duration
        try:
            list(map(repr, handle._args))
        except LookupError:
            self.slow_callback_duration = 9e9
        try:
            super()._run_timed(handle)
        finally:
            self.slow_callback_duration = before
