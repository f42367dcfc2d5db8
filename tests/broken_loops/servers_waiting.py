"""Broken loops of the chapter `servers`: who waits for a server, who asks it, and coroutines that begin too early."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_objects import _Wrapped, _Wraps


@breaks("servers.close-sockets", "servers.close-empties-sockets")
class ClosesWhatServes(_Wraps):
    """close() of a server that does not serve yet leaves its sockets open."""

    class wrapper(_Wrapped):
        def close(self) -> None:
            if self.server.is_serving():
                self.server.close()


@breaks("servers.get-loop")
class AsksWhichLoopRuns(_Wraps):
    """get_loop() returns the loop that runs, if one does."""

    class wrapper(_Wrapped):
        def get_loop(self) -> Any:
            try:
                return asyncio.get_running_loop()
            except RuntimeError:
                return self.server.get_loop()


@breaks("servers.wait-closed-waits", since="3.12")
class WaitsForWhatServes(_Wraps):
    """wait_closed() of a server that does not serve yet returns at once."""

    class wrapper(_Wrapped):
        async def wait_closed(self) -> None:
            if self.server.is_serving() or not self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class LetsOneWait(_Wraps):
    """wait_closed() returns at once to whoever is not the first to wait."""

    class wrapper(_Wrapped):
        waited = False

        async def wait_closed(self) -> None:
            if not self.waited:
                self.waited = True
                await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class ClosesForWhoGivesUp(_Wraps):
    """A cancelled wait_closed() closes the server."""

    class wrapper(_Wrapped):
        async def wait_closed(self) -> None:
            try:
                await self.server.wait_closed()
            except asyncio.CancelledError:
                self.server.close()
                raise


@breaks("servers.coroutines")
class StartsWhenItIsCalled(_Wraps):
    """start_serving() starts though nobody awaits it."""

    class wrapper(_Wrapped):
        def start_serving(self) -> Any:
            starting = asyncio.ensure_future(self.server.start_serving(), loop=self.server.get_loop())

            async def wait() -> None:
                await starting

            return wait()
