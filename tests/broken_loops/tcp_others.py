"""Broken loops of the chapters `tcp` and `watchers`: what callbacks do to others that are ready in the same turn."""

from __future__ import annotations

import asyncio
import select
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams

Stock = asyncio.SelectorEventLoop


class _Reading(OverStreams):
    """Knows whose data is being received, as `current`."""

    current: Any = None

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            loop: Any = self._loop
            loop.current = self
            try:
                super()._read_ready()
            finally:
                loop.current = None

        @property
        def read_by_another(self) -> bool:
            loop: Any = self._loop
            return loop.current not in (None, self)


@breaks("tcp.switched-by-another")
class OthersKeepTheirProtocolForATurn(_Reading):
    """set_protocol() inside a callback of another connection holds from the next turn of the loop on."""

    class Stream(_Reading.Stream):
        def set_protocol(self, protocol: Any) -> None:
            if self.read_by_another:
                self._loop.call_soon(super().set_protocol, protocol)
            else:
                super().set_protocol(protocol)


@breaks("tcp.written-by-another")
class OthersAreNotWaitedFor(_Reading):
    """What is written inside a callback of another connection is dropped where it would have to be buffered."""

    class Stream(_Reading.Stream):
        def write(self, data: Any) -> None:
            if not (self.read_by_another and self._buffer):
                super().write(data)


@breaks("tcp.stop-inside")
class StopsInTheMiddleOfABatch(OverStreams):
    """What connections have received is dropped if the loop was stopped in the same turn."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True
        super().stop()
        self.call_soon(setattr, self, "stopped", False)

    class Stream(StreamTransport):
        def _read_ready(self) -> None:
            loop: Any = self._loop
            if loop.stopped and self._sock is not None:
                self._sock.recv(65536)
            else:
                super()._read_ready()


@breaks("watchers.remove-other-side")
class CallsBothSides(Stock):
    """A writer that is removed by the reader of the same descriptor is called once more if that is writable."""

    reading: Any = None

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        def read() -> None:
            self.reading = fd
            try:
                callback(*args)
            finally:
                self.reading = None

        super().add_reader(fd, read)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        self.written = callback, args
        super().add_writer(fd, callback, *args)

    def remove_writer(self, fd: Any) -> bool:
        if self.reading == fd and select.select([], [fd], [], 0)[1]:
            self.call_soon(self.written[0], *self.written[1])
        return super().remove_writer(fd)
