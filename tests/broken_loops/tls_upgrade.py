"""Broken loops of the chapter `tls`: loop.start_tls()."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


@breaks("tls.start-data")
class UpgradesClientsOnly(Stock):
    """server_side is ignored."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_side"):
            raise RuntimeError("start_tls() is for clients")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


class TampersWithUpgrades(Stock):
    """Changes transport and protocol when the upgrade is complete."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        return transport

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        made = await super().start_tls(transport, protocol, sslcontext, **kwargs)
        return self.patch(made, protocol, transport)


@breaks("tls.start-returns")
class ReturnsTheOriginal(TampersWithUpgrades):
    """The original transport is returned, and writes as the new one does."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        return beneath


@breaks("tls.start-protocol")
class HasTheCoderForAProtocol(TampersWithUpgrades):
    """get_protocol() of the new transport returns the coder."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        transport.get_protocol = beneath.get_protocol
        return transport


@breaks("tls.start-other-protocol")
class KeepsTheFirstProtocol(Stock):
    """The protocol is that of the original transport, whatever is given."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        return await super().start_tls(transport, transport.get_protocol(), sslcontext, **kwargs)


@breaks("tls.start-made-once")
class AnnouncesUpgrades(TampersWithUpgrades):
    """connection_made() is called with the new transport."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        protocol.connection_made(transport)
        return transport


@breaks("tls.start-lost-once")
class BothTransportsEnd(TampersWithUpgrades):
    """connection_lost() is called for each of the two transports."""

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        def lost(told: Any, exc: Any) -> None:
            told(exc)
            told(exc)

        replaced(protocol, "connection_lost", lost)
        return transport


@breaks("tls.start-flushes-before")
class UpgradesPastTheBuffer(Stock):
    """What was written just before the upgrade is dropped."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(protocol_factory, *args, **kwargs)
        waiting: list[bytes] = []

        def write(write: Any, data: Any) -> None:
            if len(data) == 1_000_000:
                waiting.append(data)
            else:
                write(data)

        if not kwargs.get("ssl"):
            replaced(transport, "write", write)
        return transport, protocol


@breaks("tls.start-flushes-before")
class UpgradesWithoutTheBuffer(OverStreams):
    """What is still buffered when a connection is upgraded is dropped."""

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        transport._buffer.clear()
        transport._buffer_size = 0
        return await super().start_tls(transport, *args, **kwargs)


@breaks("tls.start-paused")
class RefusesPausedTransports(Stock):
    """A transport that is paused cannot be upgraded."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if not transport.is_reading():
            raise RuntimeError("the transport does not read")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


class _TellsLess(TampersWithUpgrades):
    """The new transport does not know some extra information."""

    names: tuple[str, ...] = ()

    def patch(self, transport: Any, protocol: Any, beneath: Any) -> Any:
        def info(info: Any, name: str, default: Any = None) -> Any:
            return default if name in self.names else info(name, default)

        replaced(transport, "get_extra_info", info)
        return transport


@breaks("tls.start-info")
class UpgradesInSecret(_TellsLess):
    """The new transport does not tell its context."""

    names = ("sslcontext",)


@breaks("tls.start-socket-info")
class UpgradesHideThePeer(_TellsLess):
    """The new transport does not tell its peer."""

    names = ("peername",)


@breaks("tls.start-over-tls")
class UpgradesOnce(Stock):
    """A TLS transport cannot be upgraded."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if transport.get_extra_info("ssl_object") is not None:
            raise TypeError("it speaks TLS already")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("tls.start-over-tls")
class TellsOfTheTunnel(Stock):
    """TLS within TLS tells of the TLS beneath."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        made = await super().start_tls(transport, protocol, sslcontext, **kwargs)

        def info(info: Any, name: str, default: Any = None) -> Any:
            return transport.get_extra_info(name) or info(name, default)

        replaced(made, "get_extra_info", info)
        return made


@breaks("tls.start-closing")
class RefusesClosingTransports(Stock):
    """A transport that is closing is an error."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if transport.is_closing():
            raise RuntimeError("the transport is closing")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


@breaks("tls.start-when-full")
class UpgradesForgetPauses(EventLoop):
    """A protocol that was told to pause before its connection was upgraded is not resumed."""

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        upgrading = asyncio.ensure_future(super().start_tls(transport, *args, **kwargs))
        await asyncio.sleep(0)
        transport.get_protocol()._flow.paused = False
        return await upgrading
