"""What stream and datagram transports share: the socket, its registration, and the one way in which it ends.

A transport ends by close(), which sends what is buffered, or by abort() or an error, which does not.
"""

from __future__ import annotations

import asyncio
import socket
import warnings
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from .core import LoopCore
from .flow import FlowControlledTransport


class SocketTransport(FlowControlledTransport):
    """A socket, the loop that watches it and the protocol that uses it.

    The derived class implements `_read_ready()`, `_write_ready()` and get_write_buffer_size().
    """

    _sock: socket.socket | None  # None: closed

    def __init__(
        self,
        loop: LoopCore,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(loop, protocol, {"socket": TransportSocket(sock), **(extra or {})})
        self._extra.setdefault("sockname", _address_or_none(sock.getsockname))
        if "peername" not in self._extra:
            self._extra["peername"] = _address_or_none(sock.getpeername)
        self._sock = sock
        self._fd = sock.fileno()
        self._context = copy_context() if context is None else context
        self._server = server
        self._reading = False  # whether the reader slot is ours
        self._paused = False  # pause_reading()
        self._at_eof = False  # the peer has sent its last byte
        self._closing = False
        self._lost = False  # connection_lost() is on its way or was called
        if server is not None:
            server._attach(self)
        loop._transports[self._fd] = self

    # -- Reading ------------------------------------------------------------------------------------------------------

    def _read_ready(self) -> None:
        raise NotImplementedError

    def is_reading(self) -> bool:
        """Whether data will be received (asyncio-protocol: ReadTransport.is_reading)."""
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        """Receive nothing until resume_reading(); idempotent (asyncio-protocol: ReadTransport.pause_reading)."""
        if not self._closing:
            self._paused = True
            self._stop_reading()

    def resume_reading(self) -> None:
        """Receive again; idempotent (asyncio-protocol: ReadTransport.resume_reading)."""
        if not self._closing:
            self._paused = False
            self._start_reading()

    def _start_reading(self) -> None:
        if not (self._reading or self._paused or self._closing or self._at_eof):
            self._reading = True
            self._loop._poller.set_reader(self._fd, self._loop._handle(self._read_ready, (), self._context))

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop._poller.remove_reader(self._fd)

    # -- Writing ------------------------------------------------------------------------------------------------------

    def _write_ready(self) -> None:
        raise NotImplementedError

    def _start_writing(self) -> None:
        self._loop._poller.set_writer(self._fd, self._loop._handle(self._write_ready, (), self._context))

    def _stop_writing(self) -> None:
        self._loop._poller.remove_writer(self._fd)

    def _drop_buffer(self) -> None:
        raise NotImplementedError

    # -- The end ------------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed (asyncio-protocol: BaseTransport.is_closing)."""
        return self._closing

    def close(self) -> None:
        """Stop reading, send what is buffered, then call connection_lost(None) (BaseTransport.close)."""
        if self._closing:
            return
        self._closing = True
        self._stop_reading()
        if not self.get_write_buffer_size():
            self._lose(None)

    def abort(self) -> None:
        """Drop what is buffered and call connection_lost(None) (asyncio-protocol: WriteTransport.abort)."""
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        if self.get_write_buffer_size():
            self._drop_buffer()
            self._stop_writing()
        self._closing = True
        self._stop_reading()
        self._lose(exc)

    def _lose(self, exc: BaseException | None) -> None:
        self._lost = True
        self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _release(self) -> None:
        sock, self._sock = self._sock, None
        # The protocol usually refers to the transport: without this, only the collector could free the two.
        self._protocol = None
        if sock is not None:
            if self._loop._transports.get(self._fd) is self:
                del self._loop._transports[self._fd]
            sock.close()
        server, self._server = self._server, None
        if server is not None:
            server._detach(self)

    def __repr__(self) -> str:
        state = "closed" if self._sock is None else "closing" if self._closing else "open"
        reading = "reading" if self._reading else "not reading"
        return (
            f"<{type(self).__name__} {state} fd={self._fd} {reading} write_buffer_size={self.get_write_buffer_size()}>"
        )

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_sock", None) is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._release()


def _address_or_none(getter: Callable[[], Any]) -> Any:
    try:
        return getter()
    except OSError:
        return None


def set_nodelay(sock: socket.socket) -> None:
    """Small writes leave at once instead of waiting for the peer's acknowledgement (Nagle's algorithm)."""
    # `proto` first: `family` and `type` build enum members and take ten times as long.
    if sock.proto == socket.IPPROTO_TCP or (
        sock.proto == 0 and sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
    ):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
