"""Broken loops of several chapters: what is done inside a callback, and meets the loop in the middle of something."""

from __future__ import annotations

import asyncio
import contextlib
import select
import sys
import time
from collections.abc import Callable
from heapq import heappop
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from reference_loop.timers import Timers
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.tcp_ways import OverUnix
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


@breaks("tcp.end-when-made")
class CannotEndWhatItBegins(OverStreams):
    """close() inside connection_made() is lost."""

    class Stream(StreamTransport):
        beginning = False

        def _begin(self, waiter: asyncio.Future[None] | None) -> None:
            self.beginning = True
            super()._begin(waiter)
            self.beginning = False

        def close(self) -> None:
            if not self.beginning:
                super().close()


@breaks("tcp.end-when-made")
class ForgetsWhatWaitsWhenMade(OverStreams):
    """close() inside connection_made() drops what waits to be sent."""

    class Stream(CannotEndWhatItBegins.Stream):
        def close(self) -> None:
            if self.beginning:
                self.abort()
            else:
                super().close()


@breaks("tcp.end-when-read")
class DeliversWhatIsLeft(OverStreams):
    """What is there when data_received() closes the transport is delivered all the same."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            super()._read_ready()
            if self._closing and self._sock is not None and not self._at_eof:
                with contextlib.suppress(OSError):
                    self._protocol.data_received(self._sock.recv(1000))


@breaks("servers.close-inside")
class EndsConnectionsWithTheServer(Stock):
    """A connection whose protocol closes the server in connection_made() is aborted."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        servers: list[Any] = []

        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                announce(transport)
                if not servers[0].is_serving():
                    transport.abort()

            protocol.connection_made = connection_made
            return protocol

        servers.append(await super().create_server(make, *args, **kwargs))
        return servers[0]


@breaks("tls.end-when-made")
class CannotEndTlsAsItBegins(TampersWithTls):
    """close() of a TLS transport inside connection_made() is lost."""

    def patch(self, transport: Any, protocol: Any) -> None:
        close = transport.close
        transport.close = lambda: None
        self.call_soon(setattr, transport, "close", close)


@breaks("errors.handler-schedules")
class IsBorrowedByItsHandler(Stock):
    """While the exception handler runs, nothing can be scheduled."""

    borrowed = False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.borrowed = True
        super().call_exception_handler(context)
        self.borrowed = False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.borrowed:
            raise RuntimeError("already borrowed")
        return super().call_soon(callback, *args, context=context)


class _Draining(Timers[Any]):
    def pop_due(self, now: float, deliver: Callable[[Any], object]) -> None:
        while self._heap and self._heap[0][0] <= time.monotonic():
            timer = heappop(self._heap)[2]
            if not timer.cancelled():
                timer._run()


@breaks("timers.fairness")
class RunsTimersUntilNoneIsDue(EventLoop):
    """Timers run until none is due, also those that timers have set meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._timers = _Draining()


@breaks("tcp.end-inside-except")
class EndsForTheCallersReason(OverStreams):
    """connection_lost() gets the exception that is being handled where abort() is called."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            self._force_close(sys.exc_info()[1])


@breaks("tcp.end-inside-except")
class ClosesForTheCallersReason(OverUnix):
    """connection_lost() of a Unix socket gets the exception that is being handled where close() is called."""

    class Stream(StreamTransport):
        def _lose(self, exc: BaseException | None) -> None:
            super()._lose(exc or sys.exc_info()[1])


@breaks("tcp.stopped-by-another")
class ReadsAllThatIsReadable(OverStreams):
    """All connections that are readable at a time are read, whatever the protocol of the first does to the others."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            others = [other for other in self._loop._transports.values() if other is not self and _is_readable(other)]
            super()._read_ready()
            for other in others:
                if (other._paused or other._closing) and other._sock is not None and not other._at_eof:
                    other._protocol.data_received(other._sock.recv(100))


def _is_readable(transport: Any) -> bool:
    return transport._reading and bool(select.select([transport._fd], [], [], 0)[0])


@breaks("tcp.unread-when-made")
class ReadsWhenItIsMade(OverStreams):
    """Reading starts behind connection_made(), also if that has closed the transport and something is to be flushed."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            if self._closing and not self._lost and self._sock is not None:
                self._protocol.data_received(self._sock.recv(100))
