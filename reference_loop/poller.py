"""Waits until descriptors are ready: one reader slot and one writer slot per descriptor.

The poller knows nothing of asyncio. It stores what it is given in a slot, hands it back when the descriptor is
ready, and cancels what is replaced or removed, so that a stale entry that is already queued does not run.
It does not know who owns a descriptor; `watchers.py` guards that.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import sys
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE

# An hour and a half is as good as for ever, and far below where epoll's int of milliseconds overflows.
MAXIMUM_TIMEOUT = 5400.0

# How many descriptors one poll may report. The kernel rotates its ready list, so that the rest is not starved:
# it comes with the next turn. A larger number only makes the C code allocate a larger array in each turn.
_EVENTS_PER_POLL = 512


class Slot(Protocol):
    """What may stand in a slot: anything that can be called off."""

    def cancel(self) -> None: ...


SlotT = TypeVar("SlotT", bound=Slot)


class _Selector:
    """`selectors.DefaultSelector` behind the four methods of `select.epoll` that the poller uses (macOS: kqueue)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, mask: int) -> None:
        self._selector.register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        # Not its modify(): that asks the system only if the mask differs, and so misses a number that was reused.
        self.unregister(fd)
        self.register(fd, mask)

    def unregister(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        return [(key.fd, mask) for key, mask in self._selector.select(timeout)]

    def close(self) -> None:
        self._selector.close()


if sys.platform == "linux":
    # epoll without the `selectors` wrapper: a poll that finds one ready descriptor takes 0.65 of the time on Python
    # 3.12 and 0.83 on 3.13, system call included.
    _IN, _OUT = select.EPOLLIN, select.EPOLLOUT
    _Backend = select.epoll
else:
    _IN, _OUT = _READ, _WRITE
    _Backend = _Selector


class Poller(Generic[SlotT]):
    """One reader and one writer slot per descriptor."""

    def __init__(self) -> None:
        self._backend = _Backend()
        self._poll = self._backend.poll
        self._readers: dict[int, SlotT] = {}
        self._writers: dict[int, SlotT] = {}

    def set_reader(self, fd: int, slot: SlotT) -> None:
        """Have `slot` delivered whenever `fd` is readable; cancels what stood there.

        Raises OSError when the system cannot poll `fd` (a regular file: PermissionError).
        """
        replaced = self._readers.get(fd)
        shared = fd in self._writers
        self._watch(fd, _IN | _OUT if shared else _IN, known=shared or replaced is not None)
        self._readers[fd] = slot
        if replaced is not None:
            replaced.cancel()

    def set_writer(self, fd: int, slot: SlotT) -> None:
        """Have `slot` delivered whenever `fd` is writable; cancels what stood there."""
        replaced = self._writers.get(fd)
        shared = fd in self._readers
        self._watch(fd, _IN | _OUT if shared else _OUT, known=shared or replaced is not None)
        self._writers[fd] = slot
        if replaced is not None:
            replaced.cancel()

    def remove_reader(self, fd: int) -> bool:
        """Empty the reader slot and cancel what stood there; return whether something did."""
        removed = self._readers.pop(fd, None)
        if removed is None:
            return False
        self._unwatch(fd, _OUT if fd in self._writers else 0)
        removed.cancel()
        return True

    def remove_writer(self, fd: int) -> bool:
        """Empty the writer slot and cancel what stood there; return whether something did."""
        removed = self._writers.pop(fd, None)
        if removed is None:
            return False
        self._unwatch(fd, _IN if fd in self._readers else 0)
        removed.cancel()
        return True

    def poll(self, timeout: float | None, deliver: Callable[[SlotT], object]) -> None:
        """Wait up to `timeout` seconds (None: for ever) and deliver the slots of ready descriptors, readers first.

        An error or a hang-up wakes both slots: whoever is there finds out by trying.
        """
        if timeout is not None and timeout > MAXIMUM_TIMEOUT:
            timeout = MAXIMUM_TIMEOUT
        for fd, mask in self._poll(timeout, _EVENTS_PER_POLL):
            if mask != _OUT and (slot := self._readers.get(fd)) is not None:
                deliver(slot)
            if mask != _IN and (slot := self._writers.get(fd)) is not None:
                deliver(slot)

    def close(self) -> None:
        """Forget every slot and release the descriptor of the poller itself; idempotent."""
        self._readers.clear()
        self._writers.clear()
        self._backend.close()

    def _watch(self, fd: int, mask: int, *, known: bool) -> None:
        if known:
            try:
                self._backend.modify(fd, mask)
                return
            except (FileNotFoundError, KeyError):
                # The number was closed behind our back and now names another file: register that one.
                pass
        self._backend.register(fd, mask)

    def _unwatch(self, fd: int, mask: int) -> None:
        # A descriptor that was closed first has already left the kernel's set.
        with contextlib.suppress(OSError, ValueError):
            if mask:
                self._backend.modify(fd, mask)
            else:
                self._backend.unregister(fd)
