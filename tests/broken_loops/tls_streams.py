"""Broken loops of the chapter `tls`: streams with TLS from the start, and upgraded ones."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


@breaks("tls.stream-client")
class StreamsConnectWithoutTls(Stock):
    """ssl is ignored for a protocol of the streams."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if "StreamReaderProtocol" in repr(protocol_factory) or "open_connection" in repr(protocol_factory):
            kwargs.pop("ssl", None)
            kwargs.pop("server_hostname", None)
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.stream-server")
class StreamsSeeTheConnectionBeneath(Stock):
    """The transport of the streams of a server knows nothing of TLS."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if isinstance(protocol, asyncio.StreamReaderProtocol) and kwargs.get("ssl"):
                replaced(protocol, "connection_made", self.announce)
            return protocol

        return await super().create_server(make, *args, **kwargs)

    def announce(self, announce: Any, transport: Any) -> None:
        beneath = ("cipher", "peercert", "ssl_object", "sslcontext", "compression")
        replaced(transport, "get_extra_info", lambda info, name, *rest: None if name in beneath else info(name, *rest))
        announce(transport)


class _UpgradesStreams(Stock):
    """Changes an upgrade, if it is one of the streams."""

    def asked(self, kwargs: dict[str, Any]) -> None:
        pass

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        return transport

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if not isinstance(protocol, asyncio.StreamReaderProtocol):
            return await super().start_tls(transport, protocol, sslcontext, **kwargs)
        self.asked(kwargs)
        return self.patch(await super().start_tls(transport, protocol, sslcontext, **kwargs), protocol, transport)


@breaks("tls.stream-wait-closed")
class UpgradedStreamsDropTheLastWord(_UpgradesStreams):
    """close() of an upgraded stream drops what it has to send."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        def write(write: Any, data: Any) -> None:
            self.call_soon(lambda: None if transport.is_closing() else write(data))

        replaced(transport, "write", write)
        return transport


@breaks("tls.writer-start")
class UpgradedStreamsHearNothing(_UpgradesStreams):
    """The protocol of the streams gets no data after an upgrade."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        transport.set_protocol(asyncio.Protocol())
        return transport


@breaks("tls.writer-transport")
class StreamsKeepTheirTransport(_UpgradesStreams):
    """The transport of the streams stays the original one, which writes for the new one."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        return beneath


@breaks("tls.writer-start-server")
class StreamsUpgradeAsClients(_UpgradesStreams):
    """Streams make the client's side of the handshake only."""

    def asked(self, kwargs: dict[str, Any]) -> None:
        if kwargs["server_side"]:
            raise NotImplementedError("the server's side")


@breaks("tls.writer-hostname")
class StreamsUpgradeForAnyName(_UpgradesStreams):
    """Streams check no name."""

    def asked(self, kwargs: dict[str, Any]) -> None:
        if kwargs["server_hostname"] == "other.example":
            kwargs["server_hostname"] = "localhost"


@breaks("tls.writer-handshake-timeout")
class StreamsUpgradeInTheirTime(_UpgradesStreams):
    """The handshake of streams has the default timeout."""

    def asked(self, kwargs: dict[str, Any]) -> None:
        kwargs["ssl_handshake_timeout"] = None


@breaks("tls.writer-shutdown-timeout", since="3.12")
class StreamsEndInTheirTime(_UpgradesStreams):
    """The shutdown of streams has the default timeout."""

    def asked(self, kwargs: dict[str, Any]) -> None:
        kwargs["ssl_shutdown_timeout"] = None
