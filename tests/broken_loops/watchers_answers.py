"""Broken loops of the chapter `watchers`: what removal answers, and watchers that are lost."""

from __future__ import annotations

import asyncio
import contextvars
import os
import select
import stat
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _number(fd: Any) -> int:
    number: int = fd if isinstance(fd, int) else fd.fileno()
    return number


@breaks("watchers.remove-returns")
class RemovesWithoutAWordInDebugMode(Stock):
    """remove_reader() returns False in debug mode."""

    def remove_reader(self, fd: Any) -> bool:
        return super().remove_reader(fd) and not self.get_debug()


@breaks("watchers.remove-returns")
class TakesReadersAwayToCallThem(Stock):
    """remove_reader() returns False inside the callback, whose watcher is taken away while it runs."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            self.__dict__["called"] = _number(fd)
            try:
                callback(*args)
            finally:
                del self.__dict__["called"]

        super().add_reader(fd, call)

    def remove_reader(self, fd: Any) -> bool:
        removed = super().remove_reader(fd)
        return removed and self.__dict__.get("called") != _number(fd)


@breaks("watchers.remove-returns")
class CountsReplacedWriters(Stock):
    """remove_writer() returns True once for each time that a callback was replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.added: dict[int, int] = {}

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_writer(fd, callback, *args)
        self.added[_number(fd)] = self.added.get(_number(fd), 0) + 1

    def remove_writer(self, fd: Any) -> bool:
        removed = super().remove_writer(fd)
        left = self.added.pop(_number(fd), 0) - 1
        if left > 0:
            self.added[_number(fd)] = left
        return removed or left >= 0


@breaks("watchers.failing-callback")
class DropsWritersThatFail(Stock):
    """The writer of a descriptor whose callback raises an exception is removed."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            try:
                callback(*args)
            except Exception:
                self.remove_writer(fd)
                raise

        super().add_writer(fd, call)


@breaks("watchers.pipes")
class TellsOfPipesOnce(Stock):
    """The reader of a pipe is removed when it is called."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            if stat.S_ISFIFO(os.fstat(_number(fd)).st_mode):
                self.remove_reader(fd)
            callback(*args)

        super().add_reader(fd, call)


@breaks("watchers.failing-callback")
class CancelledWatchersAreGone(asyncio.SelectorEventLoop):
    """A watcher whose callback raises CancelledError is removed."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def call(*given: Any) -> None:
            try:
                callback(*given)
            except asyncio.CancelledError:
                self.remove_reader(fd)
                raise

        super().add_reader(fd, call, *args)


@breaks("watchers.remove-returns")
class AnswersObjectsWithNone(Stock):
    """remove_writer() of a file object stops the monitoring, and returns None."""

    def remove_writer(self, fd: Any) -> Any:
        removed = super().remove_writer(fd)
        return removed if isinstance(fd, int) else None


@breaks("watchers.context")
class KeepsTheFirstContext(Stock):
    """A callback that replaces another runs in the context of that one."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        contexts: dict[Any, contextvars.Context] = self.__dict__.setdefault("contexts", {})
        context = contexts.setdefault(fd, contextvars.copy_context())
        return super().add_reader(fd, lambda: context.run(callback, *args))

    def remove_reader(self, fd: Any) -> bool:
        self.__dict__.setdefault("contexts", {}).pop(fd, None)
        return super().remove_reader(fd)


@breaks("watchers.kept-across-runs")
class TidiesUpAfterErrors(Stock):
    """A run that raises takes the writers along."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        except Exception:
            for key in list(self._selector.get_map().values()):  # type: ignore[attr-defined]  # the stock loop's own
                if key.data[1] is not None:
                    self.remove_writer(key.fd)
            raise


@breaks("watchers.file-objects")
class KeepsObjectsApart(Stock):
    """A callback for a file object does not replace that for its number: that one is called, too."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        numbered = self.__dict__.setdefault("numbered", {})
        if isinstance(fd, int):
            numbered[fd] = callback, args
        elif fd.fileno() in numbered:
            before, its = numbered[fd.fileno()]
            return super().add_reader(fd, lambda: (before(*its), callback(*args)))
        return super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        self.__dict__.setdefault("numbered", {}).pop(_number(fd), None)
        return super().remove_reader(fd)


@breaks("watchers.closed-loop")
class RemovesFromOpenLoopsOnly(Stock):
    """remove_writer() on a closed loop raises RuntimeError."""

    def remove_writer(self, fd: Any) -> bool:
        self._check_closed()
        return super().remove_writer(fd)


@breaks("watchers.end-of-file")
class HangingUpIsNotReading(Stock):
    """A reader is called for what can be read, and not for a hang-up alone, as at the end of a pipe."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        poller = select.poll()
        poller.register(fd, select.POLLIN)

        def call() -> None:
            if any(event != select.POLLHUP for _, event in poller.poll(0)):
                callback(*args)

        super().add_reader(fd, call)


@breaks("watchers.context")
class WritersWithArgumentsHaveNoContext(Stock):
    """A writer that has arguments runs in an empty context."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        context = contextvars.Context() if args else contextvars.copy_context()
        context.run(super().add_writer, fd, callback, *args)


@breaks("watchers.sides-independent")
class RunningLoopsRemoveBothSides(Stock):
    """remove_reader() while the loop runs removes the writer as well."""

    def remove_reader(self, fd: Any) -> bool:
        removed = super().remove_reader(fd)
        if removed and self.is_running():
            super().remove_writer(fd)
        return removed


@breaks("watchers.sides-replaced")
class RunningLoopsReplaceBothSides(Stock):
    """add_writer() of a descriptor that has a writer, while the loop runs, removes the reader."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        if self.is_running() and super().remove_writer(fd):
            super().remove_reader(fd)
        super().add_writer(fd, callback, *args)


@breaks("watchers.in-a-task")
class TasksWatchNumbers(Stock):
    """While the loop runs, add_reader() takes a number only."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if self.is_running() and not isinstance(fd, int):
            raise ValueError("a number was expected")
        super().add_reader(fd, callback, *args)


@breaks("watchers.in-a-task")
class DebugModeTakesTheArguments(Stock):
    """In debug mode a writer is called without its arguments."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_writer(fd, callback, *(() if self.get_debug() else args))


@breaks("watchers.context")
class ReadersOfTasksHaveNoContext(Stock):
    """A reader that is added while the loop runs is called in an empty context."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        context = contextvars.Context() if self.is_running() else contextvars.copy_context()
        context.run(super().add_reader, fd, callback, *args)
