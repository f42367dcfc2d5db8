"""Timers: scheduling, cancelling and firing them among few and many others."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from bench.workload import Workload, sizes


class AddCancel(Workload):
    """A timer is scheduled and cancelled while others are pending: what every timeout that is met costs."""

    name = "timers.add_cancel"
    drives = "loop.call_later, TimerHandle.cancel"
    unit = "timer"
    # Not counted with many: making the others takes callgrind seconds.
    variants = MappingProxyType(
        {
            "live-0": {"live": 0},
            "live-1k": {"live": 1_000},
            "live-10k": {"live": 10_000, "counted": False},
            "live-100k": {"live": 100_000, "counted": False},
        }
    )
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

    def check(self, loops: int) -> None:
        self.expect(self.fired, 0, "timers fired that were cancelled or are an hour away")


class Fire(AddCancel):
    """A thousand timers of one to two milliseconds fire while others are pending.

    Wall time includes the wait; CPU time does not.
    """

    name = "timers.fire"
    drives = "loop.call_later"
    counted = False
    inner = 1000

    async def setup(self) -> None:
        await super().setup()
        self.seen = 0

    def due(self) -> None:
        self.seen += 1
        if self.seen == self.inner:
            self.finished.set_result(None)

    async def run(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(loops):
            self.seen = 0
            self.finished = loop.create_future()
            for index in range(self.inner):
                loop.call_later(0.001 + index % 7 * 0.0001, self.due)
            await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, self.inner, "timers fired")
        self.expect(self.fired, 0, "timers fired that are an hour away")


class SleepMany(Workload):
    """A thousand tasks sleep for a millisecond at the same time."""

    name = "timers.sleep.concurrent"
    drives = "asyncio.sleep"
    unit = "sleep"
    counted = False
    inner = 1000

    async def sleeper(self) -> None:
        await asyncio.sleep(0.001)
        self.seen += 1

    async def run(self, loops: int) -> None:
        self.seen = 0
        for _ in range(loops):
            await asyncio.gather(*(self.sleeper() for _ in range(self.inner)))

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "sleeps finished")


class _Deadline(Workload):
    """Around a future that is ready, or that another callback sets in the next turn."""

    unit = "deadline"
    variants = sizes("pending", ready=False, pending=True)
    inner = 100
    pending: bool

    def future(self) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        if self.pending:
            loop.call_soon(future.set_result, 1)
        else:
            future.set_result(1)
        return future

    def check(self, loops: int) -> None:
        self.expect(self.total, loops * self.inner, "results")

    total: int


class Timeout(_Deadline):
    """async with asyncio.timeout() that is met."""

    name = "timers.timeout"
    drives = "asyncio.timeout"

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops * self.inner):
            async with asyncio.timeout(60):
                self.total += await self.future()


class WaitFor(_Deadline):
    """asyncio.wait_for() that is met."""

    name = "timers.wait_for"
    drives = "asyncio.wait_for"

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops * self.inner):
            self.total += await asyncio.wait_for(self.future(), 60)
