"""Broken loops of the chapter `servers`: how a Server ends, and what is waited for then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.servers_listening import ChangesServers
from tests.broken_loops.servers_objects import ServerWrapper, WrapsServers


@breaks("servers.close-ends-serve-forever")
class ServeForeverOutlivesTheServer(WrapsServers):
    """close() does not end serve_forever()."""

    class wrapper(ServerWrapper):
        async def serve_forever(self) -> None:
            if not self.server.sockets:
                raise RuntimeError("the server is closed")
            await self.server.start_serving()
            if getattr(self, "waiting", False):
                raise RuntimeError("the server serves already")
            self.waiting = True
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self.waiting = False


@breaks("servers.close-sockets")
class QueuesAfterClose(WrapsServers):
    """The system goes on queueing connections after close()."""

    class wrapper(ServerWrapper):
        def close(self) -> None:
            if self.server.sockets and not self.kwargs.get("sock"):
                number = os.dup(self.server.sockets[0].fileno())
                self.server.get_loop().call_later(0.005, os.close, number)
            self.server.close()


@breaks("servers.close-empties-sockets")
class RemembersSockets(WrapsServers):
    """A closed server tells the sockets that it had."""

    class wrapper(ServerWrapper):
        had: Any = ()

        @property
        def sockets(self) -> Any:
            self.had = self.server.sockets or self.had
            return self.had

        def close(self) -> None:
            self.had = self.server.sockets or self.had
            self.server.close()


@breaks("servers.close-keeps-connections")
class ClosesItsConnections(ChangesServers):
    """close() closes the connections too."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        transports: list[Any] = []

        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                transports.append(transport)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        server = await super().create_server(make, host, port, **kwargs)
        close = server.close

        def close_all() -> None:
            close()
            for transport in transports:
                transport.close()

        server.close = close_all
        return server


@breaks("servers.close-again")
class ClosesTheNumberAgain(WrapsServers):
    """A second close() closes the descriptor's number once more."""

    class wrapper(ServerWrapper):
        number = -1

        def close(self) -> None:
            if self.server.sockets:
                self.number = self.server.sockets[0].fileno()
                self.server.close()
            elif self.number >= 0:
                number, self.number = self.number, -1
                with contextlib.suppress(OSError):
                    os.close(number)


@breaks("servers.close-pending")
class AnnouncesWhatItHadAccepted(ChangesServers):
    """Connections that wait when the server is closed are announced two milliseconds later."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        server = await super().create_server(protocol_factory, host, port, **kwargs)
        close = server.close

        def accept_ahead() -> None:
            listening = socket.socket(fileno=os.dup(server.sockets[0].fileno())) if server.sockets else None
            close()
            if listening is None:
                return
            listening.setblocking(False)
            try:
                while True:
                    protocol = protocol_factory()
                    ahead, _ = listening.accept()
                    self.call_later(0.001, protocol.connection_made, asyncio.Transport())
                    self.call_later(0.001, ahead.close)
            except BlockingIOError:
                listening.close()

        server.close = accept_ahead
        return server


@breaks("servers.wait-closed")
class WaitsForCloseToCome(WrapsServers):
    """wait_closed() that comes after close() waits for ever."""

    class wrapper(ServerWrapper):
        async def wait_closed(self) -> None:
            if not self.server.sockets:
                await asyncio.get_running_loop().create_future()
            await self.server.wait_closed()


@breaks("servers.wait-closed-waits", since="3.12")
class WaitsForNothing(WrapsServers):
    """wait_closed() of a server that is open returns at once."""

    class wrapper(ServerWrapper):
        async def wait_closed(self) -> None:
            if not self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.wait-closed-connections", since="3.12")
class WaitsForTheListenerOnly(WrapsServers):
    """wait_closed() of a closed server returns at once."""

    class wrapper(ServerWrapper):
        async def wait_closed(self) -> None:
            if self.server.sockets:
                await self.server.wait_closed()


@breaks("servers.async-with")
class LeavesItOpen(WrapsServers):
    """Leaving the block closes nothing."""

    class wrapper(ServerWrapper):
        async def __aexit__(self, *_error: object) -> None:
            pass


@breaks("servers.close-clients", since="3.13")
class CloseClientsAborts(WrapsServers):
    """close_clients() aborts."""

    class wrapper(ServerWrapper):
        def close_clients(self) -> None:
            self.server.abort_clients()


@breaks("servers.abort-clients", since="3.13")
class AbortClientsCloses(WrapsServers):
    """abort_clients() closes, and waits for the buffers."""

    class wrapper(ServerWrapper):
        def abort_clients(self) -> None:
            self.server.close_clients()
