"""Broken loops of the chapter `tls`: upgrades that fail, are given up, or cannot work."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tls_connections import lenient

Stock = asyncio.SelectorEventLoop


class _Upgrades(Stock):
    """Changes what start_tls() is asked for, and what it raises."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        return context

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        return error

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **kwargs: Any) -> Any:
        sslcontext = self.asked(transport, protocol, sslcontext, kwargs)
        try:
            return await super().start_tls(transport, protocol, sslcontext, **kwargs)
        except BaseException as error:
            if (other := self.failed(error, transport)) is error:
                raise
            raise other from None


@breaks("tls.start-context-type")
class MakesUpAContext(_Upgrades):
    """What is no context is the default one: an error only later."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        return ConnectionResetError() if isinstance(error, TypeError) and "sslcontext" in str(error) else error


@breaks("tls.start-transport-type")
class PipesAreNotChecked(_Upgrades):
    """A transport that cannot be upgraded is an AttributeError."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        return AttributeError() if isinstance(error, TypeError) and "not supported" in str(error) else error


@breaks("tls.start-hostname")
class UpgradesForAnyName(_Upgrades):
    """The name is not checked."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("server_hostname") == "other.example":
            kwargs["server_hostname"] = "localhost"
        return context


@breaks("tls.start-unknown-authority")
class UpgradesForAnyAuthority(_Upgrades):
    """A context that knows no authorities verifies nothing."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        return context if not isinstance(context, ssl.SSLContext) or context.get_ca_certs() else self.other(context)

    def other(self, context: ssl.SSLContext) -> ssl.SSLContext:
        return context if context.protocol is ssl.PROTOCOL_TLS_SERVER else lenient(context)


@breaks("tls.start-failure-closes")
class LeavesHalfAHandshake(_Upgrades):
    """After a handshake that failed, the original transport says that it is open."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        if isinstance(error, ssl.SSLError):
            transport.is_closing = lambda: False
        return error


@breaks("tls.start-eof")
class AnEndIsNoOsError(_Upgrades):
    """An end during the handshake is an EOFError."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        ended = isinstance(error, ConnectionError | ssl.SSLEOFError) and not isinstance(error, ConnectionAbortedError)
        return EOFError() if ended else error


@breaks("tls.start-handshake-timeout")
class SlowUpgradesAreEnds(_Upgrades):
    """A handshake that takes too long is an end of the file."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        return EOFError() if isinstance(error, ConnectionAbortedError) else error


@breaks("tls.start-shutdown-timeout")
class UpgradesWaitForGoodbyes(_Upgrades):
    """ssl_shutdown_timeout of an upgrade is checked and ignored."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        if (kwargs.get("ssl_shutdown_timeout") or 0) > 0:
            del kwargs["ssl_shutdown_timeout"]
        return context


@breaks("tls.start-timeout-value")
class ZeroUpgradesByDefault(_Upgrades):
    """A shutdown timeout of zero is the default."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("ssl_shutdown_timeout") == 0:
            del kwargs["ssl_shutdown_timeout"]
        return context


@breaks("tls.start-timeout-none")
class UpgradesCompareNone(_Upgrades):
    """None is no timeout."""

    def asked(self, transport: Any, protocol: Any, context: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("ssl_shutdown_timeout", 1) is None:
            raise TypeError("None is no number")
        return context


@breaks("tls.start-cancelled")
class CancelledUpgradesGoOn(_Upgrades):
    """start_tls() that is cancelled leaves the original transport open."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        if isinstance(error, asyncio.CancelledError):
            transport.is_closing = lambda: False
        return error


@breaks("tls.start-garbage")
class GarbageIsAReset(_Upgrades):
    """Plain text during the handshake is a connection reset."""

    def failed(self, error: BaseException, transport: Any) -> BaseException:
        garbage = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
        return ConnectionResetError() if garbage else error
