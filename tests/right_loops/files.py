"""Right loops that send files, and listen, in another way."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from reference_loop import EventLoop
from tests.right_loops.registry import right

_LOOK = 0.001
_MANY = 100


def _unsigned(number: Any) -> None:
    if isinstance(number, int) and number < 0:
        raise OverflowError("can't convert negative int to unsigned")


@right
class SendsFilesToTheEnd(EventLoop):
    """sendfile() returns when nothing of the file is buffered any more; its numbers have no sign."""

    async def sendfile(self, transport: Any, file: Any, offset: Any = 0, count: Any = None, **kwargs: Any) -> Any:
        _unsigned(offset)
        _unsigned(count)
        sent = await super().sendfile(transport, file, offset, count, **kwargs)
        while transport.get_write_buffer_size():
            await asyncio.sleep(_LOOK)
        return sent

    async def sock_sendfile(self, sock: Any, file: Any, offset: Any = 0, count: Any = None, **kwargs: Any) -> Any:
        _unsigned(offset)
        _unsigned(count)
        return await super().sock_sendfile(sock, file, offset, count, **kwargs)


def _listen(server: Any) -> Any:
    for listening in server.sockets:
        with socket.socket(fileno=os.dup(listening.fileno())) as sock:
            sock.listen(_MANY)
    return server


@right
class ListensBeforeItServes(EventLoop):
    """The sockets of a server that is to start later listen at once: connections wait in the kernel."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)
        return server if kwargs.get("start_serving", True) else _listen(server)

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_unix_server(*args, **kwargs)
        return server if kwargs.get("start_serving", True) else _listen(server)
