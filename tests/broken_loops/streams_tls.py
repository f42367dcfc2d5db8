"""Broken loops of the chapter `streams`: what readers and writers over TLS find in their transports."""

from __future__ import annotations

import ssl
from typing import Any

from conformance.kit.certificates import NAME
from tests.broken_loops import breaks
from tests.broken_loops.streams import Stock, is_stream
from tests.broken_loops.subprocess_transport import hides, replaced


class TampersWithTlsStreams(Stock):
    """Changes the TLS transports of streams: those that are made, and those of an upgrade."""

    made = upgraded = True

    def patch(self, transport: Any, protocol: Any) -> None:
        raise NotImplementedError

    def _make_ssl_transport(self, rawsock: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_ssl_transport(rawsock, protocol, *args, **kwargs)  # type: ignore[misc]
        if self.made and is_stream(protocol):
            self.patch(transport, protocol)
        return transport

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        new: Any = await super().start_tls(transport, protocol, *args, **kwargs)
        if self.upgraded and is_stream(protocol):
            self.patch(new, protocol)
        return new


@breaks("streams.tls-read")
class TlsStreamsForgetWhatIsHeld(TampersWithTlsStreams):
    """resume_reading() of a stream with TLS does not go on reading."""

    upgraded = False

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.resume_reading = lambda: None


@breaks("streams.tls-reading-is-bounded")
class TlsStreamsAreNotPausedReading(TampersWithTlsStreams):
    """pause_reading() of a stream with TLS does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.pause_reading = transport.resume_reading = lambda: None


@breaks("streams.tls-write")
class TlsStreamsTakeBytesOnly(TampersWithTlsStreams):
    """write() of a stream with TLS does not take a memoryview."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if isinstance(data, memoryview):
                raise TypeError("a bytes object is needed")
            write(data)

        replaced(transport, "write", write)


@breaks("streams.tls-write")
class TlsLinesAreLists(TampersWithTlsStreams):
    """writelines() of an upgraded stream does not take a generator."""

    made = False

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda write, pieces: write([pieces[i] for i in range(len(pieces))]))


@breaks("streams.tls-write")
class TlsWritersBideTheirTime(TampersWithTlsStreams):
    """write() of a stream with TLS waits a moment for more before it tries to send."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "write", lambda write, data: self.call_later(0.3, write, bytes(data)))


@breaks("streams.tls-drain")
class UpgradedWritersAreNotPaused(TampersWithTlsStreams):
    """pause_writing() is not called for a stream after its upgrade."""

    made = False

    def patch(self, transport: Any, protocol: Any) -> None:
        protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("streams.tls-close")
class TlsStreamsCloseByAbort(TampersWithTlsStreams):
    """close() of a stream with TLS drops what was not sent yet."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.close = transport.abort


@breaks("streams.tls-abort")
class AnAbortOverTlsIsAnError(TampersWithTlsStreams):
    """abort() of a stream with TLS is told as ConnectionAbortedError."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def abort(abort: Any) -> None:
            if protocol._stream_reader is not None and protocol._stream_reader._waiter is not None:
                replaced(protocol, "connection_lost", lambda told, exc: told(ConnectionAbortedError()))
            abort()

        replaced(transport, "abort", abort)


@breaks("streams.tls-can-write-eof")
class TlsStreamsCanWriteEof(TampersWithTlsStreams):
    """can_write_eof() of an upgraded stream is that of the transport beneath."""

    made = False

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.can_write_eof = lambda: True


@breaks("streams.tls-info")
class UpgradedStreamsHaveNoPeer(TampersWithTlsStreams):
    """An upgraded stream does not tell the peer's address."""

    made = False

    def patch(self, transport: Any, protocol: Any) -> None:
        hides(transport, "peername")


@breaks("streams.tls-upgrade-flushes")
class AnUpgradeOfAStreamDropsItsBuffer(Stock):
    """start_tls() of a stream drops what was written and is not sent yet."""

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        if is_stream(protocol) and transport.get_write_buffer_size():
            transport._buffer.clear()
            self.remove_writer_of(transport)
        return await super().start_tls(transport, protocol, *args, **kwargs)

    def remove_writer_of(self, transport: Any) -> None:
        self._remove_writer(transport._sock_fd)  # type: ignore[attr-defined]


@breaks("streams.tls-arguments")
class UnixStreamsCheckTheUsualName(Stock):
    """server_hostname is taken to be the usual one when a stream with TLS is opened over a Unix socket."""

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        if is_stream(protocol) and kwargs.get("server_hostname"):
            kwargs["server_hostname"] = NAME
        return await super().create_unix_connection(lambda: protocol, *args, **kwargs)


@breaks("streams.tls-arguments")
class StreamsSayLongGoodbyes(Stock):
    """ssl_shutdown_timeout is dropped when a stream with TLS is opened."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        if is_stream(protocol):
            kwargs.pop("ssl_shutdown_timeout", None)
        return await super().create_connection(lambda: protocol, *args, **kwargs)


@breaks("streams.tls-arguments")
class StreamsTrustAnybody(Stock):
    """ssl=True for a stream is a context that verifies nothing."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        if is_stream(protocol) and kwargs.get("ssl") is True:
            kwargs["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            kwargs["ssl"].check_hostname = False
            kwargs["ssl"].verify_mode = ssl.CERT_NONE
        return await super().create_connection(lambda: protocol, *args, **kwargs)
