"""Broken loops of the chapter `pipes`: ends of pipes that are paused, empty, or closed before."""

from __future__ import annotations

import asyncio
from asyncio import unix_events
from typing import Any

from conformance.kit.protocols import Events
from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop
_Read: Any = unix_events._UnixReadPipeTransport  # type: ignore[attr-defined]  # what is broken is the stock loop's own
_Write: Any = unix_events._UnixWritePipeTransport  # type: ignore[attr-defined]


class _Pipes(Stock):
    """Makes transports of its own for pipes."""

    reader: Any = _Read
    writer: Any = _Write

    def _make_read_pipe_transport(self, *args: Any, **kwargs: Any) -> Any:
        return self.reader(self, *args, **kwargs)

    def _make_write_pipe_transport(self, *args: Any, **kwargs: Any) -> Any:
        return self.writer(self, *args, **kwargs)


class _HangsUp(_Read):  # type: ignore[misc]
    def pause_reading(self) -> None:
        super().pause_reading()
        self._loop.call_later(0.003, self._look)

    def _look(self) -> None:
        if self._paused and not self._closing:
            self._close(None)


@breaks("pipes.end-while-paused")
class PausedPipesHangUp(_Pipes):
    """A paused pipe ends without its data."""

    reader = _HangsUp


class _EmptyFirst(_Read):  # type: ignore[misc]
    def _call_connection_lost(self, exc: Any) -> None:
        if exc is None:
            self._protocol.data_received(b"")
        super()._call_connection_lost(exc)


@breaks("pipes.end")
class AnEndIsEmptyData(_Pipes):
    """Empty data is passed on at the end of the pipe."""

    reader = _EmptyFirst


class _EndsByClose(_Read):  # type: ignore[misc]
    def close(self) -> None:
        if not self._closing:
            self._loop.call_soon(self._protocol.eof_received)
        super().close()


@breaks("pipes.close-read")
class ClosingIsAnEnd(_Pipes):
    """close() of a read pipe calls eof_received()."""

    reader = _EndsByClose


class _ClosesTwice(_Read):  # type: ignore[misc]
    def close(self) -> None:
        if self._loop is not None:
            self._closing = True
            self._loop.remove_reader(self._fileno)
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        if self._protocol is None:
            self.ended.connection_lost(None)
        else:
            self.ended = self._protocol
            self._call_connection_lost(None)


@breaks("pipes.close-read")
class TwoClosesAreTwoEnds(_Pipes):
    """close() that is called twice loses the connection twice."""

    reader = _ClosesTwice


class _FirstPieces(_Write):  # type: ignore[misc]
    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list(list_of_data)[:1024]))


@breaks("pipes.writelines")
class WritesAThousandPieces(_Pipes):
    """writelines() writes 1024 pieces, as many as one system call takes, and drops the rest."""

    writer = _FirstPieces


class _EndsInside(_Write):  # type: ignore[misc]
    def write_eof(self) -> None:
        if self._closing or self._buffer:
            super().write_eof()
            return
        self._closing = True
        self._loop.remove_reader(self._fileno)
        self._call_connection_lost(None)


@breaks("pipes.connection-lost-not-inline")
class AnEmptyPipeEndsInsideClose(_Pipes):
    """connection_lost() is called inside close() if nothing is buffered."""

    writer = _EndsInside


class _NoEnd(_Write):  # type: ignore[misc]
    def write_eof(self) -> None:
        if self._buffer:
            super().write_eof()


@breaks("pipes.write-eof")
class NothingHasNoEnd(_Pipes):
    """write_eof() has no effect if nothing was written."""

    writer = _NoEnd


class _TooLate(_Write):  # type: ignore[misc]
    def abort(self) -> None:
        if not self._closing:
            super().abort()


@breaks("pipes.abort")
class WhatIsClosingIsNotAborted(_Pipes):
    """abort() has no effect after close()."""

    writer = _TooLate


class _EncodesText(_Write):  # type: ignore[misc]
    def write(self, data: Any) -> None:
        super().write(data.encode() if isinstance(data, str) else data)


@breaks("pipes.write-rejects-text")
class PipesTakeText(_Pipes):
    """write() of a pipe encodes text."""

    writer = _EncodesText


class _BreaksLoudly(_Write):  # type: ignore[misc]
    def write(self, data: Any) -> None:
        if self._closing:
            raise BrokenPipeError
        super().write(data)


