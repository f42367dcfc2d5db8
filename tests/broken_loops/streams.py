"""Broken loops of the chapter `streams`: what readers and writers find in their transports."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

from conformance.kit.streams import LONG
from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


def is_stream(protocol: Any) -> bool:
    return isinstance(protocol, asyncio.StreamReaderProtocol)


CLIENTS = ("create_connection",)
SERVERS = ("create_server",)
UNIX = ("create_unix_connection", "create_unix_server")


class TampersWithStreams(Stock):
    """Changes the protocol of a stream before it is used, and its transport before it is announced.

    Those of the connections and servers that are made by the methods `of`.
    """

    of: tuple[str, ...] = CLIENTS

    def tamper(self, protocol: Any) -> None:
        pass

    def patch(self, transport: Any, protocol: Any) -> None:
        pass

    def tampered(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if is_stream(protocol):
                announce = protocol.connection_made

                def connection_made(transport: Any) -> None:
                    self.patch(transport, protocol)
                    announce(transport)

                protocol.connection_made = connection_made
                self.tamper(protocol)
            return protocol

        return make

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(self._made("create_connection", protocol_factory), *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_server(self._made("create_server", protocol_factory), *args, **kwargs)

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = self._made("create_unix_connection", protocol_factory)
        return await super().create_unix_connection(made, *args, **kwargs)

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_unix_server(self._made("create_unix_server", protocol_factory), *args, **kwargs)

    def _made(self, method: str, protocol_factory: Any) -> Any:
        return self.tampered(protocol_factory) if method in self.of else protocol_factory


@breaks("streams.open-connection")
class ReturnsTheProtocolFirst(Stock):
    """A connection to an address comes back as protocol and transport."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        if is_stream(protocol) and kwargs.get("sock") is None:
            transport.abort()
            raise OSError(errno.ENOTCONN, "not announced yet")
        return transport, protocol


@breaks("streams.read-all")
class TheEndOvertakesTheData(TampersWithStreams):
    """The last bytes of a long transfer are lost at its end."""

    def tamper(self, protocol: Any) -> None:
        total = [0]

        def received(told: Any, data: bytes) -> None:
            total[0] += len(data)
            told(data[:-1] if total[0] == len(LONG) else data)

        replaced(protocol, "data_received", received)


@breaks("streams.read-some")
class WaitsForEight(TampersWithStreams):
    """Fewer than eight bytes are held back until more come."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data) if data != b"abcdef" else None)


@breaks("streams.read-end")
class TheEndIsNotTold(TampersWithStreams):
    """The end of a stream whose last chunk has four bytes is not told."""

    def tamper(self, protocol: Any) -> None:
        last: list[bytes] = [b""]

        def received(told: Any, data: bytes) -> None:
            last[0] = data
            told(data)

        replaced(protocol, "data_received", received)
        replaced(protocol, "eof_received", lambda told: True if last[0] == b"last" else told())


@breaks("streams.readline")
class EmptyLinesAreDropped(TampersWithStreams):
    """Two newlines become one."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data.replace(b"\n\n", b"\n")))


@breaks("streams.readexactly")
class ReadingIsNotResumed(TampersWithStreams):
    """After the second pause, reading is not resumed."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pauses: list[None] = []

        def resume(method: Any) -> None:
            pauses.append(None)
            if len(pauses) < 2:
                method()

        replaced(transport, "resume_reading", resume)


@breaks("streams.incomplete")
class TheEndDropsTheRest(TampersWithStreams):
    """The end of a stream is an error if little was received."""

    def tamper(self, protocol: Any) -> None:
        few = [0]

        def received(told: Any, data: bytes) -> None:
            few[0] += len(data)
            told(data)

        def ended(told: Any) -> Any:
            if few[0] == 5:
                protocol.connection_lost(ConnectionAbortedError())
            return told()

        replaced(protocol, "data_received", received)
        replaced(protocol, "eof_received", ended)


@breaks("streams.readuntil")
class LosesTheBorder(TampersWithStreams):
    """A chunk that begins with N loses it."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data.replace(b"END", b"EN", 1)))


@breaks("streams.readuntil-end")
class TheEndIsALine(TampersWithStreams):
    """At the end, the separator is made up."""

    def tamper(self, protocol: Any) -> None:
        last: list[bytes] = [b""]

        def received(told: Any, data: bytes) -> None:
            last[0] = data
            told(data)

        def ended(told: Any) -> Any:
            if last[0].endswith(b"E"):
                protocol.data_received(b"ND")
            return told()

        replaced(protocol, "data_received", received)
        replaced(protocol, "eof_received", ended)


@breaks("streams.limit", "streams.readline-limit")
class CutsWhatIsLong(TampersWithStreams):
    """A line of more than sixteen bytes arrives cut."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data[:8] + b"\n" if len(data) == 41 else data))


@breaks("streams.reading-is-bounded")
class ReadsWithoutBound(TampersWithStreams):
    """pause_reading() does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.pause_reading = transport.resume_reading = lambda: None


@breaks("streams.at-eof")
class TheEndComesTooEarly(TampersWithStreams):
    """The end behind two bytes is told after the first."""

    def tamper(self, protocol: Any) -> None:
        def received(told: Any, data: bytes) -> None:
            told(data[:1] if data == b"xy" else data)
            if data == b"xy":
                protocol.eof_received()

        replaced(protocol, "data_received", received)


@breaks("streams.async-for")
class TheRestIsDropped(TampersWithStreams):
    """What comes after the last newline is dropped."""

    def tamper(self, protocol: Any) -> None:
        replaced(
            protocol,
            "data_received",
            lambda told, data: told(data.removesuffix(b"rest") if data.startswith(b"one\ntwo\nr") else data),
        )


@breaks("streams.reset")
class AResetIsAnEnd(TampersWithStreams):
    """A reset is told as a regular end while somebody reads."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(None))


@breaks("streams.cancelled-read")
class LosesTheFirstChunk(TampersWithStreams):
    """Four bytes that come late are read into a buffer that nobody looks at."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data) if data != b"data" else None)


@breaks("streams.unix")
class UnixPathsAreText(Stock):
    """start_unix_server() does not take a path object."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        if isinstance(path, Path) and is_stream(protocol_factory()):
            raise TypeError("path must be str")
        return await super().create_unix_server(protocol_factory, path, **kwargs)
