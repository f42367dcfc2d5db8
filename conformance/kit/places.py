"""Places from which code may call a loop: what a method does must not depend on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.patience import turn
from conformance.kit.threads import in_thread

Loop = asyncio.AbstractEventLoop
Work = Callable[[], Any]


def _in_a_callback(loop: Loop, work: Work) -> None:
    loop.call_soon(work)
    turn(loop)


def _in_a_task(loop: Loop, work: Work) -> None:
    async def main() -> None:
        work()

    loop.run_until_complete(main())


def _in_another_loop(_loop: Loop, work: Work) -> None:
    other = asyncio.SelectorEventLoop()
    try:
        _in_a_callback(other, work)
    finally:
        other.close()


PLACES: dict[str, Callable[[Loop, Work], object]] = {
    "outside of a run": lambda _loop, work: work(),
    "in a callback": _in_a_callback,
    "in a task": _in_a_task,
    "in another thread": lambda loop, work: in_thread(lambda: _in_a_callback(loop, work)).result(),
    "in a callback of another loop": _in_another_loop,
    "in debug mode": _in_a_callback,
}
"""Name → runs the work there, and returns when that has been done and the loop does not run."""


def at(place: str, loop: Loop, work: Work) -> Any:
    """What `work` returns when it is called at that place of `PLACES`; its exception comes out here.

    The loop is left in debug mode for what follows, or out of it, as the place says.
    """
    outcome: list[Any] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)

    loop.set_debug(place == "in debug mode")
    loop.slow_callback_duration = 3600.0  # on a busy machine any callback may be slow, and what is logged is looked at
    PLACES[place](loop, call)
    if errors:
        raise errors[0]
    return outcome[0]
