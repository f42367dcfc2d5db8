"""Broken loops of the chapter `tls`: what another protocol changes besides, or does not change."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls


@breaks("tls.set-protocol-while-paused")
class AnotherProtocolOfTlsReads(TampersWithTls):
    """set_protocol() of a TLS transport resumes reading."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(exchange: Any, new: Any) -> None:
            exchange(new)
            transport.resume_reading()

        replaced(transport, "set_protocol", exchange)


@breaks("tls.set-protocol-while-paused")
class AnotherProtocolOfTlsHasNoLimits(TampersWithTls):
    """set_protocol() of a TLS transport sets the default limits."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(exchange: Any, new: Any) -> None:
            exchange(new)
            transport.set_write_buffer_limits()

        replaced(transport, "set_protocol", exchange)


class _AsData(asyncio.Protocol):
    """Gives a protocol with buffers, which it stands for, the data as a protocol without any would get it."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def data_received(self, data: bytes) -> None:
        received = getattr(self.protocol, "data_received", None)
        if received is not None:
            received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.protocol.connection_lost(exc)


@breaks("tls.set-protocol-buffered")
class TlsKeepsItsFirstKind(TampersWithTls):
    """A TLS connection that began with a protocol without buffers looks for data_received() of those with buffers."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(exchange: Any, new: Any) -> None:
            exchange(_AsData(new) if isinstance(new, asyncio.BufferedProtocol) else new)

        replaced(transport, "set_protocol", exchange)
