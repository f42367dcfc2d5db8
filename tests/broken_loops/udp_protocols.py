"""Broken loops of the chapter `udp`: endpoints that take one protocol for another, or forget what waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams


@breaks("udp.false-protocol")
class TrueEndpoints(EventLoop):
    """A protocol of an endpoint that is false is replaced by another one."""

    async def create_datagram_endpoint(self, protocol_factory: Callable[[], Any], *args: Any, **how: Any) -> Any:
        return await super().create_datagram_endpoint(
            lambda: protocol_factory() or asyncio.DatagramProtocol(), *args, **how
        )


class _KnowsTheFirst(DatagramTransport):
    """Knows the protocol that it was made for."""

    @property
    def first(self) -> Any:
        return self.__dict__.setdefault("_first", self._protocol)

    def set_protocol(self, protocol: Any) -> None:
        if hasattr(self, "_protocol"):
            self.first  # noqa: B018 (it is kept from now on)
        super().set_protocol(protocol)


@breaks("udp.set-protocol-errors")
class RefusalsGoToTheFirst(OverDatagrams):
    """error_received() is called on the protocol that the endpoint was made for."""

    class Endpoint(_KnowsTheFirst):
        def _read_ready(self) -> None:
            given, self._protocol = self._protocol, self.first
            self._protocol.datagram_received = given.datagram_received
            super()._read_ready()
            self._protocol = given


@breaks("udp.set-protocol-flow")
class TheFirstIsPaused(OverDatagrams):
    """pause_writing() is called on the protocol that the endpoint was made for."""

    class Endpoint(_KnowsTheFirst):
        def _tell(self, method: str) -> None:
            given, self._protocol = self._protocol, self.first
            super()._tell(method)
            self._protocol = given


@breaks("udp.is-closing-while-flushing")
class FlushingEndpointsAreOpen(OverDatagrams):
    """is_closing() says False while datagrams wait."""

    class Endpoint(DatagramTransport):
        def is_closing(self) -> bool:
            return self._closing and not self._buffer


@breaks("udp.sendto-inside-callbacks")
class NothingIsSentBeforeTheStart(OverDatagrams):
    """What is sent inside connection_made() is lost."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if self._reading:
                super().sendto(data, addr)


@breaks("udp.sendto-inside-callbacks")
class AnswersWhoeverSpokeLast(OverDatagrams):
    """What is sent inside datagram_received() goes to the sender."""

    class Endpoint(DatagramTransport):
        sender: Any = None

        def _read_ready(self) -> None:
            assert self._sock is not None
            self.sender = self._sock.recvfrom(1, socket.MSG_PEEK)[1]
            super()._read_ready()
            self.sender = None

        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, self.sender or addr)


@breaks("udp.sendto-accepts-buffers")
class CountsItemsOfDatagrams(OverDatagrams):
    """The length of a view is taken for its number of bytes."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(bytes(data)[: len(data)] if isinstance(data, memoryview) else data, addr)


@breaks("udp.buffered-headers", since="3.13")
class HeadersCostNothing(OverDatagrams):
    """Only data counts for the size of the buffer."""

    class Endpoint(DatagramTransport):
        def get_write_buffer_size(self) -> int:
            return sum(len(data) for data, _ in self._buffer)


@breaks("udp.plain-protocol")
class EndpointsAskForTheClass(EventLoop):
    """The protocol of an endpoint has to be an asyncio.BaseProtocol."""

    async def create_datagram_endpoint(self, protocol_factory: Callable[[], Any], *args: Any, **how: Any) -> Any:
        def checked() -> Any:
            protocol = protocol_factory()
            if not isinstance(protocol, asyncio.BaseProtocol):
                raise TypeError("a protocol is expected")
            return protocol

        return await super().create_datagram_endpoint(checked, *args, **how)
