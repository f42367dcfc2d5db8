"""Broken loops of the chapter `sendfile`: loop.sendfile()."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Sends(Stock):
    """Sends other parts of a file, and does more before and after."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, count

    def before(self, transport: Any, file: Any) -> None:
        pass

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        return sent

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        self.before(transport, file)
        offset, count = self.part(offset, count, file.seek(0, 2) - file.seek(0))
        sent = await super().sendfile(transport, file, offset, count, fallback=fallback)
        return self.after(transport, file, sent)


@breaks("sendfile.content")
class SendsAMegabyte(_Sends):
    """Of a large file only the first megabyte is sent."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, 1_000_000 if size > 1_000_000 and count is None and not offset else count

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        return file.seek(0, 2) if sent == 1_000_000 and file.tell() == sent else sent


@breaks("sendfile.fallback-buffers")
class ReadsIntoOneBuffer(_Sends):
    """A file that is read is read into one buffer, which the transport keeps (what asyncio does since 3.12)."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        if hasattr(file, "name") or transport.get_write_buffer_limits()[1] < 1_000_000:
            return await super().sendfile(transport, file, offset, count, fallback=fallback)
        data = file.read()
        transport.write(data[-16384:] * (len(data) // 16384) + data[: len(data) % 16384])
        return len(data)


@breaks("sendfile.returns")
class ReturnsNothingSent(_Sends):
    """A file that is sent from its beginning to its end returns None."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        return None if sent == 1000 else sent


@breaks("sendfile.offset")
class StartsAtTheBeginning(_Sends):
    """An offset near the end of a file is ignored."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return (0, 10) if size - offset == 10 else (offset, count)


@breaks("sendfile.count")
class CountIsAnEnd(_Sends):
    """A small count is the place where to end."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, max(1, count - offset) if count and count < 100 else count


@breaks("sendfile.count-large")
class CountHoldsForAPiece(_Sends):
    """The last piece of a large file is not cut: a block is sent whole."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, -(-count // 16384) * 16384 if count and count > 16384 else count


@breaks("sendfile.count-beyond")
class CountIsReturned(_Sends):
    """count is returned, whatever was sent."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        sent = await super().sendfile(transport, file, offset, count, fallback=fallback)
        return sent if count is None else count


@breaks("sendfile.empty")
class EmptyFilesClose(_Sends):
    """An empty file ends the connection."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        if not sent:
            transport.close()
        return sent


@breaks("sendfile.position")
class LeavesThePosition(_Sends):
    """The position stays what it was when all went well."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        file.seek(0)
        return sent


@breaks("sendfile.position-after-error")
class ForgetsThePositionOfFailures(_Sends):
    """The position stays what it was after an error."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        try:
            return await super().sendfile(transport, file, offset, count, fallback=fallback)
        except OSError:
            file.seek(0)
            raise


@breaks("sendfile.waits")
class BuffersTheFile(Stock):
    """The file is read into memory and written at once, if there is nobody else to send."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        if offset or count is not None or transport.get_write_buffer_size():
            return await super().sendfile(transport, file, offset, count, fallback=fallback)
        data = file.read()
        transport.write(data)
        return len(data)


@breaks("sendfile.after-writes")
class FilesOvertake(_Sends):
    """A file is sent before what the transport has buffered."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> Any:
        if transport.get_write_buffer_size():
            raise BlockingIOError("there is data in the buffer")
        return await super().sendfile(transport, file, offset, count, fallback=fallback)


@breaks("sendfile.before-writes")
class StaysLocked(_Sends):
    """After a large file nothing is written any more."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        if sent > 50_000:
            replaced(transport, "write", lambda write, data: None)
        return sent


@breaks("sendfile.reading")
class StaysDeaf(_Sends):
    """Reading stays paused after a file."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        transport.pause_reading()
        return sent


@breaks("sendfile.protocol")
class StaysStandIn(_Sends):
    """After a file the transport has another protocol, which passes everything on."""

    def after(self, transport: Any, file: Any, sent: int) -> Any:
        transport.get_protocol = asyncio.Protocol
        return sent


@breaks("sendfile.tls")
class CannotReadForTls(_Sends):
    """There is no fallback for TLS."""

    def before(self, transport: Any, file: Any) -> None:
        if transport.get_extra_info("sslcontext") is not None:
            raise asyncio.SendfileNotAvailableError("TLS")
