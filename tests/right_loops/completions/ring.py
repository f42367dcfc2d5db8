"""The ring: operations go in, a thread performs them when their descriptors are ready, and completions come out.

An operation is a system call that does not block. What it returns or raises is kept until the loop asks.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
AGAIN = (BlockingIOError, InterruptedError)
_EITHER = select.EPOLLHUP | select.EPOLLERR
_LONG = 3600.0


class Operation:
    """One system call to be made; `done(result, error)` is for the loop to call, in `context`."""

    def __init__(
        self, ring: Ring, fd: int, side: int, attempt: Callable[[], Any], done: Callable[..., Any], context: Context
    ) -> None:
        self.fd, self.side, self.attempt, self.done, self.context = fd, side, attempt, done, context
        self.over = False
        self._ring = ring

    def cancel(self) -> None:
        """Take it back; if it was performed already, `done` is called all the same."""
        self._ring.withdraw(self)


class Ring:
    """The thread, what waits for it, and what it has done. To asyncio's loop it is the selector."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._epoll = select.epoll()
        self._waiting: dict[int, dict[int, deque[Operation]]] = {}  # by descriptor and side
        self._completed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._woken, self.wake_up_end = socket.socketpair()
        self._woken.setblocking(False)
        self.wake_up_end.setblocking(False)
        self._epoll.register(self._woken.fileno(), READ)
        self.closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    # ---- from the loop's thread --------------------------------------------------------------------------------------

    def submit(
        self, fd: int, side: int, attempt: Callable[[], Any], done: Callable[..., Any], context: Context | None = None
    ) -> Operation:
        """Have `attempt` made as soon as it does not block."""
        operation = Operation(self, fd, side, attempt, done, copy_context() if context is None else context)
        with self._lock:
            sides = self._waiting.get(fd) or {READ: deque(), WRITE: deque()}
            sides[side].append(operation)
            try:
                self._epoll.modify(fd, _mask(sides))
            except FileNotFoundError:  # it is new, or was closed, and its number is another's
                sides = {READ: deque(), WRITE: deque()}
                sides[side].append(operation)
                self._epoll.register(fd, side)
            self._waiting[fd] = sides
        return operation

    def withdraw(self, operation: Operation) -> None:
        with self._lock:
            if not operation.over:
                operation.over = True
                with contextlib.suppress(KeyError, ValueError):
                    self._waiting[operation.fd][operation.side].remove(operation)
                    self._update(operation.fd)

    def select(self, timeout: float | None) -> list[Any]:
        """What was completed: (operation, result, error); bytes that signals have left; None for a wake-up."""
        found = []
        with contextlib.suppress(queue.Empty):
            if timeout is None or timeout > 0:
                found.append(self._completed.get(timeout=None if timeout is None else min(timeout, _LONG)))
            while True:
                found.append(self._completed.get_nowait())
        return found

    def wake(self) -> None:
        """End a select() that waits; from any thread, or a signal handler."""
        self._completed.put(None)

    def look(self) -> None:
        """Perform, in this thread, whatever can be performed now."""
        with self._lock:
            self._perform_ready(self._epoll.poll(0))

    def close(self) -> None:
        self.closed = True
        self.wake_up_end.send(b"\0")
        self._thread.join()
        self._waiting.clear()
        self._completed = queue.SimpleQueue()
        self._epoll.close()
        self._woken.close()
        self.wake_up_end.close()

    # ---- in the ring's thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self.closed:
            ready = self._epoll.poll()
            with self._lock:
                self._perform_ready(ready)

    def _perform_ready(self, ready: list[tuple[int, int]]) -> None:
        for fd, mask in ready:
            if fd == self._woken.fileno():
                with contextlib.suppress(BlockingIOError):
                    self._completed.put(self._woken.recv(4096))
                continue
            for side in READ, WRITE:
                if mask & (side | _EITHER) and fd in self._waiting:
                    self._perform(self._waiting[fd][side])
            self._update(fd)

    def _perform(self, waiting: deque[Operation]) -> None:
        while waiting:
            operation, result, error = waiting[0], None, None
            try:
                result = operation.attempt()
            except AGAIN:
                return
            except BaseException as raised:
                error = raised
            waiting.popleft().over = True
            self._completed.put((operation, result, error))

    def _update(self, fd: int) -> None:
        if fd in self._waiting:
            with contextlib.suppress(OSError):  # it was closed
                if mask := _mask(self._waiting[fd]):
                    self._epoll.modify(fd, mask)
                else:
                    del self._waiting[fd]
                    self._epoll.unregister(fd)


def _mask(sides: dict[int, deque[Operation]]) -> int:
    return sum(side for side, waiting in sides.items() if waiting)
