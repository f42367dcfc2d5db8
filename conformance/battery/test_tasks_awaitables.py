"""Chapter tasks: what a task can await, that is neither a coroutine nor a future."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


class _Bare:
    """An iterator that has no send() and no throw(), as __await__() may return."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._steps = iter(future.__await__())

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> _Bare:
        return self

    def __next__(self) -> Any:
        return next(self._steps)


@requirement("tasks.bare-iterator", MUST, cite="PEP 492: Await Expression")
@each("ending", ["result", "exception", "cancelled"])
def test_what_is_awaited_need_not_be_a_generator(loop: Loop, ending: str) -> None:
    """__await__() must return an iterator, and no more: a task waits for one that has neither send() nor throw().

    If this fails: look for a step that sends the future's result into the coroutine: what is sent is always None.
    """
    future = loop.create_future()
    endings: dict[str, Callable[[], object]] = {
        "result": lambda: future.set_result("value"),
        "exception": lambda: future.set_exception(LookupError(ending)),
        "cancelled": future.cancel,
    }

    async def main() -> object:
        await asyncio.sleep(0)
        try:
            return await _Bare(future)
        except (LookupError, AttributeError, asyncio.CancelledError) as error:
            return type(error)  # AttributeError, as it has no such method

    loop.call_later(0.001, endings[ending])
    outcome = {"exception": LookupError, "cancelled": asyncio.CancelledError}.get(ending, "value")
    assert loop.run_until_complete(main()) == outcome
