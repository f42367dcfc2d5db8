"""Code of a test that runs in another thread, and whose failures come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Helper(threading.Thread, Generic[T]):
    """Runs `work` in a daemon thread; `result` waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], T], name: str = "battery-helper") -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error

    def result(self, patience: float = 5.0) -> T:
        """What `work` returned. Raises its exception, or AssertionError if it does not end: it waits for the loop."""
        self.join(patience)
        assert not self.is_alive(), f"the peer's part did not end within {patience:g} s"
        if self._error is not None:
            raise self._error
        return self._value


def in_thread(work: Callable[[], T]) -> Helper[T]:
    """Start `work` in a thread."""
    helper = Helper(work)
    helper.start()
    return helper


@contextmanager
def running_in_thread(work: Callable[[], T], patience: float = 5.0) -> Iterator[Helper[T]]:
    """`work` runs in a thread while the block does; its exception, if any, is raised when the block ends."""
    helper = in_thread(work)
    try:
        yield helper
    finally:
        helper.join(patience)
    helper.result(0)
