"""Broken loops of the chapter `resources`: descriptors that children inherit."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren

Stock = asyncio.SelectorEventLoop


@breaks("resources.not-inherited")
class ThePollerIsInherited(Stock):
    """The descriptor by which the loop polls is inheritable."""

    def __init__(self) -> None:
        super().__init__()
        os.set_inheritable(self._selector.fileno(), True)  # type: ignore[attr-defined]  # the stock loop's own


@breaks("resources.not-inherited")
class ServersAreInherited(Stock):
    """Listening sockets are inheritable."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)
        for sock in server.sockets:
            os.set_inheritable(sock.fileno(), True)
        return server


@breaks("resources.not-inherited")
class EndpointsAreInherited(Stock):
    """The sockets of datagram endpoints are inheritable."""

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **kwargs)
        os.set_inheritable(transport.get_extra_info("socket").fileno(), True)
        return transport, protocol


@breaks("resources.not-inherited")
class AcceptsWhatIsInherited(Stock):
    """Sockets that sock_accept() returns are inheritable, as accept() makes them without a flag."""

    async def sock_accept(self, sock: Any) -> Any:
        accepted, address = await super().sock_accept(sock)
        accepted.set_inheritable(True)
        return accepted, address


@breaks("resources.connections-not-inherited")
class UnixConnectionsAreInherited(Stock):
    """The sockets of connections to a path are inheritable."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_unix_connection(*args, **kwargs)
        os.set_inheritable(transport.get_extra_info("socket").fileno(), True)
        return transport, protocol


@breaks("resources.connections-not-inherited")
class AcceptedConnectionsAreInherited(Stock):
    """Connections that a server accepts are inheritable."""

    def _make_socket_transport(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("server") is not None:
            sock.set_inheritable(True)
        return super()._make_socket_transport(sock, *args, **kwargs)  # type: ignore[misc]  # the stock loop's own


@breaks("resources.unix-server-not-inherited")
class UnixServersAreInherited(Stock):
    """The listening sockets of create_unix_server() are inheritable."""

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_unix_server(*args, **kwargs)
        for sock in server.sockets:
            os.set_inheritable(sock.fileno(), True)
        return server


@breaks("resources.pipes-not-inherited")
class PipesOfChildrenAreInherited(TampersWithChildren):
    """This side's end of a child's standard output is inheritable."""

    def patch(self, transport: Any, protocol: Any) -> None:
        stdout = transport.get_pipe_transport(1)
        if stdout is not None:
            os.set_inheritable(stdout.get_extra_info("pipe").fileno(), True)
