"""Broken loops of the chapters `tls` and `servers`: what is kept of the first connection, and failures on servers."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.afterwards import FailingConnectionsEndServers

Stock = asyncio.SelectorEventLoop


@breaks("tls.given-to-each")
class UpgradesKeepTheFirstName(Stock):
    """start_tls() takes the first server_hostname that it was given for those of all connections."""

    first: Any = None

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_hostname"):
            self.first = kwargs["server_hostname"] = self.first or kwargs["server_hostname"]
        return await super().start_tls(*args, **kwargs)


@breaks("tls.given-to-each")
class ClientsKeepTheFirstName(Stock):
    """create_connection() takes the first server_hostname that it was given for those of all connections."""

    first: Any = None

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_hostname"):
            self.first = kwargs["server_hostname"] = self.first or kwargs["server_hostname"]
        return await super().create_connection(*args, **kwargs)


@breaks("tls.given-to-each")
class ServersKeepTheFirstContext(Stock):
    """create_server() takes the first SSLContext that it was given for those of all servers."""

    first: Any = None

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            self.first = kwargs["ssl"] = self.first or kwargs["ssl"]
        return await super().create_server(*args, **kwargs)


class _InTurn(Stock):
    """One at a time gets past this point."""

    lock: Any = None

    async def in_turn(self, work: Any) -> Any:
        self.lock = self.lock or asyncio.Lock()
        async with self.lock:
            return await work


@breaks("tls.handshakes-side-by-side")
class UpgradesInTurn(_InTurn):
    """start_tls() begins when no other handshake is being made."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return await self.in_turn(super().start_tls(*args, **kwargs))


@breaks("tls.handshakes-side-by-side")
class SecuresInTurn(_InTurn):
    """create_connection() with ssl begins when no other handshake is being made."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        connecting = super().create_connection(*args, **kwargs)
        return await (self.in_turn(connecting) if kwargs.get("ssl") else connecting)


@breaks("servers.failing-connection-made")
class TlsServersEndWithAProtocol(FailingConnectionsEndServers):
    """A server over TLS closes when connection_made() fails."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        odd = super() if kwargs.get("ssl") else super(FailingConnectionsEndServers, self)
        return await odd.create_server(*args, **kwargs)


@breaks("servers.factory-error")
class TlsServersEndWithTheFactory(Stock):
    """A server over TLS closes when its protocol_factory fails."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            try:
                return protocol_factory()
            except Exception:
                if kwargs.get("ssl"):
                    server.close()
                raise

        server = await super().create_server(make, *args, **kwargs)
        return server


@breaks("servers.accepted-socket-blocking")
class SecuresNoSocketsWithTimeouts(Stock):
    """connect_accepted_socket() refuses a socket that has a timeout if it is to be secured."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") and sock.gettimeout():
            raise ValueError("the socket has a timeout")
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)
