"""Timers: scheduling, cancelling and firing them among few and many others."""

from __future__ import annotations

import asyncio

from bench.workload import Workload, sizes


class AddCancel(Workload):
    """A timer is scheduled and cancelled while others are pending: what every timeout that is met costs."""

    name = "timers.add_cancel"
    drives = "loop.call_later, TimerHandle.cancel"
    unit = "timer"
    variants = sizes("live", live_0=0, live_1k=1_000, live_10k=10_000, live_100k=100_000)
    inner = 100
    live: int

    async def setup(self) -> None:
        loop = asyncio.get_running_loop()
        self.fired = 0
        self.pending = [loop.call_later(3600 + index % 997, self.fire) for index in range(self.live)]

    def fire(self) -> None:
        self.fired += 1

    async def run(self, loops: int) -> None:
        call_later, fire = asyncio.get_running_loop().call_later, self.fire
        for _ in range(loops):
            for _ in range(self.inner):
                call_later(60, fire).cancel()
            await asyncio.sleep(0)

    async def check(self, loops: int) -> None:
        await asyncio.sleep(0)
        self.expect(self.fired, 0, "timers fired that were cancelled or are an hour away")
