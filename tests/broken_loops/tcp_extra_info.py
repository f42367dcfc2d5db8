"""Broken loops of the chapter `tcp`: what a transport is, and what it tells of itself."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OddSocket, OverStreams


@breaks("tcp.extra-info-addresses")
class GivesThePeernameAsAList(OverStreams):
    """The name of the peer is a list."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            info = super().get_extra_info(name, default)
            return list(info) if name == "peername" and isinstance(info, tuple) else info


class _NoOptions(OddSocket):
    """A stand-in for a socket that can only be asked."""

    def setsockopt(self, *_args: Any) -> None:
        raise TypeError("the options of this socket cannot be set")


@breaks("tcp.extra-info-socket")
class GivesAReadOnlySocket(OverStreams):
    """The options of the socket in the extra information cannot be set."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            info = super().get_extra_info(name, default)
            return _NoOptions(info) if name == "socket" else info


@breaks("tcp.extra-info-default")
class HasNoDefault(OverStreams):
    """Unknown extra information is a KeyError, unless a default is given."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name not in self._extra and default is None:
                raise KeyError(name)
            return super().get_extra_info(name, default)


@breaks("tcp.nodelay")
class LeavesNagleOn(OverStreams):
    """TCP_NODELAY is not set."""

    class Stream(StreamTransport):
        def __init__(self, loop: Any, sock: socket.socket, *args: Any) -> None:
            super().__init__(loop, sock, *args)
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


class _Proxy:
    """Everything that a transport is, except an asyncio.Transport."""

    def __init__(self, real: Any) -> None:
        self.__dict__["real"] = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.real == getattr(other, "real", other))

    def __hash__(self) -> int:
        return hash(self.real)


@breaks("tcp.transport-is-a-transport")
class HasTransportsOfItsOwn(asyncio.SelectorEventLoop):
    """Transports do not derive from asyncio.Transport."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        return _Proxy(transport), protocol


@breaks("tcp.extra-info-closed")
class AsksTheClosedSocket(OverStreams):
    """get_extra_info('socket') of a transport that is closed raises."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name == "socket" and self._sock is None:
                raise RuntimeError("the transport is closed")
            return super().get_extra_info(name, default)
