"""The contract's loop and no more: a queue, timers, and a choice wherever the documentation leaves one.

Rules: callbacks of call_soon() run one at a time, in their order. Those that are scheduled while a batch runs belong to
the next batch, and stop() lets the batch end. A timer may run between any two of them, in the order of the deadlines.
Callbacks from threads keep their own order. What is cancelled does not run. No clock is needed: whether a timer is
due is the program's to see, and the model may let it run at any moment.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass(eq=False)
class Scheduled:
    """A handle. `deadline` orders timers of call_at() among each other; those of call_later() have none.

    Nor have those that were overdue already when they were scheduled: "Callbacks scheduled in the past or at exactly
    the same time will be called in an undefined order" (PEP 3156).
    """

    callback: Callable[..., object]
    arguments: tuple[object, ...]
    context: contextvars.Context
    deadline: float | None = None
    batch: int = 0
    is_cancelled: bool = field(default=False)

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    @property
    def name(self) -> str:
        """What the callback will say in the trace, if it is one of the program's own functions."""
        return str(getattr(self.callback, "__name__", ""))

    def run(self) -> None:
        self.context.run(self.callback, *self.arguments)


class ModelLoop:
    """As much of a loop as tasks, futures and programs use. `choose` picks the next of several lawful moves."""

    def __init__(
        self,
        choose: Callable[[list[Callable[[], None]]], None],
        expects: Callable[[str], bool],
        overdue: Collection[str] = (),
    ) -> None:
        """`choose` makes one of the moves; `expects` says whether the function of that name must come next.

        `overdue` names the functions whose deadline had passed when it was scheduled.
        """
        self._choose, self._expects, self._overdue = choose, expects, overdue
        self._as_loop = cast(asyncio.AbstractEventLoop, self)  # without its I/O
        self._ready: deque[Scheduled] = deque()
        self._foreign: deque[Scheduled] = deque()
        self._timers: list[Scheduled] = []
        self._batch = 0
        self._left_in_batch = 0
        self._stopping = self._returned = False
        self._factory: Callable[..., Any] = lambda _loop, coro, **keywords: asyncio.Task(
            coro, loop=self._as_loop, **keywords
        )
        self.coroutines: list[Coroutine[Any, Any, Any]] = []

    # ---- the engine

    def run_forever(self) -> None:
        """Make lawful moves until stop(), or until none is left."""
        self._returned = False
        self._batch += 1
        if self._stopping:  # stop() came before: what is scheduled runs, and no more
            self._begin_batch()
        previous = asyncio._get_running_loop()
        asyncio._set_running_loop(self._as_loop)
        try:
            while not self._returned:
                moves = self._moves()
                if not moves:
                    return
                self._choose(moves)
        finally:
            asyncio._set_running_loop(previous)

    def _moves(self) -> list[Callable[[], None]]:
        moves: list[Callable[[], None]] = []
        if self._left_in_batch:
            moves.append(self._run_next)
        elif self._stopping:
            moves.append(self._return)
        elif self._ready:
            moves.append(self._begin_batch)
        self._foreign = deque(handle for handle in self._foreign if not handle.is_cancelled)
        if self._foreign and self._expects(self._foreign[0].name):
            moves.append(self._run_foreign)
        self._timers = [timer for timer in self._timers if not timer.is_cancelled]
        moves += [lambda timer=timer: self._fire(timer) for timer in self._timers if self._may_fire(timer)]  # type: ignore[misc]
        return moves

    def waiting(self) -> set[str]:
        """The program's functions that only wait for somebody to expect them."""
        due = {timer.name for timer in self._timers if timer.name.startswith("c") and self._is_first(timer)}
        return due | {handle.name for handle in list(self._foreign)[:1]}

    def _begin_batch(self) -> None:
        self._batch += 1
        self._left_in_batch = len(self._ready)

    def _run_next(self) -> None:
        self._left_in_batch -= 1
        handle = self._ready.popleft()
        if not handle.is_cancelled:
            handle.run()

    def _run_foreign(self) -> None:
        self._foreign.popleft().run()

    def _return(self) -> None:
        self._stopping, self._returned = False, True

    def _may_fire(self, timer: Scheduled) -> bool:
        if not timer.name.startswith("c"):
            return True  # a sleep or a timeout, which says nothing in the trace itself
        return self._expects(timer.name) and self._is_first(timer)

    def _is_first(self, timer: Scheduled) -> bool:
        # A loop may have found the timer due, and have queued it, before an earlier one was made in the same batch.
        earlier = (t for t in self._timers if None not in (t.deadline, timer.deadline) and t.deadline < timer.deadline)  # type: ignore[operator]
        return all(t.batch == self._batch for t in earlier)

    def _fire(self, timer: Scheduled) -> None:
        self._timers.remove(timer)
        timer.run()

    # ---- what programs, tasks and futures call

    def call_soon(self, callback: Callable[..., object], *args: object, context: Any = None) -> Any:
        handle = Scheduled(callback, args, context or contextvars.copy_context())
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object, context: Any = None) -> Any:
        handle = Scheduled(callback, args, context or contextvars.copy_context())
        self._foreign.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *args: object, context: Any = None) -> Any:
        # Timers that asyncio makes for its own use are ordered among nothing: a deadline that has passed may have
        # been turned into call_soon().
        name = getattr(callback, "__name__", "")
        ordered = name.startswith("c") and name not in self._overdue
        return self._timer(callback, args, context, when if ordered else None)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object, context: Any = None) -> Any:
        return self._timer(callback, args, context, None)

    def _timer(self, callback: Callable[..., object], args: Any, context: Any, deadline: float | None) -> Scheduled:
        timer = Scheduled(callback, args, context or contextvars.copy_context(), deadline, self._batch)
        self._timers.append(timer)
        return timer

    def time(self) -> float:
        return 0.0

    def stop(self) -> None:
        self._stopping = True

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Any, **keywords: Any) -> Any:
        self.coroutines.append(coro)
        return self._factory(self._as_loop, coro, **keywords)

    def set_task_factory(self, factory: Any) -> None:
        self._factory = factory

    def is_running(self) -> bool:
        return asyncio._get_running_loop() is self._as_loop

    def is_closed(self) -> bool:
        return False

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What is abandoned in the middle of a search is no news."""
