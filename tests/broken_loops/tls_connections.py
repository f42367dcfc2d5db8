"""Broken loops of the chapter `tls`: how TLS connections are made, or refused."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from reference_loop.tls import SSLTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverTls
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class TampersWithTls(Stock):
    """Changes protocol and transport of a TLS connection before the one is told of the other."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pass

    def tampered(self, protocol_factory: Any, kwargs: dict[str, Any]) -> Any:
        if not kwargs.get("ssl"):
            return protocol_factory

        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                self.patch(transport, protocol)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return make

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_connection(self.tampered(protocol_factory, kwargs), *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().create_server(self.tampered(protocol_factory, kwargs), *args, **kwargs)


class _Connects(Stock):
    """Makes TLS connections another way than it was asked to."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pass

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.changed(args, kwargs)
        return await super().create_connection(protocol_factory, *args, **kwargs)


def lenient(context: Any) -> ssl.SSLContext:
    """A context that verifies nothing, and has nothing else of the given one."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other.check_hostname = False
    other.verify_mode = ssl.CERT_NONE
    return other


@breaks("tls.connect")
class TlsLosesShortRecords(TampersWithTls):
    """A record of two bytes is lost."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data) if data != b"in" else None)


@breaks("tls.made-after-handshake")
class AnnouncesTlsTwice(TampersWithTls):
    """The connection is announced again when the handshake is complete."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if hasattr(protocol, "calls"):
            self.call_soon(protocol.calls.append, ("connection_made", transport))


@breaks("tls.default-context")
class TrueVerifiesNothing(_Connects):
    """ssl=True is a context that verifies nothing."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is True:
            kwargs["ssl"] = lenient(None)


@breaks("tls.hostname-default")
class VerifiesTheAddress(_Connects):
    """Without server_hostname the name is the address that the host resolves to."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and args and not kwargs.get("server_hostname"):
            kwargs["server_hostname"] = socket.gethostbyname(args[0])


@breaks("tls.hostname-override")
class TheHostWins(_Connects):
    """A server_hostname with a dot is not looked at."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and args and "." in (kwargs.get("server_hostname") or ""):
            kwargs["server_hostname"] = args[0]


@breaks("tls.hostname-required")
class SocketsNeedNoName(_Connects):
    """Without host and server_hostname, the certificate is checked against nothing."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and kwargs.get("sock") is not None and not kwargs.get("server_hostname"):
            raise ssl.SSLError("no name to check")


@breaks("tls.hostname-without-tls")
class IgnoresNamesWithoutTls(_Connects):
    """server_hostname without ssl is ignored."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("ssl"):
            kwargs.pop("server_hostname", None)


class _OtherErrors(Stock):
    """Turns the error of a handshake into another."""

    def failed(self, error: Exception) -> Exception:
        return error

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().create_connection(protocol_factory, *args, **kwargs)
        except Exception as error:
            raise self.failed(error) from None


@breaks("tls.unknown-authority")
class UnknownAuthoritiesReset(_OtherErrors):
    """A certificate that cannot be verified is a connection reset."""

    def failed(self, error: Exception) -> Exception:
        unknown = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == 20
        return ConnectionResetError() if unknown else error


@breaks("tls.wrong-name")
class WrongNamesAreErrors(_OtherErrors):
    """A certificate for another name is an ssl.SSLError of no kind."""

    def failed(self, error: Exception) -> Exception:
        wrong = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == 62
        return ssl.SSLError("wrong name") if wrong else error


@breaks("tls.refused-not-announced")
class AnnouncesWhatItRefuses(Stock):
    """A failed handshake is told as a connection that is lost."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []

        def make() -> Any:
            made.append(protocol_factory())
            return made[-1]

        try:
            return await super().create_connection(make, *args, **kwargs)
        except ssl.SSLError as error:
            made[-1].connection_made(asyncio.Transport())
            made[-1].connection_lost(error)
            raise


@breaks("tls.refused-not-announced")
class EndsWhatItRefuses(Stock):
    """A failed handshake is told as the end of a connection that was not announced."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        try:
            return await super().create_connection(lambda: protocol, *args, **kwargs)
        except ssl.SSLError as error:
            protocol.connection_lost(error)
            raise


@breaks("tls.server-goes-on")
class EndsWithTheFirstHandshake(Stock):
    """A server whose first handshake fails announces nobody any more."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []

        def make() -> Any:
            refused = kwargs.get("ssl") and any(protocol.transport is None for protocol in made)
            made.append(asyncio.Protocol() if refused else protocol_factory())
            made[-1].__dict__.setdefault("transport", None)
            return made[-1]

        return await super().create_server(make, *args, **kwargs)


@breaks("tls.refused-is-finished", since="3.12")
class NeverFinishesTheRefused(OverTls):
    """A connection whose handshake failed stays one of its server's."""

    class Tls(SSLTransport):
        def _release(self) -> None:
            if not self._introduced:
                self._server = None
            super()._release()


@breaks("tls.timeout-value")
class ZeroIsTheDefault(_Connects):
    """A timeout of zero is the default."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
            if kwargs.get(name) == 0:
                del kwargs[name]


@breaks("tls.timeout-without-tls")
class IgnoresTimeoutsWithoutTls(_Connects):
    """ssl_handshake_timeout without ssl is ignored."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_handshake_timeout", None)


