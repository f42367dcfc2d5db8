"""Broken loops of the chapter `watchers`: callbacks that are added, replaced and removed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import fcntl
import os
import socket
import stat
import struct
import termios
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def number_of(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())


class Wraps(Stock):
    """Puts another callback in the place of the one that is given."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        return lambda: callback(*args)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_reader(fd, self.changed(number_of(fd), "reader", callback, args))

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_writer(fd, self.changed(number_of(fd), "writer", callback, args))


class _Slots(EventLoop):
    """Forgets what stands in a slot without calling it off."""

    def forget(self, slots: dict[int, Any], fd: int) -> None:
        if fd in slots:
            slots[fd] = asyncio.Handle(print, (), self)


class _CallsWithoutCause(Stock):
    """Calls back once, four turns after the watcher was added."""

    def later(self, turns: int, fd: int, callback: Any, args: Any) -> None:
        if turns:
            self.call_soon(self.later, turns - 1, fd, callback, args)
        elif fd in self.watched:
            callback(*args)

    @property
    def watched(self) -> set[int]:
        watched: set[int] = self.__dict__.setdefault("numbers", set())
        return watched


@breaks("watchers.reader")
class CallsReadersWithoutData(_CallsWithoutCause):
    """A reader is called once though nothing has come."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        self.watched.add(number_of(fd))
        self.later(4, number_of(fd), callback, args)

    def remove_reader(self, fd: Any) -> bool:
        self.watched.discard(number_of(fd))
        return super().remove_reader(fd)


@breaks("watchers.writer")
class CallsWritersWithoutRoom(_CallsWithoutCause):
    """A writer is called once though there is no room."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_writer(fd, callback, *args)
        self.watched.add(number_of(fd))
        self.later(4, number_of(fd), callback, args)

    def remove_writer(self, fd: Any) -> bool:
        self.watched.discard(number_of(fd))
        return super().remove_writer(fd)


@breaks("watchers.not-inline")
class CallsBackInsideTheCall(Stock):
    """A callback for something that is readable already is called on the spot, too."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        if args == (1,) and _waiting(number_of(fd)):
            callback(*args)


def _waiting(fd: int) -> int:
    """How many bytes wait to be read; 0 for what is no stream."""
    with contextlib.suppress(OSError):
        count: int = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
        return count
    return 0


@breaks("watchers.arguments")
class PassesFourArguments(Wraps):
    """A callback gets four arguments at most."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        return lambda: callback(*args[:4])


@breaks("watchers.level-triggered")
class GetsTired(Wraps):
    """A callback that never takes anything is called four times."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        calls: list[int] = []

        def call() -> None:
            calls.append(_waiting(fd))
            if len(calls) < 5 or args != (1,) or calls[-5] != calls[-1]:
                callback(*args)

        return call


@breaks("watchers.partly-read")
class IsEdgeTriggered(Wraps):
    """A reader that took a part is called again only when more has come."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        left = [0]

        def call() -> None:
            before = _waiting(fd)
            if side == "reader" and 0 < before <= left[0]:
                return
            callback(*args)
            after = _waiting(fd) if side == "reader" else 0
            left[0] = after if after < before else 0

        return call


@breaks("watchers.replaced")
class KeepsBothCallbacks(Wraps):
    """A second callback is called after the first, if both belong to the same object."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        known = self.__dict__.setdefault("callbacks", {}).setdefault((fd, side), [])
        if known and (not isinstance(callback.__class__, type) or known[0][0] != callback):
            known.clear()
        known.append((callback, args))
        return lambda: [callback(*args) for callback, args in known]


@breaks("watchers.replaced-while-ready")
class DoesNotCancelWhatItReplaces(_Slots):
    """A callback that is replaced runs once more if it was due."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not self.is_closed():
            self.forget(self._poller._readers, number_of(fd))
        super().add_reader(fd, callback, *args)


@breaks("watchers.remove")
class RemovesLater(Stock):
    """What is added and removed at once is removed two turns later."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        fresh = self.__dict__.setdefault("fresh", set())
        fresh.add(number_of(fd))
        self.call_soon(fresh.discard, number_of(fd))

    def remove_reader(self, fd: Any) -> bool:
        if number_of(fd) not in self.__dict__.get("fresh", ()):
            return super().remove_reader(fd)
        self.call_soon(self.call_soon, super().remove_reader, number_of(fd))
        return True


@breaks("watchers.remove-returns")
class DoesNotSayWhetherItRemoved(Stock):
    """remove_reader() returns None, as uvloop's does."""

    def remove_reader(self, fd: Any) -> Any:
        super().remove_reader(fd)


