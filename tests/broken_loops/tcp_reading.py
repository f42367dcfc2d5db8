"""Broken loops of the chapter `tcp`: pausing, and other protocols."""

from __future__ import annotations

from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


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
