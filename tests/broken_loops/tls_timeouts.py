"""Broken loops of the chapter `tls`: other times than a minute for a handshake, and half of one for a shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

_FOR_EVER = 1e6
Default = tuple[()] | tuple[str, float]


class _Defaults(asyncio.SelectorEventLoop):
    """Has defaults of its own for the timeouts of TLS."""

    connections: Default = ()
    servers: Default = ()
    upgrades: Default = ()

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        _fill_in(kwargs, self.connections if kwargs.get("ssl") else ())
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        _fill_in(kwargs, self.servers if kwargs.get("ssl") else ())
        return await super().create_server(protocol_factory, *args, **kwargs)

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        _fill_in(kwargs, self.upgrades)
        return await super().start_tls(*args, **kwargs)


def _fill_in(kwargs: dict[str, Any], default: Default) -> None:
    if default and kwargs.get(default[0]) is None:
        kwargs[default[0]] = default[1]


@breaks("tls.handshake-timeout-default")
class GivesHandshakesTenSeconds(_Defaults):
    """The handshake of a connection is given up after ten seconds by default."""

    connections = ("ssl_handshake_timeout", 10.0)


@breaks("tls.handshake-timeout-default")
class WaitsForSilentClients(_Defaults):
    """The handshakes of a server have no end by default."""

    servers = ("ssl_handshake_timeout", _FOR_EVER)


@breaks("tls.handshake-timeout-default")
class GivesUpgradesHalfAMinute(_Defaults):
    """The handshake of an upgrade is given up after half a minute by default, as a shutdown is."""

    upgrades = ("ssl_handshake_timeout", 30.0)


@breaks("tls.shutdown-timeout-default")
class GivesShutdownsASecond(_Defaults):
    """A peer of a server that says no goodbye is waited for a second by default."""

    servers = ("ssl_shutdown_timeout", 1.0)


@breaks("tls.shutdown-timeout-default")
class GivesShutdownsAMinute(_Defaults):
    """A peer that says no goodbye is waited for a minute by default, as in a handshake."""

    connections = ("ssl_shutdown_timeout", 60.0)


@breaks("tls.shutdown-timeout-default")
class UpgradesNeverEnd(_Defaults):
    """The goodbye of an upgraded connection is waited for for ever by default."""

    upgrades = ("ssl_shutdown_timeout", _FOR_EVER)
