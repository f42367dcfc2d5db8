"""Right loops that are unlike asyncio's wherever the contract leaves room: the battery must never fail on them.

The opposite of `broken_loops`. Each does one thing in another way that the documentation allows, as a loop over
completions, libuv, a coarse clock or a busy machine would. `tox run -e right` runs the whole battery over all of them.
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from reference_loop import EventLoop
from reference_loop.buffers import Data, as_bytes
from reference_loop.handles import Handle
from reference_loop.streams import StreamTransport
from reference_loop.timers import Timers
from tests.broken_loops.over_streams import OverStreams

RIGHT: list[str] = []
"""The loop specs of this module."""
_COARSE = 0.005
_SHORT = 0.0005
_A_WHILE = 0.003
_FEW_BYTES = 1000


def right(factory: Any) -> Any:
    """Register a loop, or a function that makes one."""
    RIGHT.append(f"{factory.__name__}=tests.right_loops:{factory.__name__}")
    return factory


# ---- other selectors and clocks --------------------------------------------------------------------------------------


@right
def over_poll() -> asyncio.AbstractEventLoop:
    """asyncio's loop over poll()."""
    return asyncio.SelectorEventLoop(selectors.PollSelector())


@right
def over_select() -> asyncio.AbstractEventLoop:
    """asyncio's loop over select()."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


@right
class ClockFromZero(EventLoop):
    """time() begins at 0 with the loop."""

    _began = 0.0

    def __init__(self) -> None:
        self._began = time.monotonic()
        super().__init__()

    def time(self) -> float:
        return time.monotonic() - self._began


class _Rounded:
    """Timers that are due at the next multiple of 5 ms after their deadlines, in the order of those."""

    def __init__(self, timers: Timers[Any]) -> None:
        self._timers = timers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._timers, name)

    def __len__(self) -> int:
        return len(self._timers)

    def next_deadline(self) -> float | None:
        deadline = self._timers.next_deadline()
        return None if deadline is None else math.ceil(deadline / _COARSE) * _COARSE

    def pop_due(self, now: float, deliver: Callable[[Any], object]) -> None:
        self._timers.pop_due(math.floor(now / _COARSE) * _COARSE, deliver)


@right
class CoarseTimers(EventLoop):
    """Timers run up to 5 ms late."""

    def __init__(self) -> None:
        super().__init__()
        self._timers = _Rounded(self._timers)  # type: ignore[assignment]


# ---- other turns ----------------------------------------------------------------------------------------------------


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


# ---- other transports -----------------------------------------------------------------------------------------------


class _LateReader(StreamTransport):
    _coming = False

    def _read_ready(self) -> None:
        if not self._coming:
            self._coming = True
            self._loop.call_soon(self._read_now, context=self._context)

    def _read_now(self) -> None:
        self._coming = False
        if self._reading and self._sock is not None:
            super()._read_ready()


@right
class ReadsATurnLater(OverStreams):
    """What has come is received in the turn after the one that noticed it."""

    Stream = _LateReader


class _SmallReader(StreamTransport):
    def _read_ready(self) -> None:
        self._read_size = _FEW_BYTES
        super()._read_ready()


@right
class ReadsLittle(OverStreams):
    """data_received() gets 1000 bytes at most."""

    Stream = _SmallReader


class _LateWriter(StreamTransport):
    def write(self, data: Data) -> None:
        self.writelines([data])

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        pieces = [piece for piece in map(as_bytes, list_of_data) if piece]
        if self._barred and not self._may_write("write()"):
            return
        for piece in pieces:
            if self._lost:
                break
            if not self._buffer:
                self._start_writing()
            self._append(piece)


@right
class WritesInTheNextTurn(OverStreams):
    """write() only buffers: what was written is sent when the loop finds that there is room."""

    Stream = _LateWriter


class _LateLoser(StreamTransport):
    def _lose(self, exc: BaseException | None) -> None:
        self._lost = self._barred = True
        self._loop.call_later(_A_WHILE, self._call_connection_lost, exc, context=self._context)


@right
class LosesConnectionsLater(OverStreams):
    """connection_lost() is called, and the descriptor closed, three milliseconds after close() or abort()."""

    Stream = _LateLoser


# ---- other threads --------------------------------------------------------------------------------------------------


@right
class ExecutorsAnswerLater(EventLoop):
    """The result of run_in_executor() arrives three milliseconds after the function has returned."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        working = super().run_in_executor(executor, func, *args)
        answer = self.create_future()

        def pass_on() -> None:
            if answer.done():
                return
            if working.cancelled():
                answer.cancel()
            elif (error := working.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(working.result())

        working.add_done_callback(lambda _: self.call_later(_A_WHILE, pass_on))
        answer.add_done_callback(lambda _: working.cancel() if answer.cancelled() else None)
        return answer


def arguments() -> list[str]:
    """pytest's, to run these loops: what asyncio itself is known to do is none of theirs."""
    known = [f"--loop-expected={factory.__name__}=asyncio" for factory in (over_poll, over_select)]
    return ["-q", "--loop-gate=should", *(f"--loop={spec}" for spec in RIGHT), *known]


if __name__ == "__main__":
    # In a process of its own: pytest rewrites the assertions of what nobody has imported before.
    command = [sys.executable, "-m", "pytest", "-n", "2", "--loop-shuffle", *arguments(), *sys.argv[1:]]
    sys.exit(subprocess.run(command).returncode)
