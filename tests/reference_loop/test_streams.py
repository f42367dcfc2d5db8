"""A transport whose socket fails in a way that sockets do not."""

from __future__ import annotations

import asyncio
import socket
from unittest import mock

import pytest

from reference_loop import new_event_loop


class _Lost(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@pytest.mark.parametrize("method", ["recv", "send"])
def test_any_exception_of_the_socket_ends_the_connection(method: str) -> None:
    left, right = socket.socketpair()
    reported: list[dict[str, object]] = []

    async def main() -> object:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        transport, protocol = await asyncio.get_running_loop().create_unix_connection(_Lost, sock=left)
        with mock.patch.object(socket.socket, method, side_effect=RuntimeError("patched")):
            if method == "recv":
                right.sendall(b"x")
            else:
                transport.write(b"x")
            return await protocol.lost

    with asyncio.Runner(loop_factory=new_event_loop) as runner, right:
        assert isinstance(runner.run(main()), RuntimeError)
    assert reported
