"""Broken loops of the chapter `servers`: several sockets, and blocks and connections that end in another way."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from tests.broken_loops import breaks
from tests.broken_loops.servers_listening import ChangesProtocols, ChangesServers

Stock = asyncio.SelectorEventLoop


@breaks("servers.port-of-each")
class OnePortForAll(ChangesServers):
    """A free port is looked for once, and used for every interface."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[1] == 0 and not isinstance(where[0], str):
            with socket.socket() as reserved:
                reserved.bind(("127.0.0.1", 0))
                where[1] = reserved.getsockname()[1]


@breaks("servers.family")
class KnowsTheFamilyOfNumbers(ChangesServers):
    """family is ignored if host is numeric."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] == "127.0.0.1":
            kwargs.pop("family", None)


class _Servers(EventLoop):
    """Servers are of a class of its own."""

    server: type[Server]

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        made = await super().create_server(*args, **{**kwargs, "start_serving": False})
        made.__class__ = self.server
        return await self._started(made, kwargs.get("start_serving", True))


@breaks("servers.backlog")
class LateServersListenAsTheyLike(_Servers):
    """start_serving() of a server that does not serve yet takes the default backlog."""

    class server(Server):
        async def start_serving(self) -> None:
            if not self._serving:
                self._backlog = 100
            await super().start_serving()


@breaks("servers.starts-later-everywhere")
class StartsTheFirstSocket(_Servers):
    """start_serving() and serve_forever() make the first socket listen only."""

    class server(Server):
        def _listen(self) -> None:
            late = self.started
            self.started = True
            sockets = self._sockets
            if late and sockets:
                self._sockets = sockets[:1]
            super()._listen()
            self._sockets = sockets

        started = False

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        made = await super().create_server(*args, **kwargs)
        made.started = True
        return made


@breaks("servers.reuse-address")
class SetsTheFirstSocketOnly(_Servers):
    """SO_REUSEADDR is set for the first of several sockets."""

    class server(Server):
        def _listen(self) -> None:
            for sock in (self._sockets or [])[1:]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            super()._listen()


@breaks("servers.async-with-error")
class ErrorsLeaveTheServerOpen(_Servers):
    """A block that raises leaves its server open."""

    class server(Server):
        async def __aexit__(self, kind: Any, *rest: Any) -> None:
            if kind is None:
                await super().__aexit__(kind, *rest)


@breaks("servers.async-with-error")
class ServersSwallowErrors(_Servers):
    """An exception ends with the block of its server."""

    class server(Server):
        async def __aexit__(self, *error: Any) -> Any:
            await super().__aexit__(*error)
            return True


@breaks("servers.wait-closed")
class WakesTheFirstWhoWaits(_Servers):
    """close() wakes the first wait_closed() only."""

    class server(Server):
        def _wake_if_over(self) -> None:
            if self._waiters:
                del self._waiters[1:]
            super()._wake_if_over()


@breaks("servers.close-keeps-quiet-connections")
class ClosesWhatDoesNotRead(_Servers):
    """close() ends connections that do not read."""

    class server(Server):
        def close(self) -> None:
            super().close()
            for transport in list(self._clients):
                if not transport.is_reading():
                    transport.close()


@breaks("servers.false-protocol")
class FalseProtocolsAreNotServed(ChangesProtocols):
    """A protocol that is false is taken for none."""

    def factory(self, protocol_factory: Any) -> Any:
        return lambda: protocol_factory() or asyncio.Protocol()


@breaks("tcp.accepted-pair")
class AcceptedElsewhereByNobody(Stock):
    """connect_accepted_socket() does not know the peer's name."""

    async def connect_accepted_socket(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().connect_accepted_socket(*args, **kwargs)
        transport._extra["peername"] = None  # type: ignore[attr-defined]
        return transport, protocol
