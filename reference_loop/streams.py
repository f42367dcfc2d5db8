"""The transport of a stream socket: TCP or Unix ("Transports and Protocols" in the documentation).

Writes go to the socket at once and are buffered only when it is full. Mutable data is copied when it is buffered, so
that the caller may use it again.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from itertools import islice
from typing import Any

from .buffers import PIECES_PER_CALL, Data, after, as_bytes, drop_sent, kept
from .core import LoopCore
from .socket_transports import SocketTransport, set_nodelay

# recv(n) allocates n bytes and then gives back what was not needed. From 128 KiB on, glibc does that by mapping and
# unmapping memory, in every process that never got a whole large block: an echo of 1 KiB in a fresh process takes
# 0.3 of the time of asyncio's, which reads 256 KiB.
_READ_SIZE = 64 * 1024
# Only a connection that fills its reads gets larger ones: a message of 128 KiB then takes one call instead of two.
# Twelve short reads take it back; at once would be wrong, since every long message ends with a short read.
_MAXIMUM_READ_SIZE = 256 * 1024
# writelines() joins many pieces, or few small ones: 64 of 1 KiB take 0.4 of the time that sendmsg() takes with them.
# A few large ones (a header, a body and a trailer, perhaps) are not worth a copy.
_FEW_PIECES = 16
_SMALL_SIZE = 64 * 1024


class StreamTransport(SocketTransport):
    """A connected stream socket."""

    def __init__(
        self,
        loop: LoopCore,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: Context | None = None,
    ) -> None:
        self._buffer: deque[bytes | memoryview] = deque()
        self._buffer_size = 0
        self._barred = False  # write() has to look closer: EOF was written, a file is being sent, or the end is near
        self._eof_written = False
        self._flushed: asyncio.Future[None] | None = None
        self._read_size = _READ_SIZE
        super().__init__(loop, sock, protocol, extra, server, context)
        set_nodelay(sock)
        loop.call_soon(self._begin, waiter, context=self._context)

    # -- Reading ------------------------------------------------------------------------------------------------------

    def _read_ready(self) -> None:
        if self._buffered_protocol:
            self._read_into_buffer()
            return
        try:
            data = self._sock.recv(self._read_size)  # type: ignore[union-attr]  # we read, so it is there
        except (BlockingIOError, InterruptedError):
            return
        except Exception as exc:  # of a patched socket, perhaps: the descriptor would stay readable for ever
            self._fail(exc, "Fatal read error on socket transport")
            return
        if not data:
            self._receive_eof()
            return
        if len(data) >= self._read_size:
            self._read_size = _MAXIMUM_READ_SIZE
        elif self._read_size > _READ_SIZE and len(data) < _READ_SIZE:
            self._read_size -= _MAXIMUM_READ_SIZE // 16
        try:
            self._protocol.data_received(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error: protocol.data_received() call failed.")

    def _read_into_buffer(self) -> None:
        """The same for a BufferedProtocol, which owns the memory."""
        try:
            buffer = self._next_buffer()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error: protocol.get_buffer() call failed.")
            return
        try:
            nbytes = self._sock.recv_into(buffer)  # type: ignore[union-attr]
        except (BlockingIOError, InterruptedError):
            return
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:  # a read-only buffer is a TypeError
            self._fail(exc, "Fatal read error on socket transport")
            return
        if not nbytes:
            self._receive_eof()
            return
        try:
            self._protocol.buffer_updated(nbytes)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error: protocol.buffer_updated() call failed.")

    def _receive_eof(self) -> None:
        self._at_eof = True
        self._stop_reading()  # the descriptor stays readable for ever
        try:
            keep_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error: protocol.eof_received() call failed.")
            return
        if not keep_open:
            self.close()

    # -- Writing ------------------------------------------------------------------------------------------------------

    def get_write_buffer_size(self) -> int:
        """Bytes that were written and not yet sent (asyncio-protocol: WriteTransport.get_write_buffer_size)."""
        return self._buffer_size

    def write(self, data: Data) -> None:
        """Send `data` without blocking (asyncio-protocol: WriteTransport.write)."""
        # Exact bytes, an open transport and a socket with room: three tests and one system call.
        if type(data) is not bytes:
            data = as_bytes(data)
        if self._barred and not self._may_write("write"):
            return
        if self._buffer:
            self._append(data)
        elif data:
            try:
                sent = self._sock.send(data)  # type: ignore[union-attr]
            except (BlockingIOError, InterruptedError):
                sent = 0
            except Exception as exc:
                self._fail(exc, "Fatal write error on socket transport")
                return
            if sent < len(data):
                self._start_writing()  # first: pause_writing() may abort, and then nothing must be watched any more
                self._append(memoryview(data)[sent:] if sent else data)

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        """Send several pieces with one system call (asyncio-protocol: WriteTransport.writelines)."""
        if self._barred and not self._may_write("writelines"):
            return
        given = list(list_of_data)
        if len(given) > _FEW_PIECES or sum(map(len, given)) <= _SMALL_SIZE:
            self.write(b"".join(given))
            return
        pieces = [piece for piece in map(as_bytes, given) if piece]
        if not self._buffer:
            try:
                sent = self._sock.sendmsg(pieces)  # type: ignore[union-attr]
            except (BlockingIOError, InterruptedError):
                sent = 0
            except Exception as exc:
                self._fail(exc, "Fatal write error on socket transport")
                return
            pieces = list(after(pieces, sent))
            if pieces:
                self._start_writing()
        for piece in pieces:
            if self._lost:  # pause_writing() has aborted
                break
            self._append(piece)

    def write_eof(self) -> None:
        """Send what is buffered, then close the writing half (asyncio-protocol: WriteTransport.write_eof)."""
        if self._closing or self._eof_written:
            return
        self._eof_written = self._barred = True
        if not self._buffer:
            self._shutdown_writing()

    def can_write_eof(self) -> bool:
        """True: sockets can (asyncio-protocol: WriteTransport.can_write_eof)."""
        return True

    def _append(self, data: Data) -> None:
        if data:
            self._buffer.append(kept(data))
            self._buffer_size += len(data)
            self._buffer_grew()

    def _write_ready(self) -> None:
        buffer = self._buffer
        try:
            if len(buffer) == 1:
                sent = self._sock.send(buffer[0])  # type: ignore[union-attr]
            else:
                sent = self._sock.sendmsg(list(islice(buffer, PIECES_PER_CALL)))  # type: ignore[union-attr]
        except (BlockingIOError, InterruptedError):
            return
        except Exception as exc:
            self._fail(exc, "Fatal write error on socket transport")
            return
        self._buffer_size -= sent
        drop_sent(buffer, sent)
        self._buffer_shrank()  # the protocol may write again
        if buffer:
            return
        self._stop_writing()  # also if the protocol has just closed the transport
        if self._lost:
            return
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)
        if self._closing:
            self._lost = self._barred = True
            self._call_connection_lost(None)
        elif self._eof_written:
            self._shutdown_writing()

    def _shutdown_writing(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)  # type: ignore[union-attr]
        except OSError as exc:
            # The peer has reset the connection; reading says so too, but reading may be paused.
            self._fail(exc, "Fatal error on shutdown of socket transport")

    def _may_write(self, method: str) -> bool:
        if self._eof_written:
            raise RuntimeError(f"Cannot call {method}() after write_eof()")
        if self._flushed is not None:
            raise RuntimeError(f"unable to {method}; sendfile is in progress: await it first")
        if self._lost:
            self._note_lost_write()
            return False
        return True

    def _drop_buffer(self) -> None:
        self._buffer.clear()
        self._buffer_size = 0

    def _lose(self, exc: BaseException | None) -> None:
        self._barred = True
        super()._lose(exc)

    def _release(self) -> None:
        self._barred = True
        if self._flushed is not None:
            self._stop_writing()  # also if the task that waited was cancelled, and has not run yet
            if not self._flushed.done():
                self._flushed.set_exception(ConnectionError("The connection was closed while a file was being sent"))
        super()._release()

    # -- For sendfile() -----------------------------------------------------------------------------------------------

    def _suspend_writing(self) -> asyncio.Future[None]:
        """Refuse writes until `_resume_writing()`; the future is done when all that was buffered has been sent.

        It gets a ConnectionError when the transport ends before that.
        """
        if self._flushed is not None:
            raise RuntimeError("Cannot send a file: sendfile is in progress on this transport, await it first")
        self._barred = True
        self._flushed = self._loop.create_future()
        if not self._buffer:
            self._flushed.set_result(None)
        return self._flushed

    def _until_writable(self) -> asyncio.Future[None]:
        """Between the two, when nothing is buffered: a future that is done when the socket has room."""
        room = self._flushed = self._loop.create_future()
        if self._lost:
            room.set_exception(ConnectionError("The connection was closed while a file was being sent"))
        else:
            self._loop._poller.set_writer(self._fd, self._loop._handle(self._has_room, (room,)))
        return room

    def _has_room(self, room: asyncio.Future[None]) -> None:
        self._stop_writing()
        if not room.done():
            room.set_result(None)

    def _resume_writing(self) -> None:
        # A closed socket's number may already be somebody else's.
        if self._flushed is not None and not self._buffer and self._sock is not None:
            self._stop_writing()  # if the task that waited for room was cancelled
        self._flushed = None
        self._barred = self._eof_written or self._lost


class StreamsMixin(LoopCore):
    """Makes stream transports for `connections.py`, `servers.py` and `tls.py`."""

    def _start_stream(self, sock: socket.socket, protocol: asyncio.BaseProtocol, **how: Any) -> StreamTransport:
        return StreamTransport(self, sock, protocol, **how)
