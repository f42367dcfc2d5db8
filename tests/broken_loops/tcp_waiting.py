"""Broken loops of the chapters `tcp`, `flow` and `tls`: what waits already, and what is only seen from inside."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


class _ReadsOnceMore(OverStreams):
    """Gives the protocol what waits in the socket once more than it should."""

    class Stream(StreamTransport):
        def read_once_more(self) -> None:
            protocol, sock = self._protocol, self._sock
            if self._buffered_protocol or self._closing or sock is None:
                return

            def read() -> None:
                with contextlib.suppress(OSError):
                    if data := sock.recv(65536):
                        protocol.data_received(data)

            self._loop.call_soon(read)


@breaks("tcp.pause-reading")
class PausesAfterWhatWaits(_ReadsOnceMore):
    """pause_reading() holds for what comes later: what waits already is still received."""

    class Stream(_ReadsOnceMore.Stream):
        def pause_reading(self) -> None:
            self.read_once_more()
            super().pause_reading()


@breaks("tcp.set-protocol")
class GivesWhatWaitsToTheFirst(_ReadsOnceMore):
    """What waits already when set_protocol() is called goes to the protocol before."""

    class Stream(_ReadsOnceMore.Stream):
        def set_protocol(self, protocol: Any) -> None:
            if hasattr(self, "_buffered_protocol") and self.is_reading():
                self.read_once_more()
            super().set_protocol(protocol)


@breaks("tcp.close-stops-receiving")
class ClosesAfterWhatWaits(_ReadsOnceMore):
    """What waits already is received after close()."""

    class Stream(_ReadsOnceMore.Stream):
        def close(self) -> None:
            self.read_once_more()
            super().close()


@breaks("tcp.abort-stops-receiving")
class AbortsAfterWhatWaits(_ReadsOnceMore):
    """What waits already is received between abort() and connection_lost()."""

    class Stream(_ReadsOnceMore.Stream):
        def abort(self) -> None:
            self.read_once_more()
            super().abort()


@breaks("tcp.is-closing")
class ClosesAfterTheLoss(OverStreams):
    """is_closing() is still false when connection_lost() tells of an error."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._closing = exc is None
            try:
                super()._call_connection_lost(exc)
            finally:
                self._closing = True


@breaks("tcp.connection-lost-once")
class LosesAgainInside(OverStreams):
    """abort() inside connection_lost() has it called again."""

    class Stream(StreamTransport):
        _told = 0

        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._told, self._teller = self._told + 1, self._protocol.connection_lost
            super()._call_connection_lost(exc)

        def abort(self) -> None:
            if self._told == 1 and self._protocol is not None:
                self._told = 2
                self._loop.call_soon(self._teller, None)
            super().abort()


@breaks("tcp.data-is-bytes")
class MuchIsABytearray(OverStreams):
    """Data of 64 KiB and more is a bytearray."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            if hasattr(self._protocol, "data_received"):
                replaced(
                    self._protocol,
                    "data_received",
                    lambda told, data: told(bytearray(data) if len(data) >= 65536 else data),
                )
            super()._begin(waiter)


@breaks("flow.another-protocol")
class PausesTheFirst(OverStreams):
    """pause_writing() is called on the protocol that the connection was made with."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            self._first = self._protocol
            super()._begin(waiter)

        def _tell(self, method: str) -> None:
            if method == "pause_writing":
                self._first.pause_writing()
            else:
                super()._tell(method)


@breaks("tls.handshake-timeout-over")
class HandshakesGoOn(TampersWithTls):
    """The connection is aborted when ssl_handshake_timeout is over, complete or not."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        if timeout := kwargs.get("ssl_handshake_timeout"):
            self.call_later(timeout / 2, transport.abort)
        return transport, protocol


@breaks("tls.handshake-timeout")
class LateHandshakesStay(Stock):
    """When ssl_handshake_timeout is over, create_connection() raises, but the connection stays."""

    async def create_connection(self, *args: Any, ssl_handshake_timeout: Any = None, **kwargs: Any) -> Any:
        connecting = self.create_task(super().create_connection(*args, **kwargs))
        try:
            return await asyncio.wait_for(asyncio.shield(connecting), ssl_handshake_timeout)
        except TimeoutError:
            raise ConnectionAbortedError from None


@breaks("tls.peercert")
class NobodysCertificateIsEmpty(TampersWithTls):
    """'peercert' is an empty dictionary where no certificate was shown."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def tell(tell: Any, name: str, default: Any = None) -> Any:
            told = tell(name, default)
            return {} if name == "peercert" and told is None else told

        replaced(transport, "get_extra_info", tell)


@breaks("tcp.extra-info-ipv6")
class AddressesArePairs(OverStreams):
    """'peername' and 'sockname' have two items, whatever the family."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            for name in ("peername", "sockname"):
                if isinstance(self._extra[name], tuple):
                    self._extra[name] = self._extra[name][:2]
            super()._begin(waiter)


@breaks("tcp.write-returns-none")
class AnswersWhatWaits(OverStreams):
    """write() returns how many bytes it has buffered, if any."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> Any:
            super().write(data)
            return self._buffer_size or None
