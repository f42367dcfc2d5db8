"""Broken loops of the chapter `tcp`: addresses that do not race as they should, and those that local_addr is for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks


@breaks("tcp.connect-happy-eyeballs-each")
class TwoRaceAtATime(EventLoop):
    """With happy_eyeballs_delay two addresses race: a third one is tried when both of them have failed."""

    async def _race(self, waiting: Any, local_infos: Any, delay: float) -> Any:
        errors: list[OSError] = []
        while waiting:
            two = deque(waiting.popleft() for _ in range(min(2, len(waiting))))
            winner, failed = await super()._race(two, local_infos, delay)
            errors += failed
            if winner is not None:
                return winner, errors
        return None, errors


@breaks("tcp.connect-happy-eyeballs-each")
class TheRestStartsTogether(EventLoop):
    """With happy_eyeballs_delay all other attempts start when the first one has failed, or has had the delay."""

    async def _race(self, waiting: Any, local_infos: Any, delay: float) -> Any:
        first = self.create_task(super()._race(deque([waiting.popleft()]), local_infos, delay))
        await asyncio.wait([first], timeout=delay)
        others = await super()._race(waiting, local_infos, 0.0)
        first.cancel()
        return others


@breaks("tcp.connect-matching-families")
class OneFamilyForAll(EventLoop):
    """The first address of a host decides for which family local_addr must be."""

    async def _connect_first(self, infos: Any, local_infos: Any, delay: float | None) -> Any:
        if local_infos and infos[0][0] not in {info[0] for info in local_infos}:
            return None, [OSError("no local address of this family")]
        return await super()._connect_first(infos, local_infos, delay)
