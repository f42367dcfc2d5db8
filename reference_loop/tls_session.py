"""The life of a TLS connection over another transport: handshake, data, the end. See `tls.py` for its other side.

A session is the protocol of the transport below, which may be one of TLS itself. TLS as asyncio has it knows no
half-closed connection: the end of one direction is the end of both.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections import deque
from contextvars import copy_context
from typing import Any

from .buffers import take_chunk
from .core import LoopCore, logger
from .flow import FlowControlledTransport
from .tls_arguments import positive
from .tls_engine import TlsEngine

# Seconds, as documented.
_HANDSHAKE_TIMEOUT = 60.0
_SHUTDOWN_TIMEOUT = 30.0

# Encrypted at once; more waits as it is while the transport below is full, and so is not there twice.
_CHUNK_SIZE = 256 * 1024
# While the application has paused reading, this much is taken from the transport below, still encrypted.
_READ_AHEAD = 256 * 1024


_SLOW = "SSL handshake is taking longer than {} seconds: aborting the connection"


class State(enum.Enum):
    """What a TLS transport is busy with."""

    HANDSHAKE = enum.auto()
    OPEN = enum.auto()
    CLOSING = enum.auto()  # sends what is buffered, says that it ends, waits for the peer to say so
    CLOSED = enum.auto()  # the transport below is ending, or has


class TlsSession(FlowControlledTransport, asyncio.Protocol):
    """A TLS connection. Its life goes through the states in their order, and may leave some out."""

    _lower: Any  # the transport below

    def __init__(
        self,
        loop: LoopCore,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        server_side: bool,
        server_hostname: str | None,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        waiter: asyncio.Future[None] | None,
        server: Any = None,
        introduce: bool = True,
    ) -> None:
        self._handshake_timeout = positive("ssl_handshake_timeout", handshake_timeout, _HANDSHAKE_TIMEOUT)
        self._shutdown_timeout = positive("ssl_shutdown_timeout", shutdown_timeout, _SHUTDOWN_TIMEOUT)
        self._engine = TlsEngine(sslcontext, server_side, None if server_side else server_hostname or None)
        super().__init__(loop, protocol, {"sslcontext": sslcontext})
        self._lower = None
        self._state = State.HANDSHAKE
        self._introduced = not introduce  # the protocol has had its connection_made()
        self._waiter = waiter
        self._server = server
        self._context = copy_context()
        self._timer: asyncio.TimerHandle | None = None
        self._backlog: deque[bytes | memoryview] = deque()  # written, and not yet encrypted
        self._backlog_size = 0
        self._lower_full = False  # between its pause_writing() and its resume_writing()
        self._lower_ended = False  # it has called eof_received()
        self._paused = False
        self._closing = False
        self._eof_told = False
        if server is not None:
            server._attach(self)

    # -- The protocol of the transport below --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._state is State.HANDSHAKE:
            self._start_timer(self._handshake_timeout, ConnectionAbortedError(_SLOW.format(self._handshake_timeout)))
            self._go_on()

    def data_received(self, data: bytes) -> None:
        self._engine.feed(data)
        self._go_on()

    def eof_received(self) -> bool:
        self._lower_ended = True
        self._go_on()
        return not isinstance(self._lower, TlsSession)  # to be closed by us, when all has been sent

    def connection_lost(self, exc: BaseException | None) -> None:
        self._state = State.CLOSED
        self._closing = True
        self._stop_timer()
        self._drop_backlog()
        self._answer_waiter(exc or ConnectionResetError("The connection was lost during the TLS handshake"))
        if self._introduced:
            self._call_connection_lost(exc)
        else:
            self._release()

    def _release(self) -> None:
        self._protocol = None
        server, self._server = self._server, None
        if server is not None:
            server._detach(self)

    def pause_writing(self) -> None:
        self._lower_full = True
        self._buffer_grew()

    def resume_writing(self) -> None:
        self._lower_full = False
        if self._backlog or self._state is State.CLOSING:
            self._go_on()
        self._buffer_shrank()

    def _buffer_shrank(self) -> None:
        super()._buffer_shrank()
        if self._flow.paused:
            self._watch_below()

    def _announce_low(self) -> None:
        super()._announce_low()
        self._watch_below()

    def _watch_below(self) -> None:
        # What is left waits in the transport below, and is too little for that to have paused: it has to be asked.
        if not self._backlog and not self._lower_full:
            self._lower_full = True
            self._lower._announce_low()

    # -- Progress -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Do what the state asks for with what has arrived; any exception ends the connection."""
        try:
            if self._state is State.OPEN:
                self._read()
                if self._backlog:
                    self._write_backlog()
                self._send()
            elif self._state is State.HANDSHAKE:
                self._shake_hands()
            elif self._state is State.CLOSING:
                self._shut_down()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "Fatal error on TLS transport")

    def _shake_hands(self) -> None:
        try:
            complete = self._engine.handshake()
        except ssl.SSLError as exc:
            self._send()  # the alert that tells the peer why
            self._answer_waiter(exc)
            raise
        self._send()
        if not complete:
            if self._lower_ended:
                raise ConnectionResetError("The peer has closed the connection during the TLS handshake")
            return
        self._stop_timer()
        self._state = State.OPEN
        tls = self._engine.object
        self._extra.update(
            peercert=tls.getpeercert(), cipher=tls.cipher(), compression=tls.compression(), ssl_object=tls
        )
        try:
            if not self._introduced:
                self._introduced = True
                self._protocol.connection_made(self)
        finally:
            self._answer_waiter(None)
            self._go_on()  # the peer's first data may have come with its last word of the handshake

    def _read(self) -> None:
        engine = self._engine
        while not self._paused and self._state is State.OPEN:
            if self._buffered_protocol:
                buffer = self._next_buffer()
                if size := engine.decrypt_into(buffer):
                    self._protocol.buffer_updated(size)
                    if not engine.ended and size == memoryview(buffer).nbytes:
                        continue
            elif data := engine.decrypt():
                self._protocol.data_received(data)
            if not self._paused and (engine.ended or self._lower_ended):
                self._receive_eof()
            break
        if self._paused and engine.pending >= _READ_AHEAD:
            self._lower.pause_reading()

    def _receive_eof(self) -> None:
        """The peer has said that it ends, or ended without saying so."""
        if not self._eof_told and self._state is State.OPEN:
            self._eof_told = True
            if self._protocol.eof_received():
                logger.warning("returning true from eof_received() has no effect when using ssl")
            self.close()

    def _write_backlog(self) -> None:
        while self._backlog and not self._lower_full:
            data = take_chunk(self._backlog, _CHUNK_SIZE)
            taken = self._engine.encrypt(data)
            if taken < len(data):
                self._backlog.appendleft(memoryview(data)[taken:])
            self._backlog_size -= taken
            self._send()
            if not taken:  # a renegotiation: the peer's answer has to be read first
                self._lower.resume_reading()
                return
        self._buffer_shrank()

    def _send(self) -> None:
        if records := self._engine.take():
            self._lower.write(records)

    # -- The end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is buffered, end TLS, then call connection_lost(None) (asyncio-protocol: BaseTransport.close)."""
        if self._closing:
            return
        if self._state is State.HANDSHAKE:
            self.abort()
            return
        self._closing = True
        self._state = State.CLOSING
        self._start_timer(self._shutdown_timeout, TimeoutError("SSL shutdown timed out"))
        self._go_on()
        if self._state is State.CLOSING:
            self._lower.resume_reading()  # for the peer's last word

    def _shut_down(self) -> None:
        self._write_backlog()
        if self._backlog:
            return
        # A peer that has hung up without a word has no use for ours, and may take it for data.
        if self._lower_ended and not self._engine.ended:
            over = True
        else:
            over = self._engine.shutdown()
            self._send()
        if over or self._lower_ended:
            self._state = State.CLOSED
            self._stop_timer()
            self._lower.close()

    def abort(self) -> None:
        """Drop what is buffered and call connection_lost(None) (asyncio-protocol: WriteTransport.abort)."""
        self._force_close(None)

    def _force_close(self, exc: BaseException | None) -> None:
        self._closing = True
        self._state = State.CLOSED
        self._stop_timer()
        self._drop_backlog()
        self._lower._force_close(exc)

    def _drop_backlog(self) -> None:
        self._backlog.clear()
        self._backlog_size = 0

    def _start_timer(self, delay: float, exc: Exception) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(delay, self._fail, exc, "Too slow", context=self._context)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _answer_waiter(self, exc: BaseException | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if exc is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(exc)
