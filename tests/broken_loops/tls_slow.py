"""Broken loops of the chapter `tls`: times that begin anew, and what upgrades, given sockets and paths do not do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import Stock
from tests.broken_loops.tls_ways import OverOneWay


class _Coders(Stock):
    """Changes what lies between the protocol of a TLS connection and its socket, before the handshake."""

    made = upgraded = True

    def change(self, coder: Any) -> None:
        raise NotImplementedError

    def _make_ssl_transport(self, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_ssl_transport(*args, **kwargs)  # type: ignore[misc]
        if self.made:
            self.change(transport._ssl_protocol)
        return transport

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        def set_protocol(change: Any, coder: Any) -> None:
            if self.upgraded and hasattr(coder, "_do_handshake"):
                self.change(coder)
            change(coder)

        if hasattr(transport, "set_protocol"):
            replaced(transport, "set_protocol", set_protocol)
        return await super().start_tls(transport, *args, **kwargs)


class _Patient(_Coders):
    """The time of a part of TLS begins anew whenever something comes."""

    part = ""

    def change(self, coder: Any) -> None:
        def buffer_updated(update: Any, count: int) -> None:
            handle = f"_{self.part}_timeout_handle"
            if getattr(coder, handle) is not None:
                getattr(coder, handle).cancel()
                time = getattr(coder, f"_ssl_{self.part}_timeout")
                setattr(coder, handle, self.call_later(time, getattr(coder, f"_check_{self.part}_timeout")))
            update(count)

        replaced(coder, "buffer_updated", buffer_updated)


@breaks("tls.handshake-timeout-whole")
class HandshakesBeginAnew(_Patient):
    """ssl_handshake_timeout begins anew whenever something of the handshake comes."""

    part = "handshake"


@breaks("tls.shutdown-timeout-whole")
class ShutdownsBeginAnew(_Patient):
    """ssl_shutdown_timeout begins anew whenever data comes."""

    part = "shutdown"


@breaks("tls.false-protocol")
class FalseProtocolsReadNoTls(_Coders):
    """What comes over TLS for a protocol that is false is dropped."""

    def change(self, coder: Any) -> None:
        def read(read: Any) -> None:
            if not coder._app_protocol:
                coder._incoming.read()
            read()

        replaced(coder, "_do_read", read)


@breaks("tls.data-with-handshake", "tls.speaks-first")
class UpgradesDropWhatComesEarly(_Coders):
    """What comes together with the last word of the handshake of an upgrade is lost."""

    made = False

    def change(self, coder: Any) -> None:
        def complete(complete: Any, error: Any) -> None:
            coder._incoming.read()
            complete(error)

        replaced(coder, "_on_handshake_complete", complete)


@breaks("tls.sni-callback")
class ServersOfTlsKnowNoNames(Stock):
    """The sni_callback of a server's context is taken away."""

    def _make_ssl_transport(self, rawsock: Any, protocol: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_side") and isinstance(context, ssl.SSLContext):
            context.sni_callback = None
        return super()._make_ssl_transport(rawsock, protocol, context, *args, **kwargs)  # type: ignore[misc]


@breaks("tls.handshake-outlasts-server")
class ClosedServersGiveUpHandshakes(_Coders):
    """close() of a server aborts the connections whose handshake is not complete."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        server = await super().create_server(*args, **kwargs)

        def close(close: Any) -> None:
            close()
            for coder in vars(self).get("coders", []):
                if coder._handshake_timeout_handle is not None:
                    coder._transport.abort()

        replaced(server, "close", close)
        return server

    def change(self, coder: Any) -> None:
        vars(self).setdefault("coders", []).append(coder)


@breaks("tls.client-certificate")
class UpgradedServersSeeNoCertificate(OverOneWay):
    """An upgraded connection does not tell the certificate of its peer."""

    way = "start_tls"

    def change(self, transport: Any, protocol: Any) -> None:
        self.lacks(transport, "peercert")


@breaks("tls.start-handshake-timeout")
class UpgradesThatTakeTooLongStay(Stock):
    """After ssl_handshake_timeout start_tls() raises, but the connection stays."""

    async def start_tls(self, transport: Any, *args: Any, **kwargs: Any) -> Any:
        kept = transport.get_extra_info("socket")
        kept = kept.dup() if kept is not None else None
        try:
            return await super().start_tls(transport, *args, **kwargs)
        except ConnectionAbortedError:
            self.kept, kept = kept, None
            raise
        finally:
            if kept is not None:
                kept.close()


@breaks("tls.cancelled")
class PathsAreSecuredForNobody(Stock):
    """create_unix_connection() with ssl goes on when it is cancelled."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        opening = super().create_unix_connection(*args, **kwargs)
        return await (asyncio.shield(self.create_task(opening)) if kwargs.get("ssl") else opening)


@breaks("tls.start-cancelled")
class ServersAreUpgradedForNobody(Stock):
    """start_tls() of a server goes on when it is cancelled."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        upgrade = super().start_tls(*args, **kwargs)
        return await (asyncio.shield(self.create_task(upgrade)) if kwargs.get("server_side") else upgrade)


@breaks("tls.refused-not-announced")
class GivenSocketsAreLostUnmade(Stock):
    """connection_lost() is called if the handshake over a given socket fails."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []

        def make() -> Any:
            made.append(protocol_factory())
            return made[-1]

        try:
            return await super().create_connection(make, *args, **kwargs)
        except ssl.SSLError as error:
            if kwargs.get("sock") is not None:
                made[0].connection_lost(error)
            raise


@breaks("tls.sock")
class SecuresPlainSocketsOnly(Stock):
    """With ssl, a socket of a class of its own is refused."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") and kwargs.get("sock") is not None and type(kwargs["sock"]) is not socket.socket:
            raise TypeError("not a socket")
        return await super().create_connection(*args, **kwargs)


@breaks("tls.sock")
class SecuresSocketsWithoutTimeout(Stock):
    """With ssl, a socket that has a timeout is refused."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") and kwargs.get("sock") is not None and kwargs["sock"].gettimeout():
            raise ValueError("a non-blocking socket is needed")
        return await super().create_connection(*args, **kwargs)


@breaks("tls.server-handshake-timeout")
class SlowHandshakesEndTheServer(_Coders):
    """A handshake that takes too long ends the server, too."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        self.server = await super().create_server(*args, **kwargs)
        return self.server

    def change(self, coder: Any) -> None:
        def check(check: Any) -> None:
            if coder._server_side and coder._handshake_timeout_handle is not None:
                self.server.close()
            check()

        replaced(coder, "_check_handshake_timeout", check)


@breaks("tls.start-made-once")
class UpgradedServersAreMadeAgain(OverOneWay):
    """connection_made() is called again when a server's connection was upgraded."""

    way = "start_tls"

    def change(self, transport: Any, protocol: Any) -> None:
        if transport.get_extra_info("ssl_object").server_side:
            protocol.connection_made(transport)
