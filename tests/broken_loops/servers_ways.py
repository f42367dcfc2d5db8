"""Broken loops of the chapters `servers` and `unix`: several sockets, ends of blocks, and what is accepted."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.tcp_ways import OverAccepted, OverSome

Stock = asyncio.SelectorEventLoop


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


@breaks("servers.is-serving")
class ServesAsLongAsItIsConnected(OverServers):
    """is_serving() says True as long as there are connections."""

    class Odd:
        def is_serving(self) -> bool:
            return bool(super().is_serving() or self._active())  # type: ignore[misc]  # of the server

        def _active(self) -> bool:
            return any(
                vars(transport).get("_server") is self
                for transport in self.get_loop()._transports.values()  # type: ignore[attr-defined]  # of the server
            )


@breaks("servers.get-loop")
class ForgetsItsLoop(OverServers):
    """get_loop() of a server that is closed returns None."""

    class Odd:
        def get_loop(self) -> Any:
            return super().get_loop() if self.sockets else None  # type: ignore[misc,attr-defined]  # of the server


@breaks("servers.starts-later-everywhere")
class StartsAtOneSocket(OverServers):
    """start_serving() starts at the first socket."""

    class Odd:
        async def start_serving(self) -> None:
            await super().start_serving()  # type: ignore[misc]  # of the server
            for sock in self.sockets[1:]:  # type: ignore[attr-defined]  # of the server
                self.get_loop()._remove_reader(sock.fileno())  # type: ignore[attr-defined]  # of the server


@breaks("servers.port-of-each")
class OnePortForEveryHost(Stock):
    """All interfaces get the port that the first one was given."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(host, list) and not port:
            with socket.create_server((host[0], 0)) as free:
                port = free.getsockname()[1]
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("servers.async-with")
class EndsWhatServes(OverServers):
    """async with closes only a server that has begun to serve."""

    class Odd:
        async def __aexit__(self, *exc: Any) -> None:
            if self.is_serving():  # type: ignore[attr-defined]  # of the server
                await super().__aexit__(*exc)  # type: ignore[misc]  # of the server


@breaks("servers.backlog")
class ForeverHasAQueueOfItsOwn(OverServers):
    """serve_forever() listens with another backlog than start_serving()."""

    class Odd:
        async def serve_forever(self) -> None:
            if not self.is_serving():  # type: ignore[attr-defined]  # of the server
                self._backlog = 100
            await super().serve_forever()  # type: ignore[misc]  # of the server


@breaks("servers.close-again")
class UnwatchesAgain(OverServers):
    """close() of a closed server stops the watching of the numbers that its sockets had."""

    class Odd:
        numbers: tuple[int, ...] = ()

        def close(self) -> None:
            for number in self.numbers:
                self._loop._remove_reader(number)  # type: ignore[attr-defined]  # of the server
            self.numbers += tuple(sock.fileno() for sock in self.sockets)  # type: ignore[attr-defined]
            super().close()  # type: ignore[misc]  # of the server


@breaks("servers.port-of-each")
class OnePortForBothFamilies(Stock):
    """Without a host all interfaces get one port, of IPv4 and of IPv6 the same."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if host is None and not port and "sock" not in kwargs:
            with socket.create_server(("", 0)) as free:
                port = free.getsockname()[1]
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("servers.tls-needs-context")
class PathsNeedNoCertificate(Stock):
    """ssl=True is taken for False by a server at a path."""

    async def create_unix_server(self, *args: Any, ssl: Any = None, **kwargs: Any) -> Any:
        return await super().create_unix_server(*args, ssl=None if ssl is True else ssl, **kwargs)


@breaks("servers.tls-needs-context")
class AcceptedSocketsNeedNoCertificate(Stock):
    """ssl=True is taken for False by connect_accepted_socket()."""

    async def connect_accepted_socket(self, *args: Any, ssl: Any = None, **kwargs: Any) -> Any:
        return await super().connect_accepted_socket(*args, ssl=None if ssl is True else ssl, **kwargs)
