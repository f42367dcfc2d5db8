"""Scheduling: what one callback costs."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
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

    def check(self, loops: int) -> None:
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

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "callbacks run")
        self.seen = 0


class HandleCancel(Workload):
    """A callback is scheduled and cancelled before it runs; the loop has to drop it."""

    name = "scheduling.handle_cancel"
    drives = "loop.call_soon, Handle.cancel"
    unit = "callback"
    inner = 1000

    async def setup(self) -> None:
        self.seen = 0

    def callback(self) -> None:
        self.seen += 1

    async def run(self, loops: int) -> None:
        call_soon, callback = asyncio.get_running_loop().call_soon, self.callback
        for _ in range(loops):
            for _ in range(self.inner):
                call_soon(callback).cancel()
            await asyncio.sleep(0)

    def check(self, loops: int) -> None:
        self.expect(self.seen, 0, "cancelled callbacks run")


class SleepZero(Workload):
    """Tasks that do nothing but give way to each other."""

    name = "scheduling.sleep0"
    drives = "asyncio.sleep(0)"
    unit = "turn of one task"
    # Ten turns per task at least, or creating the tasks would be what is measured.
    variants = MappingProxyType(
        {
            "tasks-1": {"tasks": 1},
            "tasks-10": {"tasks": 10},
            "tasks-1000": {"tasks": 1000, "inner": 10_000, "counted": False},
        }
    )
    inner = 1000
    tasks: int

    async def give_way(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        self.turns += turns

    async def run(self, loops: int) -> None:
        self.turns = 0
        each = loops * self.inner // self.tasks
        await asyncio.gather(*(self.give_way(each) for _ in range(self.tasks)))

    def check(self, loops: int) -> None:
        self.expect(self.turns, loops * self.inner, "turns taken")


class ThreadsafeLatency(Workload):
    """A thread and the loop wake each other in turn: the cost of being woken while idle."""

    name = "scheduling.threadsafe.latency"
    drives = "loop.call_soon_threadsafe"
    unit = "wake-up"
    counted = False

    async def setup(self) -> None:
        self.wanted = threading.Semaphore(0)
        self.left = self.seen = 0
        threading.Thread(target=self.thread, args=(asyncio.get_running_loop(),), daemon=True).start()

    def thread(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            self.wanted.acquire()
            loop.call_soon_threadsafe(self.woken)

    def woken(self) -> None:
        self.seen += 1
        if self.seen == self.left:
            self.finished.set_result(None)
        else:
            self.wanted.release()

    async def run(self, loops: int) -> None:
        self.seen, self.left = 0, loops
        self.finished = asyncio.get_running_loop().create_future()
        self.wanted.release()
        await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops, "wake-ups")


class ThreadsafeFlood(Workload):
    """A thread schedules callbacks as fast as it can."""

    name = "scheduling.threadsafe.flood"
    drives = "loop.call_soon_threadsafe"
    unit = "callback"
    counted = False
    inner = 100

    async def setup(self) -> None:
        self.orders: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.seen = 0
        threading.Thread(target=self.thread, args=(asyncio.get_running_loop(),), daemon=True).start()

    def thread(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            for _ in range(self.orders.get()):
                loop.call_soon_threadsafe(self.callback)

    def callback(self) -> None:
        self.seen += 1
        if self.seen == self.wanted:
            self.finished.set_result(None)

    async def run(self, loops: int) -> None:
        self.seen, self.wanted = 0, loops * self.inner
        self.finished = asyncio.get_running_loop().create_future()
        self.orders.put(self.wanted)
        await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "callbacks run")