@breaks("pipes.write-after-loss-is-quiet")
class ClosedPipesBreak(_Pipes):
    """write() to a pipe that is closing raises."""

    writer = _BreaksLoudly


class _LastCallFails(_Read):  # type: ignore[misc]
    def _call_connection_lost(self, exc: Any) -> None:
        self._protocol.connection_lost(exc)
        self._pipe.close()
        self._pipe = self._protocol = self._loop = None


@breaks("pipes.failing-connection-lost")
class PipesStayOpenIfTheLastCallFails(_Pipes):
    """The file of a pipe is not closed if connection_lost() raises."""

    reader = _LastCallFails


class _Counts(_Write):  # type: ignore[misc]
    def write(self, data: Any) -> int:
        super().write(data)
        return len(data)


@breaks("pipes.write-returns-none")
class PipesCountTheirBytes(_Pipes):
    """write() to a pipe returns the number of bytes."""

    writer = _Counts


@breaks("pipes.base-protocol")
class TellsWritersOfTheEnd(Stock):
    """When the reader of a pipe has gone, eof_received() is called before connection_lost()."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        def made() -> Any:
            protocol = protocol_factory()
            if hasattr(protocol, "eof_received"):
                replaced(protocol, "connection_lost", lambda lost, exc: [protocol.eof_received(), lost(exc)])
            return protocol

        return await super().connect_write_pipe(made, pipe)


@breaks("pipes.base-protocol")
class WritersAreStreams(Stock):
    """A protocol for writing to a pipe must have data_received()."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        protocol = protocol_factory()
        if not hasattr(protocol, "data_received"):
            raise TypeError("a Protocol is needed")
        return await super().connect_write_pipe(lambda: protocol, pipe)


class _AbortsAtOnce(_Write):  # type: ignore[misc]
    def abort(self) -> None:
        protocol = self._protocol
        super().abort()
        if isinstance(protocol, Events) and not protocol.lost:
            protocol.connection_lost(None)
            protocol.connection_lost = lambda exc: None  # type: ignore[method-assign]


@breaks("pipes.connection-lost-not-inline")
class AbortedPipesAreLostAtOnce(_Pipes):
    """abort() of a pipe calls connection_lost() by itself."""

    writer = _AbortsAtOnce


class _ReadsAtOnce(_Read):  # type: ignore[misc]
    def resume_reading(self) -> None:
        paused = self._paused and not self._closing
        super().resume_reading()
        if paused:
            self._read_ready()


@breaks("pipes.resume-not-inline")
class PipesReadAsTheyResume(_Pipes):
    """resume_reading() of a pipe reads, and hands out, what has come meanwhile."""

    reader = _ReadsAtOnce


class _RefusesWhenClosing(_Read):  # type: ignore[misc]
    def resume_reading(self) -> None:
        if self._closing:
            raise RuntimeError("the transport is closing")
        super().resume_reading()


@breaks("pipes.reading-while-closing")
class ClosedPipesCannotBeResumed(_Pipes):
    """resume_reading() of a pipe raises when it is closing."""

    reader = _RefusesWhenClosing


class _ClosesAtOnce(_Write):  # type: ignore[misc]
    def close(self) -> None:
        if self._closing or self._buffer:
            super().close()
            return
        self._closing = True
        self._loop._remove_reader(self._fileno)
        self._call_connection_lost(None)


class _EndsAtOnce(_Read):  # type: ignore[misc]
    def _close(self, exc: Any) -> None:
        self._closing = True
        self._loop._remove_reader(self._fileno)
        self._call_connection_lost(exc)


@breaks("pipes.connection-lost-not-inline")
class WritersAreLostAsTheyClose(_Pipes):
    """close() of a pipe that is written to calls connection_lost() by itself."""

    writer = _ClosesAtOnce


@breaks("pipes.connection-lost-not-inline")
class ReadersAreLostAsTheyClose(_Pipes):
    """close() of a pipe that is read calls connection_lost() by itself."""

    reader = _EndsAtOnce


class _LinesDoNotPause(_Write):  # type: ignore[misc]
    def writelines(self, list_of_data: Any) -> None:
        self._maybe_pause_protocol = lambda: None
        super().writelines(list_of_data)
        del self._maybe_pause_protocol


@breaks("pipes.pause-writing")
class LinesDoNotPausePipes(_Pipes):
    """writelines() of a pipe does not call pause_writing()."""

    writer = _LinesDoNotPause
