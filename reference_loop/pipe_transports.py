"""Transports of pipes, and of sockets and character devices used as such ("Read-only and write-only transports").

A reading end tells its protocol of the end of data and then closes; a writing end notices that its reader has gone
without being written to.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections import deque
from contextvars import Context
from itertools import islice
from typing import Any

from .buffers import PIECES_PER_CALL, Data, as_bytes, drop_sent, kept
from .core import LoopCore
from .flow import FlowControlledTransport
from .pipe_ends import PipeEnd
from .streams import _READ_SIZE


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
        super().__init__(loop, protocol, {"pipe": pipe})
        self._paused = False
        self._read_queued = False  # of a device that no poller takes
        self._take(pipe, context)
        loop.call_soon(self._begin, waiter, context=self._context)

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
        self._force_close(None)

    def _start_reading(self) -> None:
        if not self.is_reading():
            return
        slot = self._loop._handle(self._read_ready, (), self._context)
        try:
            self._loop._poller.set_reader(self._fd, slot)
        except OSError as exc:
            # Devices that are always ready, /dev/null above all, the standard input of many a service: epoll answers
            # EPERM, kqueue EINVAL.
            if exc.errno not in (errno.EPERM, errno.EINVAL):
                raise
            # Once per turn, however often a protocol pauses and resumes.
            if not self._read_queued:
                self._read_queued = True
                self._loop.call_soon(self._read_unpolled, context=self._context)

    def _read_unpolled(self) -> None:
        self._read_queued = False
        if self.is_reading():
            self._read_ready()
            self._start_reading()

    def _read_ready(self) -> None:
        protocol = self._protocol
        try:
            if self._buffered_protocol:
                if nbytes := os.readv(self._fd, [self._next_buffer()]):
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
        self._force_close(None)


class WritePipeTransport(PipeEnd, FlowControlledTransport):
    """The writing end of a pipe."""

    _lost_write_message = "pipe closed by peer or os.write(pipe, data) raised exception."

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
        self._mode = self._take(pipe, context)
        loop.call_soon(self._begin, waiter, context=self._context)

    def _start_reading(self) -> None:
        # A pipe without a reader wakes the reader slot of its writing end. Terminals have data there.
        if not self._closing and not stat.S_ISCHR(self._mode):
            slot = self._loop._handle(self._reader_gone, (), self._context)
            self._loop._poller.set_reader(self._fd, slot)

    def _reader_gone(self) -> None:
        if stat.S_ISSOCK(self._mode) and self._has_data():
            self._loop._poller.remove_reader(self._fd)  # not for us, and readable for ever: a write will tell
            return
        self._force_close(BrokenPipeError() if self._buffer else None)

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
        data = as_bytes(data)
        if self._closing:
            self._note_lost_write()
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
        self._buffer.append(kept(data))
        self._buffer_size += len(data)
        self._buffer_grew()

    def _write_ready(self) -> None:
        buffer = self._buffer
        try:
            sent = os.writev(self._fd, list(islice(buffer, PIECES_PER_CALL)))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fail(exc, "Fatal write error on pipe transport")
            return
        self._buffer_size -= sent
        drop_sent(buffer, sent)
        self._buffer_shrank()  # the protocol may write again
        if not buffer:
            self._loop._poller.remove_writer(self._fd)  # also if the protocol has just closed the transport
            if self._closing:
                self._force_close(None)

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
            self._force_close(None)

    def abort(self) -> None:
        """Drop what is buffered and call connection_lost(None) (asyncio-protocol: WriteTransport.abort)."""
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        if self._buffer and not self._lost:
            self._buffer.clear()
            self._buffer_size = 0
            self._loop._poller.remove_writer(self._fd)
        super()._force_close(exc)
