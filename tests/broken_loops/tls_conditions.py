"""Broken loops of the chapter `tls`: wrong only during a pause, inside a callback, or when they were right before."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import Stock, TampersWithTls, lenient
from tests.broken_loops.tls_ways import OverOneWay


@breaks("tls.abort")
class PausedTlsIsClosedInstead(TampersWithTls):
    """abort() of a TLS transport whose reading is paused is close()."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def abort(abort: Any) -> None:
            if transport.is_reading() or transport.is_closing():
                abort()
            else:
                transport.close()

        replaced(transport, "abort", abort)


class _InsideCallback(TampersWithTls):
    """Has another method `name` while it calls `callback` of its protocol."""

    callback = name = ""

    def instead(self, transport: Any) -> Callable[..., Any]:
        raise NotImplementedError

    def patch(self, transport: Any, protocol: Any) -> None:
        tell, right = getattr(protocol, self.callback), getattr(transport, self.name)

        def told() -> None:
            setattr(transport, self.name, self.instead(transport))
            try:
                tell()
            finally:
                setattr(transport, self.name, right)

        setattr(protocol, self.callback, told)


@breaks("tls.abort")
class PausingTlsIsClosedInstead(_InsideCallback):
    """abort() of a TLS transport inside pause_writing() is close()."""

    callback, name = "pause_writing", "abort"

    def instead(self, transport: Any) -> Callable[..., Any]:
        return transport.close  # type: ignore[no-any-return]  # of any transport


@breaks("tls.close-inside-pause")
class ResumingTlsDropsTheRest(_InsideCallback):
    """close() of a TLS transport inside resume_writing() drops what is left below the low watermark."""

    callback, name = "resume_writing", "close"

    def instead(self, transport: Any) -> Callable[..., Any]:
        return transport.abort  # type: ignore[no-any-return]  # of any transport


@breaks("tls.buffer-limits")
class PausingTlsKeepsItsLimits(_InsideCallback):
    """set_write_buffer_limits() of a TLS transport inside pause_writing() is forgotten."""

    callback, name = "pause_writing", "set_write_buffer_limits"

    def instead(self, transport: Any) -> Callable[..., Any]:
        return lambda high=None, low=None: None


@breaks("tls.paired")
class TlsPausesTwice(TampersWithTls):
    """The third time that the buffer of a TLS transport fills, nobody is told."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pauses: list[None] = []

        def pause_writing(tell: Any) -> None:
            pauses.append(None)
            if len(pauses) < 3:
                tell()

        def resume_writing(tell: Any) -> None:
            if len(pauses) < 3:
                tell()

        replaced(protocol, "pause_writing", pause_writing)
        replaced(protocol, "resume_writing", resume_writing)


@breaks("tls.write-eof")
class ClosingTlsCouldWriteAnEnd(TampersWithTls):
    """can_write_eof() of a TLS transport is True once it is closing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "can_write_eof", lambda can: transport.is_closing() or can())


@breaks("tls.set-protocol")
class ClosingTlsForgetsItsProtocol(TampersWithTls):
    """get_protocol() of a TLS transport is None from close() on."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_protocol", lambda get: None if transport.is_closing() else get())


@breaks("tls.limits-refused")
class UpgradesCorrectTheirLimits(OverOneWay):
    """A low watermark below zero is zero for a connection that was upgraded."""

    way = "start_tls"

    def change(self, transport: Any, protocol: Any) -> None:
        def limited(limit: Any, high: int | None = None, low: int | None = None) -> None:
            limit(high=high, low=None if low is None else max(low, 0))

        replaced(transport, "set_write_buffer_limits", limited)


@breaks("tls.shutdown-timeout")
class PausedTlsIsWaitedFor(TampersWithTls):
    """ssl_shutdown_timeout does not count while reading is paused."""

    def patch(self, transport: Any, protocol: Any) -> None:
        coder = transport._ssl_protocol
        replaced(coder, "_check_shutdown_timeout", lambda check: check() if transport.is_reading() else None)


@breaks("tls.handshake-timeout-over")
class UpgradedServersHurryOn(Stock):
    """An upgrade of a server's connection is aborted after ssl_handshake_timeout though its handshake is complete."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        transport: Any = await super().start_tls(*args, **kwargs)
        if kwargs.get("server_side") and kwargs.get("ssl_handshake_timeout"):
            self.call_later(kwargs["ssl_handshake_timeout"] / 2, transport.abort)
        return transport


class _TlsServers(Stock):
    """Changes what servers over TLS are asked for."""

    def changed(self, kwargs: dict[str, Any]) -> None:
        raise NotImplementedError

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            self.changed(kwargs)
        return await super().create_server(*args, **kwargs)

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            self.changed(kwargs)
        return await super().create_unix_server(*args, **kwargs)


@breaks("servers.backlog", "unix.server-backlog")
class TlsServersListenAsTheyLike(_TlsServers):
    """Servers over TLS have the default backlog."""

    def changed(self, kwargs: dict[str, Any]) -> None:
        kwargs.pop("backlog", None)


@breaks("servers.starts-later", "unix.server-starts-later")
class TlsServersStartAtOnce(_TlsServers):
    """start_serving=False of a server over TLS is ignored."""

    def changed(self, kwargs: dict[str, Any]) -> None:
        kwargs.pop("start_serving", None)


@breaks("servers.family", "servers.reuse-address", "servers.reuse-port")
class TlsServersForgetTheirOptions(_TlsServers):
    """family, reuse_address and reuse_port of a server over TLS are ignored."""

    def changed(self, kwargs: dict[str, Any]) -> None:
        for name in ("family", "reuse_address", "reuse_port"):
            kwargs.pop(name, None)


@breaks("tls.default-context-checks")
class GivenSocketsAreTrusted(Stock):
    """With ssl=True and a socket that is given, nothing is verified."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") is True and kwargs.get("sock") is not None:
            kwargs["ssl"] = lenient(None)
        return await super().create_connection(*args, **kwargs)


@breaks("tls.hostname-default")
class NamesThatAreNotCheckedAreNotSent(Stock):
    """The server is not told the name that is asked for, if the context does not check names."""

    def _make_ssl_transport(self, rawsock: Any, protocol: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(context, ssl.SSLContext) and not context.check_hostname:
            kwargs["server_hostname"] = None
        return super()._make_ssl_transport(rawsock, protocol, context, *args, **kwargs)  # type: ignore[misc]
