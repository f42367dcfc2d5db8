"""Broken loops of the chapter `sendfile`: loop.sock_sendfile()."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Sends(Stock):
    """Sends other parts of a file over a socket, and does more before and after."""

    def before(self, sock: Any) -> None:
        pass

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, count

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        return sent

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        self.before(sock)
        offset, count = self.part(offset, count, file.seek(0, 2) - file.seek(0))
        return self.after(sock, file, await super().sock_sendfile(sock, file, offset, count, fallback=fallback))


@breaks("sendfile.sock-content")
class SocketsSendAMegabyte(_Sends):
    """Of a large file only the first megabyte is sent."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, 1_000_000 if size > 1_000_000 and count is None and not offset else count

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        return file.seek(0, 2) if sent == 1_000_000 and file.tell() == sent else sent


@breaks("sendfile.sock-returns")
class SocketsReturnNothing(_Sends):
    """A file that is sent from its beginning to its end returns None."""

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        return None if sent == 1000 else sent


@breaks("sendfile.sock-offset")
class SocketsStartAtTheBeginning(_Sends):
    """An offset near the end of a file is ignored."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return (0, 10) if size - offset == 10 else (offset, count)


@breaks("sendfile.sock-count")
class SocketsCountToAnEnd(_Sends):
    """A small count is the place where to end."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, max(1, count - offset) if count and count < 100 else count


@breaks("sendfile.sock-count-large")
class SocketsCountPieces(_Sends):
    """The last piece of a large file is not cut: a block is sent whole."""

    def part(self, offset: int, count: int | None, size: int) -> tuple[int, int | None]:
        return offset, -(-count // 16384) * 16384 if count and count > 16384 else count


@breaks("sendfile.sock-count-beyond")
class SocketsReturnTheCount(Stock):
    """count is returned, whatever was sent."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        sent = await super().sock_sendfile(sock, file, offset, count, fallback=fallback)
        return sent if count is None else count


@breaks("sendfile.sock-empty")
class SocketsReturnNoNumberOfNothing(_Sends):
    """An empty file returns None."""

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        return sent or None


@breaks("sendfile.sock-position")
class SocketsLeaveThePosition(_Sends):
    """The position stays what it was when all went well."""

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        file.seek(0)
        return sent


@breaks("sendfile.sock-position-after-error")
class SocketsForgetThePosition(Stock):
    """The position stays what it was after an error."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        try:
            return await super().sock_sendfile(sock, file, offset, count, fallback=fallback)
        except OSError:
            file.seek(0)
            raise


@breaks("sendfile.sock-waits")
class SocketsDoNotWait(Stock):
    """What a socket does not take is left, and the rest is sent when somebody asks for it."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        if offset or count is not None:
            return await super().sock_sendfile(sock, file, offset, count, fallback=fallback)
        data = file.read()
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[sock.send(data) :]
        if data:
            self.create_task(self.sock_sendall(sock, data))
        return file.tell()


@breaks("sendfile.sock-cancelled")
class SocketsAreNotLetGo(Stock):
    """What is cancelled goes on sending."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        sending = self.create_task(super().sock_sendfile(sock, file, offset, count, fallback=fallback))
        return await asyncio.shield(sending)


@breaks("sendfile.sock-stays-open")
class ClosesTheFile(_Sends):
    """The file is closed."""

    def after(self, sock: Any, file: Any, sent: int) -> Any:
        if sent == 1000 and sock.gettimeout() == 0:
            file.tell()
            self.call_soon(file.close)
        return sent


@breaks("sendfile.sock-datagram")
class SendsFilesInDatagrams(Stock):
    """A file for a datagram socket is counted as sent."""

    async def sock_sendfile(self, sock: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if sock.type.name == "SOCK_DGRAM":
            return len(file.read())
        return await super().sock_sendfile(sock, file, *args, **kwargs)


@breaks("sendfile.sock-tls")
class SendsFilesInPlainText(Stock):
    """Of an ssl.SSLSocket only the descriptor is looked at."""

    async def sock_sendfile(self, sock: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(sock, "cipher"):
            return await super().sock_sendfile(sock, file, *args, **kwargs)
        with socket.socket(fileno=os.dup(sock.fileno())) as plain:
            plain.setblocking(False)
            return await super().sock_sendfile(plain, file, *args, **kwargs)


@breaks("sendfile.sock-blocking")
class SendsToBlockingSockets(Stock):
    """A blocking socket is not refused."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool | None = True
    ) -> Any:
        sock.setblocking(False)
        return await super().sock_sendfile(sock, file, offset, count, fallback=fallback)


@breaks("sendfile.position-when-cancelled")
class CancelledFilesAreRewound(Stock):
    """A file whose sending is cancelled gets back the position that it had."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **how: Any) -> int:
        before = file.tell()
        try:
            return await super().sendfile(transport, file, *args, **how)
        except asyncio.CancelledError:
            file.seek(before)
            raise


@breaks("sendfile.reads-after-refusal")
class RefusesAndStopsReading(Stock):
    """A connection over which a file was refused is not read any more."""

    async def sendfile(self, transport: Any, *args: Any, **how: Any) -> int:
        transport.pause_reading()
        sent = await super().sendfile(transport, *args, **how)
        transport.resume_reading()
        return sent


@breaks("sendfile.sock-empty")
class BeyondTheEndIsAnError(Stock):
    """sock_sendfile() from an offset beyond the end of a file raises."""

    async def sock_sendfile(self, sock: Any, file: Any, offset: int = 0, count: Any = None, **how: Any) -> int:
        sent = await super().sock_sendfile(sock, file, offset, count, **how)
        if offset and not sent:
            raise EOFError
        return sent


@breaks("sendfile.empty")
class CountsTheOffset(Stock):
    """sendfile() of nothing returns the offset."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, count: Any = None, **how: Any) -> int:
        return await super().sendfile(transport, file, offset, count, **how) or offset


@breaks("sendfile.modes")
class WantsFilesOfOneFamily(Stock):
    """sendfile() takes no object that is a file in all but its class, as a named temporary file is."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **how: Any) -> int:
        if not isinstance(file, io.IOBase):
            raise TypeError(f"{file!r} is no file")
        return await super().sendfile(transport, file, *args, **how)
