"""The loop's methods for watching, by the side that is meant."""

from __future__ import annotations

import asyncio
from typing import Any


def add(loop: asyncio.AbstractEventLoop, side: str) -> Any:
    """add_reader() or add_writer(); `side` is "reader" or "writer"."""
    return loop.add_reader if side == "reader" else loop.add_writer


def remove(loop: asyncio.AbstractEventLoop, side: str) -> Any:
    """remove_reader() or remove_writer(); `side` is "reader" or "writer"."""
    return loop.remove_reader if side == "reader" else loop.remove_writer
