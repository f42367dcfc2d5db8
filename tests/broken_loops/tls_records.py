"""Broken loops of the chapter `tls`: records in pieces, early or together, and callbacks."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


class _Receives(TampersWithTls):
    """Changes what data_received() of a TLS connection is told."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        told(data)

    def patch(self, transport: Any, protocol: Any) -> None:
        if hasattr(protocol, "data_received"):
            replaced(protocol, "data_received", lambda told, data: self.received(told, data, protocol))


@breaks("tls.data-with-handshake")
class ForgetsEarlyData(_Receives):
    """Data that came with the handshake is dropped."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        if data != b"at once":
            told(data)


@breaks("tls.split-record")
class CompletesRecordsTwice(_Receives):
    """A record that came in pieces is received twice."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        told(data * 2 if data == b"bit by bit" else data)


@breaks("tls.many-records")
class ReadsFewRecords(_Receives):
    """Of many small records that arrive together, the last is left."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        told(data[:-4] if data.endswith(b"  99") else data)


@breaks("tls.data-with-end")
class SeesTheEndFirst(_Receives):
    """Data that came with the peer's goodbye is received after it."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        if data == b"the last":
            self.call_soon(told, data)
        else:
            told(data)


@breaks("tls.write-when-made")
class WritesOnceOpen(TampersWithTls):
    """What is written in connection_made() is dropped."""

    def patch(self, transport: Any, protocol: Any) -> None:
        opened: list[bool] = []
        self.call_soon(opened.append, True)
        replaced(transport, "write", lambda write, data: write(data) if opened else None)


class _Writes(TampersWithTls):
    """Changes write() of a TLS transport."""

    def write(self, write: Any, data: Any, transport: Any) -> None:
        write(data)

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "write", lambda write, data: self.write(write, data, transport))


@breaks("tls.write-of-nothing")
class EncryptsNothing(_Writes):
    """Writing nothing ends the connection."""

    def write(self, write: Any, data: Any, transport: Any) -> None:
        write(data) if data or isinstance(data, memoryview) else transport.close()


@breaks("tls.write-rejects-text")
class EncryptsText(_Writes):
    """Text and numbers are written as they print."""

    def write(self, write: Any, data: Any, transport: Any) -> None:
        write(data if isinstance(data, bytes | bytearray | memoryview) else str(data).encode())


@breaks("tls.close-stops-receiving")
class ReceivesWhileClosing(TampersWithTls):
    """Data is received until the peer says goodbye."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            close()
            if hasattr(protocol, "data_received"):
                self.call_later(0, protocol.data_received, b"")

        replaced(transport, "close", close)


@breaks("tls.connection-lost-once")
class EachLayerEnds(TampersWithTls):
    """connection_lost() is called by each layer."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            told(exc)
            told(exc)

        replaced(protocol, "connection_lost", lost)


@breaks("tls.abort-after-closes")
class TheSecondCloseLetsGo(EventLoop):
    """After the second close() there is nothing to abort."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        if kwargs.get("ssl"):

            def close(close: Any) -> None:
                if transport.is_closing():
                    transport.abort = lambda: None
                close()

            replaced(transport, "close", close)
        return transport, protocol


@breaks("tls.lost-not-inline")
class TlsIsLostAtOnce(TampersWithTls):
    """connection_lost() is called inside close() and abort()."""

    def patch(self, transport: Any, protocol: Any) -> None:
        told: list[Any] = []

        def lost(lost: Any, exc: Any) -> None:
            if not told:
                told.append(exc)
                lost(exc)

        def end(end: Any) -> None:
            end()
            protocol.connection_lost(None)

        replaced(protocol, "connection_lost", lost)
        replaced(transport, "close", end)
        replaced(transport, "abort", end)


@breaks("tls.extra-default")
class TlsForgetsTheDefault(TampersWithTls):
    """get_extra_info() of a TLS transport has no default."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def info(info: Any, name: str, default: Any = None) -> Any:
            return default if name == "compression" else info(name)

        replaced(transport, "get_extra_info", info)


@breaks("tls.version")
class SpeaksTheLatestVersion(Stock):
    """The context's maximum version is forgotten."""

    def forget(self, kwargs: dict[str, Any]) -> None:
        if isinstance(kwargs.get("ssl"), ssl.SSLContext):
            kwargs["ssl"].maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.forget(kwargs)
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.forget(kwargs)
        return await super().create_server(protocol_factory, *args, **kwargs)


@breaks("tls.callback-error")
class ErrorsOverTlsAreSilent(_Receives):
    """An exception in data_received() is an end in silence."""

    def received(self, told: Any, data: bytes, protocol: Any) -> None:
        try:
            told(data)
        except Exception:
            protocol.transport.abort()


@breaks("tls.abrupt-end-reason")
class AbruptEndsAreErrors(TampersWithTls):
    """A connection that ends without the peer's goodbye is lost with an error."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            aborted = not protocol.names.count("eof_received") if hasattr(protocol, "names") else True
            told(exc if aborted else ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))

        replaced(protocol, "connection_lost", lost)


@breaks("tls.write-returns-none")
class TlsCountsItsBytes(TampersWithTls):
    """write() of a TLS transport returns the number of bytes."""

    def patch(self, transport: Any, _protocol: Any) -> None:
        replaced(transport, "write", lambda write, data: write(data) or len(data))


@breaks("tls.resume-not-inline", "tls.resume-tells-no-end")
class TlsReadsAsItResumes(TampersWithTls):
    """resume_reading() of a TLS transport reads, and hands out, what has come meanwhile."""

    def patch(self, transport: Any, _protocol: Any) -> None:
        def resume(resume: Any) -> None:
            resume()
            transport._ssl_protocol._do_read()

        replaced(transport, "resume_reading", resume)
