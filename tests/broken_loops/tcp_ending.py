"""Broken loops of the chapter `tcp`: ends of connections, pausing, protocols and extra information."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OddSocket, OverStreams


@breaks("tcp.close-flushes")
class CloseDropsTheBuffer(OverStreams):
    """close() forgets what is buffered."""

    class Stream(StreamTransport):
        def close(self) -> None:
            self.abort()


@breaks("tcp.close-stops-receiving")
class ReadsWhileItFlushes(OverStreams):
    """After close(), data is received until the buffer is sent."""

    class Stream(StreamTransport):
        def close(self) -> None:
            was_reading = self._reading
            super().close()
            if self._buffer and was_reading:
                self._reading = True
                self._loop._poller.set_reader(self._fd, self._loop._handle(self._read_ready, (), self._context))


@breaks("tcp.close-reports-none")
class WaitsForTheOtherHalf(OverStreams):
    """close() after write_eof() of a transport with an empty buffer waits for the peer's end."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if not self._eof_written or self._buffer:
                super().close()


@breaks("tcp.close-reports-none")
class CloseIsAnError(OverStreams):
    """connection_lost() gets an exception after close(), unless the peer has ended the stream before."""

    class Stream(StreamTransport):
        def close(self) -> None:
            if self._closing or self._at_eof or self._buffer:
                super().close()
            else:
                self._force_close(ConnectionAbortedError("closed"))


@breaks("tcp.connection-lost-once")
class AbortAfterCloseReportsAgain(OverStreams):
    """abort() of a transport that is closing calls connection_lost() once more."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if self._lost and self._protocol is not None:
                self._loop.call_soon(self._protocol.connection_lost, None)
            super().abort()


@breaks("tcp.connection-lost-last")
class DeliversAReadAfterTheEnd(OverStreams):
    """Data that had come when the transport was aborted is delivered after connection_lost()."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            protocol, data = self._protocol, b""
            with contextlib.suppress(OSError):
                data = self._sock.recv(1000)  # type: ignore[union-attr]
            super()._call_connection_lost(exc)
            if len(data) == 1000:
                protocol.data_received(data)


@breaks("tcp.connection-lost-not-inline")
class LosesOnTheSpot(OverStreams):
    """connection_lost(None) is called inside close() and abort()."""

    class Stream(StreamTransport):
        def _lose(self, exc: BaseException | None) -> None:
            if exc is not None:
                super()._lose(exc)
            else:
                self._lost = self._barred = True
                self._call_connection_lost(exc)


@breaks("tcp.abort-drops")
class AbortIsClose(OverStreams):
    """The first abort() is a close()."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            super().abort() if self._closing else self.close()


@breaks("tcp.abort-after-the-end")
class CannotAbortWhatHasEnded(OverStreams):
    """abort() uses the socket, which is gone when a close() has ended."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            self._sock.fileno()  # type: ignore[union-attr]
            super().abort()


@breaks("tcp.is-closing")
class IsClosingWhenClosed(OverStreams):
    """is_closing() is True only once the socket is closed."""

    class Stream(StreamTransport):
        def is_closing(self) -> bool:
            return self._sock is None


@breaks("tcp.is-closing")
class IsOpenWhenThePeerHasClosed(OverStreams):
    """is_closing() says what close() and abort() have done, and nothing of the peer's end."""

    class Stream(StreamTransport):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

        def abort(self) -> None:
            self.closed = True
            super().abort()

        def _receive_eof(self) -> None:
            super()._receive_eof()
            self.closed = True

        def is_closing(self) -> bool:
            return self.closed


@breaks("tcp.eof-received-once")
class ReportsTheEndAgainAndAgain(OverStreams):
    """A descriptor that is readable because the stream has ended is reported in each turn."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            super()._receive_eof()
            self._at_eof = False
            self._start_reading()


@breaks("tcp.eof-false-closes")
class NoneKeepsTheConnection(OverStreams):
    """A connection is kept if eof_received() returns None."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            protocol = self._protocol

            class Asks:
                def eof_received(self) -> bool:
                    keep_open = protocol.eof_received()
                    return keep_open is None or bool(keep_open)

            self._protocol = Asks()
            try:
                super()._receive_eof()
            finally:
                self._protocol = protocol


