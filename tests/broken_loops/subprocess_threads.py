"""Broken loops of the chapter `subprocess`: children of loops that run in other threads than the main one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren

Stock = asyncio.SelectorEventLoop


def elsewhere() -> bool:
    return threading.current_thread() is not threading.main_thread()


@breaks("subprocess.threads-at-once")
class ThreadsSendNoSignals(TampersWithChildren):
    """kill() does nothing in another thread than the main one."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if elsewhere():
            transport.kill = lambda: None


@breaks("subprocess.threads-at-once")
class OneLoopHasChildren(Stock):
    """While a loop has children in one thread, no other one can."""

    owner: ClassVar[list[Any]] = []

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        if self.owner and self.owner[0] is not self:
            raise RuntimeError("another loop has children")
        self.owner[:] = [self]
        return await super().subprocess_exec(*args, **kwargs)

    def close(self) -> None:
        if self in self.owner:
            self.owner.clear()
        super().close()


@breaks("subprocess.threads-at-once")
class ThreadsHaveNoThirdPipe(TampersWithChildren):
    """In another thread than the main one there is no pipe for standard error."""

    def patch(self, transport: Any, protocol: Any) -> None:
        get = transport.get_pipe_transport
        if elsewhere() and all(map(get, (0, 1, 2))):
            transport.get_pipe_transport = lambda fd: get(fd) if fd < 2 else None
