"""Right loops whose pipes and endpoints read, write and end in another way, and whose writers may buffer much."""

from __future__ import annotations

import asyncio
import os
import select
import stat
from asyncio import selector_events, unix_events
from typing import Any

from reference_loop import EventLoop
from reference_loop.buffers import as_bytes, drop_sent, kept
from reference_loop.datagrams import DatagramTransport
from reference_loop.pipe_transports import WritePipeTransport
from tests.broken_loops.udp_sending import OverDatagrams
from tests.right_loops.registry import right

_A_WHILE = 0.003
_MUCH = 8 << 20
_BYTES = 100

# What these loops change is the stock loop's own.
_Stream: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
_Endpoint: Any = selector_events._SelectorDatagramTransport  # type: ignore[attr-defined]
_Reader: Any = unix_events._UnixReadPipeTransport  # type: ignore[attr-defined]
_Writer: Any = unix_events._UnixWritePipeTransport  # type: ignore[attr-defined]


class _Made(asyncio.SelectorEventLoop):
    """Makes transports of these classes."""

    Stream, Endpoint, Reader, Writer = _Stream, _Endpoint, _Reader, _Writer

    def _make_socket_transport(self, *args: Any, **how: Any) -> Any:
        return self.Stream(self, *args, **how)

    def _make_datagram_transport(self, *args: Any, **how: Any) -> Any:
        return self.Endpoint(self, *args, **how)

    def _make_read_pipe_transport(self, *args: Any, **how: Any) -> Any:
        return self.Reader(self, *args, **how)

    def _make_write_pipe_transport(self, *args: Any, **how: Any) -> Any:
        return self.Writer(self, *args, **how)


class _Roomy:
    def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        given = _MUCH if high is None and low is None else high
        super()._set_write_buffer_limits(given, low)  # type: ignore[misc]  # of the transport beside


@right
class BuffersMuch(_Made):
    """The default high watermark is 8 MiB."""

    Stream = type("RoomyStream", (_Roomy, _Stream), {})
    Endpoint = type("RoomyEndpoint", (_Roomy, _Endpoint), {})
    Writer = type("RoomyWriter", (_Roomy, _Writer), {})


class _LateLoser:
    _loop: Any
    _losing = False

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        if not self._losing:
            self._losing = True
            self._loop.call_later(_A_WHILE, super()._call_connection_lost, exc)  # type: ignore[misc]  # as above


@right
class LosesPipesAndEndpointsLater(_Made):
    """connection_lost() of pipes and endpoints is called, and the file closed, three milliseconds after the end."""

    Endpoint = type("LateEndpoint", (_LateLoser, _Endpoint), {})
    Reader = type("LateReader", (_LateLoser, _Reader), {})
    Writer = type("LateWriter", (_LateLoser, _Writer), {})


class _ByteReader(_Reader):  # type: ignore[misc]
    _reads = 0

    @property
    def max_size(self) -> int:
        self._reads += 1
        return 1 if self._reads < _BYTES else 65536


@right
class ReadsPipesBytewise(_Made):
    """The first hundred bytes that come through a pipe are received one by one."""

    Reader = _ByteReader


class _PageWriter(WritePipeTransport):
    def _take(self, pipe: Any, context: Any) -> int:
        mode = super()._take(pipe, context)
        if stat.S_ISFIFO(mode):
            os.set_blocking(pipe.fileno(), True)
        return mode

    def write(self, data: Any) -> None:
        data = as_bytes(data)
        if not data or self._buffer or self._closing:
            super().write(data)
            return
        self._loop._poller.set_writer(self._fd, self._loop._handle(self._write_ready, (), self._context))
        self._buffer.append(kept(data))
        self._buffer_size += len(data)
        self._buffer_grew()

    def _write_ready(self) -> None:
        try:
            sent = os.write(self._fd, memoryview(self._buffer[0])[: select.PIPE_BUF])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._fail(exc, "the pipe cannot be written")
            return
        self._buffer_size -= sent
        drop_sent(self._buffer, sent)
        self._buffer_shrank()
        if not self._buffer:
            self._loop._poller.remove_writer(self._fd)
            if self._closing:
                self._force_close(None)


@right
class PipesStayBlocking(EventLoop):
    """A pipe that is written to stays in blocking mode: it gets what it surely takes, when there is room for that."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        protocol, waiter = protocol_factory(), self.create_future()
        transport = _PageWriter(self, pipe, protocol, waiter)
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        return transport, protocol


class _LateSender(DatagramTransport):
    _taking = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        self._taking = True
        try:
            super().sendto(data, addr)
        finally:
            self._taking = False

    def _send(self, data: Any, address: Any) -> None:
        if self._taking:
            raise BlockingIOError
        super()._send(data, address)


@right
class SendsDatagramsInTheNextTurn(OverDatagrams):
    """sendto() only buffers: a datagram is sent, or cannot be, when the loop finds that there is room."""

    Endpoint = _LateSender
