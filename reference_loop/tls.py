"""TLS for stream transports ("TLS Upgrade", and the `ssl` arguments of connections and servers).

`SSLTransport` is what the application sees of a TLS connection: a transport like any other that cannot be half closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import Iterable
from typing import Any

from .buffers import Data, as_bytes
from .core import LoopCore
from .streams import StreamTransport
from .tls_session import _CHUNK_SIZE, State, TlsSession


class SSLTransport(TlsSession):
    """The application's side of a TLS connection."""

    _lost_write_message = "SSL connection is closed"

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What TLS knows, else what the transport below does (asyncio-protocol: BaseTransport.get_extra_info)."""
        if name in self._extra:
            return self._extra[name]
        return self._lower.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed (asyncio-protocol: BaseTransport.is_closing)."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether data will be received (asyncio-protocol: ReadTransport.is_reading)."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Receive nothing until resume_reading(); idempotent (asyncio-protocol: ReadTransport.pause_reading)."""
        self._paused = True

    def resume_reading(self) -> None:
        """Receive again; idempotent (asyncio-protocol: ReadTransport.resume_reading)."""
        if self._paused and not self._closing:
            self._paused = False
            self._loop.call_soon(self._resumed, context=self._context)

    def _resumed(self) -> None:
        if not self._paused:
            self._lower.resume_reading()
            self._go_on()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks in bytes (asyncio-protocol: WriteTransport.set_write_buffer_limits)."""
        self._flow.set_limits(high, low)
        self._lower.set_write_buffer_limits(self._flow.high, self._flow.low)
        self._buffer_grew()
        self._buffer_shrank()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet sent, as data or as records (asyncio-protocol: WriteTransport.get_write_buffer_size)."""
        size: int = self._backlog_size + self._lower.get_write_buffer_size()
        return size

    def write(self, data: Data) -> None:
        """Send `data` without blocking (asyncio-protocol: WriteTransport.write)."""
        if type(data) is not bytes:
            data = as_bytes(data)
        # Encrypted and sent at once, without a queue: with the engine's care on reading, a message of 1 KiB that
        # is echoed takes 0.70 of asyncio's time (CPU), 0.75 through streams.
        if self._state is State.OPEN and not self._backlog and not self._lower_full and 0 < len(data) <= _CHUNK_SIZE:
            try:
                taken = self._engine.encrypt(data)
                self._send()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._fail(exc, "Fatal write error on TLS transport")
                return
            if taken:
                return
        if self._closing:
            self._note_lost_write()
        elif data:
            # Bytes are kept by reference; anything else may change under us and is copied.
            self._backlog.append(data if isinstance(data, bytes) else bytes(data))
            self._backlog_size += len(data)
            if self._state is State.OPEN:
                self._go_on()
            self._buffer_grew()

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        """Send several pieces in as few records as they fit in (asyncio-protocol: WriteTransport.writelines)."""
        self.write(b"".join(map(as_bytes, list_of_data)))

    def can_write_eof(self) -> bool:
        """False: asyncio's TLS has no half-closed connections (asyncio-protocol: WriteTransport.can_write_eof)."""
        return False

    def write_eof(self) -> None:
        raise NotImplementedError("TLS connections cannot be half closed: close() the transport")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.name} over {self._lower!r}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_lower", None) is not None and not self._closing:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
        if getattr(self, "_server", None) is not None:
            self._release()  # else nobody would tell the server's wait_closed()


class TlsMixin(LoopCore):
    """start_tls, and TLS for connections.py and servers.py."""

    async def start_tls(
        self,
        transport: asyncio.WriteTransport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> SSLTransport | None:
        """Upgrade a connection (asyncio-eventloop: loop.start_tls).

        Returns the transport that `protocol` uses from now on; its connection_made() is not called again. Returns None
        for a transport that is closing: applications tell this from a failed handshake, since asyncio does.
        """
        if not isinstance(sslcontext, ssl.SSLContext):
            raise TypeError(f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}")
        if not isinstance(transport, (StreamTransport, SSLTransport)):
            raise TypeError(
                f"transport {transport!r} is not supported by start_tls(): it needs a stream transport of this loop"
            )
        if transport.is_closing():
            return None
        waiter: asyncio.Future[None] = self.create_future()
        tls = SSLTransport(
            self,
            protocol,
            sslcontext,
            server_side,
            server_hostname,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
            waiter,
            introduce=False,
        )
        tls._lower = transport
        tls._flow.set_limits(*reversed(transport.get_write_buffer_limits()))
        tls._flow.paused = tls._lower_full = transport._flow.paused
        transport.set_protocol(tls)
        transport.resume_reading()
        tls.connection_made(transport)
        try:
            await waiter
        except BaseException:
            tls.close()
            raise
        return tls

    def _start_tls_stream(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.AbstractServer | None = None,
    ) -> SSLTransport:
        tls = SSLTransport(
            self,
            protocol,
            sslcontext,
            server_side,
            server_hostname,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
            waiter,
            server,
        )
        tls._lower = self._start_stream(sock, tls, extra=extra)
        return tls
