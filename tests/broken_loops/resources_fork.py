"""Broken loops of the chapter `resources`: loops that do not know that there are two of them after a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks


@breaks("resources.fork-not-running")
class RunsInTheChildToo(EventLoop):
    """In a forked child, the loop that ran in its parent is the running loop."""

    def __init__(self) -> None:
        super().__init__()
        os.register_at_fork(after_in_child=self.mark)

    def mark(self) -> None:
        if self.is_running():
            asyncio._set_running_loop(self)


@breaks("resources.fork-still-running")
class StopsBeingTheRunningLoop(EventLoop):
    """After a fork, no loop is the running loop in the parent."""

    def __init__(self) -> None:
        super().__init__()
        os.register_at_fork(after_in_parent=lambda: asyncio._set_running_loop(None))


@breaks("resources.fork-new-loop")
class BelongsToTheFirstProcess(EventLoop):
    """Loops can be made in the process alone that made the first one."""

    first: list[int] = []  # noqa: RUF012 (one for all)

    def __init__(self) -> None:
        super().__init__()
        self.first.append(os.getpid())
        if self.first[0] != os.getpid():
            raise RuntimeError("loops do not survive a fork")


@breaks("resources.fork-parent-events")
class CleansUpInTheChild(EventLoop):
    """A loop that is made in a forked child removes the watchers of those that were made before."""

    others: list[tuple[int, Any]] = []  # noqa: RUF012 (one for all)

    def __init__(self) -> None:
        super().__init__()
        for process, poller in self.others:
            if process != os.getpid():
                for number in list(poller._readers):
                    poller.remove_reader(number)
        self.others.append((os.getpid(), self._poller))

    def close(self) -> None:
        self.others.clear()
        super().close()


@breaks("resources.fork-signals", since="3.12")
class SharesItsWakeUp(asyncio.SelectorEventLoop):
    """A forked child has the wake-up descriptor of its parent."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        super().add_signal_handler(sig, callback, *args)
        number = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(number)
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(number))


@breaks("resources.fork-from-thread")
class RemembersTheMainThread(EventLoop):
    """Signals are handled in the thread alone that was the main one when the loop's module was imported."""

    main = threading.main_thread().ident

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        if threading.get_ident() != self.main:
            raise RuntimeError("signals are handled in the main thread")
        super().add_signal_handler(sig, callback, *args)
