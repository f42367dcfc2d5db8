"""Broken loops of the chapter `udp`: long datagrams, many, and what an endpoint is asked or given in other ways."""

from __future__ import annotations

from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams


class _Given:
    """A protocol whose datagram_received() gets what `changed` makes of long data."""

    def __init__(self, protocol: Any, changed: Any) -> None:
        self.protocol, self.changed = protocol, changed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.protocol.datagram_received(self.changed(data), addr)


class OverReceived(OverDatagrams):
    """Endpoints that give `changed(data)` to their protocols."""

    @staticmethod
    def changed(data: bytes) -> Any:
        raise NotImplementedError

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(protocol_factory, *args, **how)
        transport._protocol = _Given(protocol, self.changed)
        return transport, protocol


@breaks("udp.received-large")
class ReadsPages(OverReceived):
    """What is received is cut after 16 KiB."""

    @staticmethod
    def changed(data: bytes) -> Any:
        return data[:16384]


@breaks("udp.received-large")
class ReadsWhatUdpCanSend(OverReceived):
    """What is received is cut after 64 KiB, which a datagram of a Unix socket may exceed."""

    @staticmethod
    def changed(data: bytes) -> Any:
        return data[:65536]


@breaks("udp.received-large")
class LongDatagramsAreViews(OverReceived):
    """A datagram longer than a packet is given as a memoryview."""

    @staticmethod
    def changed(data: bytes) -> Any:
        return data if len(data) < 1500 else memoryview(data)


@breaks("udp.sendto-by-name")
class SendsByPosition(OverDatagrams):
    """sendto() takes addr by position only."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None, /) -> None:  # type: ignore[override]
            super().sendto(data, addr)


@breaks("udp.sock-connected")
class ForgetsWhoIsConnected(OverDatagrams):
    """'peername' is known only if remote_addr was given."""

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(protocol_factory, *args, **how)
        if how.get("sock") is not None:
            transport._extra["peername"] = None
        return transport, protocol


@breaks("udp.close-flushes")
class FlushesOneBatch(OverDatagrams):
    """close() keeps the first 64 datagrams of the buffer, and drops the others."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            while len(self._buffer) > 64:
                self._buffer.pop()
            super().close()


@breaks("udp.close-again-flushes")
class LosesItsPatienceToo(OverDatagrams):
    """A second close() of an endpoint drops what waits."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if self._closing:
                self.abort()
            else:
                super().close()


@breaks("udp.abort-after-the-end")
class FlushedIsNotEnded(OverDatagrams):
    """abort() of an endpoint that has sent what waited, and ended, ends it again."""

    class Endpoint(DatagramTransport):
        def _write_ready(self) -> None:
            super()._write_ready()
            self._lost = False


@breaks("udp.extra-info-default")
class FalseDefaultsOfEndpointsAreNone(OverDatagrams):
    """get_extra_info() of an endpoint returns None for a default that is false."""

    class Endpoint(DatagramTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return super().get_extra_info(name, default or None)
