"""Broken loops of the chapter `tls`: wrong over one of the ways that lead to TLS."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class OverOneWay(Stock):
    """Changes TLS transports that come about by the method `way` (of create_connection(), those with sock)."""

    way = ""

    def change(self, transport: Any, protocol: Any) -> None:
        raise NotImplementedError

    def lacks(self, transport: Any, name: str) -> None:
        """The transport does not tell `name`."""
        replaced(
            transport, "get_extra_info", lambda tell, key, default=None: default if key == name else tell(key, default)
        )

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        made = await super().start_tls(transport, protocol, *args, **kwargs)
        if self.way == "start_tls":
            self.change(made, protocol)
        return made

    def changed(self, way: str, pair: tuple[Any, Any], kwargs: dict[str, Any]) -> Any:
        if self.way == way and kwargs.get("ssl"):
            self.change(*pair)
        return pair

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        way = "sock" if kwargs.get("sock") else "host"
        return self.changed(way, await super().create_connection(*args, **kwargs), kwargs)

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        return self.changed("create_unix_connection", await super().create_unix_connection(*args, **kwargs), kwargs)

    async def connect_accepted_socket(self, *args: Any, **kwargs: Any) -> Any:
        return self.changed("connect_accepted_socket", await super().connect_accepted_socket(*args, **kwargs), kwargs)

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                self.changed("create_unix_server", (transport, protocol), kwargs)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return await super().create_unix_server(make, *args, **kwargs)


class _OfUpgrades(OverOneWay):
    way = "start_tls"


class _OfPaths(OverOneWay):
    way = "create_unix_connection"


class _OfUnixServers(OverOneWay):
    way = "create_unix_server"


class _OfAccepted(OverOneWay):
    way = "connect_accepted_socket"


class _OfSockets(OverOneWay):
    way = "sock"


@breaks("tls.pause-reading", "tls.pause-reading-idempotent")
class UpgradesDoNotPause(_OfUpgrades):
    """pause_reading() of a transport that start_tls() has made does nothing."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.pause_reading = lambda: None


@breaks("tls.write-eof")
class UpgradesHaveHalves(_OfUpgrades):
    """can_write_eof() of an upgraded connection says what it said before the upgrade."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.can_write_eof = lambda: True


@breaks("tls.writelines")
class UpgradesTakeLists(_OfUpgrades):
    """writelines() of an upgraded connection takes nothing but lists."""

    def change(self, transport: Any, protocol: Any) -> None:
        def writelines(write: Any, lines: Any) -> None:
            assert isinstance(lines, list)
            write(lines)

        replaced(transport, "writelines", writelines)


@breaks("tls.cipher")
class UpgradesTellNoCipher(_OfUpgrades):
    """An upgraded connection does not tell 'cipher'."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "cipher")


@breaks("tls.set-protocol", "tls.set-protocol-ends")
class UpgradesKeepTheirProtocol(_OfUpgrades):
    """set_protocol() of an upgraded connection does nothing."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.set_protocol = lambda protocol: None


@breaks("tls.is-closing")
class UpgradesAreOpen(_OfUpgrades):
    """is_closing() of an upgraded connection is false."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.is_closing = lambda: False


@breaks("tls.buffer-size")
class PathsHaveNoBuffer(_OfPaths):
    """get_write_buffer_size() of a TLS connection to a path is zero."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.get_write_buffer_size = lambda: 0


@breaks("tls.buffer-limits")
class PathsHaveNoLimits(_OfPaths):
    """Limits of a TLS client of a Unix server are not set."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.set_write_buffer_limits = lambda high=None, low=None: None


@breaks("tls.peercert")
class PathsTellNoCertificate(_OfPaths):
    """A TLS client of a Unix server does not tell 'peercert'."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "peercert")


@breaks("tls.data-is-bytes")
class PathsBringBytearrays(_OfPaths):
    """A TLS client of a Unix server receives bytearrays."""

    def change(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(bytearray(data)))


@breaks("tls.sslcontext")
class UnixServersTellNoContext(_OfUnixServers):
    """The connections of a Unix server with TLS do not tell 'sslcontext'."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "sslcontext")


@breaks("tls.abort")
class UnixServersAbortInOrder(_OfUnixServers):
    """abort() of a connection of a Unix server with TLS is close()."""

    def change(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "abort", lambda abort: abort() if transport.is_closing() else transport.close())


@breaks("tls.ssl-object")
class AcceptedSocketsTellNoTls(_OfAccepted):
    """An accepted socket with TLS does not tell 'ssl_object'."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "ssl_object")


@breaks("tls.compression")
class AcceptedSocketsTellNoCompression(_OfAccepted):
    """An accepted socket with TLS gives the default where it has no compression."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "compression")


@breaks("tls.socket-info")
class AcceptedSocketsTellNoPeer(_OfAccepted):
    """An accepted socket with TLS does not tell 'peername'."""

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "peername")


@breaks("tls.close")
class GivenSocketsAreAborted(_OfSockets):
    """close() of TLS over a socket that was given drops what is buffered."""

    def change(self, transport: Any, protocol: Any) -> None:
        transport.close = transport.abort


@breaks("tls.sock-is-owned")
class TlsKeepsTheGivenSocketOpen(Stock):
    """TLS over a given socket works with a duplicate of it, and leaves the socket open."""

    async def create_connection(self, *args: Any, sock: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        if sock is not None and kwargs.get("ssl"):
            sock = sock.dup()
        return await super().create_connection(*args, sock=sock, **kwargs)
