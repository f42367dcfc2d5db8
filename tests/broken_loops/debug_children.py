"""Broken loops of the chapter `debug`: children and pipes that are others in debug mode."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced

Stock = asyncio.SelectorEventLoop


@breaks("debug.children")
class ErrorsAreSeenInDebugMode(Stock):
    """In debug mode a child's errors go where this process's go, unless they are to follow its output."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.get_debug() and kwargs.get("stderr", subprocess.PIPE) == subprocess.PIPE:
            kwargs["stderr"] = None
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("debug.children")
class EndsOfPipesAreLogged(TampersWithChildren):
    """In debug mode pipe_connection_lost() is not called for standard input."""

    def tamper(self, protocol: Any) -> None:
        def told(told: Any, fd: int, exc: Any) -> None:
            if fd or not self.get_debug():
                told(fd, exc)

        replaced(protocol, "pipe_connection_lost", told)


@breaks("debug.children-end")
class WarnsInsteadOfKilling(TampersWithChildren):
    """In debug mode close() of a child that runs closes its pipes, asks it to end, and does not kill it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if self.get_debug():
            transport._proc.kill = transport._proc.terminate


@breaks("debug.pipes")
class ReadersThatGoAreLogged(Stock):
    """In debug mode a write pipe whose reader has gone is not closed before something is written to it."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        transport, protocol = await super().connect_write_pipe(protocol_factory, pipe)
        if self.get_debug():
            self._remove_reader(pipe.fileno())  # type: ignore[attr-defined]  # not in typeshed
        return transport, protocol
