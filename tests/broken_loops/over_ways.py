"""Broken loops of the chapters `buffered`, `flow` and `sendfile`: right for one kind of connection only."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.tcp_ways import OverAccepted, OverUnix

Stock = asyncio.SelectorEventLoop


@breaks("flow.every-connection")
class AcceptedConnectionsAreNotPaused(OverAccepted):
    """pause_writing() is not called for accepted connections."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            pass


@breaks("flow.every-connection")
class BuffersAreNotPaused(OverStreams):
    """pause_writing() is not called for protocols with buffers."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            if not self._buffered_protocol:
                super()._buffer_grew()


@breaks("flow.limits-when-made")
class LimitsOfAcceptedConnectionsComeLate(OverAccepted):
    """An accepted connection gets its default limits when connection_made() has returned."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self.set_write_buffer_limits()


@breaks("buffered.switch-to")
class AcceptedConnectionsStayStreaming(OverAccepted):
    """An accepted connection that began without buffers tells nobody with buffers."""

    class Stream(StreamTransport):
        begun = False

        def set_protocol(self, protocol: Any) -> None:
            if not (self.begun and isinstance(protocol, asyncio.BufferedProtocol)):
                super().set_protocol(protocol)
            self.begun = True


@breaks("buffered.switch-from")
class UnixConnectionsStayBuffered(OverUnix):
    """A connection of a Unix socket that began with buffers keeps the protocol that has them."""

    class Stream(StreamTransport):
        begun = False

        def set_protocol(self, protocol: Any) -> None:
            if not (self.begun and not isinstance(protocol, asyncio.BufferedProtocol)):
                super().set_protocol(protocol)
            self.begun = True


@breaks("buffered.pause-inside")
class FillsBuffersInARow(OverStreams):
    """Four buffers are filled before the loop looks whether reading is paused."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            for _ in range(4):
                if not self._closing:
                    super()._read_into_buffer()


class OddAnswers(OverStreams):
    """Looks at what eof_received() of a protocol with buffers returns by `keeps`."""

    class Stream(StreamTransport):
        def keeps(self, answer: Any) -> bool:
            raise NotImplementedError

        def _receive_eof(self) -> None:
            if not self._buffered_protocol:
                super()._receive_eof()
                return
            self._at_eof = True
            self._stop_reading()
            if not self.keeps(self._protocol.eof_received()):
                self.close()


@breaks("buffered.eof-keeps")
class OnlyTrueKeepsBuffers(OddAnswers):
    """eof_received() of a protocol with buffers must return True itself to keep the transport open."""

    class Stream(OddAnswers.Stream):
        def keeps(self, answer: Any) -> bool:
            return answer is True


@breaks("buffered.eof-closes")
class OnlyFalseClosesBuffers(OddAnswers):
    """eof_received() of a protocol with buffers must return None or False to close the transport."""

    class Stream(OddAnswers.Stream):
        def keeps(self, answer: Any) -> bool:
            return answer not in (None, False)


@breaks("sendfile.ways")
class NoFilesForClients(Stock):
    """sendfile() refuses the transport of a connection over a Unix socket."""

    async def sendfile(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            raise RuntimeError("no file is sent over this transport")
        return await super().sendfile(transport, *args, **kwargs)


@breaks("sendfile.from-the-start")
class ZeroIsWhereTheFileIs(Stock):
    """An offset of 0 means the file's own position."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, *args: Any, **kwargs: Any) -> Any:
        return await super().sendfile(transport, file, offset or file.tell(), *args, **kwargs)


@breaks("sendfile.tls-part")
class TlsHasNoCount(Stock):
    """count is ignored over TLS."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, count: Any = None, **kwargs: Any) -> Any:
        if transport.get_extra_info("sslcontext") is not None:
            count = None
        return await super().sendfile(transport, file, offset, count, **kwargs)


@breaks("sendfile.tls-part")
class TlsRewindsFiles(Stock):
    """The file's position is 0 when the file was sent over TLS."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        sent = await super().sendfile(transport, file, *args, **kwargs)
        if transport.get_extra_info("sslcontext") is not None:
            file.seek(0)
        return sent


@breaks("sendfile.paused")
class FilesResumeReading(Stock):
    """sendfile() resumes reading when it is done."""

    async def sendfile(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().sendfile(transport, *args, **kwargs)
        finally:
            transport.resume_reading()
