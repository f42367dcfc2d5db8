"""Transports of pipes, and of sockets and character devices used as such ("Working with pipes" in the documentation).

A reading end tells its protocol of the end of data and then closes; a writing end notices that its reader has gone
without being written to. The descriptor is set to non-blocking mode, for every process that shares it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import warnings
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import islice
from typing import Any, TypeVar

from .core import LoopCore, logger
from .flow import FlowControlledTransport
from .streams import _BUFFERS_PER_CALL, _READ_SIZE, Data, _as_bytes, _is_over_bytes
from .transports import _QUIET_LOST_WRITES

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class PipeEnd(asyncio.BaseTransport):
    """What both ends share: the file object, its registration, and the one way in which it ends."""

    _loop: LoopCore
    _protocol: Any
    _pipe: Any  # None: closed
    _fd: int
    _context: Context
    _closing = False
    _lost = False  # connection_lost() is on its way or was called

    def _take(self, loop: LoopCore, pipe: Any, context: Context | None) -> int:
        """Own `pipe`; return its file type. ValueError for a regular file: no system can say when one is ready."""
        self._pipe = None
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise ValueError(f"Pipe transports are for pipes, sockets and character devices only, not {pipe!r}")
        os.set_blocking(fd, False)
        self._pipe = pipe
        self._fd = fd
        self._context = copy_context() if context is None else context
        loop._transports[fd] = self
        return mode

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed (asyncio-protocol: BaseTransport.is_closing)."""
        return self._closing

    def _end(self, exc: BaseException | None) -> None:
        """Stop everything and have connection_lost() called."""
        if self._lost:
            return
        self._closing = self._lost = True
        self._loop._poller.remove_reader(self._fd)
        if self._loop._closed:
            self._release()  # nobody can be told any more
        else:
            self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _fail(self, exc: BaseException, message: str) -> None:
        """End by an error: a broken pipe is the protocol's business, anything else a programmer's."""
        if not isinstance(exc, OSError):
            self._loop.call_exception_handler(
                {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
            )
        elif self._loop._debug:
            logger.debug("%r: %s", self, message, exc_info=exc)
        self._end(exc)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(exc)
        finally:
            self._release()

    def _release(self) -> None:
        pipe, self._pipe = self._pipe, None
        self._protocol = None
        if pipe is not None:
            if self._loop._transports.get(self._fd) is self:
                del self._loop._transports[self._fd]
            pipe.close()

    def __repr__(self) -> str:
        state = "closed" if self._pipe is None else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={getattr(self, '_fd', None)}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_pipe", None) is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._release()


class ReadPipeTransport(PipeEnd, asyncio.ReadTransport):
    """The reading end of a pipe."""

    def __init__(
        self,
        loop: LoopCore,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__({"pipe": pipe})
        self._loop = loop
        self._paused = False
        self._take(loop, pipe, context)
        self.set_protocol(protocol)
        loop.call_soon(self._begin, waiter, context=self._context)

    def _begin(self, waiter: asyncio.Future[None] | None) -> None:
        try:
            self._protocol.connection_made(self)
        finally:
            self._start_reading()
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the transport to another protocol (asyncio-protocol: BaseTransport.set_protocol)."""
        self._protocol = protocol
        self._buffered_protocol = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol (asyncio-protocol: BaseTransport.get_protocol)."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_reading(self) -> bool:
        """Whether data will be received (asyncio-protocol: ReadTransport.is_reading)."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Receive nothing until resume_reading(); idempotent (asyncio-protocol: ReadTransport.pause_reading)."""
        if self.is_reading():
            self._paused = True
            self._loop._poller.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Receive again; idempotent (asyncio-protocol: ReadTransport.resume_reading)."""
        if self._paused and not self._closing:
            self._paused = False
            self._start_reading()

    def close(self) -> None:
        """Stop reading, then call connection_lost(None) (asyncio-protocol: BaseTransport.close)."""
        self._end(None)

    def _start_reading(self) -> None:
        if not self.is_reading():
            return
        slot = self._loop._handle(self._read_ready, (), self._context)
        try:
            self._loop._poller.set_reader(self._fd, slot)
        except PermissionError:
            # epoll refuses devices that are always ready, /dev/null above all: the standard input of many a service.
            self._loop.call_soon(self._read_unpolled, context=self._context)

    def _read_unpolled(self) -> None:
        if self.is_reading():
            self._read_ready()
            self._start_reading()

    def _read_ready(self) -> None:
        protocol = self._protocol
        try:
            if self._buffered_protocol:
                if nbytes := os.readv(self._fd, [protocol.get_buffer(-1)]):
                    protocol.buffer_updated(nbytes)
                    return
            elif data := os.read(self._fd, _READ_SIZE):
                protocol.data_received(data)
                return
            protocol.eof_received()
        except (BlockingIOError, InterruptedError):
            return
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error on reading from a pipe")
            return
        self._end(None)


class WritePipeTransport(PipeEnd, FlowControlledTransport):
    """The writing end of a pipe."""

    def __init__(
        self,
        loop: LoopCore,
        pipe: Any,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(loop, protocol, {"pipe": pipe})
        self._buffer: deque[bytes | memoryview] = deque()
        self._buffer_size = 0
        self._lost_writes = 0
        self._mode = self._take(loop, pipe, context)
        loop.call_soon(self._begin, waiter, context=self._context)

    def _begin(self, waiter: asyncio.Future[None] | None) -> None:
        try:
            self._protocol.connection_made(self)
        finally:
            # A pipe without a reader wakes the reader slot of its writing end. Terminals have data there.
            if not self._closing and not stat.S_ISCHR(self._mode):
                slot = self._loop._handle(self._reader_gone, (), self._context)
                self._loop._poller.set_reader(self._fd, slot)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _reader_gone(self) -> None:
        if stat.S_ISSOCK(self._mode) and self._has_data():
            self._loop._poller.remove_reader(self._fd)  # not for us, and readable for ever: a write will tell
            return
        self._end(BrokenPipeError() if self._buffer else None)

    def _has_data(self) -> bool:
        """Whether the other end of the socket has sent something, instead of having closed."""
        sock = socket.socket(fileno=os.dup(self._fd))
        try:
            return bool(sock.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        finally:
            sock.close()

    def get_write_buffer_size(self) -> int:
        """Bytes that were written and not yet sent (asyncio-protocol: WriteTransport.get_write_buffer_size)."""
        return self._buffer_size

    def write(self, data: Data) -> None:
        """Send `data` without blocking (asyncio-protocol: WriteTransport.write)."""
        data = _as_bytes(data)
        if self._closing:
            self._lost_writes += 1
            if self._lost_writes > _QUIET_LOST_WRITES:
                logger.warning("write to %r after its end: the data is dropped", self)
            return
        if not data:
            return
        # At once while the pipe has room: a message through a pair of pipes takes 0.79 of asyncio's time (CPU).
        if not self._buffer:
            try:
                sent = os.write(self._fd, data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as exc:
                self._fail(exc, "Fatal write error on pipe transport")
                return
            if sent == len(data):
                return
            if sent:
                data = memoryview(data)[sent:]
            slot = self._loop._handle(self._write_ready, (), self._context)
            self._loop._poller.set_writer(self._fd, slot)
        # Kept by reference, bytes cost nothing; anything else may change under us and is copied.
        kept = data if isinstance(data, bytes) or _is_over_bytes(data) else bytes(data)
        self._buffer.append(kept)
        self._buffer_size += len(kept)
        self._buffer_grew()

    def _write_ready(self) -> None:
        buffer = self._buffer
        try:
            sent = os.writev(self._fd, list(islice(buffer, _BUFFERS_PER_CALL)))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fail(exc, "Fatal write error on pipe transport")
            return
        self._buffer_size -= sent
        while sent:
            piece = buffer.popleft()
            if len(piece) > sent:
                buffer.appendleft(memoryview(piece)[sent:])
                break
            sent -= len(piece)
        self._buffer_shrank()  # the protocol may write again
        if not buffer and not self._lost:
            self._loop._poller.remove_writer(self._fd)
            if self._closing:
                self._end(None)

    def can_write_eof(self) -> bool:
        """True: closing the pipe is the end of its data (asyncio-protocol: WriteTransport.can_write_eof)."""
        return True

    def write_eof(self) -> None:
        """The same as close() (asyncio-protocol: WriteTransport.write_eof)."""
        self.close()

    def close(self) -> None:
        """Send what is buffered, then call connection_lost(None) (asyncio-protocol: BaseTransport.close)."""
        self._closing = True
        if not self._buffer:
            self._end(None)

    def abort(self) -> None:
        """Drop what is buffered and call connection_lost(None) (asyncio-protocol: WriteTransport.abort)."""
        self._end(None)

    def _end(self, exc: BaseException | None) -> None:
        if self._buffer and not self._lost:
            self._buffer.clear()
            self._buffer_size = 0
            self._loop._poller.remove_writer(self._fd)
        super()._end(exc)


class PipesMixin(LoopCore):
    """connect_read_pipe, connect_write_pipe."""

    async def connect_read_pipe(
        self, protocol_factory: Callable[[], ProtocolT], pipe: Any
    ) -> tuple[ReadPipeTransport, ProtocolT]:
        """Read from a file object (asyncio-eventloop: loop.connect_read_pipe).

        Raises ValueError for what is no pipe, socket or character device; `pipe` then stays the caller's.
        """
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        transport = ReadPipeTransport(self, pipe, protocol, waiter)
        await _opened(transport, waiter)
        return transport, protocol

    async def connect_write_pipe(
        self, protocol_factory: Callable[[], ProtocolT], pipe: Any
    ) -> tuple[WritePipeTransport, ProtocolT]:
        """Write to a file object (asyncio-eventloop: loop.connect_write_pipe)."""
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        transport = WritePipeTransport(self, pipe, protocol, waiter)
        await _opened(transport, waiter)
        return transport, protocol


async def _opened(transport: asyncio.BaseTransport, waiter: asyncio.Future[None]) -> None:
    try:
        await waiter
    except BaseException:
        transport.close()
        raise
