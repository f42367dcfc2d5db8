"""Puts another loop in the place of asyncio's own, in this process, and counts the loops of each kind that are made.

Import it before the tests: what they took from `asyncio` earlier stays asyncio's. Without a loop spec it only counts.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.unix_events
import importlib
from collections import Counter
from typing import Any

# Class name of the loop -> how many were made. A subclass that a test made itself counts under its own name.
made: Counter[str] = Counter()

# The names by which tests and applications of asyncio get at its selector loop.
_PLACES: tuple[tuple[Any, str], ...] = (
    (asyncio, "SelectorEventLoop"),
    (asyncio, "EventLoop"),  # from Python 3.13 on
    (asyncio.unix_events, "SelectorEventLoop"),
    (asyncio.unix_events, "EventLoop"),
    (asyncio.unix_events, "_UnixSelectorEventLoop"),
    # What policies call, and with them asyncio.new_event_loop(), asyncio.run() and unittest.IsolatedAsyncioTestCase.
    (getattr(asyncio.unix_events, "_UnixDefaultEventLoopPolicy", None), "_loop_factory"),
)


def install(spec: str | None) -> None:
    """Make `module:class` asyncio's loop; None leaves asyncio as it is."""
    _count(asyncio.base_events.BaseEventLoop)
    if spec is None:
        return
    module, _, name = spec.partition(":")
    loop_class = getattr(importlib.import_module(module), name)
    substitute = type(name, (loop_class,), {"__init__": _without_selector(loop_class), "__module__": module})
    _count(substitute)
    for place, attribute in _PLACES:
        if hasattr(place, attribute):
            setattr(place, attribute, substitute)


def _count(loop_class: Any) -> None:
    original = loop_class.__init__

    def counting(self: Any, *args: Any, **kwargs: Any) -> None:
        made[f"{type(self).__module__}.{type(self).__qualname__}"] += 1
        original(self, *args, **kwargs)

    loop_class.__init__ = counting


def _without_selector(loop_class: Any) -> Any:
    """asyncio's class takes a selector; other loops bring their own."""

    def __init__(self: Any, selector: Any = None) -> None:
        if selector is not None:
            selector.close()
        loop_class.__init__(self)

    return __init__
