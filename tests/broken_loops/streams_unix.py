"""Broken loops of the chapter `streams`: Unix sockets that exist already, and the writer's transport."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("streams.unix-sock")
class KeepsTheUnixSocketItWasGiven(Stock):
    """create_unix_connection(sock=…) works on a duplicate and leaves the socket open."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs["sock"] = kwargs["sock"].dup()
        return await super().create_unix_connection(protocol_factory, path, **kwargs)


@breaks("streams.unix-server-sock")
class KeepsTheUnixListenerItWasGiven(Stock):
    """create_unix_server(sock=…) listens on a duplicate and leaves the socket open."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs["sock"] = kwargs["sock"].dup()
        return await super().create_unix_server(protocol_factory, path, **kwargs)


@breaks("streams.writer-transport")
class WritesInItsOwnTime(Stock):
    """write() of the transport of a socket that was given sends short data a turn later."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        if kwargs.get("sock") is not None:
            write = transport.write
            transport.write = lambda data: self.call_soon(write, data) if data == b"two " else write(data)
        return transport, protocol
