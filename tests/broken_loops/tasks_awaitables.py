"""Broken loops of the chapter `tasks`: tasks that expect more of what they await than the documentation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Sends(Coroutine[Any, Any, Any]):
    """Sends something into the coroutine at each step but the first."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.began = False

    def send(self, _value: object) -> Any:
        sent, self.began = ("woken" if self.began else None), True
        return self.inner.send(sent)

    def throw(self, *error: Any) -> Any:
        self.began = True
        return self.inner.throw(*error)

    def close(self) -> None:
        self.inner.close()

    def __await__(self) -> Any:
        raise NotImplementedError


@breaks("tasks.bare-iterator")
class SendsResultsIn(Stock):
    """A task sends what it was woken with into its coroutine."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        return super().create_task(_Sends(coro) if asyncio.iscoroutine(coro) else coro, **kwargs)
