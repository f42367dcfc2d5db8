"""Callbacks for descriptors that the application owns ("Watching file descriptors" in the documentation).

A descriptor that belongs to a transport is refused: two owners would steal each other's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVarTuple

from .core import LoopCore
from .handles import Handle

Ts = TypeVarTuple("Ts")


class HasFileno(Protocol):
    def fileno(self) -> int: ...


def fileno_of(file: int | HasFileno) -> int:
    """The descriptor of `file`; ValueError if it has none, or none any more."""
    try:
        fd = file if isinstance(file, int) else int(file.fileno())
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"Invalid file object: {file!r} is neither a descriptor nor has a fileno()") from None
    if fd < 0:
        raise ValueError(f"Descriptor {fd} of {file!r} is closed or invalid")
    return fd


class WatchersMixin(LoopCore):
    """add_reader, remove_reader, add_writer, remove_writer."""

    def __init__(self) -> None:
        super().__init__()
        # File objects by their descriptors, with the handles made for them: a file that was closed first can still be
        # removed, as long as nothing else has taken its number and so cancelled the handle.
        self._read_files: dict[int, tuple[HasFileno, Handle]] = {}
        self._written_files: dict[int, tuple[HasFileno, Handle]] = {}

    def add_reader(self, fd: int | HasFileno, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        """Call `callback(*args)` whenever `fd` is readable (asyncio-eventloop: loop.add_reader)."""
        number = self._claim(fd, callback, "add_reader")
        handle = self._handle(callback, args)
        self._poller.set_reader(number, handle)
        if not isinstance(fd, int):
            self._read_files[number] = fd, handle

    def add_writer(self, fd: int | HasFileno, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        """Call `callback(*args)` whenever `fd` is writable (asyncio-eventloop: loop.add_writer)."""
        number = self._claim(fd, callback, "add_writer")
        handle = self._handle(callback, args)
        self._poller.set_writer(number, handle)
        if not isinstance(fd, int):
            self._written_files[number] = fd, handle

    def remove_reader(self, fd: int | HasFileno) -> bool:
        """Stop watching; return whether `fd` was watched (asyncio-eventloop: loop.remove_reader)."""
        number = self._release(fd, self._read_files)
        return not self._closed and self._poller.remove_reader(number)

    def remove_writer(self, fd: int | HasFileno) -> bool:
        """Stop watching; return whether `fd` was watched (asyncio-eventloop: loop.remove_writer)."""
        number = self._release(fd, self._written_files)
        return not self._closed and self._poller.remove_writer(number)

    def _claim(self, fd: int | HasFileno, callback: object, method: str) -> int:
        self._check_closed()
        if self._debug:
            self._check_callback(callback, method)
        number = fileno_of(fd)
        self._check_unowned(number)
        return number

    def _release(self, fd: int | HasFileno, files: dict[int, tuple[HasFileno, Handle]]) -> int:
        try:
            number = fileno_of(fd)
        except ValueError:
            closed = [each for each, (file, handle) in files.items() if file is fd and not handle.cancelled()]
            if not closed:
                raise
            number = closed[0]
        else:
            self._check_unowned(number)
        files.pop(number, None)
        return number

    def _watch_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> None:
        self._check_closed()
        self._poller.set_reader(fd, self._handle(callback, args))

    def _check_unowned(self, fd: int) -> None:
        owner = self._transports.get(fd)
        if owner is not None and not owner.is_closing():
            raise RuntimeError(f"File descriptor {fd} is used by transport {owner!r}: leave it to the transport")
