"""Scheduling: what one callback costs."""

from __future__ import annotations

import asyncio
import contextvars
from types import MappingProxyType
from typing import Any

from bench.workload import Workload


class CallSoonBatch(Workload):
    """A thousand callbacks scheduled in one go, then run.

    The plainest use of the ready queue; with arguments and with a context as variants.
    """

    name = "scheduling.call_soon.batch"
    drives = "loop.call_soon"
    unit = "callback"
    variants = MappingProxyType(
        {
            "no-args": {"args": (), "own_context": False},
            "3-args": {"args": (1, 2, 3), "own_context": False},
            "context": {"args": (), "own_context": True},
        }
    )
    inner = 1000
    args: tuple[Any, ...]
    own_context: bool

    async def setup(self) -> None:
        self.seen = 0
        self.context = contextvars.copy_context()

    def callback(self, *args: Any) -> None:
        self.seen += 1

    async def run(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        call_soon, callback, args, context = loop.call_soon, self.callback, self.args, self.context
        for _ in range(loops):
            if self.own_context:
                for _ in range(self.inner):
                    call_soon(callback, *args, context=context)
            elif args:
                for _ in range(self.inner):
                    call_soon(callback, *args)
            else:
                for _ in range(self.inner):
                    call_soon(callback)
            # Queued behind them: the turn after this await has run all of them.
            await asyncio.sleep(0)

    async def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "callbacks run")
        self.seen = 0


class CallSoonChain(Workload):
    """Each callback schedules the next: one turn of the loop per callback."""

    name = "scheduling.call_soon.chain"
    drives = "loop.call_soon, one callback per turn"
    unit = "callback"
    inner = 100

    async def setup(self) -> None:
        self.seen = 0

    def callback(self) -> None:
        self.seen += 1
        self.left -= 1
        if self.left:
            self.call_soon(self.callback)
        else:
            self.finished.set_result(None)

    async def run(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        self.left = loops * self.inner
        self.call_soon = loop.call_soon
        self.finished = loop.create_future()
        self.call_soon(self.callback)
        await self.finished

    async def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "callbacks run")
        self.seen = 0
