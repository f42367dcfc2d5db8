"""Broken loops of the chapter `tls`: what servers lack, and sockets over which less is verified."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced
from tests.broken_loops.tls_connections import TampersWithTls

Stock = asyncio.SelectorEventLoop


class _OfServers(TampersWithTls):
    """Changes the TLS transports of servers only, by `change`."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if transport.get_extra_info("ssl_object").server_side:
            self.change(transport)

    def change(self, transport: Any) -> None:
        raise NotImplementedError


@breaks("tls.pause-reading", "tls.pause-in-callback", "tls.buffered-pause", "tls.pause-reading-idempotent")
class ServersOfTlsDoNotPause(_OfServers):
    """pause_reading() of a server's TLS transport does nothing."""

    def change(self, transport: Any) -> None:
        transport.pause_reading = lambda: None


@breaks("tls.abort")
class ServersOfTlsDoNotAbort(_OfServers):
    """abort() of a server's TLS transport is close()."""

    def change(self, transport: Any) -> None:
        def abort(abort: Any) -> None:
            if transport.is_closing():
                abort()
            else:
                transport.close()

        replaced(transport, "abort", abort)


@breaks("tls.set-protocol", "tls.set-protocol-ends")
class ServersOfTlsKeepTheirProtocol(_OfServers):
    """set_protocol() of a server's TLS transport does nothing."""

    def change(self, transport: Any) -> None:
        transport.set_protocol = lambda protocol: None


@breaks("tls.writelines")
class ServersOfTlsReverseLines(_OfServers):
    """writelines() of a server's TLS transport begins with the last line."""

    def change(self, transport: Any) -> None:
        replaced(transport, "writelines", lambda writelines, lines: writelines(list(lines)[::-1]))


@breaks("tls.buffer-size")
class ServersOfTlsHaveNoBuffer(_OfServers):
    """get_write_buffer_size() of a server's TLS transport is zero."""

    def change(self, transport: Any) -> None:
        transport.get_write_buffer_size = lambda: 0


@breaks("tls.buffered-pause")
class TlsPausesBetweenReads(_OfServers):
    """pause_reading() of a server's TLS transport holds from the next turn on: what is decrypted comes before."""

    def change(self, transport: Any) -> None:
        replaced(transport, "pause_reading", self.call_soon)


@breaks("tls.write-eof")
class ServersOfTlsHaveHalves(_OfServers):
    """can_write_eof() of a server's TLS transport says True."""

    def change(self, transport: Any) -> None:
        transport.can_write_eof = lambda: True


class _Unnamed(Stock):
    """Matches no name where `trusts` says so."""

    def trusts(self, kwargs: dict[str, Any]) -> bool:
        raise NotImplementedError

    def trusting(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if kwargs.get("ssl") and self.trusts(kwargs):
            kwargs["ssl"].check_hostname = False
        return kwargs

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(protocol_factory, *args, **self.trusting(kwargs))

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_unix_connection(protocol_factory, *args, **self.trusting(kwargs))


@breaks("tls.names-of-sockets")
class SocketsHaveNoNames(_Unnamed):
    """Over a socket that is given, the name of the certificate does not matter."""

    def trusts(self, kwargs: dict[str, Any]) -> bool:
        return kwargs.get("sock") is not None


@breaks("tls.accepted-socket-verifies")
class TrustsWhoWasAccepted(Stock):
    """connect_accepted_socket() asks for no certificate."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            kwargs["ssl"].verify_mode = ssl.CERT_NONE
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)
