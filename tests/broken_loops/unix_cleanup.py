"""Broken loops of the chapter `unix`: servers whose socket's file stays in some cases, or that forget their backlog."""

from __future__ import annotations

from typing import Any

from reference_loop.serving import Server
from tests.broken_loops import breaks
from tests.broken_loops.servers_clients import OverServers
from tests.broken_loops.tcp_ways import OverUnix, StreamTransport


@breaks("unix.cleanup-whenever", since="3.13")
class BlocksLeaveTheFile(OverServers):
    """The end of an async with leaves the socket's file."""

    class server(Server):
        async def __aexit__(self, *exc: Any) -> None:
            self._unlink = None
            await super().__aexit__(*exc)


@breaks("unix.cleanup-whenever", since="3.13")
class LeavesFilesThatNobodyUsed(OverServers):
    """The file of a server that has not served stays."""

    class server(Server):
        def close(self) -> None:
            if not self._serving:
                self._unlink = None
            super().close()


@breaks("unix.cleanup-whenever", since="3.13")
class TlsLeavesTheFile(OverServers):
    """The file of a server over TLS stays."""

    class server(Server):
        def close(self) -> None:
            if self._ssl_context is not None:
                self._unlink = None
            super().close()


@breaks("unix.cleanup-connected", since="3.13")
class ClientsKeepTheFile(OverServers):
    """The file of a server with connections stays."""

    class server(Server):
        def close(self) -> None:
            if self._clients:
                self._unlink = None
            super().close()


@breaks("unix.server-backlog")
class LateUnixServersListenAsTheyLike(OverServers):
    """start_serving() of a Unix server takes the default backlog."""

    class server(Server):
        async def start_serving(self) -> None:
            if not self._serving:
                self._backlog = 100
            await super().start_serving()


@breaks("unix.extra-info")
class NoNameOfASocketIsNone(OverUnix):
    """'sockname' of a Unix socket without a name is None, not what getsockname() returns."""

    class Stream(StreamTransport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return super().get_extra_info(name, default) or default
