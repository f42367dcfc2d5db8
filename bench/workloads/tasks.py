"""Tasks and futures: what the loop adds to asyncio's own implementation of them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from types import MappingProxyType

from bench.workload import Workload, sizes

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=-1)


async def nothing() -> int:
    return 1


async def one_turn() -> int:
    await asyncio.sleep(0)
    return 1


class _Total(Workload):
    """Adds up what the operations returned, one each."""

    total: int

    def check(self, loops: int) -> None:
        self.expect(self.total, loops * self.inner, "results")


class SpawnAwait(_Total):
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


class SpawnEager(SpawnAwait):
    """The same with asyncio.eager_task_factory: the task is finished before create_task() returns."""

    name = "tasks.spawn_eager"
    drives = "loop.create_task with eager_task_factory"
    since = (3, 12)

    async def setup(self) -> None:
        factory = asyncio.eager_task_factory  # type: ignore[attr-defined,unused-ignore]  # 3.12
        asyncio.get_running_loop().set_task_factory(factory)


class Gather(_Total):
    """gather() of coroutines that give way once."""

    name = "tasks.gather"
    drives = "asyncio.gather"
    unit = "task"
    variants = MappingProxyType({"10": {"inner": 10}, "1000": {"inner": 1000, "counted": False}})

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            self.total += sum(await asyncio.gather(*(one_turn() for _ in range(self.inner))))


class TaskGroup(_Total):
    """The same in a TaskGroup."""

    name = "tasks.taskgroup"
    drives = "asyncio.TaskGroup"
    unit = "task"
    variants = MappingProxyType({"10": {"inner": 10}, "1000": {"inner": 1000, "counted": False}})

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one_turn()) for _ in range(self.inner)]
            self.total += sum(task.result() for task in tasks)


class CancelTask(_Total):
    """A task that waits is cancelled and awaited."""

    name = "tasks.cancel"
    drives = "Task.cancel"
    unit = "task"
    inner = 100

    async def run(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        self.total = 0
        for _ in range(loops * self.inner):
            task = loop.create_task(asyncio.sleep(3600))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                self.total += 1


class FutureWakeUp(_Total):
    """Two tasks hand a future to each other in turn."""

    name = "tasks.future_wake_up"
    drives = "loop.create_future, Future.set_result"
    unit = "wake-up"
    inner = 100

    async def player(self, turns: int, mine: int) -> None:
        loop, futures = asyncio.get_running_loop(), self.futures
        for _ in range(turns):
            got = await futures[mine]
            self.total += got
            futures[mine] = loop.create_future()
            futures[1 - mine].set_result(1)

    async def run(self, loops: int) -> None:
        loop = asyncio.get_running_loop()
        self.total = 0
        self.futures: list[asyncio.Future[int]] = [loop.create_future(), loop.create_future()]
        turns = loops * self.inner // 2
        loop.call_soon(self.futures[0].set_result, 1)
        await asyncio.gather(self.player(turns, 0), self.player(turns, 1))


class QueuePingPong(_Total):
    """Two tasks exchange items through two queues."""

    name = "tasks.queue_ping_pong"
    drives = "asyncio.Queue"
    unit = "item"
    inner = 100

    async def back(self, there: asyncio.Queue[int], here: asyncio.Queue[int], turns: int) -> None:
        for _ in range(turns):
            here.put_nowait(await there.get())

    async def run(self, loops: int) -> None:
        there: asyncio.Queue[int] = asyncio.Queue()
        here: asyncio.Queue[int] = asyncio.Queue()
        turns = loops * self.inner // 2
        self.total = 0
        other = asyncio.get_running_loop().create_task(self.back(there, here, turns))
        for _ in range(turns):
            there.put_nowait(1)
            self.total += 2 * await here.get()
        await other


class Contention(_Total):
    """Ten tasks compete for a Lock, or for a Semaphore of three, and give way while holding it."""

    name = "tasks.contention"
    drives = "asyncio.Lock, asyncio.Semaphore"
    unit = "acquisition"
    variants = sizes("places", lock=1, semaphore_3=3)
    inner = 100
    places: int

    async def holder(self, held: asyncio.Lock | asyncio.Semaphore, times: int) -> None:
        for _ in range(times):
            async with held:
                await asyncio.sleep(0)
                self.total += 1

    async def run(self, loops: int) -> None:
        self.total = 0
        held = asyncio.Lock() if self.places == 1 else asyncio.Semaphore(self.places)
        await asyncio.gather(*(self.holder(held, loops * self.inner // 10) for _ in range(10)))


class AsyncGenerator(_Total):
    """async for over a generator that gives way between its items."""

    name = "tasks.async_generator"
    drives = "async generators (asyncgen hooks)"
    unit = "item"
    inner = 100

    async def items(self) -> AsyncIterator[int]:
        for _ in range(self.inner):
            await asyncio.sleep(0)
            yield 1

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            async for item in self.items():
                self.total += item


class ContextVariables(_Total):
    """Tasks that each set and read a context variable of their own across a turn."""

    name = "tasks.contextvars"
    drives = "loop.create_task(context=…)"
    unit = "task"
    inner = 100

    async def own(self, value: int) -> int:
        VARIABLE.set(value)
        await asyncio.sleep(0)
        return int(VARIABLE.get() == value)

    async def run(self, loops: int) -> None:
        create_task = asyncio.get_running_loop().create_task
        self.total = 0
        for _ in range(loops):
            tasks = [create_task(self.own(n), context=contextvars.copy_context()) for n in range(self.inner)]
            for task in tasks:
                self.total += await task


class Tree(_Total):
    """A tree of gather() three levels deep, each node with six children; the leaves give way."""

    name = "tasks.tree"
    drives = "asyncio.gather, nested"
    unit = "leaf"
    inner = 216

    async def node(self, depth: int) -> int:
        if not depth:
            return await one_turn()
        return sum(await asyncio.gather(*(self.node(depth - 1) for _ in range(6))))

    async def run(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            self.total += await self.node(3)
