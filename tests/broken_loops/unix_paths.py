"""Broken loops of the chapter `unix`: paths of every spelling, and the options of servers."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("unix.connect-any-path")
class ConnectsInAscii(Stock):
    """A path that is not ASCII cannot be connected to."""

    async def create_unix_connection(self, factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if isinstance(path, str):
            path.encode("ascii")
        return await super().create_unix_connection(factory, path, **kwargs)


@breaks("unix.connect-in-background")
class WaitsForPathsToAnswer(Stock):
    """A path is connected to in blocking mode."""

    async def create_unix_connection(self, factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if path is not None and kwargs.get("sock") is None:
            kwargs["sock"] = socket.socket(socket.AF_UNIX)
            kwargs["sock"].connect(os.fspath(path))
            path = None
        return await super().create_unix_connection(factory, path, **kwargs)


@breaks("unix.server-any-path")
class ServesShortPaths(Stock):
    """A path has room for 91 bytes, as on the system with the shortest."""

    async def create_unix_server(self, factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if path is not None and len(os.fsencode(path)) > 91:
            raise OSError("AF_UNIX path too long")
        return await super().create_unix_server(factory, path, **kwargs)


@breaks("unix.server-any-path")
class ServesTextAsUtf8(Stock):
    """A path of bytes must be UTF-8."""

    async def create_unix_server(self, factory: Any, path: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_server(
            factory, path.decode() if isinstance(path, bytes) and path[:1] != b"\0" else path, **kwargs
        )


@breaks("unix.server-starts-later")
class UnixServersStartAtOnce(Stock):
    """start_serving=False of a Unix server is ignored."""

    async def create_unix_server(self, *args: Any, start_serving: bool = True, **kwargs: Any) -> Any:
        return await super().create_unix_server(*args, **kwargs)


@breaks("unix.server-backlog")
class UnixServersQueueAsTheyLike(Stock):
    """backlog of a Unix server is ignored."""

    async def create_unix_server(self, *args: Any, backlog: int = 100, **kwargs: Any) -> Any:
        return await super().create_unix_server(*args, **kwargs)


@breaks("unix.false-protocol")
class FalseProtocolsOverUnixAreNone(Stock):
    """A protocol of a Unix server that is false is taken for none."""

    async def create_unix_server(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_unix_server(lambda: factory() or asyncio.Protocol(), *args, **kwargs)


@breaks("unix.abstract")
class AbstractNamesEndAtAZero(Stock):
    """An abstract name that is connected to ends at its second zero byte."""

    async def create_unix_connection(self, factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if isinstance(path, str | bytes) and os.fsencode(path)[:1] == b"\0":
            path = b"\0" + os.fsencode(path)[1:].partition(b"\0")[0]
        return await super().create_unix_connection(factory, path, **kwargs)
