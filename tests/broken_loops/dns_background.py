"""Broken loops of the chapter `dns`: names that are looked up in the thread of the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _looked_up(address: Any, family: int, kind: int) -> Any:
    """A resolved address for one that may be a name; the thread waits for it."""
    if not isinstance(address, tuple):
        return address
    return socket.getaddrinfo(*address[:2], family, kind)[0][4][:2]


@breaks("dns.lookups-in-background")
class LooksHostsUpAtOnce(Stock):
    """The host of a connection is looked up in the thread of the loop."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host == "localhost":
            host, port = _looked_up((host, port), kwargs.get("family", 0), socket.SOCK_STREAM)
        return await super().create_connection(protocol_factory, host, port, **kwargs)


@breaks("dns.lookups-in-background")
class LooksLocalHostsUpAtOnce(Stock):
    """The local_addr of a connection is looked up in the thread of the loop."""

    async def create_connection(self, protocol_factory: Any, *args: Any, local_addr: Any = None, **kwargs: Any) -> Any:
        if local_addr is not None:
            local_addr = _looked_up(local_addr, kwargs.get("family", 0), socket.SOCK_STREAM)
        return await super().create_connection(protocol_factory, *args, local_addr=local_addr, **kwargs)


@breaks("dns.lookups-in-background")
class LooksServersUpAtOnce(Stock):
    """The host of a server is looked up in the thread of the loop."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host == "localhost":
            host, port = _looked_up((host, port), kwargs.get("family", 0), socket.SOCK_STREAM)
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("dns.lookups-in-background")
class LooksPeersUpAtOnce(Stock):
    """The remote_addr of an endpoint is looked up in the thread of the loop."""

    async def create_datagram_endpoint(  # type: ignore[override]  # what is not changed is passed on as it is
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **kwargs: Any
    ) -> Any:
        remote_addr = _looked_up(remote_addr, kwargs.get("family", 0), socket.SOCK_DGRAM)
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **kwargs)


@breaks("dns.lookups-in-background")
class LooksEndpointsUpAtOnce(Stock):
    """The local_addr of an endpoint is looked up in the thread of the loop."""

    async def create_datagram_endpoint(  # type: ignore[override]  # what is not changed is passed on as it is
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **kwargs: Any
    ) -> Any:
        local_addr = _looked_up(local_addr, kwargs.get("family", 0), socket.SOCK_DGRAM)
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **kwargs)


@breaks("dns.lookups-in-background")
class LooksUpWhereSocketsConnect(Stock):
    """sock_connect() looks a name up in the thread of the loop."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if sock.family == socket.AF_INET:
            address = _looked_up(address, sock.family, sock.type)
        await super().sock_connect(sock, address)


@breaks("dns.lookups-in-background")
class LooksUpWhereDatagramsGo(Stock):
    """sock_connect() looks a name up in the thread of the loop, for a datagram socket only."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if sock.family == socket.AF_INET and sock.type == socket.SOCK_DGRAM:
            address = _looked_up(address, sock.family, sock.type)
        await super().sock_connect(sock, address)


@breaks("dns.getnameinfo-does-not-block")
class LooksAddressesUpAtOnce(Stock):
    """getnameinfo() calls the resolver in the thread of the loop."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return socket.getnameinfo(sockaddr, flags)


class _OwnPool(Stock):
    """Has a pool of threads for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = concurrent.futures.ThreadPoolExecutor()

    def close(self) -> None:
        self.pool.shutdown()
        super().close()


@breaks("dns.default-executor")
class LooksHostsUpInAPoolOfItsOwn(_OwnPool):
    """Hosts are looked up in a pool of threads that is not the default executor."""

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        return await self.run_in_executor(self.pool, socket.getaddrinfo, host, port, family, type, proto, flags)


@breaks("dns.default-executor")
class LooksAddressesUpInAPoolOfItsOwn(_OwnPool):
    """The names of addresses are looked up in a pool of threads that is not the default executor."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await self.run_in_executor(self.pool, socket.getnameinfo, sockaddr, flags)
