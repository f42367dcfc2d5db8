"""Broken loops of the chapter `streams`: readers that a loop changes before anybody has them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.streams import CLIENTS, SERVERS, UNIX, TampersWithStreams
from tests.broken_loops.subprocess_transport import replaced


class _Readers(TampersWithStreams):
    """Changes the reader of a stream."""

    of = CLIENTS + SERVERS

    def change(self, reader: Any, protocol: Any) -> None:
        raise NotImplementedError

    def tamper(self, protocol: Any) -> None:
        self.change(protocol._stream_reader, protocol)


@breaks("streams.limit-default")
class TheLimitIsTwiceTheDefault(_Readers):
    """The limit of a reader of 64 KiB becomes 128 KiB."""

    def change(self, reader: Any, protocol: Any) -> None:
        reader._limit = 1 << 17 if reader._limit == 1 << 16 else reader._limit


@breaks("streams.limit-default")
class UnixSocketsHaveHalfTheLimit(_Readers):
    """The limit of a reader of a Unix socket of 64 KiB becomes 32 KiB."""

    of = UNIX

    def change(self, reader: Any, protocol: Any) -> None:
        reader._limit = 1 << 15 if reader._limit == 1 << 16 else reader._limit


@breaks("streams.limit-default")
class TheLimitIsOneMore(_Readers):
    """The limit of a reader is a byte more than was asked for."""

    def change(self, reader: Any, protocol: Any) -> None:
        reader._limit += 1


@breaks("streams.full-then-empty")
class EmptyReadersNeedNoMore(_Readers):
    """resume_reading() does nothing when the reader has nothing left."""

    def change(self, reader: Any, protocol: Any) -> None:
        pass

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "resume_reading", lambda resume: resume() if protocol._stream_reader._buffer else None)


@breaks("streams.limit-without-separator")
class GivenLimitsAreDoubled(_Readers):
    """A limit that is given is taken for that of a half of the buffer."""

    def change(self, reader: Any, protocol: Any) -> None:
        reader._limit = reader._limit if reader._limit == 1 << 16 else 2 * reader._limit


@breaks("streams.limit-without-separator")
class OverrunsConsumeNothing(_Readers):
    """Where the separator has not come, LimitOverrunError says that nothing is to be consumed."""

    def change(self, reader: Any, protocol: Any) -> None:
        async def until(method: Any, separator: bytes = b"\n") -> Any:
            try:
                return await method(separator)
            except asyncio.LimitOverrunError as error:
                if separator in reader._buffer:
                    raise
                raise asyncio.LimitOverrunError(str(error), 0) from None

        replaced(reader, "readuntil", until)


@breaks("streams.readuntil-separators", since="3.13")
class TheFirstSeparatorIsTriedFirst(_Readers):
    """Of several separators, the first in the tuple that is found ends the data."""

    def change(self, reader: Any, protocol: Any) -> None:
        async def until(method: Any, separator: Any = b"\n") -> Any:
            if isinstance(separator, tuple):
                separator = next((one for one in separator if one in reader._buffer), separator)
            return await method(separator)

        replaced(reader, "readuntil", until)


@breaks("streams.read-nothing")
class NothingIsOneByte(_Readers):
    """read(0) reads what read(1) does."""

    def change(self, reader: Any, protocol: Any) -> None:
        replaced(reader, "read", lambda read, n=-1: read(n or 1))


@breaks("streams.read-nothing")
class ExactlyNothingIsRefused(_Readers):
    """readexactly(0) raises ValueError."""

    def change(self, reader: Any, protocol: Any) -> None:
        async def exactly(method: Any, n: int) -> Any:
            if not n:
                raise ValueError("nothing to read")
            return await method(n)

        replaced(reader, "readexactly", exactly)


@breaks("streams.incomplete-error")
class ExpectsTheRest(_Readers):
    """expected of IncompleteReadError is how many bytes were missing."""

    def change(self, reader: Any, protocol: Any) -> None:
        async def exactly(method: Any, n: int) -> Any:
            try:
                return await method(n)
            except asyncio.IncompleteReadError as error:
                raise asyncio.IncompleteReadError(error.partial, n - len(error.partial)) from None

        replaced(reader, "readexactly", exactly)


@breaks("streams.feed-eof")
class OnlyTheTransportEndsAReader(_Readers):
    """feed_eof() does nothing before the transport has told the end."""

    def change(self, reader: Any, protocol: Any) -> None:
        feed = reader.feed_eof
        reader.feed_eof = lambda: None

        def told(method: Any, *args: Any) -> Any:
            reader.feed_eof = feed
            return method(*args)

        replaced(protocol, "eof_received", told)
        replaced(protocol, "connection_lost", told)


@breaks("streams.readline")
class LinesEndWithTheirChunk(_Readers):
    """readline() returns what there is if it has no newline."""

    def change(self, reader: Any, protocol: Any) -> None:
        async def line(method: Any) -> Any:
            if reader._buffer and b"\n" not in reader._buffer and not reader._eof:
                return await reader.read(len(reader._buffer))
            return await method()

        replaced(reader, "readline", line)


@breaks("streams.read-all")
class MinusOneIsWhatThereIs(_Readers):
    """read(-1) reads what there is."""

    def change(self, reader: Any, protocol: Any) -> None:
        replaced(reader, "read", lambda read, *n: read(1 << 30) if n == (-1,) else read(*n))


@breaks("streams.at-eof")
class TheEndIsTheBuffers(_Readers):
    """at_eof() is True as soon as the end was received."""

    def change(self, reader: Any, protocol: Any) -> None:
        reader.at_eof = lambda: reader._eof
