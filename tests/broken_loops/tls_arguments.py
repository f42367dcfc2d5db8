"""Broken loops of the chapter `tls`: the names and timeouts of TLS."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Asked(Stock):
    """Changes the arguments of every method that makes TLS connections."""

    connects = serves = connects_unix = serves_unix = accepts = False

    def change(self, kwargs: dict[str, Any]) -> None:
        pass

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.connects:
            self.change(kwargs)
        return await super().create_connection(protocol_factory, *args, **kwargs)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.serves:
            self.change(kwargs)
        return await super().create_server(protocol_factory, *args, **kwargs)

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.connects_unix:
            self.change(kwargs)
        return await super().create_unix_connection(protocol_factory, *args, **kwargs)

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self.serves_unix:
            self.change(kwargs)
        return await super().create_unix_server(protocol_factory, *args, **kwargs)

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **kwargs: Any) -> Any:
        if self.accepts:
            self.change(kwargs)
        return await super().connect_accepted_socket(protocol_factory, sock, **kwargs)


@breaks("tls.hostname-empty")
class EmptyNamesAreMissing(_Asked):
    """An empty server_hostname is none."""

    connects = True

    def change(self, kwargs: dict[str, Any]) -> None:
        if kwargs.get("server_hostname") == "":
            kwargs["server_hostname"] = None


@breaks("tls.timeout-none")
class NoneIsNoTimeout(_Asked):
    """A shutdown timeout of None is compared with a number."""

    connects = True

    def change(self, kwargs: dict[str, Any]) -> None:
        if "ssl_shutdown_timeout" in kwargs and kwargs["ssl_shutdown_timeout"] <= 0:
            raise ValueError("it must be positive")


class _Hurries(_Asked):
    """Takes seconds for milliseconds."""

    connects = True
    name = ""

    def change(self, kwargs: dict[str, Any]) -> None:
        if kwargs.get(self.name) and kwargs[self.name] > 0:
            kwargs[self.name] /= 1000


@breaks("tls.handshake-waits")
class HandshakesInMilliseconds(_Hurries):
    """ssl_handshake_timeout is a number of milliseconds."""

    name = "ssl_handshake_timeout"


@breaks("tls.shutdown-waits")
class ShutdownsInMilliseconds(_Hurries):
    """ssl_shutdown_timeout is a number of milliseconds."""

    name = "ssl_shutdown_timeout"


class _NoHandshakeTimeout(_Asked):
    """ssl_handshake_timeout is not passed on."""

    def change(self, kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and (kwargs.get("ssl_handshake_timeout") or 0) > 0:
            del kwargs["ssl_handshake_timeout"]


class _NoShutdownTimeout(_Asked):
    """ssl_shutdown_timeout is not passed on."""

    def change(self, kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and (kwargs.get("ssl_shutdown_timeout") or 0) > 0:
            del kwargs["ssl_shutdown_timeout"]


@breaks("tls.server-handshake-timeout")
class ServersWaitForHandshakes(_NoHandshakeTimeout):
    """create_server() does not pass ssl_handshake_timeout on."""

    serves = True


@breaks("tls.unix-handshake-timeout")
class UnixWaitsForHandshakes(_NoHandshakeTimeout):
    """create_unix_connection() does not pass ssl_handshake_timeout on."""

    connects_unix = True


@breaks("tls.unix-server-timeout")
class UnixServersWaitForHandshakes(_NoHandshakeTimeout):
    """create_unix_server() does not pass ssl_handshake_timeout on."""

    serves_unix = True


@breaks("tls.accepted-handshake-timeout")
class AcceptedSocketsWaitForHandshakes(_NoHandshakeTimeout):
    """connect_accepted_socket() does not pass ssl_handshake_timeout on."""

    accepts = True


@breaks("tls.shutdown-timeout")
class ServersWaitForGoodbyes(_NoShutdownTimeout):
    """create_server() does not pass ssl_shutdown_timeout on."""

    serves = True


@breaks("tls.unix-shutdown-timeout")
class UnixWaitsForGoodbyes(_NoShutdownTimeout):
    """create_unix_connection() does not pass ssl_shutdown_timeout on."""

    connects_unix = True


@breaks("tls.accepted-shutdown-timeout")
class AcceptedSocketsWaitForGoodbyes(_NoShutdownTimeout):
    """connect_accepted_socket() does not pass ssl_shutdown_timeout on."""

    accepts = True


@breaks("tls.server-refused-not-announced")
class AnnouncesWhomItRefuses(Stock):
    """A server announces each client when it has connected."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            context = kwargs.get("ssl")
            if context and context.verify_mode:
                told: list[Any] = []

                def once(announce: Any, transport: Any) -> None:
                    if not told:
                        told.append(transport)
                        announce(transport)

                replaced(protocol, "connection_made", once)
                protocol.connection_made(asyncio.Transport())
                protocol.transport.abort = lambda: None
            return protocol

        return await super().create_server(make, *args, **kwargs)


