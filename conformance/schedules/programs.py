"""What a program is: actions that callbacks and tasks take, as a tree without names or addresses.

A program is plain data, so that Hypothesis can draw and shrink it. Where an action speaks of a handle or a task, it
does so by a number; `source` takes it modulo the number of those that the program makes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Soon:
    """loop.call_soon() of a callback that takes the actions of `body`."""

    body: tuple[Action, ...] = ()


@dataclass(frozen=True)
class At:
    """loop.call_at(), `slot` slots after the program's start."""

    slot: int
    body: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Later:
    """loop.call_later(), with a delay of `slot` slots."""

    slot: int
    body: tuple[Action, ...] = ()


@dataclass(frozen=True)
class FromThread:
    """loop.call_soon_threadsafe() in another thread, which has ended before the next action."""

    body: tuple[Action, ...] = ()


@dataclass(frozen=True)
class OnDone:
    """add_done_callback() on a future of the program."""

    future: int
    body: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Cancel:
    """Handle.cancel(), if the handle exists by then."""

    handle: int


@dataclass(frozen=True)
class Resolve:
    """Future.set_result(), unless the future is done."""

    future: int


@dataclass(frozen=True)
class CancelFuture:
    """Future.cancel()."""

    future: int


@dataclass(frozen=True)
class Stop:
    """loop.stop(). Whoever runs the program runs the loop again."""


@dataclass(frozen=True)
class Spawn:
    """loop.create_task() of a coroutine with these steps."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class CancelTask:
    """Task.cancel(), if the task exists by then."""

    task: int


@dataclass(frozen=True)
class Do:
    """A task takes an action, and goes on."""

    action: Action


@dataclass(frozen=True)
class Pass:
    """await asyncio.sleep(0)."""

    swallow: bool = False


@dataclass(frozen=True)
class Await:
    """Await a future of the program. With `swallow`, a cancellation there does not end the task."""

    future: int
    swallow: bool = False


@dataclass(frozen=True)
class Shield:
    """Await asyncio.shield() of a future of the program."""

    future: int
    swallow: bool = False


@dataclass(frozen=True)
class Sleep:
    """await asyncio.sleep() of `slot` slots."""

    slot: int
    swallow: bool = False


@dataclass(frozen=True)
class TimeOut:
    """asyncio.timeout_at(), `slot` slots after the program's start, round an await that does not end."""

    slot: int
    swallow: bool = False


Handled = Soon | At | Later | FromThread
Scheduling = Handled | OnDone
Action = Scheduling | Cancel | Resolve | CancelFuture | Stop | Spawn | CancelTask
Step = Do | Pass | Await | Shield | Sleep | TimeOut


@dataclass(frozen=True)
class Program:
    """`actions` are taken before the loop runs. `eager`: tasks start at once (asyncio.eager_task_factory)."""

    actions: tuple[Action, ...]
    eager: bool = False


FUTURES = 2
"""How many futures a program has."""
