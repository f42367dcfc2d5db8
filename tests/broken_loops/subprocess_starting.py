"""Broken loops of the chapter `subprocess`: starts that come to nothing."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("subprocess.failing-factory")
class StartsBeforeItAsks(Stock):
    """The program is started before protocol_factory is called."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            protocol = protocol_factory()
        except Exception:
            self.forgotten = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            raise
        return await super().subprocess_exec(lambda: protocol, *args, **kwargs)


@breaks("subprocess.cancelled-start")
class StartsWhatNobodyAwaits(Stock):
    """A start that is cancelled goes on."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.going_on = self.create_task(super().subprocess_exec(protocol_factory, *args, **kwargs))
        return await asyncio.shield(self.going_on)
