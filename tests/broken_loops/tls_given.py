"""Broken loops of the chapters `tls` and `unix`: what is forgotten of the arguments where a Unix socket was given."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks


class _Forgets(asyncio.SelectorEventLoop):
    """Does not look at some of the arguments where a Unix socket is given, and of servers that start later."""

    of_clients: tuple[str, ...] = ()
    of_accepted: tuple[str, ...] = ()
    of_servers: tuple[str, ...] = ()
    of_late_servers: tuple[str, ...] = ()

    async def create_unix_connection(self, *args: Any, **how: Any) -> Any:
        return await super().create_unix_connection(*args, **_without(self.of_clients if how.get("sock") else (), how))

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **how: Any) -> Any:
        forgotten = self.of_accepted if sock.family == socket.AF_UNIX else ()
        return await super().connect_accepted_socket(protocol_factory, sock, **_without(forgotten, how))

    async def create_unix_server(self, *args: Any, **how: Any) -> Any:
        forgotten = self.of_servers if how.get("sock") else ()
        if how.get("start_serving") is False:
            forgotten += self.of_late_servers
        return await super().create_unix_server(*args, **_without(forgotten, how))


def _without(forgotten: tuple[str, ...], how: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if name not in forgotten}


@breaks("tls.unix-given")
class SecuresNoUnixPairs(_Forgets):
    """connect_accepted_socket() does not look at ssl with a Unix socket."""

    of_accepted = ("ssl",)


@breaks("tls.unix-given")
class SecuresPathsOnly(_Forgets):
    """create_unix_connection() does not look at ssl with sock."""

    of_clients = ("ssl", "server_hostname")


@breaks("tls.unix-given-handshake-timeout")
class GivenPairsWaitForHandshakes(_Forgets):
    """ssl_handshake_timeout is not looked at with sock."""

    of_clients = ("ssl_handshake_timeout",)


@breaks("tls.unix-given-handshake-timeout")
class AcceptedPairsWaitForHandshakes(_Forgets):
    """ssl_handshake_timeout is not looked at for a Unix socket that was accepted elsewhere."""

    of_accepted = ("ssl_handshake_timeout",)


@breaks("tls.unix-given-shutdown-timeout")
class GivenPairsWaitForGoodbyes(_Forgets):
    """ssl_shutdown_timeout is not looked at with sock."""

    of_clients = ("ssl_shutdown_timeout",)


@breaks("tls.unix-server-given")
class GivenUnixListenersHaveNoTls(_Forgets):
    """create_unix_server() does not look at ssl with sock."""

    of_servers = ("ssl",)


@breaks("tls.unix-server-given")
class LateUnixServersHaveNoTls(_Forgets):
    """create_unix_server() does not look at ssl with start_serving=False."""

    of_late_servers = ("ssl",)


@breaks("unix.server-starts-later")
class GivenUnixListenersStartAtOnce(_Forgets):
    """create_unix_server() does not look at start_serving with sock."""

    of_servers = ("start_serving",)
