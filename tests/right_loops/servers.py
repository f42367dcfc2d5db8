"""Right loops whose servers end in another way."""

from __future__ import annotations

from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from tests.right_loops.registry import right

_TURNS = 3


class _Later(Server):
    """Stops accepting at once, and closes its sockets some turns later; who waits for its end waits for that, too."""

    def close(self) -> None:
        if self._sockets is None:
            return
        sockets, self._sockets = self._sockets, []
        self._serving = False
        for sock in sockets:
            self._loop._poller.remove_reader(sock.fileno())
        self._turn(sockets, _TURNS)
        super().close()

    def _turn(self, sockets: list[Any], left: int) -> None:
        if left and not self._loop.is_closed():
            self._loop.call_soon(self._turn, sockets, left - 1)
            self._loop._ending[self] = sockets  # type: ignore[attr-defined]
            return
        for sock in sockets:
            sock.close()
        self._loop._ending.pop(self, None)  # type: ignore[attr-defined]
        self._wake_if_over()

    def _wake_if_over(self) -> None:
        if self not in self._loop._ending:  # type: ignore[attr-defined]
            super()._wake_if_over()


@right
class ServersCloseLater(EventLoop):
    """close() of a server closes its sockets three turns later, as where accept() must be cancelled first."""

    def __init__(self) -> None:
        super().__init__()
        self._ending: dict[Any, list[Any]] = {}

    async def _started(self, server: Server, start_serving: bool) -> Server:
        server.__class__ = _Later
        return await super()._started(server, start_serving)

    def close(self) -> None:
        for sockets in self._ending.values():
            for sock in sockets:
                sock.close()
        super().close()