@breaks("tls.unix-hostname-required")
class VerifiesThePath(_Asked):
    """The name is by default the path's."""

    connects_unix = True

    def change(self, kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and not kwargs.get("server_hostname"):
            raise OSError("no such name")


@breaks("tls.unix-hostname-unused")
class IgnoresNamesOnUnix(_Asked):
    """server_hostname without ssl is ignored by create_unix_connection()."""

    connects_unix = True

    def change(self, kwargs: dict[str, Any]) -> None:
        if not kwargs.get("ssl"):
            kwargs.pop("server_hostname", None)


class _IgnoresTimeouts(_Asked):
    """Timeouts without ssl are ignored."""

    def change(self, kwargs: dict[str, Any]) -> None:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_handshake_timeout", None)
            kwargs.pop("ssl_shutdown_timeout", None)


@breaks("tls.unix-timeouts-unused")
class IgnoresTimeoutsOnUnix(_IgnoresTimeouts):
    """Timeouts without ssl are ignored by create_unix_connection()."""

    connects_unix = True


@breaks("tls.accepted-timeouts-unused")
class IgnoresTimeoutsOfAcceptedSockets(_IgnoresTimeouts):
    """Timeouts without ssl are ignored by connect_accepted_socket()."""

    accepts = True


@breaks("tls.unix-server-shutdown", "tls.shutdown-timeout")
class UnixServersWaitForGoodbyes(Stock):
    """create_unix_server() does not pass ssl_shutdown_timeout on."""

    async def create_unix_server(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("ssl_shutdown_timeout", None)
        return await super().create_unix_server(*args, **kwargs)


@breaks("tls.factory-once")
class MakesProtocolsForBothLayers(Stock):
    """With TLS the factory is called for the connection beneath, and for TLS."""

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl"):
            protocol_factory()
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.factory-once")
class ServersMakeProtocolsForBothLayers(Stock):
    """A server over TLS calls the factory for the connection beneath, and for TLS."""

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        factory = (lambda: (protocol_factory(), protocol_factory())[0]) if kwargs.get("ssl") else protocol_factory
        return await super().create_server(factory, *args, **kwargs)


@breaks("tls.handshake-timeout")
class LeavesHandshakesOpen(Stock):
    """After ssl_handshake_timeout create_connection() raises, and the connection stays open."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        timeout = kwargs.pop("ssl_handshake_timeout", None)
        connecting = self.create_task(super().create_connection(*args, **kwargs))
        try:
            return await asyncio.wait_for(asyncio.shield(connecting), timeout)
        except TimeoutError:
            connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
            raise ConnectionAbortedError("no handshake") from None


@breaks("tls.timeout-numbers")
class TimeoutsOfTlsAreFloats(Stock):
    """ssl_handshake_timeout of a client is refused unless it is a float."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(kwargs.get("ssl_handshake_timeout"), float | None):
            raise TypeError("a float is needed")
        return await super().create_connection(*args, **kwargs)


@breaks("tls.handshake-timeout")
class WaitsForHandshakesOverSockets(Stock):
    """create_connection() does not pass ssl_handshake_timeout on if it is given a socket."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs.pop("ssl_handshake_timeout", None)
        return await super().create_connection(*args, **kwargs)


@breaks("tls.server-handshake-timeout")
class WaitsForHandshakesAtSockets(Stock):
    """create_server() does not pass ssl_handshake_timeout on if it is given a socket."""

    async def create_server(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("sock") is not None:
            kwargs.pop("ssl_handshake_timeout", None)
        return await super().create_server(*args, **kwargs)


@breaks("tls.hostname-empty")
class NeedsNamesOverPaths(Stock):
    """create_unix_connection() takes an empty server_hostname for none."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("server_hostname") == "":
            kwargs["server_hostname"] = None
        return await super().create_unix_connection(*args, **kwargs)
