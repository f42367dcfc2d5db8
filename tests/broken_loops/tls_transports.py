"""Broken loops of the chapter `tls`: what a TLS transport does with data, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import hides, replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


class _TellsOtherwise(TampersWithTls):
    """Changes one piece of extra information."""

    name = ""

    def told(self, value: Any) -> Any:
        return None

    def patch(self, transport: Any, protocol: Any) -> None:
        def info(info: Any, name: str, default: Any = None) -> Any:
            return self.told(info(name, default)) if name == self.name else info(name, default)

        replaced(transport, "get_extra_info", info)


@breaks("tls.peercert-unverified")
class AnEmptyCertificateIsNone(_TellsOtherwise):
    """'peercert' is None for a certificate that was not validated."""

    name = "peercert"

    def told(self, value: Any) -> Any:
        return value or None


@breaks("tls.peercert")
class CertificatesAreBinary(_TellsOtherwise):
    """'peercert' is the certificate in binary form, if there is one."""

    name = "peercert"

    def told(self, value: Any) -> Any:
        return {"binary": b"..."} if value and "client" not in str(value) else value


@breaks("tls.cipher")
class CiphersAreNames(_TellsOtherwise):
    """'cipher' is the name of the cipher."""

    name = "cipher"

    def told(self, value: Any) -> Any:
        return value[0]


@breaks("tls.compression")
class KnowsNoCompression(TampersWithTls):
    """'compression' is not known."""

    def patch(self, transport: Any, protocol: Any) -> None:
        hides(transport, "compression")


@breaks("tls.sslcontext")
class MakesContextsAnew(_TellsOtherwise):
    """'sslcontext' is another context."""

    name = "sslcontext"

    def told(self, value: Any) -> Any:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@breaks("tls.ssl-object")
class HasATlsOfItsOwn(_TellsOtherwise):
    """'ssl_object' is no object of the module ssl."""

    name = "ssl_object"

    def told(self, value: Any) -> Any:
        class Own:
            version, selected_alpn_protocol = value.version, value.selected_alpn_protocol
            server_side = value.server_side

        return Own()


@breaks("tls.socket-info")
class HidesTheSocketBeneath(_TellsOtherwise):
    """'sockname' is not told by a TLS transport."""

    name = "sockname"


@breaks("tls.large")
class CutsTheTail(TampersWithTls):
    """What comes beyond a million and a half bytes is not received."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def received(told: Any, data: bytes) -> None:
            told(data[: 1_500_000 - len(protocol.received)])

        if hasattr(protocol, "data_received"):
            replaced(protocol, "data_received", received)


@breaks("tls.data-is-bytes")
class TlsGivesBytearrays(TampersWithTls):
    """Data is a bytearray."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if hasattr(protocol, "data_received"):
            replaced(protocol, "data_received", lambda told, data: told(bytearray(data)))


@breaks("tls.writelines")
class TlsWritesListsOnly(TampersWithTls):
    """writelines() of a TLS transport takes lists only."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda write, pieces: write([pieces[i] for i in range(len(pieces))]))


@breaks("tls.write-copies")
class EncryptsLater(TampersWithTls):
    """What is written is encrypted in the next turn, out of the caller's buffer."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def later(write: Any, data: Any) -> None:
            if isinstance(data, bytearray):
                self.call_soon(write, data)
            else:
                write(data)

        replaced(transport, "write", later)


@breaks("tls.write-eof")
class TlsWritesEof(TampersWithTls):
    """write_eof() of a TLS transport does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.write_eof = lambda: None


@breaks("tls.pause-writing")
class TlsDoesNotPause(TampersWithTls):
    """A full TLS transport does not pause its protocol."""

    def patch(self, transport: Any, protocol: Any) -> None:
        protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("tls.buffer-limits")
