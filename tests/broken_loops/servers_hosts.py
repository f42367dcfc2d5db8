"""Broken loops of the chapters `servers` and `unix`: hosts of servers, and what is made though it is cancelled."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Hosts(Stock):
    """Changes where a server listens."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return host, how

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        host, how = self.changed(host, how)
        return await super().create_server(protocol_factory, host, port, **how)


@breaks("servers.no-hosts")
class NoHostsAreAll(_Hosts):
    """An empty sequence of hosts is taken for none, and so for all interfaces."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return host or None, how


@breaks("servers.host-sequences")
class SequencesAreListsOrTuples(_Hosts):
    """A sequence of hosts must be a list or a tuple."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if not isinstance(host, (str, list, tuple, type(None))):
            raise TypeError("host must be a string, a list or a tuple")
        return host, how


@breaks("servers.flags-not-passive")
class AlwaysPassive(_Hosts):
    """AI_PASSIVE is added to the flags that are given."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return host, {**how, "flags": how.get("flags", 0) | socket.AI_PASSIVE}


@breaks("servers.flags-not-passive")
class NoFlagsAreTheDefault(_Hosts):
    """Flags of 0 are taken for none given."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return host, {**how, "flags": how.get("flags") or socket.AI_PASSIVE}


@breaks("servers.flags")
class PassesOverHosts(_Hosts):
    """Of several hosts one that cannot be resolved is passed over."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        if isinstance(host, list) and len(host) > 1:
            for each in list(host):
                try:
                    socket.getaddrinfo(each, port, flags=how.get("flags", 0))
                except OSError:
                    host.remove(each)
        return await super().create_server(protocol_factory, host, port, **how)


@breaks("servers.scope")
class AcceptsPeersWithoutZones(Stock):
    """The peer of an accepted connection has no zone."""

    async def create_server(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        def factory() -> Any:
            protocol = protocol_factory()
            told = protocol.connection_made
            protocol.connection_made = lambda transport: told(_Zoneless(transport))
            return protocol

        return await super().create_server(factory, *args, **how)


class _Zoneless:
    """A transport whose addresses have no zone."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        info = self._transport.get_extra_info(name, default)
        return (*info[:3], 0) if isinstance(info, tuple) and len(info) == 4 else info


def _goes_on(making: Any) -> Any:
    """Waits for what goes on when the waiting is cancelled."""
    return asyncio.shield(asyncio.ensure_future(making))


@breaks("servers.cancelled-lookup")
class ServersAreMadeAllTheSame(Stock):
    """create_server() goes on when it is cancelled."""

    async def create_server(self, *args: Any, **how: Any) -> Any:
        return await _goes_on(super().create_server(*args, **how))


@breaks("tcp.cancelled-while-made")
class GivenSocketsAreConnectedAllTheSame(Stock):
    """create_connection() goes on when it is cancelled, if a socket is given."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        making = super().create_connection(*args, **how)
        return await (making if how.get("sock") is None else _goes_on(making))


@breaks("tcp.cancelled-while-made")
class AcceptedSocketsAreWrappedAllTheSame(Stock):
    """connect_accepted_socket() goes on when it is cancelled."""

    async def connect_accepted_socket(self, *args: Any, **how: Any) -> Any:
        return await _goes_on(super().connect_accepted_socket(*args, **how))


@breaks("tcp.cancelled-while-made")
class UnixConnectionsAreMadeAllTheSame(Stock):
    """create_unix_connection() goes on when it is cancelled."""

    async def create_unix_connection(self, *args: Any, **how: Any) -> Any:
        return await _goes_on(super().create_unix_connection(*args, **how))


@breaks("unix.server-sock-family")
class ServesOverAnySocket(Stock):
    """create_unix_server() listens on a TCP socket that it is given."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        sock = how.get("sock")
        if sock is not None and sock.family != socket.AF_UNIX:
            return await self.create_server(protocol_factory, sock=sock)
        return await super().create_unix_server(protocol_factory, path, **how)


@breaks("unix.connect-failing-factory")
class KeepsWhatNobodyOwns(Stock):
    """A Unix connection whose protocol cannot be made stays open."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        def factory() -> Any:
            try:
                return protocol_factory()
            except Exception:
                self.kept = socket.socket(socket.AF_UNIX)
                self.kept.connect(path)
                raise

        return await super().create_unix_connection(factory, path, **how)


@breaks("unix.connect-arguments")
class AnEmptyPathIsNone(Stock):
    """create_unix_connection() ignores an empty path beside a sock."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        return await super().create_unix_connection(protocol_factory, path or None, **how)


@breaks("unix.server-arguments")
class AnEmptyPathOfAServerIsNone(Stock):
    """create_unix_server() ignores an empty path beside a sock."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        return await super().create_unix_server(protocol_factory, path or None, **how)


@breaks("servers.reuse-address")
class SharedPortsAreNotReused(_Hosts):
    """reuse_address is False by default if reuse_port is given."""

    def changed(self, host: Any, how: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return host, {"reuse_address": False, **how} if how.get("reuse_port") else how


@breaks("unix.connect-hostname")
class AnEmptyNameOfAPathIsNone(Stock):
    """create_unix_connection() ignores an empty server_hostname without ssl."""

    async def create_unix_connection(self, *args: Any, server_hostname: Any = None, **how: Any) -> Any:
        name = server_hostname if how.get("ssl") else server_hostname or None
        return await super().create_unix_connection(*args, server_hostname=name, **how)
