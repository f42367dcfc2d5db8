"""Broken loops of the chapter `buffered`: what goes into the buffers of a protocol."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class TampersWithBuffers(Stock):
    """Changes a buffered protocol before the loop uses it."""

    def patch(self, protocol: Any) -> None:
        pass

    def tampered(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if isinstance(protocol, asyncio.BufferedProtocol):
                self.patch(protocol)
            return protocol

        return make

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(self.tampered(protocol_factory), *args, **kwargs)


class _Updates(TampersWithBuffers):
    """Changes what buffer_updated() is told."""

    def updated(self, told: Any, nbytes: int, protocol: Any) -> None:
        told(nbytes)

    def patch(self, protocol: Any) -> None:
        replaced(protocol, "buffer_updated", lambda told, nbytes: self.updated(told, nbytes, protocol))


class _Gets(TampersWithBuffers):
    """Changes what get_buffer() is asked for, and what it gives."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        return get(sizehint)

    def patch(self, protocol: Any) -> None:
        replaced(protocol, "get_buffer", lambda get, sizehint: self.get(get, sizehint, protocol))


@breaks("buffered.received")
class HasItsOwnBuffers(TampersWithBuffers):
    """The protocol gets data_received()."""

    def patch(self, protocol: Any) -> None:
        own = bytearray(65536)
        protocol.get_buffer = lambda sizehint: own
        protocol.buffer_updated = lambda nbytes: None


@breaks("buffered.large")
class TellsTheSizeOfTheBuffer(_Updates):
    """What has nearly filled the buffer is told as the whole of it."""

    def updated(self, told: Any, nbytes: int, protocol: Any) -> None:
        told(len(protocol.buffer) if 1000 < nbytes < len(protocol.buffer) else nbytes)

    def patch(self, protocol: Any) -> None:
        super().patch(protocol)
        replaced(protocol, "get_buffer", lambda get, sizehint: memoryview(get(sizehint))[:-1])


@breaks("buffered.nbytes")
class PadsTheBuffer(_Updates):
    """The number of bytes is rounded up to four."""

    def updated(self, told: Any, nbytes: int, protocol: Any) -> None:
        told(-(-nbytes // 4) * 4)


@breaks("buffered.sizehint")
class HintsAtNothing(_Gets):
    """sizehint is 0."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        return get(0)


@breaks("buffered.smaller")
class CutsAtTheBuffersEnd(_Updates):
    """What does not go into a small buffer is lost."""

    def updated(self, told: Any, nbytes: int, protocol: Any) -> None:
        if protocol.size != 3 or not protocol.received:
            told(nbytes)


@breaks("buffered.larger")
class FillsLargeBuffers(_Updates):
    """A large buffer is told of when it is full."""

    def updated(self, told: Any, nbytes: int, protocol: Any) -> None:
        if nbytes == protocol.size or protocol.size < 1_000_000:
            told(nbytes)


@breaks("buffered.kinds")
class TakesBytearraysOnly(_Gets):
    """A buffer that is no bytearray and no memoryview of a whole one is a TypeError."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        buffer = get(sizehint)
        if isinstance(buffer, memoryview) and len(buffer) != len(buffer.obj):
            raise TypeError("it must be a bytearray")
        return buffer


@breaks("buffered.wide-items")
class CountsItemsOfBuffers(_Gets):
    """A buffer whose items have several bytes is a TypeError."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        buffer = get(sizehint)
        if memoryview(buffer).itemsize != 1:
            raise TypeError("it must be of bytes")
        return buffer


@breaks("buffered.fresh")
class KeepsTheBuffer(_Gets):
    """The first buffer is used for all that is received."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        buffer = get(sizehint)
        if len(buffer) == 65536:
            protocol.buffer = protocol.__dict__.setdefault("first", buffer)
        return protocol.buffer


@breaks("buffered.zero")
class NoRoomIsTheEnd(_Gets):
    """A buffer without room ends the connection in order."""

    def get(self, get: Any, sizehint: int, protocol: Any) -> Any:
        buffer = get(sizehint)
        if not len(buffer):
            protocol.eof_received()
            protocol.transport.close()
            return bytearray(1)
        return buffer


class _Ends(TampersWithBuffers):
    """Changes what happens at the end of the stream."""

    def ended(self, told: Any, protocol: Any) -> Any:
        return told()

    def patch(self, protocol: Any) -> None:
        replaced(protocol, "eof_received", lambda told: self.ended(told, protocol))


@breaks("buffered.eof")
class TheEndIsAnUpdate(_Ends):
    """The end is told as an update of no bytes too."""

    def ended(self, told: Any, protocol: Any) -> Any:
        protocol.buffer_updated(0)
        return told()


@breaks("buffered.eof-last")
class AsksAfterTheEnd(_Ends):
    """A buffer is asked for after the end."""

    def ended(self, told: Any, protocol: Any) -> Any:
        self.call_soon(lambda: None if protocol.lost else protocol.get_buffer(-1))
        return told()


@breaks("buffered.eof-closes")
class StaysOpenForBuffers(_Ends):
    """The transport stays open at the end of the stream."""

    def ended(self, told: Any, protocol: Any) -> Any:
        told()
        return True


@breaks("buffered.eof-keeps")
class ClosesForBuffers(_Ends):
    """The transport closes at the end of the stream in any case."""

    def ended(self, told: Any, protocol: Any) -> Any:
        told()
        return False


@breaks("buffered.made")
class AsksBeforeTheConnectionIsMade(TampersWithBuffers):
    """The first buffer is asked for before connection_made()."""

    def patch(self, protocol: Any) -> None:
        def made(made: Any, transport: Any) -> None:
            protocol.get_buffer(-1)
            made(transport)

        replaced(protocol, "connection_made", made)


@breaks("buffered.echo")
class KeepsAView(TampersWithBuffers):
    """What is written out of a buffer is sent in the next turn."""

    def patch(self, protocol: Any) -> None:
        def made(made: Any, transport: Any) -> None:
            replaced(transport, "write", lambda write, data: self.call_soon(write, data))
            made(transport)

        replaced(protocol, "connection_made", made)


@breaks("buffered.pause")
class FillsWhilePaused(TampersWithBuffers):
    """The receive that is under way when reading is paused goes on."""

    def patch(self, protocol: Any) -> None:
        def made(made: Any, transport: Any) -> None:
            replaced(transport, "pause_reading", lambda pause: self.call_later(0.001, pause))
            made(transport)

        replaced(protocol, "connection_made", made)
