"""What a loop may leave behind in its process, and how to see it from outside.

A `Snapshot` is taken before a loop is made and compared after it was closed. It sees descriptors, threads, children,
signal handlers, the wake-up descriptor, asyncgen hooks and the running-loop marker; it looks into no loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.unreaped import any_child

Leaks = dict[str, int]
"""Kind of leak → how many. Kinds: the names of `LEAK_KINDS`."""

LEAK_KINDS = {
    "descriptor": "left {n} file descriptor(s) open",
    "thread": "left {n} thread(s) running",
    "child": "left {n} child process(es) behind",
    "signal": "left {n} signal handler(s) changed",
    "wakeup-fd": "left the signal wake-up descriptor set",
    "asyncgen-hooks": "left the asyncgen hooks set",
    "running-loop": "left the running-loop marker set",
}

_SETTLE = 2.0
_CLOSING = 0.2
"""Seconds that a helper thread may take to close its descriptors."""
_LOOKS = 20
"""Times that leaks are looked for before they are called so: on a busy machine seconds pass without a thread's turn."""
_DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_WATCHED_SIGNALS = [s for s in signal.Signals if s not in {signal.SIGKILL, signal.SIGSTOP}]


@dataclass(frozen=True)
class Snapshot:
    """The state of the process that a loop must give back."""

    descriptors: frozenset[int]
    threads: frozenset[int]
    handlers: tuple[Any, ...]
    hooks: tuple[Any, ...]

    @classmethod
    def take(cls) -> Snapshot:
        return cls(
            descriptors=open_descriptors(),
            threads=frozenset(t.ident for t in threading.enumerate() if t.ident is not None),
            handlers=tuple(signal.getsignal(s) for s in _WATCHED_SIGNALS),
            hooks=tuple(sys.get_asyncgen_hooks()),
        )

    def leaks(self, usual: Leaks | None = None, *, settle: float) -> Leaks:
        """What is left now that was not there before.

        `settle` (seconds) is how long helper threads and children may take to end on their own: the documentation
        lets loop.close() return before the executor's threads have. What is `usual` is not waited for.
        """
        usual = usual or {}
        found: Leaks = {}
        threads = _count_after(lambda: len(self._new_threads()), usual.get("thread", 0), settle)
        if threads > usual.get("thread", 0):
            settle = 0.0
        children = _count_after(lambda: int(any_child()), usual.get("child", 0), settle)
        descriptors = _count_after(
            lambda: len(open_descriptors() - self.descriptors), usual.get("descriptor", 0), min(settle, _CLOSING)
        )
        for kind, count in (("thread", threads), ("child", children), ("descriptor", descriptors)):
            if count:
                found[kind] = count
        handlers = tuple(signal.getsignal(s) for s in _WATCHED_SIGNALS)
        if changed := sum(before is not after for before, after in zip(self.handlers, handlers, strict=True)):
            found["signal"] = changed
        if threading.current_thread() is threading.main_thread():
            previous = signal.set_wakeup_fd(-1)
            if previous != -1:
                found["wakeup-fd"] = 1
        if tuple(sys.get_asyncgen_hooks()) != self.hooks:
            found["asyncgen-hooks"] = 1
        # The public question "is a loop running in this thread?" has no side effect to undo.
        if asyncio._get_running_loop() is not None:
            found["running-loop"] = 1
        return found

    def _new_threads(self) -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.ident not in self.threads and t.is_alive()]


def settling(patience: float) -> float:
    """How long leaks may be waited for by a trial of that patience, both in seconds: a leak must not become a hang."""
    return min(_SETTLE, patience / 5)


def open_descriptors() -> frozenset[int]:
    """The numbers of this process's open descriptors; empty where the system does not tell."""
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return frozenset()
    return frozenset(fd for fd in map(int, names) if _is_open(fd))


def say(leaks: Leaks) -> str:
    """The leaks as words."""
    return "; ".join(LEAK_KINDS[kind].format(n=count) for kind, count in leaks.items())


def _is_open(fd: int) -> bool:
    # Listing the directory opens a descriptor of its own, which is in the list and closed again by now.
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _count_after(count: Callable[[], int], usual: int, settle: float) -> int:
    deadline = time.monotonic() + settle
    pause = 0.0001
    looks = 1
    while (found := count()) > usual and settle and (time.monotonic() < deadline or looks < _LOOKS):
        time.sleep(pause)
        pause = min(2 * pause, 0.01)
        looks += 1
    return found