@breaks("tcp.eof-true-keeps-open")
class WritesNothingAfterThePeersEnd(OverStreams):
    """What is written after the peer has ended its half is dropped."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if not self._at_eof:
                super().write(data)


@breaks("tcp.reset-is-reported")
class TakesAResetForTheEnd(OverStreams):
    """A connection that was reset ends as one that was closed."""

    class Socket(OddSocket):
        def recv(self, count: int) -> bytes:
            try:
                return self.real.recv(count)
            except ConnectionResetError:
                return b""


@breaks("tcp.write-error-is-reported")
class DropsWriteErrors(OverStreams):
    """A failed write is taken for one that worked."""

    class Socket(OddSocket):
        def send(self, data: Any) -> int:
            try:
                return self.real.send(data)
            except ConnectionError:
                return len(data)


@breaks("tcp.write-after-loss-is-quiet")
class RaisesForALateWrite(OverStreams):
    """write() raises when the connection was lost."""

    class Stream(StreamTransport):
        def _note_lost_write(self) -> None:
            raise RuntimeError("the transport is closed")


@breaks("tcp.pause-reading")
class PausesOnlyInsideCallbacks(OverStreams):
    """pause_reading() outside data_received() does not call off a read that is under way."""

    class Stream(StreamTransport):
        reads = False

        def _read_ready(self) -> None:
            self.reads = True
            super()._read_ready()
            self.reads = False

        def pause_reading(self) -> None:
            super().pause_reading()
            if not self.reads and not self._closing:
                self._reading = True
                self._loop._poller.set_reader(self._fd, self._loop._handle(self._read_ready, (), self._context))


@breaks("tcp.pause-inside-data-received")
class ReadsOnThoughPaused(OverStreams):
    """Up to four reads are made in one turn, whatever the protocol says in between."""

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            super()._read_ready()
            for _ in range(3):
                if self._paused and not self._closing:
                    super()._read_ready()


@breaks("tcp.pause-reading-idempotent")
class CountsPauses(OverStreams):
    """Each pause_reading() needs a resume_reading() of its own."""

    class Stream(StreamTransport):
        pauses = 0

        def pause_reading(self) -> None:
            self.pauses += 1
            super().pause_reading()

        def resume_reading(self) -> None:
            self.pauses = max(self.pauses - 1, 0)
            if not self.pauses:
                super().resume_reading()


@breaks("tcp.is-reading")
class IsReadingUntilItCloses(OverStreams):
    """is_reading() is True while reading is paused."""

    class Stream(StreamTransport):
        def is_reading(self) -> bool:
            return not self._closing


@breaks("tcp.reading-while-closing")
class RefusesToPauseWhileClosing(OverStreams):
    """pause_reading() raises when the transport is closing."""

    class Stream(StreamTransport):
        def pause_reading(self) -> None:
            if self._closing:
                raise RuntimeError("the transport is closing")
            super().pause_reading()


@breaks("tcp.set-protocol")
class KeepsItsFirstProtocol(OverStreams):
    """The callbacks of the first protocol are bound for ever."""

    class Stream(StreamTransport):
        shown: Any = None

        def set_protocol(self, protocol: Any) -> None:
            if self.shown is None:
                super().set_protocol(protocol)
            self.shown = protocol

        def get_protocol(self) -> Any:
            return self.shown


@breaks("tcp.reading-while-closing")
class ReadsOnThoughItIsClosing(OverStreams):
    """resume_reading() reads again when the transport was paused before close(), and has something to flush."""

    class Stream(StreamTransport):
        held = False

        def pause_reading(self) -> None:
            self.held = self.held or not self._closing
            super().pause_reading()

        def resume_reading(self) -> None:
            if self._closing and self.held and self._buffer:
                self._reading = True
                self._loop._poller.set_reader(self._fd, self._loop._handle(self._read_ready, (), self._context))
            else:
                super().resume_reading()


@breaks("tcp.set-protocol-while-closing")
class TellsWhoClosed(OverStreams):
    """connection_lost() is called on the protocol that the transport had when close() was called."""

    class Stream(StreamTransport):
        closer: Any = None

        def close(self) -> None:
            self.closer = self.closer or self._protocol
            super().close()

        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._protocol = self.closer or self._protocol
            super()._call_connection_lost(exc)


@breaks("tcp.set-protocol-while-closing")
class LetsGoOfItsProtocol(OverStreams):
    """get_protocol() of a transport that is closing returns None."""

    class Stream(StreamTransport):
        def get_protocol(self) -> Any:
            return None if self._closing else super().get_protocol()


@breaks("tcp.failing-data-received")
class SwallowsExceptionsOfDataReceived(OverStreams):
    """An exception in data_received() is forgotten."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            if "data_received" not in message:
                super()._fail(exc, message)


