"""Broken loops of the chapter `tls`: flow control, what is set too early, and ends during a pause."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop.tls import SSLTransport
from reference_loop.tls_session import State
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


@breaks("tls.buffer-limits")
class TlsTakesLowFirst(TampersWithTls):
    """The first argument of set_write_buffer_limits() of a TLS transport is the low watermark."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, low: int | None = None, high: int | None = None) -> None:
            limit(high=high, low=low)

        replaced(transport, "set_write_buffer_limits", limit)


@breaks("tls.paired")
class EveryWriteOfTlsPauses(TampersWithTls):
    """pause_writing() is called by every write over the limit."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            high = transport.get_write_buffer_limits()[1]
            before = transport.get_write_buffer_size()
            write(data)
            if high < before < transport.get_write_buffer_size():
                protocol.pause_writing()

        replaced(transport, "write", write)


@breaks("tls.paired")
class LinesOfTlsDoNotPause(TampersWithTls):
    """writelines() of a TLS transport pauses nobody."""

    def patch(self, transport: Any, protocol: Any) -> None:
        state = {"lines": False}

        def writelines(write: Any, lines: Any) -> None:
            state["lines"] = True
            write(lines)
            state["lines"] = False

        replaced(transport, "writelines", writelines)
        replaced(protocol, "pause_writing", lambda pause: None if state["lines"] else pause())


class _Early(TampersWithTls):
    """A method of the transport does nothing before connection_made() is over."""

    name = ""

    def patch(self, transport: Any, protocol: Any) -> None:
        made: list[None] = []
        self.call_soon(made.append, None)
        replaced(transport, self.name, lambda method, *args, **kwargs: method(*args, **kwargs) if made else None)


@breaks("tls.set-when-made")
class PausesOfTlsComeTooEarly(_Early):
    """pause_reading() inside connection_made() of a TLS connection is forgotten."""

    name = "pause_reading"


@breaks("tls.set-when-made")
class LimitsOfTlsComeTooEarly(_Early):
    """Limits that are set inside connection_made() of a TLS connection are forgotten."""

    name = "set_write_buffer_limits"


@breaks("tls.set-when-made")
class ProtocolsOfTlsComeTooEarly(_Early):
    """set_protocol() inside connection_made() of a TLS connection is forgotten."""

    name = "set_protocol"


class _Impatient(SSLTransport):
    def eof_received(self) -> bool:
        if self._state is State.OPEN:
            self._lower_ended = True
            self._receive_eof()
        return super().eof_received()


@breaks("tls.eof-after-resume")
class EndsThoughItIsPaused(OverTls):
    """The end of the connection beneath is the end of a TLS connection that is paused."""

    Tls = _Impatient


@breaks("tls.failing-pause")
class PausesOfTlsAreUnheard(TampersWithTls):
    """An exception in pause_writing() of a TLS connection is dropped."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def quietly(pause: Any) -> None:
            try:
                pause()
            except Exception:
                return

        replaced(protocol, "pause_writing", quietly)


@breaks("tls.failing-factory")
class FactoriesOfTlsFailOtherwise(Stock):
    """An exception of protocol_factory is a ConnectionError where TLS is asked for."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            try:
                return protocol_factory()
            except Exception as error:
                raise ConnectionError("no protocol") from error

        return await super().create_connection(make if kwargs.get("ssl") else protocol_factory, *args, **kwargs)


@breaks("tls.set-protocol-buffered")
class TheKindOfATlsProtocolStays(TampersWithTls):
    """After set_protocol() of a TLS transport, the new protocol is taken for one of the first one's kind."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def set_protocol(set_protocol: Any, new: Any) -> None:
            tls = transport._ssl_protocol
            kind = tls._app_protocol_is_buffer
            set_protocol(new)
            tls._app_protocol_is_buffer = kind

        replaced(transport, "set_protocol", set_protocol)
