"""What is logged by the logger "asyncio", where the documentation says that all of asyncio's logging goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def logged(level: int = logging.WARNING, name: str = "asyncio") -> Iterator[list[logging.LogRecord]]:
    """The records of the block, from `level` up, of the logger `name`; nobody else sees them."""
    logger, keep = logging.getLogger(name), _Keep()
    before = logger.level, logger.propagate
    logger.setLevel(level)
    logger.propagate = False
    logger.addHandler(keep)
    try:
        yield keep.records
    finally:
        logger.removeHandler(keep)
        logger.setLevel(before[0])
        logger.propagate = before[1]
