"""One line on stderr while a race runs: workload, round, remaining time.

The remaining time counts each workload's own measured cost, so it is honest from the second round on; before
that, workloads not yet seen are taken to cost as much as the average of those that were.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO


class ProgressLine:
    """Rewrites one line on a terminal; elsewhere prints a line at most every `every` seconds."""

    def __init__(self, left: Mapping[str, int], rounds: int, stream: TextIO | None = None, every: float = 15) -> None:
        self._left = dict(left)
        self._rounds = rounds
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = every
        self._cost: dict[str, float] = {}
        self._last = -every
        self._shown = False

    def remaining(self) -> float | None:
        """Seconds; None before anything was measured."""
        if not self._cost:
            return None
        average = sum(self._cost.values()) / len(self._cost)
        return sum(count * self._cost.get(name, average) for name, count in self._left.items())

    def begin(self, workload: str, number: int) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._last < self._every:
            return
        self._last = now
        self._write(f"round {number + 1}/{self._rounds}  {workload}  {self._remaining_text()}")

    def end(self, workload: str, number: int, seconds: float) -> None:
        before = self._cost.get(workload, seconds)
        self._cost[workload] = (before + seconds) / 2
        self._left[workload] = max(0, self._left.get(workload, 1) - 1)

    def close(self) -> None:
        if self._terminal and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _remaining_text(self) -> str:
        seconds = self.remaining()
        if seconds is None:
            return ""
        minutes, rest = divmod(round(seconds), 60)
        return f"about {minutes}:{rest:02d} left"

    def _write(self, text: str) -> None:
        self._shown = True
        if self._terminal:
            width = shutil.get_terminal_size().columns
            self._stream.write(f"\r\x1b[K{text[: width - 1]}")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
