"""The event loop: its parts, its sections, and the turn that everything else waits for.

The list of base classes is the table of contents. Subclassing is supported; everything that begins with an
underscore may change.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import warnings
from collections import deque
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from .asyncgens import AsyncgensMixin
from .callbacks import CallbacksMixin
from .connections import ConnectionsMixin
from .core import logger
from .datagrams import DatagramsMixin
from .debug import DebugMixin, debug_wanted
from .dns import DnsMixin
from .errors import ErrorsMixin
from .executors import ExecutorsMixin
from .handles import Handle
from .pipes import PipesMixin
from .poller import Poller
from .sendfile import SendfileMixin
from .servers import ServersMixin
from .signals import SignalsMixin
from .sockets import SocketsMixin
from .streams import StreamsMixin
from .subprocesses import SubprocessesMixin
from .tasks import TasksMixin
from .timers import Timers
from .tls import TlsMixin
from .waker import Waker
from .watchers import WatchersMixin

T = TypeVar("T")


class EventLoop(
    CallbacksMixin,
    TasksMixin,
    ErrorsMixin,
    DebugMixin,
    AsyncgensMixin,
    ExecutorsMixin,
    SignalsMixin,
    DnsMixin,
    WatchersMixin,
    SocketsMixin,
    StreamsMixin,
    ConnectionsMixin,
    ServersMixin,
    TlsMixin,
    SendfileMixin,
    DatagramsMixin,
    PipesMixin,
    SubprocessesMixin,
):
    """A complete asyncio event loop for Linux and macOS."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = self._stopping = self._debug = False
        self._thread_id = None
        self._ready = deque()
        self._timers = Timers()
        self._transports = WeakValueDictionary()
        self._poller = Poller()
        self._waker = Waker(self._signals_noted)
        self._poller.set_reader(self._waker.fileno, self._handle(self._waker.drain))
        self._debug = debug_wanted()

    def run_forever(self) -> None:
        """Run until stop() is called (asyncio-eventloop: loop.run_forever).

        stop() called before or during a turn ends the loop after that turn: callbacks queued before it run, callbacks
        that those queue wait for the next run.
        """
        self._check_closed()
        self._check_not_running()
        self._track_origins(self._debug)
        earlier_hooks = self._install_asyncgen_hooks()
        self._thread_id = threading.get_ident()
        asyncio._set_running_loop(self)
        try:
            while True:
                self._run_once()
                if self._stopping:
                    break
        finally:
            self._stopping = False
            self._thread_id = None
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*earlier_hooks)
            self._track_origins(False)

    def _run_once(self) -> None:
        """One turn: poll, queue what is due, run what was queued when the running began.

        What callbacks queue runs in the next turn, after another poll: no chain of callbacks can starve descriptors,
        timers or other threads.
        """
        ready = self._ready
        timers = self._timers
        timeout: float | None = None
        if ready or self._stopping:
            timeout = 0
        elif timers and (deadline := timers.next_deadline()) is not None:
            timeout = max(0, deadline - self.time())
        self._poller.poll(timeout, ready.append)
        if timers:
            timers.pop_due(self.time(), ready.append)

        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self._debug:
                self._run_timed(handle)
                continue
            # The body of _run_handle(), once more: without the call, scheduling and running takes 0.95 of the time.
            callback = handle._callback
            try:
                handle._context.run(callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._report_callback(handle, callback, exc)
        handle = callback = None  # type: ignore[assignment]  # nothing stays alive while the next poll waits

    def _run_handle(self, handle: Handle) -> None:
        callback = handle._callback
        try:
            handle._context.run(callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._report_callback(handle, callback, exc)
        # The traceback of an exception that a task keeps leads to this frame: with the handle in it, to the task.
        handle = callback = None  # type: ignore[assignment]

    def run_until_complete(self, future: Awaitable[T] | Generator[Any, None, T]) -> T:
        """Run until `future` is done; return its result or raise its exception (asyncio-eventloop:
        loop.run_until_complete)."""
        self._check_closed()
        self._check_not_running()
        is_new = not asyncio.isfuture(future)
        task: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]  # as typeshed's own
        if is_new:
            # If stop() or an exception ends the run, we raise: "Task was destroyed but it is pending!" would say it
            # twice. Task has no public way to be told.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.add_done_callback(_stop_its_loop)
        try:
            self.run_forever()
        except BaseException:
            if is_new and task.done() and not task.cancelled():
                task.exception()  # marks it as retrieved: nobody else can, and it is on its way up already
            raise
        finally:
            task.remove_done_callback(_stop_its_loop)
        if not task.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return task.result()

    def stop(self) -> None:
        """End run_forever() after the present turn (asyncio-eventloop: loop.stop)."""
        self._stopping = True

    def is_running(self) -> bool:
        """Whether the loop is running (asyncio-eventloop: loop.is_running)."""
        return self._thread_id is not None

    def is_closed(self) -> bool:
        """Whether the loop was closed (asyncio-eventloop: loop.is_closed)."""
        return self._closed

    def close(self) -> None:
        """Release everything the loop holds; idempotent (asyncio-eventloop: loop.close).

        Pending callbacks are dropped and the default executor is not waited for.
        """
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self._closed:
            return
        if self._debug:
            logger.debug("Close %r", self)
        self._remove_signal_handlers()
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        self._abandon_executor()
        self._abandon_children()
        self._poller.close()
        self._waker.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} running={self.is_running()} closed={self._closed} debug={self._debug}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if not getattr(self, "_closed", True) and hasattr(self, "_waker"):
            _warn(f"unclosed event loop {self!r}", ResourceWarning, source=self)
            if not self.is_running():
                self.close()

    def _check_not_running(self) -> None:
        if self.is_running():
            raise RuntimeError("This event loop is already running")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")


def _stop_its_loop(future: asyncio.Future[Any]) -> None:
    if not future.cancelled() and isinstance(future.exception(), (SystemExit, KeyboardInterrupt)):
        return  # it ends the run by itself: stop() would only end the next run too early
    future.get_loop().stop()


def new_event_loop() -> EventLoop:
    """A new loop: a factory for asyncio.Runner, asyncio.run and `--loop=reference_loop:new_event_loop`."""
    return EventLoop()
