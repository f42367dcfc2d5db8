"""Broken loops of the chapter `resources`: loops that go on and keep what they have done with."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren

Stock = asyncio.SelectorEventLoop


@breaks("resources.done-forgotten")
class KeepsRemovedHandlers(Stock):
    """The callback of a signal handler is kept after its removal."""

    def add_signal_handler(self, sig: Any, callback: Any, *args: Any) -> None:
        self.__dict__.setdefault("handlers", {})[sig] = callback, args
        super().add_signal_handler(sig, callback, *args)


@breaks("resources.done-forgotten")
class KeepsTimers(Stock):
    """The callbacks of timers are kept when they have run."""

    def call_later(self, delay: float, callback: Any, *args: Any, **context: Any) -> Any:
        self.__dict__.setdefault("timers", []).append(callback)
        return super().call_later(delay, callback, *args, **context)


@breaks("resources.done-forgotten")
class KeepsTasks(Stock):
    """Tasks are kept when they are done."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        self.__dict__.setdefault("made", []).append(task)
        return task


@breaks("resources.done-forgotten")
class KeepsTheLastReport(Stock):
    """The last context that was given to call_exception_handler() is kept."""

    def call_exception_handler(self, context: Any) -> None:
        self.reported = context
        super().call_exception_handler(context)


@breaks("resources.child-forgotten")
class KeepsChildren(TampersWithChildren):
    """The protocols of children are kept in a table by their number."""

    def patch(self, transport: Any, protocol: Any) -> None:
        self.__dict__.setdefault("children", {})[transport.get_pid()] = protocol
