"""Broken loops of the chapter `sendfile`: files over TLS, which are sent in a way of their own."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.sendfile_refusals import is_tls
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Tls(Stock):
    """Sends a file over TLS in a way of its own."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        if is_tls(transport):
            return await self.over_tls(transport, file, offset, count, fallback)
        return await super().sendfile(transport, file, offset, count, fallback=fallback)

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        return await super().sendfile(transport, file, offset, count, fallback=fallback)


@breaks("sendfile.tls")
class AcceptedTlsTakesNoFiles(_Tls):
    """The server's end of a TLS connection takes no file."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if transport.get_extra_info("ssl_object").server_side:
            raise RuntimeError("not of a client")
        return await super().over_tls(transport, file, offset, count, fallback)


@breaks("sendfile.tls")
class UpgradedTlsTakesNoFiles(_Tls):
    """A connection that start_tls() has upgraded takes no file."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        self.upgraded = await super().start_tls(*args, **kwargs)
        return self.upgraded

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if transport is getattr(self, "upgraded", None):
            raise RuntimeError("not made by create_connection()")
        return await super().over_tls(transport, file, offset, count, fallback)


@breaks("sendfile.count-large")
class TlsCountsPieces(_Tls):
    """Over TLS the last piece of a large file is not cut: a block is sent whole."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        pieces = -(-count // 16384) * 16384 if count and count > 16384 else count
        sent = await super().over_tls(transport, file, offset, pieces, fallback)
        return min(sent, count or sent)


@breaks("sendfile.empty")
class TlsEndsWithNothing(_Tls):
    """Over TLS an empty file ends the connection."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        sent = await super().over_tls(transport, file, offset, count, fallback)
        if not sent:
            transport.close()
        return sent


@breaks("sendfile.position-after-error")
class TlsForgetsThePosition(_Tls):
    """Over TLS the position is what it was after an error."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        try:
            return await super().over_tls(transport, file, offset, count, fallback)
        except OSError:
            file.seek(0)
            raise


@breaks("sendfile.waits")
class TlsBuffersTheFile(_Tls):
    """Over TLS the file is read into memory and written at once, if there is nobody else to send."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if offset or count is not None or transport.get_write_buffer_size() or not fallback or transport.is_closing():
            return await super().over_tls(transport, file, offset, count, fallback)
        data = file.read()
        transport.write(data)
        return len(data)


@breaks("sendfile.before-writes")
class TlsStaysLocked(_Tls):
    """After a large file over TLS nothing is written any more."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        sent = await super().over_tls(transport, file, offset, count, fallback)
        if sent > 50_000:
            replaced(transport, "write", lambda write, data: None)
        return sent


@breaks("sendfile.reading")
class TlsStaysPaused(_Tls):
    """After a file over TLS reading stays paused."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        sent = await super().over_tls(transport, file, offset, count, fallback)
        transport.pause_reading()
        return sent


@breaks("sendfile.protocol")
class TlsKeepsTheStandIn(_Tls):
    """After a file over TLS the transport has another protocol, which passes everything on."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        protocol = transport.get_protocol()
        sent = await super().over_tls(transport, file, offset, count, fallback)
        transport.set_protocol(_StandIn(protocol))
        return sent


class _StandIn(asyncio.Protocol):
    def __init__(self, protocol: Any) -> None:
        for name in ("data_received", "eof_received", "connection_lost", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))


@breaks("sendfile.closing")
class TlsSendsFilesToNobody(_Tls):
    """A file that is sent on a TLS transport which is closing counts as sent."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if transport.is_closing():
            return 0
        return await super().over_tls(transport, file, offset, count, fallback)


@breaks("sendfile.lost")
class TlsCountsWhatIsLost(_Tls):
    """A TLS transport that is aborted ends sendfile() as if all were sent."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        try:
            return await super().over_tls(transport, file, offset, count, fallback)
        except ConnectionError:
            if offset:  # what the peer has reset is another requirement's
                raise
            return file.tell()


@breaks("sendfile.position")
class PositionOfTheLastPiece(Stock):
    """The position is set to the end of the first of several pieces."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        sent = await super().sendfile(transport, file, *args, **kwargs)
        if 16384 < sent < 100_000:
            file.seek(16384)
        return sent


@breaks("sendfile.sock-position")
class SocketsPositionOfTheLastPiece(Stock):
    """After sock_sendfile() the position is that of the end of the first of several pieces."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        sent = await super().sock_sendfile(sock, file, offset, count, fallback=fallback)
        if sent > 16384 and fallback:  # without a fallback it is sendfile() that calls it
            file.seek(offset + 16384)
        return sent


@breaks("sendfile.after-writes")
class TheStandInKeepsTheResumption(Stock):
    """resume_writing() that comes while a file is sent is not passed on to the protocol that was paused before."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        protocol, asked = transport.get_protocol(), transport.get_write_buffer_size()
        if not asked and not is_tls(transport):
            return await super().sendfile(transport, file, *args, **kwargs)
        resume, protocol.resume_writing = protocol.resume_writing, lambda: None
        try:
            return await super().sendfile(transport, file, *args, **kwargs)
        finally:
            protocol.resume_writing = resume


@breaks("sendfile.text")
class SendsTextOverTls(_Tls):
    """A text file is sent over TLS as its bytes happen to be."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        return await super().over_tls(transport, getattr(file, "buffer", file), offset, count, fallback)


@breaks("sendfile.after-writes")
class PausedTlsTakesNoFiles(_Tls):
    """A TLS transport whose protocol is paused takes no file."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if transport._protocol_paused:
            raise RuntimeError("too much is waiting")
        return await super().over_tls(transport, file, offset, count, fallback)


@breaks("sendfile.tls-not-available")
class ServersOfTlsAlwaysFallBack(_Tls):
    """A file is read and sent by hand over a server's TLS connection, whatever fallback says."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        by_hand = transport.get_extra_info("ssl_object").server_side
        return await super().over_tls(transport, file, offset, count, fallback or by_hand)


@breaks("sendfile.modes")
class TlsTakesBufferedFilesOnly(_Tls):
    """A file that is open without a buffer is not sent over TLS."""

    async def over_tls(self, transport: Any, file: Any, offset: int, count: int | None, fallback: bool) -> Any:
        if isinstance(file, io.RawIOBase):
            raise TypeError("not a buffered file")
        return await super().over_tls(transport, file, offset, count, fallback)
