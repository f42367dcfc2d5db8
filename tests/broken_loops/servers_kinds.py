"""Broken loops of the chapter `servers`: servers of several sockets, over TLS and Unix sockets, and of clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Knows(Stock):
    """Knows the transports of its servers' connections, and changes each server by `change`."""

    def change(self, server: Any, made: list[Any]) -> None:
        raise NotImplementedError

    def _factory(self, protocol_factory: Callable[[], Any], made: list[Any]) -> Callable[[], Any]:
        def make() -> Any:
            protocol = protocol_factory()
            with contextlib.suppress(AttributeError):
                replaced(protocol, "connection_made", lambda real, transport: (made.append(transport), real(transport)))
            return protocol

        return make

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []
        server = await super().create_server(self._factory(protocol_factory, made), *args, **kwargs)
        self.change(server, made)
        return server

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []
        server = await super().create_unix_server(self._factory(protocol_factory, made), *args, **kwargs)
        self.change(server, made)
        return server


@breaks("servers.close-keeps-any-connection")
class ClosesTlsWithTheServer(_Knows):
    """close() of a server aborts its connections over TLS."""

    def change(self, server: Any, made: list[Any]) -> None:
        def close(close: Any) -> None:
            close()
            for transport in made:
                if transport.get_extra_info("sslcontext"):
                    transport.abort()

        replaced(server, "close", close)


@breaks("servers.close-keeps-any-connection")
class ClosesUnixConnectionsWithTheServer(_Knows):
    """close() of a Unix server stops reading from its connections."""

    def change(self, server: Any, made: list[Any]) -> None:
        def close(close: Any) -> None:
            close()
            for transport in made:
                if transport.get_extra_info("socket").family == socket.AF_UNIX:
                    transport.pause_reading()

        replaced(server, "close", close)


@breaks("servers.close-sockets")
class ClosesTheFirstSocketOnly(Stock):
    """close() of a server with several sockets leaves all but the first open."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)
        left = [socket.socket(fileno=socket.dup(sock.fileno())) for sock in server.sockets[1:]]
        self._left = [*getattr(self, "_left", []), *left]
        return server


@breaks("servers.wait-closed-tls", since="3.12")
class DoesNotWaitForTls(_Knows):
    """wait_closed() does not wait for connections over TLS."""

    def change(self, server: Any, made: list[Any]) -> None:
        async def wait_closed(wait_closed: Any) -> None:
            if not any(transport.get_extra_info("sslcontext") for transport in made):
                await wait_closed()

        replaced(server, "wait_closed", wait_closed)


@breaks("servers.close-clients-only", since="3.13")
class ClosesTheServerWithItsClients(_Knows):
    """close_clients() closes the server, too."""

    def change(self, server: Any, made: list[Any]) -> None:
        replaced(server, "close_clients", lambda close_clients: (server.close(), close_clients()))


@breaks("servers.close-clients-only", since="3.13")
class AbortsNobodyWithAnError(_Knows):
    """abort_clients() of a server without connections raises an exception."""

    def change(self, server: Any, made: list[Any]) -> None:
        def abort_clients(abort_clients: Any) -> None:
            if not any(not transport.is_closing() for transport in made):
                raise RuntimeError("no clients")
            abort_clients()

        replaced(server, "abort_clients", abort_clients)


@breaks("servers.family")
class ForgetsTheFamilyOfSequences(Stock):
    """The family of a server is not looked at if host is a sequence."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(host, list):
            kwargs.pop("family", None)
        return await super().create_server(protocol_factory, host, port, **kwargs)


@breaks("servers.async-with-keeps")
class BlocksEndConnections(_Knows):
    """The end of an async with aborts the connections that there are."""

    def change(self, server: Any, made: list[Any]) -> None:
        class Ends(type(server)):  # type: ignore[misc]  # whatever class that is
            async def __aexit__(self, *exc: Any) -> None:
                for transport in made:
                    transport.abort()
                await super().__aexit__(*exc)

        server.__class__ = Ends


@breaks("servers.async-with")
class BlocksCloseOnce(_Knows):
    """The end of an async with fails if the server is closed already."""

    def change(self, server: Any, made: list[Any]) -> None:
        class Ends(type(server)):  # type: ignore[misc]  # whatever class that is
            async def __aexit__(self, *exc: Any) -> None:
                if not server.sockets:
                    raise RuntimeError("closed already")
                await super().__aexit__(*exc)

        server.__class__ = Ends


@breaks("servers.serve-forever-once")
class TheSecondEndsTheFirst(_Knows):
    """A second serve_forever() is refused, and closes the server."""

    def change(self, server: Any, made: list[Any]) -> None:
        async def serve_forever(serve_forever: Any) -> None:
            try:
                await serve_forever()
            except RuntimeError:
                server.close()
                raise

        replaced(server, "serve_forever", serve_forever)


@breaks("servers.wait-closed")
class WaitersShareAFate(_Knows):
    """All who wait for a server to be closed are cancelled with one of them."""

    def change(self, server: Any, made: list[Any]) -> None:
        shared: list[asyncio.Future[None]] = []

        async def wait_closed(wait_closed: Any) -> None:
            if not shared:
                shared.append(asyncio.ensure_future(wait_closed()))
            await shared[0]

        replaced(server, "wait_closed", wait_closed)
