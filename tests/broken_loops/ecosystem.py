"""Broken loops of the chapter `ecosystem`: what a library over the loop trips over."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from reference_loop.streams import StreamTransport
from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams, OverTls


@breaks("ecosystem.aiohttp-keeps-connections")
class EndsConnectionsAfterAnAnswer(OverStreams):
    """A transport that has written a message and then receives another one is closed."""

    class Stream(StreamTransport):
        wrote = False

        def write(self, data: Any) -> None:
            self.wrote = True
            super().write(data)

        def _read_ready(self) -> None:
            super()._read_ready()
            if self.wrote:
                self.close()


@breaks("ecosystem.aiohttp-keepalive-timeout", "ecosystem.anyio-move-on", "ecosystem.websockets-keepalive")
class AbsoluteTimesAreDelays(asyncio.SelectorEventLoop):
    """call_at() waits for as many seconds as its absolute time says, unless call_later() has called it."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(self.time() + when, callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(self.time() + delay, callback, *args, context=context)


@breaks("ecosystem.aiohttp-timeout")
class TimersFireEarly(asyncio.SelectorEventLoop):
    """Timers fire 50 ms before they are due."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(when - 0.05, callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self.time() + delay, callback, *args, context=context)


@breaks("ecosystem.aiohttp-sendfile")
class SendsFilesFromTheirBeginning(asyncio.SelectorEventLoop):
    """sendfile() does not begin at `offset`."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, *, fallback: bool = True
    ) -> int:
        return await super().sendfile(transport, file, 0, count, fallback=fallback)


@breaks("ecosystem.aiohttp-tls")
class TlsWithoutItsContext(OverTls):
    """get_extra_info("sslcontext") of a TLS transport is None."""

    class Tls(SSLTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return default if name == "sslcontext" else super().get_extra_info(name, default)


@breaks("ecosystem.aiohttp-peer-gone")
class StaysOpenAfterTheEnd(OverStreams):
    """eof_received() that returns None does not close the transport."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            self._at_eof = True
            self._stop_reading()
            self._protocol.eof_received()


@breaks("ecosystem.aiohttp-graceful-shutdown")
class ClosingAServerClosesItsConnections(EventLoop):
    """Server.close() aborts the connections that the server has accepted."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)
        server.__class__ = _Closing
        return server


class _Closing(Server):
    def close(self) -> None:
        super().close()
        self.abort_clients()


@breaks("ecosystem.aiohttp-connection-refused")
class RefusedIsConnected(asyncio.SelectorEventLoop):
    """sock_connect() takes the end of connecting for success."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        try:
            await super().sock_connect(sock, address)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise


@breaks("ecosystem.aiohttp-unix")
class UnixPathsAreAbstract(asyncio.SelectorEventLoop):
    """create_unix_connection() looks for the path in Linux's abstract namespace."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_connection(protocol_factory, path and f"\0{path}", **kwargs)


@breaks("ecosystem.aiohttp-upload", "ecosystem.uvicorn-flow-control")
class NeverPausesWriting(OverStreams):
    """pause_writing() is never called."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(1 << 40)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.set_write_buffer_limits()
