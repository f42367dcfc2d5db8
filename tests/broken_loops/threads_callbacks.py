"""Broken loops of the chapter `threads`: done callbacks that run in the thread that has done the work."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Hasty(asyncio.Future[Any]):
    """Calls its done callbacks where it is ended."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop=loop)
        self.mine: list[tuple[Any, Any]] = []

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        if self.done() or isinstance(getattr(callback, "__self__", None), asyncio.Task):
            super().add_done_callback(callback, context=context)
        else:
            self.mine.append((callback, context))

    def remove_done_callback(self, callback: Any) -> int:
        before = len(self.mine)
        self.mine = [each for each in self.mine if each[0] != callback]
        return before - len(self.mine) + super().remove_done_callback(callback)

    def call_all(self) -> None:
        mine, self.mine = self.mine, []
        for callback, context in mine:
            context.run(callback, self) if context else callback(self)


@breaks("threads.done-callbacks")
class WorkersCallWhoWaits(Stock):
    """Done callbacks of the future of run_in_executor() are called by the thread that has done the work."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        answer = _Hasty(self)
        began = threading.Event()

        def work() -> Any:
            began.wait()
            try:
                return func(*args)
            finally:
                threading.Event().wait(0.005)  # until the loop has seen that somebody waits
                answer.call_all()

        working = super().run_in_executor(executor, work)

        def pass_on(_: object) -> None:
            if answer.done():
                return
            if working.cancelled():
                answer.cancel()
            elif (error := working.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(working.result())
            answer.call_all()

        working.add_done_callback(pass_on)
        began.set()
        return answer
