"""Broken loops of the chapter `tcp`: what holds for connections of one kind, and not of another."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from conformance.kit.protocols import Events
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


class OverSome(OverStreams):
    """Makes those connections of the class `Stream` for which `odd` says so."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        raise NotImplementedError

    def _start_stream(self, sock: socket.socket, protocol: Any, **how: Any) -> StreamTransport:
        if self.odd(sock, how.get("server")):
            return super()._start_stream(sock, protocol, **how)
        return StreamTransport(
            self, sock, protocol, how.get("waiter"), how.get("extra"), how.get("server"), how.get("context")
        )


class OverAccepted(OverSome):
    """Those that a server has accepted."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return server is not None


class OverUnix(OverSome):
    """Those of Unix sockets."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return sock.family == socket.AF_UNIX


class OverIpv6(OverSome):
    """Those of IPv6."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return sock.family == socket.AF_INET6


@breaks("tcp.pause-reading", "tcp.set-protocol-while-paused")
class AcceptedConnectionsDoNotPause(OverAccepted):
    """pause_reading() of an accepted connection is forgotten in the next turn of the loop."""

    class Stream(StreamTransport):
        def pause_reading(self) -> None:
            super().pause_reading()
            self._loop.call_soon(self.resume_reading)


@breaks("tcp.eof-true-keeps-open", "tcp.eof-both-ends")
class AcceptedConnectionsEndWithThePeer(OverAccepted):
    """An accepted connection closes itself at the peer's end of the stream, whatever eof_received() says."""

    class Stream(StreamTransport):
        def _receive_eof(self) -> None:
            super()._receive_eof()
            self.close()


@breaks("tcp.set-protocol")
class AcceptedConnectionsKeepTheirProtocol(OverAccepted):
    """set_protocol() of an accepted connection does nothing."""

    class Stream(StreamTransport):
        def set_protocol(self, protocol: Any) -> None:
            if not hasattr(self, "_buffered_protocol"):
                super().set_protocol(protocol)


@breaks("tcp.write-when-made")
class UnixServersAreNotGreeted(OverSome):
    """What is written inside connection_made() of a connection that a Unix server has accepted is lost."""

    @staticmethod
    def odd(sock: socket.socket, server: Any) -> bool:
        return sock.family == socket.AF_UNIX and server is not None

    class Stream(StreamTransport):
        mute = False

        def _begin(self, waiter: Any) -> None:
            self.mute = True
            super()._begin(waiter)
            self.mute = False

        def write(self, data: Any) -> None:
            if not self.mute:
                super().write(data)


@breaks("tcp.abort-drops", "tcp.abort-while-closing")
class UnixConnectionsAreNotAborted(OverUnix):
    """abort() of a connection over a Unix socket waits for what is buffered."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            self.close()


@breaks("tcp.can-write-eof")
class UnixConnectionsWriteNoEof(OverUnix):
    """can_write_eof() says False for a Unix socket."""

    class Stream(StreamTransport):
        def can_write_eof(self) -> bool:
            return False


@breaks("tcp.write-eof-half-closes")
class UnixConnectionsHaveNoHalves(OverUnix):
    """write_eof() ends both directions of a Unix socket."""

    class Stream(StreamTransport):
        def write_eof(self) -> None:
            self.close()


@breaks("tcp.nodelay-ipv6")
class NagleForIpv6(OverIpv6):
    """TCP_NODELAY is set for IPv4 only."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            if self._sock is not None:
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            super()._begin(waiter)


@breaks("tcp.nodelay")
class NagleForWhatWasAcceptedElsewhere(OverStreams):
    """connect_accepted_socket() does not set TCP_NODELAY."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **how: Any) -> Any:
        pair = await super().connect_accepted_socket(protocol_factory, sock, **how)
        if sock.family != socket.AF_UNIX:
            pair[0].get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        return pair


@breaks("tcp.nodelay")
class TurnsNagleOffLate(OverStreams):
    """connect_accepted_socket() sets TCP_NODELAY when connection_made() has returned."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **how: Any) -> Any:
        pair = await super().connect_accepted_socket(protocol_factory, sock, **how)
        if sock.family != socket.AF_UNIX:
            pair[0].get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return pair


@breaks("tcp.connect-host")
class PeersHaveTheNameThatWasGiven(OverStreams):
    """'peername' is the host and the port that create_connection() was given."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, host, port, **how)
        if host is not None and how.get("ssl") is None:
            transport._extra["peername"] = (host, port)
        return transport, protocol


@breaks("tcp.extra-info-addresses")
class OwnAddressBeforeTheConnection(OverStreams):
    """'sockname' of a connection to a host is what it was before the connection: nothing."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, host, port, **how)
        if host is not None and how.get("ssl") is None:
            transport._extra["sockname"] = ("0.0.0.0", 0)
        return transport, protocol


@breaks("tcp.extra-info-default")
class FalseDefaultsAreNone(OverStreams):
    """get_extra_info() returns None for a default that is false."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return super().get_extra_info(name, default or None)


@breaks("tcp.extra-info-default")
class NamelessDefault(OverStreams):
    """get_extra_info() takes its arguments by position only."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None, /) -> Any:  # type: ignore[override]
            return super().get_extra_info(name, default)


@breaks("tcp.extra-info-when-made")
class KnowsItsPeerLater(OverStreams):
    """Extra information is there when connection_made() has returned."""

    class Stream(StreamTransport):
        known = False

        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self.known = True

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return super().get_extra_info(name, default) if self.known else default


@breaks("tcp.set-protocol-while-paused")
class ANewProtocolReads(OverStreams):
    """set_protocol() resumes reading."""

    class Stream(StreamTransport):
        made = False

        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self.made = True

        def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
            super().set_protocol(protocol)
            if self.made:
                self.resume_reading()


@breaks("tcp.methods-by-name")
class WritesByPosition(OverStreams):
    """The parameter of write() is called otherwise."""

    class Stream(StreamTransport):
        def write(self, buf: Any) -> None:
            super().write(buf)


@breaks("tcp.pause-and-resume-inside")
class ResumesNothingInside(OverStreams):
    """resume_reading() inside data_received() is forgotten."""

    class Stream(StreamTransport):
        inside = False

        def _read_ready(self) -> None:
            self.inside = True
            super()._read_ready()
            self.inside = False

        def resume_reading(self) -> None:
            if not self.inside:
                super().resume_reading()


@breaks("tcp.write-returns-none")
class AcceptedConnectionsCountTheirBytes(OverAccepted):
    """write() of an accepted connection returns the number of bytes."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> int:  # type: ignore[override]
            super().write(data)
            return len(data)


@breaks("tcp.no-write-after-eof")
class UnixDropsWhatIsLate(OverUnix):
    """write() after write_eof() of a Unix socket drops the data in silence."""

    class Stream(StreamTransport):
        ended = False

        def write_eof(self) -> None:
            self.ended = True
            super().write_eof()

        def write(self, data: Any) -> None:
            if not self.ended:
                super().write(data)


@breaks("tcp.connection-lost-not-inline")
class AbortedUnixConnectionsAreLostAtOnce(OverUnix):
    """abort() of a connection over a Unix socket calls connection_lost() by itself."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            protocol = self._protocol
            super().abort()
            if isinstance(protocol, Events) and not protocol.lost:
                protocol.connection_lost(None)
                protocol.connection_lost = lambda exc: None  # type: ignore[method-assign]
