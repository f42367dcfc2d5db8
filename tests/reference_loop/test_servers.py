"""Servers whose start fails."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from reference_loop import new_event_loop


def test_a_server_that_could_not_start_is_not_serving_and_can_be_started_later() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        free, taken, other = (socket.socket() for _ in range(3))
        for sock in (taken, other):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        other.bind(taken.getsockname())
        server: Any = await loop.create_server(asyncio.Protocol, sock=other, start_serving=False)
        server._sockets.insert(0, free)
        free.bind(("127.0.0.1", 0))
        free.setblocking(False)
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await server.start_serving()
        assert not server.is_serving()
        assert not loop.remove_reader(free)
        taken.close()
        await server.start_serving()
        assert server.is_serving()
        for sock in (free, other):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            writer.close()
        server.close()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
