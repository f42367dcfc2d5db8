"""Broken loops of the chapters `tcp` and `subprocess`: what is wrong inside a callback, or at the second time, only."""

from __future__ import annotations

import contextlib
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced
from tests.broken_loops.tcp_halves import KnowsTheFirst
from tests.broken_loops.tcp_ways import OverAccepted, OverUnix


class _KnowsWhenItReads(StreamTransport):
    """Knows that data_received() or eof_received() is being called."""

    inside = False

    @contextlib.contextmanager
    def _within(self) -> Any:
        self.inside = True
        try:
            yield
        finally:
            self.inside = False

    def _read_ready(self) -> None:
        with self._within():
            super()._read_ready()


@breaks("tcp.close-inside-flushes")
class ClosesAtOnceInside(OverStreams):
    """close() inside data_received() drops what is buffered."""

    class Stream(_KnowsWhenItReads):
        def close(self) -> None:
            self.abort() if self.inside and not self._at_eof and self._reading else super().close()


@breaks("tcp.abort-inside-drops")
class AbortsInOrderInside(OverStreams):
    """abort() inside data_received() is close()."""

    class Stream(_KnowsWhenItReads):
        def abort(self) -> None:
            self.close() if self.inside and self._reading else super().abort()


@breaks("tcp.is-closing-halves")
class IsClosingUntilItIsAsked(OverStreams):
    """is_closing() is True inside eof_received()."""

    class Stream(StreamTransport):
        asking = False

        def _receive_eof(self) -> None:
            self.asking = True
            super()._receive_eof()
            self.asking = False

        def is_closing(self) -> bool:
            return self.asking or super().is_closing()


@breaks("tcp.can-write-eof")
class ClosedConnectionsWriteNoEof(OverStreams):
    """can_write_eof() is False when the transport is closing."""

    class Stream(StreamTransport):
        def can_write_eof(self) -> bool:
            return not self._closing


@breaks("tcp.set-protocol-until-the-end")
class AcceptedConnectionsTellTheFirstOfTheirEnd(OverAccepted):
    """connection_lost() of an accepted connection is called on its first protocol."""

    class Stream(KnowsTheFirst):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            self._protocol = self.first
            super()._call_connection_lost(exc)


@breaks("subprocess.pause-writing")
class PausesChildrenOnce(TampersWithChildren):
    """pause_writing() and resume_writing() of a child's protocol are called once."""

    def tamper(self, protocol: Any) -> None:
        for name in ("pause_writing", "resume_writing"):
            told: list[None] = []

            def once(method: Any, told: list[None] = told) -> None:
                if not told:
                    told.append(None)
                    method()

            replaced(protocol, name, once)


@breaks("subprocess.set-protocol-flow")
class PausesTheFirstProtocolOfChildren(TampersWithChildren):
    """After set_protocol(), it is the first protocol of a child that is paused."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def change(change: Any, new: Any) -> None:
            if new is not protocol:
                new.pause_writing, new.resume_writing = protocol.pause_writing, protocol.resume_writing
            change(new)

        replaced(transport, "set_protocol", change)


@breaks("subprocess.pipe-data-bytes")
class MuchOfAChildIsABytearray(TampersWithChildren):
    """Output of more than a page at a time is a bytearray."""

    def tamper(self, protocol: Any) -> None:
        replaced(
            protocol,
            "pipe_data_received",
            lambda receive, fd, data: receive(fd, bytearray(data) if len(data) > 4096 else data),
        )


class _KnowsThatItIsMade(StreamTransport):
    """Knows that connection_made() is being called."""

    being_made = False

    def _begin(self, waiter: Any) -> None:
        self.being_made = True
        super()._begin(waiter)
        self.being_made = False


@breaks("tcp.end-when-made", "tcp.unread-when-made")
class UnixConnectionsStayOpenWhenMade(OverUnix):
    """close() inside connection_made() of a Unix connection that was made to a path or a socket does nothing."""

    class Stream(_KnowsThatItIsMade):
        def close(self) -> None:
            if self._server is not None or not self.being_made:
                super().close()


@breaks("tcp.end-when-made", "tcp.unread-when-made")
class AcceptedUnixConnectionsStayOpenWhenMade(OverUnix):
    """close() and abort() inside connection_made() of an accepted Unix connection do nothing."""

    class Stream(_KnowsThatItIsMade):
        def _ends(self) -> bool:
            return self._server is None or not self.being_made

        def close(self) -> None:
            if self._ends():
                super().close()

        def abort(self) -> None:
            if self._ends():
                super().abort()
