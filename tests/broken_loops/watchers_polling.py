"""Broken loops of the chapter `watchers`: what is polled, and what comes of an event."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.watchers import Stock, Wraps, number_of

Events = list[tuple[int, int]]


class _Polls(EventLoop):
    """Changes what the poll says of the descriptors that the application watches."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[int] = []
        self.really = self._poller._poll
        self._poller._poll = self.poll

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> Events:
        return self.seen(self.really(timeout, maxevents))

    def seen(self, events: Events) -> Events:
        return events

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        self.watched.append(number_of(fd))

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_writer(fd, callback, *args)
        self.watched.append(number_of(fd))

    def close(self) -> None:
        self._poller._poll = self.really
        del self.really
        super().close()


@breaks("watchers.wakes-the-loop")
class SleepsThroughLongWaits(_Polls):
    """A loop that has nothing to do for twenty seconds sleeps through them."""

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> Events:
        if timeout is not None and timeout > 20:
            time.sleep(timeout)
        return super().poll(timeout, maxevents)


@breaks("watchers.woken-from-a-thread")
class LooksWhenTimersAreDue(_Polls):
    """Descriptors are looked at when a timer is due, if that is a matter of seconds."""

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> Events:
        if timeout is not None and 0.5 < timeout <= 20:
            time.sleep(timeout)
        return super().poll(timeout, maxevents)


@breaks("watchers.errors-wake")
class MasksErrorsOut(_Polls):
    """An event that says error and hang-up is dropped."""

    def seen(self, events: Events) -> Events:
        both = getattr(select, "EPOLLERR", 0) | getattr(select, "EPOLLHUP", 0)
        return [event for event in events if event[0] not in self.watched or event[1] & both != both]


@breaks("watchers.broken-pipe")
class KnowsNoErrorsOfPipes(_Polls):
    """An event that says error, but not hang-up, is dropped."""

    def seen(self, events: Events) -> Events:
        error, both = select.EPOLLERR, select.EPOLLERR | select.EPOLLHUP
        return [event for event in events if event[0] not in self.watched or event[1] & both != error]


@breaks("watchers.many")
class HasSlotsForAHundred(_Polls):
    """A descriptor that is watched when a hundred are is never reported."""

    def seen(self, events: Events) -> Events:
        return [event for event in events if event[0] not in self.watched[100:]]


@breaks("watchers.fairness")
class ServesDescriptorsUntilNoneIsReady(Wraps):
    """A writer is called as long as there is room."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        def call() -> None:
            callback(*args)
            while args == ("always",) and select.select([], [fd], [])[1]:
                callback(*args)

        return call


@breaks("watchers.added-inside")
class ForgetsWhatCallbacksAdd(Wraps):
    """A descriptor that is added inside a callback of another one is forgotten."""

    inside = False

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        known = self.__dict__.setdefault("known", set())
        new = fd not in known
        known.add(fd)
        forgotten = self.inside and new

        def call() -> None:
            self.inside = True
            try:
                callback(*args) if not forgotten else None
            finally:
                self.inside = False

        return call


@breaks("watchers.kept-across-runs")
class ForgetsWhatItHasCalled(Wraps):
    """A reader that was called in one run is not called in the next."""

    runs = 0

    def run_forever(self) -> None:
        self.runs += 1
        super().run_forever()

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        first: list[int] = []

        def call() -> None:
            first.append(self.runs)
            if first[0] == self.runs or side == "writer":
                callback(*args)

        return call


@breaks("watchers.listening-sockets")
class WatchesNoListeners(Stock):
    """A reader for a listening socket is refused."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        try:
            with socket.socket(fileno=os.dup(number_of(fd))) as sock:
                listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except (OSError, ValueError, AttributeError):
            listening = 0
        if listening:
            raise ValueError("the socket must be connected")
        super().add_reader(fd, callback, *args)


@breaks("watchers.duplicates")
class WatchesFilesNotNumbers(Stock):
    """A second number of a file takes the place of the first."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        number = number_of(fd)
        super().add_reader(fd, callback, *args)
        files = self.__dict__.setdefault("files", {})
        file = os.fstat(number).st_ino
        if files.get(file, number) != number:
            super().remove_reader(files[file])
        files[file] = number


@breaks("watchers.outlast-errors")
class StopsAtAnError(_Polls):
    """The first error of a descriptor is told, and ends its watch."""

    def seen(self, events: Events) -> Events:
        for number, mask in events:
            if number in self.watched and mask & getattr(select, "EPOLLERR", 0):
                self._poller._backend.unregister(number)
        return events


@breaks("watchers.turn-between")
class ServesTwiceATurn(_Polls):
    """A descriptor that is ready is served twice in a turn."""

    def seen(self, events: Events) -> Events:
        return [*events, *(event for event in events if event[0] in self.watched)]
