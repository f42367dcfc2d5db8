"""The clock of a loop that a test puts forward, so that nobody has to wait for what is to happen in a minute."""

from __future__ import annotations

import asyncio

import pytest

from conformance.kit.patience import turn

_TURNS = 20  # in which all that is due is done, by loops that take some for each step as well
_A_WHILE = 0.005


class Clock:
    """Stands for `loop.time()`. Whether the loop's own timers follow is to be asked: those of some do not."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = loop
        self._time = loop.time
        self._ahead = 0.0
        self._stands_at: float | None = None
        try:
            monkeypatch.setattr(loop, "time", self)
        except (AttributeError, TypeError):
            pytest.skip("the clock of this loop cannot be put forward")

    def __call__(self) -> float:
        return self._time() + self._ahead if self._stands_at is None else self._stands_at

    def stand_at(self, when: float) -> None:
        """Let the loop run for a while at the time `when`, which is to come, and does not go on meanwhile."""
        self._stands_at = when
        turn(self._loop, _TURNS)
        self._stands_at = None

    def put_forward(self, seconds: float) -> None:
        """Make it so much later from now on, and let the loop run for a while."""
        self._ahead += seconds
        turn(self._loop, _TURNS)
        self._loop.run_until_complete(asyncio.sleep(_A_WHILE))  # for what is not done by turns
