"""Broken loops of the chapter `callbacks`: what handles tell."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("callbacks.not-cancelled-by-running")
class CancelsWhatHasRun(Stock):
    """The handle of a function without a name is cancelled when it runs."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") != "<lambda>":
            return super().call_soon(callback, *args, context=context)

        def run() -> None:
            handle.cancel()
            callback(*args)

        handle = super().call_soon(run, context=context)
        return handle


class _OwnHandles(Stock):
    """A loop whose call_soon() and call_soon_threadsafe() return handles of a class of its own."""

    own: type[asyncio.Handle] = asyncio.Handle

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        handle.__class__ = self.own
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        handle.__class__ = self.own
        return handle


@breaks("callbacks.get-context", since="3.12")
class HandlesTellACopyOfTheirContext(_OwnHandles):
    """get_context() of a handle returns a copy."""

    class own(asyncio.Handle):
        __slots__ = ()

        def get_context(self) -> Any:
            return super().get_context().copy()


@breaks("callbacks.get-context-default", since="3.12")
class HandlesTellTheCurrentContext(Stock):
    """get_context() of a handle returns the current context if none was given."""

    class vague(asyncio.Handle):
        __slots__ = ()

        def get_context(self) -> Any:
            return contextvars.copy_context()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if context is None:
            handle.__class__ = self.vague
        return handle
