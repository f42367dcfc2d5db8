"""Chapter tasks: the documentation's examples of coroutines, tasks, queues and locks, with short times."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


async def _say_after(said: list[str], delay: float, what: str) -> None:
    await asyncio.sleep(delay)
    said.append(what)


@requirement("tasks.example-say-after", MUST, cite=("asyncio-task: §Coroutines", "asyncio-task: Task Groups"))
@each("how", ["awaited", "tasks", "group"])
def test_coroutines_say_something_after_a_while(loop: Loop, how: str) -> None:
    """Coroutines that are awaited run one after the other, and tasks side by side; each says its word after its delay.

    If this fails: look for tasks that begin only when they are awaited, or timers that do not fire in their order.
    """
    said: list[str] = []

    async def main() -> None:
        if how == "awaited":
            await _say_after(said, 0.002, "hello")
            await _say_after(said, 0.006, "world")
        elif how == "tasks":
            task1 = asyncio.create_task(_say_after(said, 0.002, "hello"))
            task2 = asyncio.create_task(_say_after(said, 0.006, "world"))
            await task1
            await task2
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(_say_after(said, 0.002, "hello"))
                group.create_task(_say_after(said, 0.006, "world"))

    loop.run_until_complete(main())
    assert said == ["hello", "world"]


@requirement(
    "tasks.example-background", MUST, cite=("asyncio-task: create_task", "asyncio-task: Task.add_done_callback")
)
def test_background_tasks_leave_their_set(loop: Loop, patience: Patience) -> None:
    """Tasks that a set alone keeps, and whose done callback is the set's discard(), all run, and all leave the set.

    If this fails: look for a done callback that gets something else than the task, or is not called for some.
    """
    background: set[asyncio.Task[None]] = set()
    results: list[int] = []

    async def some_coro(param: int) -> None:
        for _ in range(param):
            await asyncio.sleep(0)
        gc.collect()
        results.append(param)

    async def main() -> None:
        for i in range(10):
            task = asyncio.create_task(some_coro(param=i))
            background.add(task)
            task.add_done_callback(background.discard)
            del task
        assert len(background) == 10
        while background:
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert sorted(results) == list(range(10))


@requirement("tasks.example-factorial", MUST, cite="asyncio-task: gather")
def test_factorials_are_computed_side_by_side(loop: Loop) -> None:
    """Three calls that gather() schedules run side by side, each at its own steps, and their results keep their order.

    If this fails: look for a task that begins when another has ended, or a sleep that ends for all.
    """
    printed: list[tuple[Any, ...]] = []

    async def factorial(name: str, number: int) -> int:
        result = 1
        for i in range(2, number + 1):
            printed.append((name, number, i))
            await asyncio.sleep(0.002)
            result *= i
        printed.append((name, number, "is", result))
        return result

    async def main() -> list[int]:
        return list(await asyncio.gather(factorial("A", 2), factorial("B", 3), factorial("C", 4)))

    assert loop.run_until_complete(main()) == [2, 6, 24]
    assert printed[:3] == [("A", 2, 2), ("B", 3, 2), ("C", 4, 2)]
    for name, number, result in (("A", 2, 2), ("B", 3, 6), ("C", 4, 24)):
        steps = [(name, number, i) for i in range(2, number + 1)]
        assert [line for line in printed if line[0] == name] == [*steps, (name, number, "is", result)]


@requirement("tasks.example-as-completed", MUST, cite="asyncio-task: as_completed")
@each("kind", ["tasks", "coroutines", *(["async for"] if sys.version_info >= (3, 13) else [])])
def test_the_first_connection_is_the_first_completed(loop: Loop, patience: Patience, kind: str) -> None:
    """What as_completed() gives next is the earliest that is complete, whatever the order in which they were given.

    With async for (new in 3.13), it gives the tasks that it was given.

    If this fails: look for results in the order in which they were asked for, or a callback of a task that is lost.
    """
    host = "127.0.0.1"

    async def opens(turn: int) -> int:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), host, 0)
        reader, writer = await asyncio.open_connection(host, server.sockets[0].getsockname()[1])
        assert await reader.read() == b""
        writer.close()
        server.close()
        while order != turn:
            await asyncio.sleep(0.001)
        return turn

    order = 0

    async def main() -> list[int]:
        nonlocal order
        given: list[Awaitable[int]] = [opens(turn) for turn in (2, 1, 0)]
        if kind != "coroutines":
            given = [asyncio.ensure_future(each) for each in given]
        results = []
        completed: Any = asyncio.as_completed(given, timeout=patience.seconds)
        if kind == "async for":
            async for earliest_connect in completed:
                assert earliest_connect in given
                results.append(await earliest_connect)
                order += 1
            return results
        for next_connect in completed:
            results.append(await next_connect)
            order += 1
        return results

    assert loop.run_until_complete(main()) == [0, 1, 2]


@requirement("tasks.example-workers", MUST, cite="asyncio-queue: §Examples")
def test_workers_share_a_queue(loop: Loop, patience: Patience) -> None:
    """Three workers sleep for what a queue gives them, join() waits until all is done, and then they are cancelled.

    If this fails: look for a wake-up of join() or get() that is lost, or for one cancellation at a time.
    """
    work = [number % 3 / 1000 for number in range(19)]
    slept: dict[str, list[float]] = {}

    async def worker(name: str, queue: asyncio.Queue[float]) -> None:
        while True:
            sleep_for = await queue.get()
            await asyncio.sleep(sleep_for)
            queue.task_done()
            slept.setdefault(name, []).append(sleep_for)

    async def main() -> list[Any]:
        queue: asyncio.Queue[float] = asyncio.Queue()
        for sleep_for in work:
            queue.put_nowait(sleep_for)
        workers = [asyncio.create_task(worker(f"worker-{i}", queue)) for i in range(3)]
        await queue.join()
        for task in workers:
            task.cancel()
        return await asyncio.gather(*workers, return_exceptions=True)

    ends = loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3
    assert sorted(seconds for worker in slept.values() for seconds in worker) == sorted(work)
    assert sorted(slept) == ["worker-0", "worker-1", "worker-2"]


@requirement("tasks.example-barrier", MUST, cite=("asyncio-sync: Barrier", "asyncio-sync: Event"))
def test_tasks_wait_for_each_other(loop: Loop, patience: Patience) -> None:
    """Two tasks and their starter pass a barrier of three together, and a task that waits for an event is woken by it.

    If this fails: look for a future whose callbacks wake only one, or tasks that begin later than the next iteration.
    """

    async def example_barrier() -> list[tuple[int, bool]]:
        barrier = asyncio.Barrier(3)
        tasks = [asyncio.create_task(barrier.wait()) for _ in range(2)]
        await asyncio.sleep(0)
        seen = [(barrier.n_waiting, barrier.broken)]
        await barrier.wait()
        await asyncio.gather(*tasks)
        return [*seen, (barrier.n_waiting, barrier.broken)]

    async def example_event() -> str:
        event = asyncio.Event()

        async def waiter() -> str:
            await event.wait()
            return "got it"

        waiter_task = asyncio.create_task(waiter())
        await asyncio.sleep(0.002)
        assert not waiter_task.done()
        event.set()
        return await waiter_task

    assert loop.run_until_complete(asyncio.wait_for(example_barrier(), patience.seconds)) == [(2, False), (0, False)]
    assert loop.run_until_complete(asyncio.wait_for(example_event(), patience.seconds)) == "got it"