@breaks("tls.handshake-timeout")
class ALateHandshakeIsAnEnd(_OtherErrors):
    """A handshake that takes too long is an end of the file."""

    def failed(self, error: Exception) -> Exception:
        return EOFError() if isinstance(error, ConnectionAbortedError) else error


@breaks("tls.handshake-eof")
class AnEndIsAnEofError(_OtherErrors):
    """An end during the handshake is an EOFError."""

    def failed(self, error: Exception) -> Exception:
        verified = isinstance(error, ssl.SSLCertVerificationError | ConnectionAbortedError | ConnectionRefusedError)
        return EOFError() if isinstance(error, OSError) and not verified else error


@breaks("tls.sock")
class TlsNeedsAnAddress(_Connects):
    """ssl cannot be combined with sock."""

    def changed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and kwargs.get("sock") is not None and kwargs.get("server_hostname"):
            raise NotImplementedError("TLS over a socket")


@breaks("tls.unix")
class UnixHasNoTls(Stock):
    """ssl is ignored by create_unix_server()."""

    async def create_unix_server(self, protocol_factory: Any, path: Any = None, **kwargs: Any) -> Any:
        kwargs.pop("ssl", None)
        return await super().create_unix_server(protocol_factory, path, **kwargs)


@breaks("tls.accepted-socket")
class AcceptsAsAClient(Stock):
    """connect_accepted_socket() makes no handshake."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        kwargs.pop("ssl", None)
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)


@breaks("tls.accepted-socket-returns")
class ReturnsTheCoder(Stock):
    """connect_accepted_socket() with ssl returns what stands between the socket and the protocol."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().connect_accepted_socket(protocol_factory, sock, **kwargs)
        return transport, asyncio.Protocol() if kwargs.get("ssl") else protocol


class _RebuildsContexts(Stock):
    """Copies the context that it is given, without some of its settings."""

    def rebuilt(self, context: ssl.SSLContext) -> None:
        pass

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(kwargs.get("ssl"), ssl.SSLContext):
            self.rebuilt(kwargs["ssl"])
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(kwargs.get("ssl"), ssl.SSLContext):
            self.rebuilt(kwargs["ssl"])
        return await super().create_server(protocol_factory, *args, **kwargs)


@breaks("tls.alpn")
class ForgetsTheProtocols(_RebuildsContexts):
    """The context's ALPN protocols are others."""

    def rebuilt(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["first"])


@breaks("tls.client-certificate")
class AsksForNoCertificate(_RebuildsContexts):
    """A server does not ask for certificates."""

    def rebuilt(self, context: ssl.SSLContext) -> None:
        if not context.check_hostname:
            context.verify_mode = ssl.CERT_NONE
