"""Chapter debug: where a loop logs, and what debug mode says of calls from a wrong thread and of slow callbacks."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _logged_anywhere() -> Iterator[list[logging.LogRecord]]:
    """The records of the block, from WARNING up, of all loggers."""
    root, keep = logging.getLogger(), _Everything()
    before = root.level, list(root.handlers)
    root.handlers[:] = [keep]
    root.setLevel(logging.WARNING)
    try:
        yield keep.records
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]


def _fail() -> None:
    raise LookupError("of the callback")


@requirement("debug.logger", MUST, cite="asyncio-dev: §Logging")
@each("what", ["error", "slow"])
def test_all_logging_is_done_by_the_logger_asyncio(make_loop: Factory, what: str) -> None:
    """All logging is performed via the logger "asyncio".

    If this fails: look for a logger of the loop's own name, which no existing configuration knows.
    """
    loop = make_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.001
    with _logged_anywhere() as records:
        loop.call_soon(_fail if what == "error" else lambda: time.sleep(0.003))
        turn(loop)
    # Whether it logs at all is the subject of others.
    assert {record.name for record in records} <= {"asyncio"}


@requirement("debug.logger-level", SHOULD, cite="asyncio-dev: §Logging")
def test_the_level_of_the_logger_is_obeyed(make_loop: Factory) -> None:
    """The log level can be adjusted: above CRITICAL, the logger "asyncio" lets nothing pass, and nothing is printed.

    If this fails: look for messages that are printed to standard error beside the logger.
    """
    logger = logging.getLogger("asyncio")
    before = logger.level
    loop = make_loop()
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with _logged_anywhere() as records:
            loop.call_soon(_fail)
            turn(loop)
    finally:
        logger.setLevel(before)
    assert records == []


@requirement("debug.wrong-thread-callback", MUST, cite="asyncio-dev: Debug Mode")
@each("method", ["call_soon", "call_later", "call_at"])
def test_what_was_refused_does_not_run(loop: Loop, method: str) -> None:
    """In debug mode a call from a wrong thread raises an exception, and its callback does not run.

    If this fails: look for a check that comes after the callback was queued.
    """
    loop.set_debug(True)
    trace: list[str] = []
    arguments: dict[str, tuple[Any, ...]] = {"call_soon": (), "call_later": (0,), "call_at": (0,)}

    def from_thread() -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 (which one is not documented)
            getattr(loop, method)(*arguments[method], trace.append, "ran")

    async def main() -> None:
        in_thread(from_thread).result()
        await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    assert trace == []


@requirement("debug.right-thread", MUST, cite="asyncio-dev: Debug Mode")
def test_a_loop_that_does_not_run_belongs_to_no_thread(loop: Loop, patience: Patience) -> None:
    """In debug mode calls from the loop's thread are right: that is the one that runs it, whichever has made it.

    If this fails: look for a check against the thread that made the loop, or ran it before.
    """
    loop.set_debug(True)
    trace: list[str] = []
    loop.call_soon(loop.call_soon, list)
    turn(loop)

    def work() -> None:
        loop.call_soon(loop.call_soon, loop.call_later, 0.001, trace.append, "ran")
        patience.run_until(loop, lambda: trace, "the callback")

    in_thread(work).result(2 * patience.seconds)
    assert trace == ["ran"]


@requirement("debug.slow-duration", MUST, cite="asyncio-dev: Debug Mode")
def test_slow_callback_duration_can_be_set_while_the_loop_runs(make_loop: Factory, patience: Patience) -> None:
    """slow_callback_duration can be used to set the minimum duration that is slow: it counts from then on.

    If this fails: look for a value that is read when the run starts.
    """
    loop = make_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = math.inf
    marks: list[int] = []
    with _logged_anywhere() as records:

        def slow() -> None:
            time.sleep(0.02)  # a clock may tick every 16 ms only

        def mark() -> None:
            marks.append(len(records))

        def now() -> None:
            loop.slow_callback_duration = 0.001

        for callback in slow, mark, now, slow, mark:
            loop.call_soon(callback)
        patience.run_until(loop, lambda: len(marks) == 2, "the callbacks")
    assert marks[0] == 0
    assert marks[1] > 0
    loop.run_until_complete(asyncio.sleep(0))
    assert loop.slow_callback_duration == 0.001
