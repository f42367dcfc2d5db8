"""Broken loops of the chapter `watchers`: what may be a callback."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

from reference_loop import EventLoop
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


@breaks("watchers.methods")
class FalseCallbacksAreNotWatched(Stock):
    """add_writer() of a callable that is false does nothing."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_writer(fd, callback, *args) if callback else None


@breaks("watchers.argument-values")
class NoneEndsTheArgumentsOfWatchers(Stock):
    """The arguments of a reader end before a last one that is None."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_reader(fd, callback, *(args[:-1] if args and args[-1] is None else args))


@breaks("watchers.replaced-arguments")
class KnownCallbacksAreNotReplaced(Stock):
    """A writer that is set again with the same callback keeps its first arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.watching: dict[Any, Any] = {}

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        if self.watching.get(fd) == callback:
            return None
        self.watching[fd] = callback
        return super().add_writer(fd, callback, *args)

    def remove_writer(self, fd: Any) -> bool:
        self.watching.pop(fd, None)
        return super().remove_writer(fd)


@breaks("watchers.file-objects")
class FalseFilesAreNone(Stock):
    """A file object that is false is taken for none."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_reader(fd, callback, *args) if fd or fd == 0 else None


@breaks("watchers.sides-replaced")
class RegistersTheLastSideOnly(Stock):
    """Setting a writer again removes the reader."""

    def __init__(self) -> None:
        super().__init__()
        self.written: set[Any] = set()

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        if fd in self.written:
            super().remove_reader(fd)
        self.written.add(fd)
        return super().add_writer(fd, callback, *args)

    def remove_writer(self, fd: Any) -> bool:
        self.written.discard(fd)
        return super().remove_writer(fd)


@breaks("watchers.replaced-while-ready")
class ReplacedWritersRunOnceMore(EventLoop):
    """A writer that is replaced runs once more if it was due."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            callback(*args)

        kept = self._poller._writers.pop(fd, None)
        if kept is not None:
            self._poller._unwatch(fd, 0)
        super().add_writer(fd, call)


@breaks("watchers.no-handle")
class WatchersHaveHandles(Stock):
    """add_writer() returns a handle."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        super().add_writer(fd, callback, *args)
        return asyncio.Handle(callback, args, self)
