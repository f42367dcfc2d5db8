"""Transports over the ring: one read and one write are under way at a time, and what is read may have to wait."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import warnings
from asyncio import base_events, constants, transports
from asyncio.trsock import TransportSocket
from collections import deque
from contextvars import copy_context
from typing import Any

from tests.right_loops.completions.ring import READ, WRITE

READ_SIZE = 65536


class Transport(transports._FlowControlMixin):
    """What all have in common. `_file` is what is read and written, a socket or a file."""

    def __init__(
        self, loop: Any, file: Any, protocol: Any, waiter: Any = None, extra: Any = None, server: Any = None
    ) -> None:
        super().__init__(extra, loop)
        self._file, self._protocol, self._server = file, protocol, server
        self._ring = loop.ring
        self._buffer: deque[Any] = deque()  # the first one is being written
        self._size = 0
        self._came: deque[Any] = deque()  # (data, error) that the protocol has not got yet
        self._reader = self._writer = None
        self._paused = self._closing = self._lost = self._at_eof = self._eof_written = False
        self._empty_waiter: Any = None  # of sendfile()
        self._context = copy_context()
        self._tell()
        loop.transports[file.fileno()] = self
        if server is not None:
            server._attach(*([self] if sys.version_info >= (3, 13) else []))
        loop.call_soon(self._begin, waiter)

    def _tell(self) -> None:
        self._extra["pipe"] = self._file

    def _begin(self, waiter: Any) -> None:
        try:
            self._protocol.connection_made(self)
        finally:
            self._read()
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    # ---- reading -----------------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """What is being read is read all the same, and kept."""
        self._paused = self._paused or not self._closing

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            self._loop.call_soon(self._deliver, context=self._context)

    def _receive(self) -> Any:
        return self._file.recv(self._loop.read_size or READ_SIZE)

    def _read(self) -> None:
        if not (self._reader or self._came or self._paused or self._closing or self._at_eof):
            self._reader = self._ring.submit(self._file.fileno(), READ, self._receive, self._received, self._context)

    def _received(self, data: Any, error: Any) -> None:
        self._reader = None
        if not self._closing:
            self._came.append((data, error))
            self._deliver()

    def _deliver(self) -> None:
        while self._came and not self._paused and not self._closing:
            self._pass_on(*self._came.popleft())
        self._read()

    def _pass_on(self, data: Any, error: Any) -> None:
        if error is not None:
            self._fatal_error(error, "Fatal read error")
        elif not data:
            self._at_eof = True
            if not self._call("eof_received"):
                self.close()
        elif isinstance(self._protocol, asyncio.BufferedProtocol):
            self._fill_buffers(data)
        else:
            self._call("data_received", data)

    def _fill_buffers(self, data: bytes) -> None:
        buffer = self._call("get_buffer", len(data))
        if self._lost:
            return
        try:
            if not len(buffer):
                raise RuntimeError("get_buffer() returned an empty buffer")
            view = memoryview(buffer).cast("B")
            count = min(len(view), len(data))
            view[:count] = data[:count]
        except Exception as exc:
            self._fatal_error(exc, "Fatal error: get_buffer() returned no buffer")
            return
        self._call("buffer_updated", count)
        if data[count:]:
            self._came.appendleft((data[count:], None))

    def _call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self._protocol, method)(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, f"Fatal error: protocol.{method}() call failed.")

    # ---- writing -----------------------------------------------------------------------------------------------------

    def get_write_buffer_size(self) -> int:
        return self._size

    def write(self, data: Any) -> None:
        """Nothing is sent here: the ring does that."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__}")
        self._check_may_write()
        if data and not self._lost and (self._size or not self._closing):
            self._append(bytes(data), memoryview(data).nbytes)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _check_may_write(self) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._empty_waiter is not None:
            raise RuntimeError("unable to write; sendfile is in progress")

    def _append(self, data: Any, size: int) -> None:
        self._buffer.append(data)
        self._size += size
        self._write()
        self._maybe_pause_protocol()

    def _send(self, data: Any) -> int:
        return self._file.send(data)

    def _write(self) -> None:
        if self._writer is None and self._buffer:
            data = self._buffer[0]
            self._writer = self._ring.submit(
                self._file.fileno(), WRITE, lambda: self._send(data), self._written, self._context
            )

    def _written(self, count: int, error: Any) -> None:
        self._writer = None
        if self._lost:
            return
        if error is not None:
            self._fatal_error(error, "Fatal write error")
            return
        data = self._buffer.popleft()
        if len(data) > count:
            self._buffer.appendleft(memoryview(data)[count:])
        self._size -= count
        self._went_on()

    def _went_on(self) -> None:
        self._write()
        self._maybe_resume_protocol()
        if not self._size and not self._lost:
            if self._empty_waiter is not None and not self._empty_waiter.done():
                self._empty_waiter.set_result(None)
            if self._closing:
                self._lose(None)
            elif self._eof_written:
                self._end_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing and not self._eof_written:
            self._eof_written = True
            if not self._size:
                self._end_writing()

    def _end_writing(self) -> None:
        with contextlib.suppress(OSError):
            self._file.shutdown(socket.SHUT_WR)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _stop_reading(self) -> None:
        self._closing = True
        self._came.clear()
        if self._reader is not None:
            self._reader.cancel()

    def close(self) -> None:
        if not self._closing:
            self._stop_reading()
            if not self._size:
                self._lose(None)

    def abort(self) -> None:
        self._force_close(None)

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error") -> None:
        if not isinstance(exc, OSError):
            self._loop.call_exception_handler(
                {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
            )
        self._force_close(exc)

    def _force_close(self, exc: BaseException | None) -> None:
        if not self._lost:
            self._stop_reading()
            if self._writer is not None:
                self._writer.cancel()
            self._buffer.clear()
            self._size = 0
            self._lose(exc)

    def _lose(self, exc: BaseException | None) -> None:
        self._lost = True
        if self._empty_waiter is not None and not self._empty_waiter.done():
            self._empty_waiter.set_exception(exc or ConnectionError("Connection is closed by peer"))
        self._loop.call_soon(self._end, exc, context=self._context)

    def _end(self, exc: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(exc)
        finally:
            self._loop.transports.pop(self._file.fileno(), None)
            self._file.close()
            self._file = self._protocol = None
            server, self._server = self._server, None
            if server is not None:
                server._detach(*([self] if sys.version_info >= (3, 13) else []))

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_file", None) is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._file.close()


class SocketTransport(Transport, asyncio.Transport):
    """A connected stream socket."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    def _tell(self) -> None:
        self._extra["socket"] = TransportSocket(self._file)
        for name, ask in ("sockname", self._file.getsockname), ("peername", self._file.getpeername):
            try:
                self._extra[name] = self._extra.get(name) or ask()
            except OSError:
                self._extra[name] = None
        if self._file.type == socket.SOCK_STREAM:
            base_events._set_nodelay(self._file)

    def _make_empty_waiter(self) -> Any:
        self._empty_waiter = self._loop.create_future()
        if not self._size:
            self._empty_waiter.set_result(None)
        return self._empty_waiter

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None
