"""Broken loops of the chapter `udp`: the end of an endpoint, and what is told of it."""

from __future__ import annotations

import socket
from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import KnowsWhatItTells
from tests.broken_loops.udp_sending import OverDatagrams


@breaks("udp.close")
class LosesWithAReason(OverDatagrams):
    """connection_lost() gets an exception when an endpoint is closed."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if not self._closing:
                self._force_close(ConnectionAbortedError("closed"))


@breaks("udp.close-again")
class LosesOncePerCall(OverDatagrams):
    """close() of an endpoint that is closing schedules connection_lost() again."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if self._closing and self._protocol is not None:
                self._loop.call_soon(self._protocol.connection_lost, None)
            super().close()


@breaks("udp.close-not-inline")
class LosesInline(OverDatagrams):
    """abort() calls connection_lost() itself."""

    class Endpoint(DatagramTransport):
        def abort(self) -> None:
            if not self._lost:
                self._lost = self._closing = True
                self._stop_reading()
                if self._buffer:
                    self._drop_buffer()
                    self._stop_writing()
                self._call_connection_lost(None)


@breaks("udp.close-stops-receiving")
class DeliversWhatHasArrived(OverDatagrams):
    """close() delivers a datagram that has already arrived."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if self._sock is not None and not self._protocol.received:
                self._read_ready()
            super().close()


@breaks("udp.close-inside-datagram-received")
class DeliversWholeBatches(OverDatagrams):
    """Three datagrams are read at once, and delivered whatever the protocol does."""

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            protocol = self._protocol
            super()._read_ready()
            for _ in range(2):
                try:
                    data, address = self._sock.recvfrom(65536)  # type: ignore[union-attr]
                except OSError:
                    return
                protocol.datagram_received(data, address)


@breaks("udp.close-flushes")
class DropsWhatWaits(OverDatagrams):
    """close() of an endpoint drops what waits for room."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if not self._closing:
                self._force_close(None)


@breaks("udp.abort")
class AbortsWithAReason(OverDatagrams):
    """connection_lost() gets an exception when an endpoint is aborted."""

    class Endpoint(DatagramTransport):
        def abort(self) -> None:
            self._force_close(ConnectionAbortedError("aborted"))


@breaks("udp.abort-drops")
class AbortsLikeClose(OverDatagrams):
    """abort() of an endpoint waits for room if it is closing."""

    class Endpoint(DatagramTransport):
        def abort(self) -> None:
            if not self._closing:
                self._force_close(None)


@breaks("udp.abort-drops")
class ResumesEndpointsThatAreLost(OverDatagrams):
    """When an endpoint is lost, a protocol that is paused is told to go on, afterwards."""

    class Endpoint(DatagramTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            protocol, paused = self._protocol, self._flow.paused
            super()._call_connection_lost(exc)
            if paused:
                protocol.resume_writing()


@breaks("udp.is-closing")
class SaysOneAndNought(OverDatagrams):
    """An endpoint is closing only when connection_lost() has been called."""

    class Endpoint(DatagramTransport):
        def is_closing(self) -> bool:
            return self._sock is None


@breaks("udp.set-protocol")
class KeepsTheFirstListener(OverDatagrams):
    """What get_protocol() of an endpoint returns has no effect on who receives."""

    class Endpoint(DatagramTransport):
        later: Any = None

        def set_protocol(self, protocol: Any) -> None:
            self.later = protocol

        def get_protocol(self) -> Any:
            return self.later or super().get_protocol()


@breaks("udp.extra-info")
class HasAPeerNameOfZeros(OverDatagrams):
    """The peer name of an endpoint that is not connected is a pair of nothing."""

    class Endpoint(DatagramTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            found = super().get_extra_info(name, default)
            return ("", 0) if name == "peername" and found is None else found


@breaks("udp.extra-info-socket")
class HasNoOptions(OverDatagrams):
    """The socket of an endpoint is a copy that lives on its own."""

    class Endpoint(DatagramTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name == "socket" and not self._connected:
                return _OtherSocket(super().get_extra_info(name))
            return super().get_extra_info(name, default)


class _OtherSocket:
    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def getsockopt(self, level: int, option: int) -> Any:
        return 0 if level == socket.IPPROTO_IP else self.real.getsockopt(level, option)


@breaks("udp.extra-info-default")
class RaisesForUnknownInformation(OverDatagrams):
    """get_extra_info() of an endpoint raises KeyError for what it does not know."""

    class Endpoint(DatagramTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return self._extra[name]


@breaks("udp.end-inside-resume")
class EndsTwiceAfterItHasResumed(OverDatagrams):
    """An endpoint that its protocol closes in resume_writing() is torn down there, and once more afterwards."""

    class Endpoint(DatagramTransport):
        def _write_ready(self) -> None:
            super()._write_ready()
            if self._closing and self._lost and not self._buffer and self._protocol is not None:
                self._call_connection_lost(None)


@breaks("udp.extra-info-closed")
class ClosedEndpointsKnowNothing(OverDatagrams):
    """get_extra_info() of an endpoint that is closed raises an exception."""

    class Endpoint(DatagramTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if self._sock is None:
                raise OSError("the socket is closed")
            return super().get_extra_info(name, default)


@breaks("udp.end-inside-resume")
class EndpointsFlushWhenResumed(OverDatagrams):
    """abort() of an endpoint inside resume_writing() sends what is left first."""

    class Endpoint(KnowsWhatItTells, DatagramTransport):
        def abort(self) -> None:
            self.close() if self.telling == "resume_writing" else super().abort()