@breaks("tcp.failing-eof-received")
class SwallowsExceptionsOfEofReceived(OverStreams):
    """An exception in eof_received() counts as a false answer."""

    class Stream(StreamTransport):
        def _fail(self, exc: BaseException, message: str) -> None:
            self.close() if "eof_received" in message else super()._fail(exc, message)


@breaks("tcp.extra-info-addresses")
class GivesThePeernameAsAList(OverStreams):
    """The name of the peer is a list."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            info = super().get_extra_info(name, default)
            return list(info) if name == "peername" and isinstance(info, tuple) else info


class _NoOptions(OddSocket):
    """A stand-in for a socket that can only be asked."""

    def setsockopt(self, *_args: Any) -> None:
        raise TypeError("the options of this socket cannot be set")


@breaks("tcp.extra-info-socket")
class GivesAReadOnlySocket(OverStreams):
    """The options of the socket in the extra information cannot be set."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            info = super().get_extra_info(name, default)
            return _NoOptions(info) if name == "socket" else info


@breaks("tcp.extra-info-default")
class HasNoDefault(OverStreams):
    """Unknown extra information is a KeyError, unless a default is given."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name not in self._extra and default is None:
                raise KeyError(name)
            return super().get_extra_info(name, default)


@breaks("tcp.nodelay")
class LeavesNagleOn(OverStreams):
    """TCP_NODELAY is not set."""

    class Stream(StreamTransport):
        def __init__(self, loop: Any, sock: socket.socket, *args: Any) -> None:
            super().__init__(loop, sock, *args)
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


class _Proxy:
    """Everything that a transport is, except an asyncio.Transport."""

    def __init__(self, real: Any) -> None:
        self.__dict__["real"] = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.real == getattr(other, "real", other))

    def __hash__(self) -> int:
        return hash(self.real)


@breaks("tcp.transport-is-a-transport")
class HasTransportsOfItsOwn(asyncio.SelectorEventLoop):
    """Transports do not derive from asyncio.Transport."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        return _Proxy(transport), protocol


@breaks("tcp.extra-info-closed")
class AsksTheClosedSocket(OverStreams):
    """get_extra_info('socket') of a transport that is closed raises."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name == "socket" and self._sock is None:
                raise RuntimeError("the transport is closed")
            return super().get_extra_info(name, default)


@breaks("tcp.failing-connection-lost")
class DropsTheLastException(OverStreams):
    """An exception of connection_lost() disappears."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            with contextlib.suppress(Exception):
                super()._call_connection_lost(exc)


@breaks("tcp.failing-connection-lost")
class KeepsTheSocketOfAFailure(OverStreams):
    """When connection_lost() raises, the socket stays open."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._protocol.connection_lost(exc)
            self._release()
