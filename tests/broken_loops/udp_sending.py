"""Broken loops of the chapter `udp`: DatagramTransport.sendto()."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks


class OverDatagrams(EventLoop):
    """Makes endpoints of the class `Endpoint`."""

    Endpoint: type[DatagramTransport] = DatagramTransport

    async def create_datagram_endpoint(self, protocol_factory: Callable[[], Any], *args: Any, **how: Any) -> Any:
        def factory() -> Any:
            protocol = protocol_factory()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                transport.__class__ = self.Endpoint  # before it reads
                made(transport)

            protocol.connection_made = connection_made
            return protocol

        return await super().create_datagram_endpoint(factory, *args, **how)


@breaks("udp.sendto-address")
class SendsToWhomItSentFirst(OverDatagrams):
    """An endpoint that is not connected sends to the address of its first datagram."""

    class Endpoint(DatagramTransport):
        first: Any = None

        def sendto(self, data: Any, addr: Any = None) -> None:
            self.first = self.first or addr
            super().sendto(data, self.first)


@breaks("udp.sendto-default")
class KeepsTheAddressInTheSocketOnly(OverDatagrams):
    """An endpoint that may broadcast has no default address."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if addr is None and not self._connected:
                raise TypeError("an address is needed")
            super().sendto(data, addr)


@breaks("udp.sendto-remote-address")
class RefusesAddressesWhenConnected(OverDatagrams):
    """sendto() of a connected endpoint takes no address at all."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if addr is not None and self._connected:
                raise ValueError("the endpoint is connected")
            super().sendto(data, addr)


@breaks("udp.sendto-other-address")
class IgnoresAddressesWhenConnected(OverDatagrams):
    """sendto() of a connected endpoint sends to its peer, whatever address is given."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, None if self._connected else addr)


@breaks("udp.sendto-unix-path")
class SendsToTuplesOnly(OverDatagrams):
    """sendto() refuses an address that is a path."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if isinstance(addr, str):
                raise ValueError("the address requires a DNS lookup")
            super().sendto(data, addr)


@breaks("udp.sendto-remote-path")
class ComparesTuplesOnly(OverDatagrams):
    """An address that is no tuple is not the one that an endpoint is connected to."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if self._connected and addr is not None and not isinstance(addr, tuple):
                raise ValueError("the endpoint is connected to another address")
            super().sendto(data, addr)


@breaks("udp.sendto-returns-none")
class ReturnsTheCount(OverDatagrams):
    """sendto() returns how many bytes were sent."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> Any:
            super().sendto(data, addr)
            return len(data)


@breaks("udp.sendto-accepts-buffers")
class SendsNoViews(OverDatagrams):
    """sendto() takes no memoryview."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if isinstance(data, memoryview):
                raise TypeError("bytes or bytearray expected")
            super().sendto(data, addr)


@breaks("udp.sendto-rejects-text")
class EncodesDatagrams(OverDatagrams):
    """sendto() encodes a string as UTF-8."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data.encode() if isinstance(data, str) else data, addr)


@breaks("udp.sendto-empty", since="3.13")
class HasNoEmptyDatagrams(OverDatagrams):
    """sendto() of nothing sends nothing."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if len(data):
                super().sendto(data, addr)


@breaks("udp.sendto-boundaries")
class FitsDatagramsIntoAPacket(OverDatagrams):
    """A datagram of more than 1500 bytes is cut."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data[:1500] if len(data) == 9000 else data, addr)


@breaks("udp.sendto-does-not-block")
class DropsTheDatagramsThatWait(OverDatagrams):
    """Of the datagrams that wait for room, the newest of ten is lost."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, addr)
            if len(self._buffer) == 10 and len(data) < 100:
                lost, _ = self._buffer.pop()
                self._buffer_size -= len(lost) + 8


@breaks("udp.sendto-copies")
class KeepsAReference(OverDatagrams):
    """A bytearray that waits for room is sent as it is by then."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, addr)
            if isinstance(data, bytearray) and self._buffer:
                self._buffer[-1] = (data, addr)  # type: ignore[assignment]


@breaks("udp.sendto-inside-callbacks")
class SendsNothingInsideCallbacks(OverDatagrams):
    """What datagram_received() sends of three datagrams in a row is lost."""

    class Endpoint(DatagramTransport):
        inside = False
        count = 0

        def _read_ready(self) -> None:
            self.inside = True
            super()._read_ready()
            self.inside = False

        def sendto(self, data: Any, addr: Any = None) -> None:
            self.count += self.inside
            if not (self.inside and self.count == 3):
                super().sendto(data, addr)


@breaks("udp.pause-writing")
class LetsDatagramsPileUp(OverDatagrams):
    """No high-water mark counts for datagrams."""

    class Endpoint(DatagramTransport):
        def _buffer_grew(self) -> None:
            pass


@breaks("udp.write-buffer-size")
class CountsHeadersOnce(OverDatagrams):
    """What a datagram costs besides its data is added to the size of the buffer, and never taken away."""

    class Endpoint(DatagramTransport):
        def _write_ready(self) -> None:
            waiting = len(self._buffer)
            super()._write_ready()
            self._buffer_size += 8 * (waiting - len(self._buffer))
            if self._sock is None or self._sock.family != socket.AF_UNIX:
                self._buffer_size = 0


@breaks("udp.write-buffer-size")
class CountsEveryTry(OverDatagrams):
    """A datagram that must wait again is counted again."""

    class Endpoint(DatagramTransport):
        def _write_ready(self) -> None:
            super()._write_ready()
            if self._buffer:
                self._buffer_size += 8


@breaks("udp.sendto-without-address")
class SendsToNobody(OverDatagrams):
    """A datagram without an address is dropped if the endpoint has no remote address."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if addr is not None or self._connected or self._address is not None:
                super().sendto(data, addr)
