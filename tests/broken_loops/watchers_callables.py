"""Broken loops of the chapter `watchers`: what may be a callback."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("watchers.partial")
class WatchesWithoutKeywords(Stock):
    """A partial is called without the keyword arguments that it has."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        if isinstance(callback, functools.partial):
            callback = functools.partial(callback.func, *callback.args)
        return super().add_writer(fd, callback, *args)


@breaks("watchers.methods")
class WatchesForFunctionsOnly(Stock):
    """add_reader() refuses an object with __call__."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        if not (inspect.isroutine(callback) or isinstance(callback, functools.partial)):
            raise TypeError("a function was expected")
        return super().add_reader(fd, callback, *args)
