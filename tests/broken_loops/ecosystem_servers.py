"""Broken loops of the chapter `ecosystem`: what uvicorn and websockets trip over."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("ecosystem.uvicorn-scope")
class KnowsNoPeer(OverStreams):
    """get_extra_info() of "socket" and "peername" is None."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return default if name in ("socket", "peername") else super().get_extra_info(name, default)


@breaks("ecosystem.uvicorn-keepalive-timeout")
class LongDelaysAreLonger(asyncio.SelectorEventLoop):
    """call_later() takes a thousand times as long for delays from 10 ms on."""

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_later(delay * 1000 if delay >= 0.01 else delay, callback, *args, context=context)


@breaks("ecosystem.uvicorn-shutdown-by-signal")
class BlocksSignals(asyncio.SelectorEventLoop):
    """While the loop runs, SIGTERM is blocked."""

    def run_forever(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            super().run_forever()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@breaks("ecosystem.websockets-closing-handshake")
class EofIsNeverSent(OverStreams):
    """write_eof() does nothing."""

    class Stream(StreamTransport):
        def write_eof(self) -> None:
            pass


@breaks("ecosystem.websockets-backpressure")
class NeverPausesReading(OverStreams):
    """pause_reading() does nothing."""

    class Stream(StreamTransport):
        def pause_reading(self) -> None:
            pass


@breaks("ecosystem.websockets-server-close")
class ServersAreNeverClosed(EventLoop):
    """Server.wait_closed() does not return."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)
        server.__class__ = _NeverClosed
        return server


class _NeverClosed(Server):
    async def wait_closed(self) -> None:
        await asyncio.Event().wait()
