"""Tasks and futures: what the loop adds to asyncio's own C implementation of them."""

from __future__ import annotations

import asyncio

from bench.workload import Workload


async def nothing() -> int:
    return 1


class SpawnAwait(Workload):
    """create_task() of a coroutine that returns at once, and await of it."""

    name = "tasks.spawn_await"
    drives = "loop.create_task"
    unit = "task"
    inner = 100

    async def run(self, loops: int) -> None:
        create_task = asyncio.get_running_loop().create_task
        total = 0
        for _ in range(loops * self.inner):
            total += await create_task(nothing())
        self.total = total

    async def check(self, loops: int) -> None:
        self.expect(self.total, loops * self.inner, "tasks finished")
