"""A loop of somebody else: asyncio's own, with one deviation that its author knows of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """call_soon() does not refuse what cannot be called once the loop is closed: it does nothing."""

    def call_soon(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.is_closed():
            return None
        return super().call_soon(callback, *args, **kwargs)


class WorseLoop(Loop):
    """The same, with a deviation that nobody knows of yet."""

    def call_soon(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        super().call_soon(callback, *args, **kwargs)
        return object()
