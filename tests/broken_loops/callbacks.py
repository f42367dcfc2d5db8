"""Broken loops of the chapter `callbacks`."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks


@breaks("callbacks.fifo")
class EveryTenthCallbackComesLate(asyncio.SelectorEventLoop):
    """call_soon() schedules every tenth callback behind the one that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.count += 1
        if self.count % 10:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(super().call_soon, callback, *args, context=context)
