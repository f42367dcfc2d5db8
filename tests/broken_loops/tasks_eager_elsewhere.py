"""Broken loops of the chapter `tasks`: what the loop does by tasks, which an eager factory starts at once."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _LooksForItsTask(Stock):
    """What is done `by_task` looks its task up at its first step: an eager one is not written down by then."""

    async def by_task(self, doing: Any) -> Any:
        running: list[Any] = []

        async def step() -> Any:
            try:
                running.pop()
            except IndexError:
                doing.close()
                raise
            return await doing

        running.append(self.create_task(step()))
        return await running[0]


@breaks("tasks.eager-connections", since="3.12")
class ConnectsByTask(_LooksForItsTask):
    """A connection to a path is made in a task that must not be eager."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        return await self.by_task(super().create_unix_connection(*args, **kwargs))


@breaks("tasks.eager-tls", since="3.12")
class ShakesHandsByTask(_LooksForItsTask):
    """start_tls() works in a task that must not be eager."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return await self.by_task(super().start_tls(*args, **kwargs))


@breaks("tasks.eager-methods", since="3.12")
class StartsByTask(_LooksForItsTask):
    """A child is started in a task that must not be eager."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        return await self.by_task(super().subprocess_exec(*args, **kwargs))


@breaks("tcp.connect-happy-eyeballs-eager", since="3.12")
class RacesByTask(_LooksForItsTask):
    """With happy_eyeballs_delay a connection is made in a task that must not be eager."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        delay = kwargs.pop("happy_eyeballs_delay", None)
        opening = super().create_connection(*args, **kwargs)
        return await (opening if delay is None else self.by_task(opening))
