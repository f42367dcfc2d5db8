"""Broken loops of the chapter `tls`: ends in callbacks, ends that are told of, and ends that fail."""

from __future__ import annotations

from typing import Any

from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls


@breaks("tls.close-again")
class ClosingTlsAgainAborts(TampersWithTls):
    """A second close() of a TLS transport is abort()."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "close", lambda close: transport.abort() if transport.is_closing() else close())


class _ClosedWhereItIsRead(SSLTransport):
    inside = 0

    def _read(self) -> None:
        self.inside += 1
        try:
            super()._read()
        finally:
            self.inside -= 1

    def close(self) -> None:
        if self.inside:
            self.abort()
        else:
            super().close()


@breaks("tls.close-inside")
class ClosesBeforeItSends(OverTls):
    """close() inside data_received() of a TLS connection drops what waits to be sent."""

    Tls = _ClosedWhereItIsRead


@breaks("tls.reset")
class AResetOfTlsIsAnEnd(TampersWithTls):
    """A TLS connection that is reset has come to its end."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(None if isinstance(exc, OSError) else exc))


@breaks("tls.eof-of-the-peer")
class ClosingTlsIsAnEof(TampersWithTls):
    """close() of a TLS transport tells the protocol of an end, too."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            if not transport.is_closing() and hasattr(protocol, "eof_received"):
                self.call_soon(protocol.eof_received)
            close()

        replaced(transport, "close", close)


@breaks("tls.write-after-loss-is-quiet")
class TlsThatIsGoneCannotBeWritten(TampersWithTls):
    """write() of a TLS transport raises when connection_lost() was called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if getattr(protocol, "lost", False):
                raise ConnectionError("the connection is gone")
            write(data)

        replaced(transport, "write", write)


class _Silent(TampersWithTls):
    """Drops the exceptions of one method of a protocol over TLS."""

    name = ""

    def patch(self, transport: Any, protocol: Any) -> None:
        def quietly(method: Any, *args: Any) -> Any:
            try:
                return method(*args)
            except Exception:
                return None

        replaced(protocol, self.name, quietly)


@breaks("tls.failing-connection-lost")
class TheLastWordOfTlsIsUnheard(_Silent):
    """An exception in connection_lost() of a TLS connection is dropped."""

    name = "connection_lost"


@breaks("tls.failing-eof-received")
class TheEndOfTlsIsUnheard(_Silent):
    """An exception in eof_received() of a TLS connection is dropped."""

    name = "eof_received"
