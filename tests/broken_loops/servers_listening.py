"""Broken loops of the chapter `servers`: how create_server() listens and accepts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class ChangesServers(Stock):
    """Makes another server than it was asked for."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        """Change host and port, or the keyword arguments."""

    def made(self, server: Any, kwargs: dict[str, Any]) -> Any:
        return server

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        where = [host, port]
        self.changed(where, kwargs)
        return self.made(await super().create_server(protocol_factory, *where, **kwargs), kwargs)


class ChangesProtocols(Stock):
    """Changes how protocols are made for accepted connections."""

    def factory(self, protocol_factory: Any) -> Any:
        return protocol_factory

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        return await super().create_server(self.factory(protocol_factory), host, port, **kwargs)


@breaks("servers.listens")
class DropsWhatComesFirst(ChangesProtocols):
    """What a client sends first is lost."""

    def factory(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            received = protocol.data_received
            protocol.data_received = lambda data: received(data) if data != b"hello" else None
            return protocol

        return make


@breaks("servers.backlog")
class ListensAsItLikes(ChangesServers):
    """The number of connections that may wait is one of the loop's own."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs["backlog"] = 100


@breaks("servers.backlog")
class HasAnotherBacklog(ChangesServers):
    """By default 128 connections may wait, as in other languages."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("backlog", 128)


@breaks("servers.out-of-descriptors")
class EndsWithTheDescriptors(ChangesServers):
    """An accept() for which there is no descriptor ends the server."""

    def made(self, server: Any, kwargs: dict[str, Any]) -> Any:
        self.servers = [*getattr(self, "servers", []), server]
        return server

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        super().call_exception_handler(context)
        if "socket" in context:
            for server in self.servers:
                server.close()


@breaks("servers.protocol-factory")
class MakesTheFirstProtocolAhead(ChangesProtocols):
    """The first protocol is made with the server."""

    def factory(self, protocol_factory: Any) -> Any:
        made = [protocol_factory()]
        return lambda: made.pop() if made else protocol_factory()


@breaks("servers.peername")
class PeersAreLists(ChangesProtocols):
    """The peer's name is a list."""

    def factory(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                info = transport.get_extra_info
                transport.get_extra_info = lambda name, default=None: (
                    list(info(name)) if name == "peername" else info(name, default)
                )
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return make


@breaks("servers.many-connections")
class AcceptsFifty(ChangesProtocols):
    """After fifty connections nobody is announced."""

    def factory(self, protocol_factory: Any) -> Any:
        left = [None] * 50

        def make() -> Any:
            if not left:
                return asyncio.Protocol()
            left.pop()
            return protocol_factory()

        return make


@breaks("servers.factory-error")
class EndsWithTheFactory(ChangesProtocols):
    """After protocol_factory failed once, no protocol is made any more."""

    def factory(self, protocol_factory: Any) -> Any:
        failed: list[Exception] = []

        def make() -> Any:
            if failed:
                raise failed[0]
            try:
                return protocol_factory()
            except LookupError as error:
                failed.append(error)
                raise

        return make


@breaks("servers.reset-before-accept")
class EndsWithAReset(ChangesProtocols):
    """After a connection that was reset at once, nobody is announced."""

    def factory(self, protocol_factory: Any) -> Any:
        broken: list[bool] = []

        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                if broken:
                    protocol.data_received = lambda data: None
                    return
                if transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    broken.append(True)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return make


@breaks("servers.reuse-address")
class AlwaysReusesAddresses(ChangesServers):
    """reuse_address=False is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs["reuse_address"] = True


@breaks("servers.reuse-port")
class IgnoresReusePort(ChangesServers):
    """reuse_port is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("reuse_port", None)


@breaks("servers.reuse-port-off")
class AlwaysReusesPorts(ChangesServers):
    """Servers share their ports unasked."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] == "127.0.0.1":
            kwargs["reuse_port"] = True


@breaks("servers.keep-alive", since="3.13")
class IgnoresKeepAlive(ChangesServers):
    """keep_alive is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("keep_alive", None)


@breaks("servers.nodelay")
class DelaysWhatIsAccepted(ChangesProtocols):
    """Accepted connections have no TCP_NODELAY."""

    def factory(self, protocol_factory: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                with contextlib.suppress(OSError):
                    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
                announce(transport)

            protocol.connection_made = connection_made
            return protocol

        return make


@breaks("servers.sock")
class ListensAlready(ChangesServers):
    """A socket that is given must be listening."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        sock = kwargs.get("sock")
        if sock is None or sock.type != socket.SOCK_STREAM or where != [None, None]:
            return
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.EINVAL, "the socket does not listen")


@breaks("servers.sock-ownership")
class DuplicatesItsSocket(ChangesServers):
    """The server uses a duplicate of the socket, which stays open."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        sock = kwargs.get("sock")
        if sock is not None and sock.type == socket.SOCK_STREAM and where == [None, None]:
            kwargs["sock"] = sock.dup()


@breaks("servers.sock-type")
class ListensOnDatagrams(ChangesServers):
    """A datagram socket is replaced by one that can listen."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        sock = kwargs.get("sock")
        if sock is not None and sock.type == socket.SOCK_DGRAM:
            sock.close()
            kwargs["sock"] = socket.socket()


@breaks("servers.tls-timeouts-without-tls")
class IgnoresTlsTimeouts(ChangesServers):
    """ssl_shutdown_timeout without ssl is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("ssl"):
            kwargs.pop("ssl_shutdown_timeout", None)


@breaks("servers.tls-needs-context")
class ServesWithoutCertificate(ChangesServers):
    """ssl=True is taken for False."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is True:
            kwargs["ssl"] = None
