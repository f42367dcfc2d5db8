"""Broken loops of the chapters `flow`, `sendfile`, `servers` and `unix`: right for one kind of connection only."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.tcp_ways import OverAccepted, OverSome

Stock = asyncio.SelectorEventLoop


@breaks("flow.every-connection")
class AcceptedConnectionsAreNotPaused(OverAccepted):
    """pause_writing() is not called for accepted connections."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            pass


@breaks("flow.every-connection")
class BuffersAreNotPaused(OverStreams):
    """pause_writing() is not called for protocols with buffers."""

    class Stream(StreamTransport):
        def _buffer_grew(self) -> None:
            if not self._buffered_protocol:
                super()._buffer_grew()


@breaks("flow.limits-when-made")
class LimitsOfAcceptedConnectionsComeLate(OverAccepted):
    """An accepted connection gets its default limits when connection_made() has returned."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            super()._begin(waiter)
            self.set_write_buffer_limits()


@breaks("buffered.pause-inside")
class FillsBuffersInARow(OverStreams):
    """Four buffers are filled before the loop looks whether reading is paused."""

    class Stream(StreamTransport):
        def _read_into_buffer(self) -> None:
            for _ in range(4):
                if not self._closing:
                    super()._read_into_buffer()


class OddAnswers(OverStreams):
    """Looks at what eof_received() of a protocol with buffers returns by `keeps`."""

    class Stream(StreamTransport):
        def keeps(self, answer: Any) -> bool:
            raise NotImplementedError

        def _receive_eof(self) -> None:
            if not self._buffered_protocol:
                super()._receive_eof()
                return
            self._at_eof = True
            self._stop_reading()
            if not self.keeps(self._protocol.eof_received()):
                self.close()


@breaks("buffered.eof-keeps")
class OnlyTrueKeepsBuffers(OddAnswers):
    """eof_received() of a protocol with buffers must return True itself to keep the transport open."""

    class Stream(OddAnswers.Stream):
        def keeps(self, answer: Any) -> bool:
            return answer is True


@breaks("buffered.eof-closes")
class OnlyFalseClosesBuffers(OddAnswers):
    """eof_received() of a protocol with buffers must return None or False to close the transport."""

    class Stream(OddAnswers.Stream):
        def keeps(self, answer: Any) -> bool:
            return answer not in (None, False)


@breaks("sendfile.ways")
class NoFilesForClients(Stock):
    """sendfile() refuses the transport of a connection over a Unix socket."""

    async def sendfile(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            raise RuntimeError("no file is sent over this transport")
        return await super().sendfile(transport, *args, **kwargs)


@breaks("sendfile.from-the-start")
class ZeroIsWhereTheFileIs(Stock):
    """An offset of 0 means the file's own position."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, *args: Any, **kwargs: Any) -> Any:
        return await super().sendfile(transport, file, offset or file.tell(), *args, **kwargs)


@breaks("sendfile.tls-part")
class TlsHasNoCount(Stock):
    """count is ignored over TLS."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, count: Any = None, **kwargs: Any) -> Any:
        if transport.get_extra_info("sslcontext") is not None:
            count = None
        return await super().sendfile(transport, file, offset, count, **kwargs)


@breaks("sendfile.tls-part")
class TlsRewindsFiles(Stock):
    """The file's position is 0 when the file was sent over TLS."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        sent = await super().sendfile(transport, file, *args, **kwargs)
        if transport.get_extra_info("sslcontext") is not None:
            file.seek(0)
        return sent


@breaks("sendfile.paused")
class FilesResumeReading(Stock):
    """sendfile() resumes reading when it is done."""

    async def sendfile(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().sendfile(transport, *args, **kwargs)
        finally:
            transport.resume_reading()


class OverServers(Stock):
    """Gives each server `oddities`, methods of its own."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        return self.odd(await super().create_server(*args, **kwargs))

    def odd(self, server: Any) -> Any:
        server.__class__ = type("Server", (self.Odd, type(server)), {})
        return server

    class Odd:
        pass


@breaks("servers.async-with-error")
class OpenAfterAnError(OverServers):
    """async with does not close the server when the block fails."""

    class Odd:
        async def __aexit__(self, *exc: Any) -> None:
            if exc[0] is None:
                await super().__aexit__(*exc)  # type: ignore[misc]  # of the server


@breaks("servers.async-with-error")
class SwallowsLookups(OverServers):
    """async with swallows a LookupError."""

    class Odd:
        async def __aexit__(self, *exc: Any) -> bool:
            await super().__aexit__(*exc)  # type: ignore[misc]  # of the server
            return exc[0] is LookupError


class OverUnixServers(OverServers):
    """The same for Unix servers only."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        return await Stock.create_server(self, *args, **kwargs)

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        return self.odd(await super().create_unix_server(*args, **kwargs))


@breaks("unix.async-with")
class UnixServersStayOpen(OverUnixServers):
    """async with does not close a Unix server."""

    class Odd:
        async def __aexit__(self, *exc: Any) -> None:
            pass


@breaks("unix.serve-forever")
class UnixServersServeOn(OverUnixServers):
    """Cancellation of serve_forever() does not close a Unix server."""

    class Odd:
        async def serve_forever(self) -> None:
            await self.start_serving()  # type: ignore[attr-defined]  # of the server
            await self.get_loop().create_future()  # type: ignore[attr-defined]  # of the server


@breaks("servers.accepted-socket-unix")
class AcceptsTcpOnly(Stock):
    """connect_accepted_socket() refuses a Unix socket."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        if sock.family == socket.AF_UNIX:
            raise ValueError("no TCP socket")
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)


class _Addresses(OverAccepted):
    """Changes the addresses of accepted connections."""

    @staticmethod
    def change(transport: Any, server: Any) -> None:
        raise NotImplementedError

    def _start_stream(self, sock: socket.socket, protocol: Any, **how: Any) -> StreamTransport:
        transport = OverSome._start_stream(self, sock, protocol, **how)
        if how.get("server") is not None:
            self.change(transport, how["server"])
        return transport


@breaks("servers.peername")
class HasTheAddressOfTheListener(_Addresses):
    """'sockname' of an accepted connection is the address that its server listens on."""

    @staticmethod
    def change(transport: Any, server: Any) -> None:
        if server.sockets and server.sockets[0].family == socket.AF_INET:
            transport._extra["sockname"] = server.sockets[0].getsockname()


@breaks("servers.peername-ipv6")
class CutsAddresses(_Addresses):
    """Addresses of accepted IPv6 connections are cut to host and port."""

    @staticmethod
    def change(transport: Any, server: Any) -> None:
        transport._extra["peername"] = transport._extra["peername"][:2]
