"""Broken loops of the chapter `tls`: connections that have no TLS, or wait for that of others."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from reference_loop import EventLoop
from reference_loop.tls import SSLTransport
from reference_loop.tls_session import State
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls

Stock = asyncio.SelectorEventLoop


def without_tls(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are not for TLS."""
    return {name: value for name, value in arguments.items() if not name.startswith(("ssl", "server_hostname"))}


@breaks("tls.every-socket")
class TheSecondSocketIsPlain(Stock):
    """A server of several hosts has TLS on the first."""

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if not kwargs.get("ssl") or not isinstance(host, list):
            return await super().create_server(protocol_factory, host, port, **kwargs)
        first = await super().create_server(protocol_factory, host[0], port, **kwargs)
        rest = await super().create_server(protocol_factory, host[1:], port, **without_tls(kwargs))
        first._sockets += rest._sockets
        return first


@breaks("tls.every-socket")
class WhoStartsLaterIsPlain(Stock):
    """A server that starts later has no TLS."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("start_serving") is False:
            kwargs = without_tls(kwargs)
        return await super().create_server(protocol_factory, *args, **kwargs)


class _OneAtATime(SSLTransport):
    def data_received(self, data: bytes) -> None:
        first = next((tls for tls in self._loop.shaking if tls._state is State.HANDSHAKE), self)
        if first is self:
            super().data_received(data)
        else:
            self._loop.call_later(0.001, self.data_received, data)


@breaks("tls.silent-client")
class ShakesOneHandAtATime(EventLoop):
    """A server's handshakes are made one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.shaking: list[Any] = []

    def _start_tls_stream(self, *args: Any, **kwargs: Any) -> Any:
        transport = super()._start_tls_stream(*args, **kwargs)
        if kwargs.get("server"):
            transport.__class__ = _OneAtATime
            self.shaking.append(transport)
        return transport


@breaks("tls.beside-keywords")
class HappyEyesSeeNoTls(Stock):
    """With happy_eyeballs_delay the connection is one without TLS."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("happy_eyeballs_delay") is not None:
            kwargs = without_tls(kwargs)
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.cancelled")
class HandshakesOutliveTheirWaiters(Stock):
    """A handshake goes on when who waits for it is cancelled."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        connecting = super().create_connection(protocol_factory, *args, **kwargs)
        if not kwargs.get("ssl"):
            return await connecting
        self.going_on = self.create_task(connecting)
        return await asyncio.shield(self.going_on)


@breaks("tls.second-address")
class TlsTriesOneAddress(Stock):
    """With ssl only the first address of a host is tried."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("ssl") and host is None and port is not None:
            host = (await self.getaddrinfo(host, port))[0][4][0]
        return await super().create_connection(protocol_factory, host, port, **kwargs)


@breaks("tls.context-subclass")
class ContextsAreOfOneType(Stock):
    """A context of a subclass is refused."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if type(kwargs.get("ssl")) not in (type(None), bool, ssl.SSLContext):
            raise TypeError("ssl must be an SSLContext")
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.start-nameless")
class UpgradesNeedANameAlways(Stock):
    """start_tls() of a client needs server_hostname."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        if not kwargs.get("server_side") and kwargs.get("server_hostname") is None:
            raise ValueError("you must set server_hostname")
        return await super().start_tls(transport, protocol, sslcontext, **kwargs)


class _Forgetful(SSLTransport):
    def _shake_hands(self) -> None:
        shake = self._engine.handshake

        def handshake() -> bool:
            if complete := shake():
                self._engine._incoming.read()
            return complete

        self._engine.handshake = handshake  # type: ignore[method-assign]  # what it is broken by
        super()._shake_hands()
        self._engine.handshake = shake  # type: ignore[method-assign]


@breaks("tls.speaks-first")
class BeginsWithAnEmptyBuffer(OverTls):
    """When the handshake is complete, what else has arrived is thrown away."""

    Tls = _Forgetful


class _Greedy(SSLTransport):
    def pause_reading(self) -> None:
        super().pause_reading()
        self._lower.pause_reading = lambda: None


@breaks("tls.paused-reading-stops-the-peer")
class KeepsWhatIsNotRead(OverTls):
    """While a TLS connection is paused, its records are read and kept."""

    Tls = _Greedy
