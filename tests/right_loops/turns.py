"""Right loops whose turns do things in another order, later, or for nothing."""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reference_loop import EventLoop
from reference_loop.handles import Handle
from tests.right_loops.registry import right

_SHORT = 0.0005
_A_WHILE = 0.003
_SELDOM = 5


class _Ordering(EventLoop):
    """Runs timers before descriptors, and the descriptors of a turn as `ordered` says."""

    def ordered(self, ready: list[Handle]) -> Iterable[Handle]:
        return ready

    def __init__(self) -> None:
        super().__init__()
        poll = self._poller.poll

        def poll_in_order(timeout: float | None, deliver: Callable[[Handle], object]) -> None:
            ready: list[Handle] = []
            poll(timeout, ready.append)
            self._timers.pop_due(self.time(), deliver)
            for handle in self.ordered(ready):
                deliver(handle)

        self._poller.poll = poll_in_order  # type: ignore[method-assign]


@right
class TimersFirst(_Ordering):
    """Of what is ready in one turn, timers run before descriptors."""


@right
class LastDescriptorFirst(_Ordering):
    """Of the descriptors that are ready in one turn, the last one is served first."""

    def ordered(self, ready: list[Handle]) -> Iterable[Handle]:
        return reversed(ready)


@right
class OneDescriptorATurn(_Ordering):
    """A turn serves one of the descriptors that are ready, whichever."""

    def ordered(self, ready: list[Handle]) -> Iterable[Handle]:
        return random.choices(ready) if ready else ()


@right
class ServesLater(_Ordering):
    """Connections, servers, pipes and operations on sockets are served three milliseconds after they are ready."""

    def __init__(self) -> None:
        self._since: dict[Handle, float] = {}
        self._watched: set[Handle] = set()  # by the caller, who is called in the turn that finds them ready
        super().__init__()

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_reader(fd, callback, *args)
        self._watched.add(self._poller._readers[fd if isinstance(fd, int) else fd.fileno()])

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        super().add_writer(fd, callback, *args)
        self._watched.add(self._poller._writers[fd if isinstance(fd, int) else fd.fileno()])

    def ordered(self, ready: list[Handle]) -> Iterable[Handle]:
        waiting, now = {}, self.time()
        for handle in ready:
            since = self._since.get(handle, now)
            wakes = getattr(handle._callback, "__self__", None) is self._waker
            if wakes or handle in self._watched or now - since >= _A_WHILE:
                yield handle
            else:
                waiting[handle] = since
        self._since = waiting


@right
class WakesForNothing(EventLoop):
    """A turn takes half a millisecond at most, whether or not anything has happened."""

    def __init__(self) -> None:
        super().__init__()
        poll = self._poller.poll
        self._poller.poll = lambda timeout, deliver: poll(  # type: ignore[method-assign]
            _SHORT if timeout is None else min(timeout, _SHORT), deliver
        )


@right
class SlowTurns(EventLoop):
    """Each turn takes a millisecond, as if another process had the processor."""

    def _run_once(self) -> None:
        time.sleep(2 * _SHORT)
        super()._run_once()


@right
class LooksSeldom(asyncio.SelectorEventLoop):
    """As long as callbacks are ready, the selector is asked in every fifth turn only."""

    _passed_over = 0

    def _run_once(self) -> None:
        if not self._ready or self._stopping or self._passed_over == _SELDOM - 1:
            self._passed_over = 0
            super()._run_once()
            return
        self._passed_over += 1
        self._selector.select = lambda timeout=None: []
        try:
            super()._run_once()
        finally:
            del self._selector.select


class _InAThread(selectors.DefaultSelector):
    """Selects in a thread of its own, as where the loop's thread has something else to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: ThreadPoolExecutor | None = None

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "selects")
        # Not for ever: a signal may have ended an earlier wait, whose turn in the thread comes first.
        return self._thread.submit(super().select, min(timeout or _A_WHILE, _A_WHILE)).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        super().close()


@right
def selects_in_a_thread() -> asyncio.AbstractEventLoop:
    """asyncio's loop, whose thread waits for another one that waits for descriptors."""
    return asyncio.SelectorEventLoop(_InAThread())


@right
class HandlesSignalsLater(asyncio.SelectorEventLoop):
    """The callback of a signal runs two turns after the signal was noticed."""

    def _handle_signal(self, sig: int) -> None:
        handle = self._signal_handlers.get(sig)

        def soon() -> None:
            if handle is not None and self._signal_handlers.get(sig) is handle and not handle.cancelled():
                self._ready.append(handle)

        self.call_soon(self.call_soon, soon)
