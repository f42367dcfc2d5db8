"""Right loops whose TLS is of another make than OpenSSL over asyncio's transports."""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Any

from reference_loop import EventLoop
from reference_loop.buffers import Data, as_bytes
from reference_loop.streams import StreamTransport
from reference_loop.tls import SSLTransport
from reference_loop.tls_session import _READ_AHEAD, State
from tests.broken_loops.over_streams import OverStreams, OverTls
from tests.right_loops.registry import right

_A_WHILE = 0.003
_FEW_BYTES = 1000
_TURNS = 4
_OF_ASYNCIO = ("/asyncio/streams.py", "/asyncio/protocols.py")  # their reader may still ask the original


class _OverAllTls(OverTls):
    """Upgrades, too, are of the class `Tls`."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> SSLTransport | None:
        transport = await super().start_tls(*args, **kwargs)
        if transport is not None:
            transport.__class__ = self.Tls
        return transport


class _InPieces(SSLTransport):
    _going_on = _writing = False

    def _read(self) -> None:
        if self._paused and self._engine.pending >= _READ_AHEAD:
            self._lower.pause_reading()
        if self._paused or self._going_on or self._state is not State.OPEN:
            return
        if self._decrypt_little():
            self._going_on = True
            self._loop.call_soon(self._read_on, context=self._context)
        elif not self._paused and (self._engine.ended or self._lower_ended):
            self._receive_eof()

    def _decrypt_little(self) -> bool:
        if self._buffered_protocol:
            size = self._engine.decrypt_into(memoryview(self._next_buffer()).cast("B")[:_FEW_BYTES])
            if size:
                self._protocol.buffer_updated(size)
            return bool(size)
        try:
            data = self._engine.object.read(_FEW_BYTES)
        except ssl.SSLWantReadError:
            return False
        if data:
            self._protocol.data_received(data)
        else:
            self._engine.ended = True
        return bool(data)

    def _read_on(self) -> None:
        self._going_on = False
        self._go_on()

    def write(self, data: Data) -> None:
        data = bytes(as_bytes(data))
        if self._closing:
            self._note_lost_write()
        elif data:
            self._backlog.append(data)
            self._backlog_size += len(data)
            if self._state is State.OPEN and not self._writing:
                self._writing = True
                self._loop.call_soon(self._write_now, context=self._context)
            self._buffer_grew()

    def _write_now(self) -> None:
        self._writing = False
        self._go_on()


@right
class SecuresPieceByPiece(_OverAllTls):
    """A turn decrypts 1000 bytes at most, and what is written is encrypted in the next one."""

    Tls = _InPieces


class _LateEnd(SSLTransport):
    def connection_lost(self, exc: BaseException | None) -> None:
        self._closing = True
        self._loop.call_later(_A_WHILE, super().connection_lost, exc, context=self._context)


@right
class EndsTlsLater(_OverAllTls):
    """connection_lost() of a TLS connection is called three milliseconds after its descriptor was closed."""

    Tls = _LateEnd


def _unless_gone(self: Any, name: str) -> Any:
    if not name.startswith("_") and object.__getattribute__(self, "_gone"):
        asking = sys._getframe(1).f_code.co_filename
        if "/reference_loop/" not in asking and not asking.endswith(_OF_ASYNCIO):
            raise RuntimeError(f"{name} of the original transport, which nobody may use after start_tls()")
    return object.__getattribute__(self, name)


class _Original(StreamTransport):
    _gone = False
    __getattribute__ = _unless_gone


class _OriginalTls(_LateEnd):
    _gone = False
    __getattribute__ = _unless_gone


@right
class OriginalsAreGone(_OverAllTls, OverStreams):
    """An upgrade begins some turns late, and takes everything from the original transport, which is no longer used."""

    Stream = _Original
    Tls = _OriginalTls

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> SSLTransport | None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        upgraded = await super().start_tls(transport, *args, **kwargs)
        if upgraded is not None:
            transport._gone = True
        return upgraded


_CONNECTING = ("create_connection", "create_unix_connection", "connect_accepted_socket", "start_tls")


@right
class TalksOfHandshakes(EventLoop):
    """A handshake that fails is reported, too; one that is too slow is an SSLError; no time to shut down is none."""


def _reporting(name: str) -> Any:
    method = getattr(EventLoop, name)

    async def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl_shutdown_timeout") == 0:
            kwargs["ssl_shutdown_timeout"] = 1e-9
        try:
            return await method(self, *args, **kwargs)
        except (ssl.SSLError, ConnectionAbortedError, asyncio.CancelledError) as error:
            if name != "start_tls" and not kwargs.get("ssl"):
                raise
            self.call_exception_handler({"message": "the TLS handshake failed", "exception": error})
            if isinstance(error, ConnectionAbortedError):
                raise ssl.SSLError("the handshake took too long") from None
            raise

    return connect


for _name in _CONNECTING:
    setattr(TalksOfHandshakes, _name, _reporting(_name))
