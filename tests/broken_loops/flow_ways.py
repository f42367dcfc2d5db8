"""Broken loops of the chapters `flow` and `tcp`: pauses, limits and sockets wrong for one kind of transport only."""

from __future__ import annotations

from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.flow_callbacks import ResumesWhenItIsLost
from tests.broken_loops.flow_reading import (
    CannotPauseAfterClose,
    DeliversTheRestWhenClosing,
    ForgetsTheEndThatCame,
    StartsReadingAnyhow,
)
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tcp_extra_info import GivesAReadOnlySocket
from tests.broken_loops.tcp_reading import ReadsOnThoughPaused
from tests.broken_loops.tcp_ways import OverAccepted, OverIpv6, OverUnix


@breaks("flow.pause-reading-inside-connection-made")
class AcceptedConnectionsStartReadingAnyhow(OverAccepted):
    """An accepted connection is read after connection_made(), whether that has paused it or not."""

    Stream = StartsReadingAnyhow.Stream


@breaks("flow.pause-reading-when-closed")
class UnixConnectionsCannotPauseAfterClose(OverUnix):
    """pause_reading() of a connection of a Unix socket raises when it is closed."""

    Stream = CannotPauseAfterClose.Stream


@breaks("flow.close-while-reading-is-paused")
class AcceptedConnectionsDeliverTheRest(OverAccepted):
    """close() of an accepted connection that is paused delivers what has come."""

    Stream = DeliversTheRestWhenClosing.Stream


@breaks("flow.eof-after-resume")
class UnixConnectionsForgetTheEnd(OverUnix):
    """After a pause of a connection of a Unix socket, a short last message is dropped with the end behind it."""

    Stream = ForgetsTheEndThatCame.Stream


@breaks("tcp.pause-inside-data-received")
class UnixConnectionsReadOnThoughPaused(OverUnix):
    """Up to four reads of a Unix socket are made in one turn, whatever the protocol says in between."""

    Stream = ReadsOnThoughPaused.Stream


@breaks("tcp.extra-info-socket")
class AcceptedConnectionsGiveAReadOnlySocket(OverAccepted):
    """The options of the socket of an accepted connection cannot be set."""

    Stream = GivesAReadOnlySocket.Stream


@breaks("flow.every-connection")
class AcceptedConnectionsPauseAgain(OverAccepted):
    """The protocol of an accepted connection is paused by each write above the limit, though it is paused already."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            paused = self._flow.paused
            super().write(data)
            if paused and self._protocol is not None:
                self._protocol.pause_writing()


@breaks("flow.lost-while-paused")
class AcceptedConnectionsResumeWhenLost(OverAccepted):
    """When an accepted connection is lost, a protocol that is paused is told to go on, afterwards."""

    Stream = ResumesWhenItIsLost.Stream


@breaks("flow.limits-everywhere")
class AcceptedConnectionsTakeLowFirst(OverAccepted):
    """The first argument of set_write_buffer_limits() of an accepted connection is the low watermark."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, low: int | None = None, high: int | None = None) -> None:
            super().set_write_buffer_limits(high, low)


@breaks("flow.limits-everywhere")
class AcceptedConnectionsTakeAnyLimits(OverAccepted):
    """Watermarks of an accepted connection that cannot be are brought in order, not refused."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            high = None if high is None else max(high, 0)
            low = None if low is None else max(low, 0)
            super().set_write_buffer_limits(high, low if high is None or low is None else min(low, high))


@breaks("flow.limits-everywhere")
class Ipv6HasNoZeroLimit(OverIpv6):
    """A high watermark of zero is taken for none over IPv6."""

    class Stream(StreamTransport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            super().set_write_buffer_limits(high or None, low)


@breaks("flow.refused-limits")
class PipesKeepWhatWasRefused(TampersWithPipes):
    """The high watermark of a write pipe that was refused with the low one is in force."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, high: int | None = None, low: int | None = None) -> None:
            try:
                limit(high=high, low=low)
            except ValueError:
                limit(high=high)
                raise

        replaced(transport, "set_write_buffer_limits", limit)
