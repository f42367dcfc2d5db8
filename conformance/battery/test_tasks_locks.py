"""Chapter tasks: queues, locks and the other primitives for which tasks wait, driven by the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("tasks.queue", MUST, cite="asyncio-queue: Queue")
def test_a_queue_hands_items_from_task_to_task(loop: Loop) -> None:
    """Queue.get() waits until an item is available, put() until a slot is free, join() until all items are done.

    If this fails: look for futures that do not wake the task that awaits them.
    """
    got: list[int] = []

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

        async def consume() -> None:
            while True:
                got.append(await queue.get())
                queue.task_done()

        consumer = asyncio.create_task(consume())
        for number in range(5):
            await queue.put(number)
        await queue.join()
        consumer.cancel()

    loop.run_until_complete(main())
    assert got == [0, 1, 2, 3, 4]


@requirement("tasks.lock-fair", MUST, cite="asyncio-sync: Lock.acquire")
def test_a_lock_is_fair(loop: Loop) -> None:
    """Acquiring a lock is fair: the coroutine that proceeds is the first that started waiting on it.

    If this fails: look for tasks that are not resumed in the order in which their futures were done.
    """
    trace: list[int] = []

    async def child(lock: asyncio.Lock, number: int) -> None:
        async with lock:
            await asyncio.sleep(0)
            trace.append(number)

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(*(child(lock, number) for number in range(5)))

    loop.run_until_complete(main())
    assert trace == [0, 1, 2, 3, 4]


@requirement("tasks.wakes-all", MUST, cite="asyncio-sync: Event.set")
@each("kind", ["event", "condition", "barrier", "semaphore"])
def test_all_waiters_are_woken(loop: Loop, kind: str, patience: Patience) -> None:
    """All tasks that wait for an event are awakened at once when it is set; so with conditions, barriers, semaphores.

    If this fails: look for several futures that are done in one callback, of which only one wakes its task.
    """
    woken: list[int] = []

    async def main() -> None:
        waiter, release = _PRIMITIVES[kind]()

        async def child(number: int) -> None:
            await waiter()
            woken.append(number)

        children = [asyncio.create_task(child(number)) for number in range(4)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert woken == []
        await release()
        await asyncio.wait(children, timeout=patience.seconds)

    loop.run_until_complete(main())
    assert sorted(woken) == [0, 1, 2, 3]


def _event() -> tuple[Callable[[], Any], Callable[[], Any]]:
    event = asyncio.Event()

    async def release() -> None:
        event.set()

    return event.wait, release


def _condition() -> tuple[Callable[[], Any], Callable[[], Any]]:
    condition = asyncio.Condition()

    async def wait() -> None:
        async with condition:
            await condition.wait()

    async def release() -> None:
        async with condition:
            condition.notify_all()

    return wait, release


def _barrier() -> tuple[Callable[[], Any], Callable[[], Any]]:
    barrier = asyncio.Barrier(5)
    return barrier.wait, barrier.wait


def _semaphore() -> tuple[Callable[[], Any], Callable[[], Any]]:
    semaphore = asyncio.Semaphore(0)

    async def release() -> None:
        for _ in range(4):
            semaphore.release()

    return semaphore.acquire, release


_PRIMITIVES = {"event": _event, "condition": _condition, "barrier": _barrier, "semaphore": _semaphore}
