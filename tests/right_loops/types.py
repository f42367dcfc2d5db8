"""Right loops with objects of types of their own, which have what the documentation says and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops.over_streams import OverStreams
from tests.right_loops.registry import right

_OF_SOCKETS = ("family", "type", "proto", "fileno", "dup", "getsockopt", "setsockopt", "getsockname", "getpeername",
               "get_inheritable", "shutdown", "settimeout", "gettimeout", "setblocking")  # fmt: skip
_OF_SERVERS = ("close", "get_loop", "is_serving", "start_serving", "serve_forever", "wait_closed", "close_clients",
               "abort_clients")  # fmt: skip


class _Shown:
    """Another object, of which only `names` can be seen."""

    __slots__ = ("_hidden",)
    names: tuple[str, ...] = _OF_SOCKETS

    def __init__(self, hidden: Any) -> None:
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        if name not in self.names:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return getattr(self._hidden, name)


class _Server(asyncio.AbstractServer):
    """A server that is no asyncio.Server."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def sockets(self) -> tuple[_Shown, ...]:
        return tuple(_Shown(sock) for sock in self._server.sockets)

    async def __aenter__(self) -> _Server:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()


def _passed_on(name: str) -> Any:
    return lambda self, *args: getattr(self._server, name)(*args)


for _name in _OF_SERVERS:
    setattr(_Server, _name, _passed_on(_name))


@right
class ServersAreAbstract(asyncio.SelectorEventLoop):
    """A server is an AbstractServer, and its sockets are of a class of their own."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        return _Server(await super().create_server(*args, **kwargs))

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        return _Server(await super().create_unix_server(*args, **kwargs))


class _Stream(StreamTransport):
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = super().get_extra_info(name, default)
        return _Shown(known) if name == "socket" else known


@right
class SocketsAreShown(OverStreams):
    """get_extra_info("socket") is a new object each time, of a class of its own."""

    Stream = _Stream
