"""Broken loops of the chapter `futures`: what is lost when a future ends in one way, or is asked in one way."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.futures import Future, OwnFutures


class _TakesContextsAway(Future):
    """A future that can take the contexts away with which functions were added; those of tasks stay."""

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        super().add_done_callback(fn, context=context)
        if inspect.isfunction(fn):
            self.__dict__.setdefault("functions", []).append(fn)

    def _take_away(self) -> None:
        for function in self.__dict__.pop("functions", ()):
            self.remove_done_callback(function)
            super().add_done_callback(function)


@breaks("futures.callback-context")
class CancellationLosesContexts(OwnFutures):
    """The done callbacks of a future that is cancelled do not run in the contexts that they were given."""

    class own(_TakesContextsAway):
        def cancel(self, msg: Any = None) -> bool:
            self._take_away()
            return super().cancel(msg)


@breaks("futures.callback-context")
class ExceptionsLoseContexts(OwnFutures):
    """The done callbacks of a future that fails do not run in the contexts that they were given."""

    class own(_TakesContextsAway):
        def set_exception(self, exception: Any) -> None:
            self._take_away()
            super().set_exception(exception)


@breaks("futures.cancel-message")
class AwaitsDropMessages(OwnFutures):
    """An await of a future that is cancelled raises a CancelledError without the message."""

    class own(Future):
        def __await__(self) -> Any:
            try:
                return (yield from super().__await__())
            except asyncio.CancelledError:
                if self.cancelled():
                    raise asyncio.CancelledError from None
                raise

        __iter__ = __await__