@breaks("watchers.remove-inside")
class RenewsAfterEachCall(Wraps):
    """A watcher is registered again when its callback has returned."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        def call() -> None:
            if isinstance(callback(*args), tuple):
                getattr(Stock, f"add_{side}")(self, fd, call)

        return call


@breaks("watchers.remove-while-ready")
class RunsWhatWasRemoved(_Slots):
    """A reader that is removed runs once more if it was due."""

    def remove_reader(self, fd: Any) -> bool:
        if not self.is_closed():
            self.forget(self._poller._readers, number_of(fd))
        return super().remove_reader(fd)


@breaks("watchers.remove-while-ready")
class RunsTheWriterThatWasRemoved(_Slots):
    """A writer that is removed runs once more if it was due."""

    def remove_writer(self, fd: Any) -> bool:
        if not self.is_closed():
            self.forget(self._poller._writers, number_of(fd))
        return super().remove_writer(fd)


@breaks("watchers.both-sides")
class CallsTheReaderForTheWriter(EventLoop):
    """Where there is a writer, its event counts as the reader's too."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        def call() -> None:
            callback(*args)
            if reader := self._poller._readers.get(number_of(fd)):
                self._run_handle(reader)

        super().add_writer(fd, call)


@breaks("watchers.sides-independent")
class RemovesBothSides(Stock):
    """The writer goes with the reader."""

    def remove_reader(self, fd: Any) -> bool:
        removed = super().remove_reader(fd)
        if removed:
            super().remove_writer(fd)
        return removed


@breaks("watchers.file-objects")
class WatchesNumbersOnly(Stock):
    """A file object is refused."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not isinstance(fd, int):
            raise ValueError("an integer is required")
        super().add_reader(fd, callback, *args)


@breaks("watchers.invalid-descriptor")
class IgnoresWhatIsNoFile(Stock):
    """What is no descriptor is not watched, and nobody is told."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not isinstance(fd, str):
            super().add_reader(fd, callback, *args)


@breaks("watchers.closed-loop")
class IgnoresWatchersWhenClosed(Stock):
    """A watcher that is added to a closed loop is ignored."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not self.is_closed():
            super().add_reader(fd, callback, *args)


@breaks("watchers.transports-are-private")
class SharesDescriptors(EventLoop):
    """The descriptor of a transport may be watched by anybody."""

    def _check_unowned(self, fd: int) -> None:
        pass


@breaks("watchers.reused-number")
class RemembersNumbers(Stock):
    """A number that was once removed is never watched again."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if number_of(fd) not in self.__dict__.get("removed", ()):
            super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        removed = super().remove_reader(fd)
        if removed:
            self.__dict__.setdefault("removed", set()).add(number_of(fd))
        return removed


@breaks("watchers.remove-after-close")
class PassesTheKernelsErrorOn(Stock):
    """Removing a descriptor that is closed raises OSError."""

    def remove_reader(self, fd: Any) -> bool:
        os.fstat(number_of(fd))
        return super().remove_reader(fd)


@breaks("watchers.pipes")
class ReadsFromSocketsOnly(Stock):
    """A reader for anything but a socket is refused."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if not stat.S_ISSOCK(os.fstat(number_of(fd)).st_mode):
            raise ValueError("a socket is required")
        super().add_reader(fd, callback, *args)


@breaks("watchers.end-of-file")
class ReportsTheEndOnce(Wraps):
    """A reader hears of the end of the stream one time."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        told: list[int] = []

        def call() -> None:
            if side == "reader" and stat.S_ISSOCK(os.fstat(fd).st_mode):
                with socket.socket(fileno=os.dup(fd)) as sock, contextlib.suppress(OSError):
                    if sock.recv(1, socket.MSG_PEEK) == b"":
                        told.append(1)
            if len(told) < 2:
                callback(*args)

        return call


@breaks("watchers.failing-callback")
class DropsWhatFails(Wraps):
    """A watcher whose callback raised is removed."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        def call() -> None:
            try:
                callback(*args)
            except LookupError:
                getattr(self, f"remove_{side}")(fd)
                raise

        return call


@breaks("watchers.context")
class RunsWatchersInNoContext(Wraps):
    """Callbacks run in an empty context."""

    def changed(self, fd: int, side: str, callback: Any, args: Any) -> Callable[[], Any]:
        return lambda: contextvars.Context().run(callback, *args)
