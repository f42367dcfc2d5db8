"""Broken loops of the chapter `sockets`: addresses and data that are not sent as they are, and short buffers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("sockets.sendto-ipv6")
class SendsToFourItems(Stock):
    """sock_sendto() takes IPv6 addresses of four items only."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        if sock.family == socket.AF_INET6:
            host, port, flow, scope = address
            address = (host, port, flow, scope)
        return await super().sock_sendto(sock, data, address)


@breaks("sockets.sendto-name")
class SendsToNumbers(Stock):
    """sock_sendto() takes the numbers of hosts only."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        if sock.family == socket.AF_INET:
            socket.inet_pton(sock.family, address[0])
        return await super().sock_sendto(sock, data, address)


@breaks("sockets.send-rejects-text")
class SendallEncodesText(Stock):
    """sock_sendall() sends text as UTF-8."""

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        await super().sock_sendall(sock, data.encode() if isinstance(data, str) else data)


@breaks("sockets.send-rejects-text")
class SendsZeros(Stock):
    """sock_sendto() of a number sends as many zeros."""

    async def sock_sendto(self, sock: Any, data: Any, address: Any) -> int:
        return await super().sock_sendto(sock, bytes(data) if isinstance(data, int) else data, address)
