"""Chapter threads: done callbacks, and tasks that go on, run in the loop's thread, wherever it was that work ended."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
Begin = Callable[[Loop, Callable[[], object]], Any]


def _wrapped(loop: Loop, work: Callable[[], object]) -> asyncio.Future[Any]:
    source: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def end() -> None:
        try:
            source.set_result(work())
        except LookupError as error:
            source.set_exception(error)

    in_thread(end)
    return asyncio.wrap_future(source, loop=loop)


_BEGIN: dict[str, Begin] = {
    "run_in_executor": lambda loop, work: loop.run_in_executor(None, work),
    "to_thread": lambda loop, work: loop.create_task(asyncio.to_thread(work)),
    "wrap_future": _wrapped,
    "getaddrinfo": lambda loop, work: loop.create_task(_looked_up(loop, work)),
}


async def _looked_up(loop: Loop, work: Callable[[], object]) -> None:
    await loop.getaddrinfo("localhost", 80)
    work()


@requirement("threads.done-callbacks", MUST, cite="asyncio-dev: Concurrency and Multithreading")
@each("begin", _BEGIN)
@each("fails", [False, True])
@each("debug", [False, True])
def test_done_callbacks_run_in_the_thread_of_the_loop(
    loop: Loop, patience: Patience, begin: str, fails: bool, debug: bool
) -> None:
    """A loop executes all callbacks and tasks in its thread: those, too, of a future whose work another thread does.

    If this fails: look for a worker that ends the future itself, and calls who waits for it.
    """
    loop.set_debug(debug)
    loop.slow_callback_duration = 3600.0  # on a busy machine any callback may be slow
    seen: list[int] = []

    def note(*_: object) -> None:
        seen.append(threading.get_ident())

    def work() -> None:
        if fails:
            raise LookupError("of the work")

    async def wait(future: Awaitable[Any]) -> None:
        try:
            await future
        except LookupError:
            pass
        finally:
            note()

    async def main() -> None:
        future = _BEGIN[begin](loop, work)
        future.add_done_callback(note)
        await asyncio.wait([loop.create_task(wait(future)) for _ in range(2)])
        future.add_done_callback(note)

    loop.run_until_complete(main())
    patience.run_until(loop, lambda: len(seen) == 4, "the callbacks")
    assert seen == [threading.get_ident()] * 4