class TlsHasFixedLimits(TampersWithTls):
    """set_write_buffer_limits() does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.set_write_buffer_limits = lambda high=None, low=None: None


@breaks("tls.pause-reading")
class TlsIsNotPaused(TampersWithTls):
    """What was decrypted in the turn after pause_reading() is handed out; data_received() pauses as it should."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def pause(pause: Any) -> None:
            if protocol.received:
                pause()
            else:
                transport.is_reading = lambda: False

        replaced(transport, "pause_reading", pause)


@breaks("tls.pause-in-callback")
class HandsOutEveryRecord(TampersWithTls):
    """A pause in data_received() is forgotten."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def pause(pause: Any) -> None:
            if not protocol.received:
                pause()

        replaced(transport, "pause_reading", pause)


@breaks("tls.close")
class ClosesBeneath(TampersWithTls):
    """close() of a TLS transport aborts it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.close = transport.abort


@breaks("tls.is-closing")
class IsOpenAfterAReset(TampersWithTls):
    """is_closing() of a TLS transport is False after the peer has reset the connection."""

    def patch(self, transport: Any, protocol: Any) -> None:
        is_closing, lost, gone = transport.is_closing, protocol.connection_lost, []

        def connection_lost(exc: BaseException | None) -> None:
            gone.append(exc)
            lost(exc)

        protocol.connection_lost = connection_lost
        transport.is_closing = lambda: is_closing() and not any(gone)


@breaks("tls.peer-closes")
class TlsHasNoEof(TampersWithTls):
    """eof_received() is not called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        protocol.eof_received = lambda: None


@breaks("tls.eof-true")
class StaysHalfOpen(TampersWithTls):
    """A protocol whose eof_received() returns true is never told that the connection is lost."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if getattr(protocol, "keep_open", False):
            replaced(protocol, "connection_lost", lambda told, exc: None)


@breaks("tls.abrupt-end")
class DropsWhatWasNotSealed(TampersWithTls):
    """What came shortly before an end is held back until a close_notify seals it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        held: list[bytes] = []

        def received(told: Any, data: bytes) -> None:
            if data == b"last":
                held.append(data)
            else:
                told(data)

        def ended(ended: Any) -> Any:
            if transport.get_extra_info("ssl_object").pending() == 0 and transport.is_closing():
                protocol.received += b"".join(held)
            return ended()

        if hasattr(protocol, "data_received"):
            replaced(protocol, "data_received", received)
            replaced(protocol, "eof_received", ended)


@breaks("tls.garbage")
class GarbageIsAnEnd(TampersWithTls):
    """Garbage is a regular end."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(None))


@breaks("tls.abort")
class AbortingTlsCloses(TampersWithTls):
    """abort() of a TLS transport with data waits until it is sent."""

    def patch(self, transport: Any, protocol: Any) -> None:
        close = transport.close

        def abort(abort: Any) -> None:
            if transport.get_write_buffer_size():
                close()
            else:
                abort()

        replaced(transport, "abort", abort)


@breaks("tls.shutdown-timeout")
class WaitsForGoodbyes(Stock):
    """ssl_shutdown_timeout is checked and ignored."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") and (kwargs.get("ssl_shutdown_timeout") or 0) > 0:
            del kwargs["ssl_shutdown_timeout"]
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.set-protocol")
class TlsKeepsItsProtocol(TampersWithTls):
    """set_protocol() of a TLS transport changes what get_protocol() returns, and nothing else."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def remember(_set: Any, new: Any) -> None:
            transport.get_protocol = lambda: new

        replaced(transport, "set_protocol", remember)


@breaks("tls.buffered", "tls.buffered-bytearray")
class BuffersGetTooMuch(Stock):
    """A buffered protocol over TLS is told of one byte less than it got."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if isinstance(protocol, asyncio.BufferedProtocol) and kwargs.get("ssl"):
                replaced(protocol, "buffer_updated", lambda told, count: told(max(count - 1, 1)))
            return protocol

        return await super().create_connection(make, *args, **kwargs)
