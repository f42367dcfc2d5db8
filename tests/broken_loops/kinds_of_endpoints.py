"""Broken loops of the chapters `udp` and `subprocess`: endpoints and pipes are what the author had in mind."""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import PIPE
from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams

Stock = asyncio.SelectorEventLoop


@breaks("udp.sock-of-another-family")
class KnowsThreeFamilies(Stock):
    """create_datagram_endpoint() refuses a socket that is neither of IP nor of Unix."""

    async def create_datagram_endpoint(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:
        if sock is not None and sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            sock.close()
            raise ValueError(f"{sock.family!r} has no datagrams")
        return await super().create_datagram_endpoint(*args, sock=sock, **kwargs)


@breaks("subprocess.pipes-by-name")
class TalksThroughSockets(Stock):
    """The child's standard input is a socket."""

    async def subprocess_exec(self, factory: Any, *args: Any, stdin: Any = PIPE, **kwargs: Any) -> Any:
        if stdin != PIPE:
            return await super().subprocess_exec(factory, *args, stdin=stdin, **kwargs)
        theirs, ours = socket.socketpair()
        with theirs:
            transport, protocol = await super().subprocess_exec(factory, *args, stdin=theirs, **kwargs)
        writer, _ = await self.connect_write_pipe(asyncio.BaseProtocol, ours)
        others = transport.get_pipe_transport
        transport.get_pipe_transport = lambda fd: others(fd) if fd else writer  # type: ignore[method-assign]
        return transport, protocol


@breaks("udp.sendto-after-loss-is-quiet")
class LateDatagramsNeedASocket(OverDatagrams):
    """sendto() does not look whether the endpoint is closed."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if self._sock is None:
                raise AttributeError("None has no sendto()")
            super().sendto(data, addr)
