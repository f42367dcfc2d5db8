"""Broken loops of the chapter `buffered`: what they do to a buffer beyond what they were asked."""

from __future__ import annotations

import contextlib
from typing import Any

from reference_loop.streams import StreamTransport
from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams, OverTls
from tests.broken_loops.tcp_ways import OverAccepted, OverUnix


class _Clears:
    """Fills the rest of each buffer with zeros before the protocol hears of it."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)

    def get_buffer(self, sizehint: int) -> Any:
        self.buffer = self.protocol.get_buffer(sizehint)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        rest = memoryview(self.buffer).cast("B")[nbytes:]
        rest[:] = bytes(len(rest))
        self.protocol.buffer_updated(nbytes)


@breaks("buffered.rest")
class ClearsTheRest(OverStreams):
    """What is behind the received bytes in a buffer is overwritten."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            protocol, self._protocol = self._protocol, _Clears(self._protocol)
            super()._read_into_buffer()
            if self._protocol is not None:
                self._protocol = protocol


@breaks("buffered.tls-rest")
class TlsClearsTheRest(OverTls):
    """What is behind the decrypted bytes in a buffer is overwritten."""

    class Tls(SSLTransport):
        def _read(self) -> None:
            protocol = self._protocol
            if self._buffered_protocol:
                self._protocol = _Clears(protocol)
            super()._read()
            if self._protocol is not None:
                self._protocol = protocol


@breaks("buffered.tls-smaller")
class TlsFillsOneBuffer(OverTls):
    """What does not fit into a buffer waits until the peer says something more."""

    class Tls(SSLTransport):
        def _read(self) -> None:
            if not self._buffered_protocol:
                super()._read()
            elif count := self._engine.decrypt_into(self._protocol.get_buffer(-1)):
                self._protocol.buffer_updated(count)


@breaks("buffered.tls-callback-error")
class TlsUpdatesInSilence(OverTls):
    """An exception in buffer_updated() over TLS ends the connection in silence."""

    class Tls(SSLTransport):
        def _report(self, exc: BaseException, message: str) -> None:
            if not self._buffered_protocol:
                super()._report(exc, message)


@breaks("buffered.kinds")
class UnixSocketsFillBytearrays(OverUnix):
    """A connection of a Unix socket takes a bytearray, or a view of one, for a buffer, and nothing else."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            protocol, self._protocol = self._protocol, _Picky(self._protocol)
            super()._read_into_buffer()
            if self._protocol is not None:
                self._protocol = protocol


class _Picky(_Clears):
    def get_buffer(self, sizehint: int) -> Any:
        buffer = self.protocol.get_buffer(sizehint)
        if not isinstance(buffer, (bytearray, memoryview)):
            raise TypeError("a bytearray is expected")
        return buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.buffer_updated(nbytes)


@breaks("buffered.eof")
class AcceptedEndsAreUpdates(OverAccepted):
    """The end of an accepted connection is an update of no bytes before it is eof_received()."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            if self._buffered_protocol:
                self._protocol.buffer_updated(0)
            super()._receive_eof()


@breaks("buffered.no-buffer")
class NoneIsNotNow(OverStreams):
    """get_buffer() may return None when there is no room at the moment."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            protocol, self._protocol = self._protocol, _Patient(self._protocol)
            try:
                super()._read_into_buffer()
            finally:
                if self._protocol is not None:
                    self._protocol = protocol

        def _fail(self, exc: BaseException, message: str) -> None:
            if not isinstance(exc, _NotNow):
                super()._fail(exc, message)


class _NotNow(Exception):
    pass


class _Patient(_Clears):
    def get_buffer(self, sizehint: int) -> Any:
        buffer = self.protocol.get_buffer(sizehint)
        if buffer is None:
            raise _NotNow
        return buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.protocol.buffer_updated(nbytes)


@breaks("buffered.switch-to")
class IntroducesBuffersAgain(OverStreams):
    """connection_made() is called on a protocol with buffers that is set later."""

    class Stream(StreamTransport):
        def set_protocol(self, protocol: Any) -> None:
            is_set = hasattr(self, "_protocol")
            super().set_protocol(protocol)
            if is_set and self._buffered_protocol:
                protocol.connection_made(self)


@breaks("buffered.end-inside")
class FillsOneBufferMore(OverStreams):
    """A transport that is closed inside buffer_updated() fills another buffer with what is left."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            super()._read_into_buffer()
            if self._closing and not self._at_eof:
                with contextlib.suppress(BlockingIOError):
                    self._protocol.buffer_updated(self._sock.recv_into(self._protocol.get_buffer(-1)))  # type: ignore[union-attr]


@breaks("buffered.after-write-eof")
class HalfAnEndFillsNothing(OverStreams):
    """What comes after write_eof() is not received by a protocol with buffers."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            if self._eof_written:
                self._sock.recv(65536)  # type: ignore[union-attr]
            else:
                super()._read_into_buffer()


@breaks("tcp.set-protocol-while-paused")
class AProtocolWithBuffersReads(OverStreams):
    """set_protocol() of a protocol with buffers resumes reading."""

    class Stream(StreamTransport):
        def set_protocol(self, protocol: Any) -> None:
            streaming = getattr(self, "_buffered_protocol", True) is False
            super().set_protocol(protocol)
            if streaming and self._buffered_protocol:
                self.resume_reading()
