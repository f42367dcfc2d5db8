"""Broken loops of the chapter `servers`: where create_server() listens."""

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


@breaks("servers.host-string")
class AHostIsAllHosts(ChangesServers):
    """A server for the loopback listens on all interfaces."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["127.0.0.1", 0] and not kwargs:
            where[0] = "0.0.0.0"


@breaks("servers.host-sequence")
class TheFirstHostCounts(ChangesServers):
    """Of several hosts only the first is looked at."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[0], tuple):
            where[0] = where[0][:1]


@breaks("servers.host-twice")
class BindsTwice(ChangesServers):
    """A host that appears twice is bound twice, which fails."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[0], list) and len(set(where[0])) < len(where[0]):
            raise OSError(errno.EADDRINUSE, "in use already, by this server")


@breaks("servers.host-all")
class NoHostIsTheLoopback(ChangesServers):
    """Without a host the server listens on the loopback."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["", 0]:
            where[0] = "127.0.0.1"


@breaks("servers.host-all")
class NoHostIsAllOfIpv4(ChangesServers):
    """With an empty host the server listens on the interfaces of IPv4 only."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == ["", 0]:
            where[0] = "0.0.0.0"


@breaks("servers.families-apart")
class HasNoIpv6(ChangesServers):
    """Without a host only IPv4 is served if a port is given."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] is None and where[1]:
            kwargs["family"] = socket.AF_INET


@breaks("servers.port")
class SwapsThePort(ChangesServers):
    """The bytes of the port are swapped."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] == "127.0.0.1" and where[1] and not kwargs:
            where[1] = socket.htons(where[1]) | 1024


@breaks("servers.port-free")
class HasADefaultPort(ChangesServers):
    """Without a port it is always the same one."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where[0] is not None and where[1] is None:
            where[1] = 28765


@breaks("servers.family")
class IgnoresTheFamily(ChangesServers):
    """family is ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.pop("family", None) and not socket.has_ipv6:
            raise OSError("no IPv6")


@breaks("servers.flags")
class IgnoresTheFlags(ChangesServers):
    """flags are ignored."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        kwargs.pop("flags", None)


class _OtherErrors(ChangesServers):
    """Turns the errors of bind() into others."""

    def failed(self, error: OSError) -> Any:
        raise error

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        try:
            return await super().create_server(protocol_factory, host, port, **kwargs)
        except OSError as error:
            return self.failed(error)


@breaks("servers.in-use")
class LosesTheErrorNumber(_OtherErrors):
    """An address in use is an OSError without a number."""

    def failed(self, error: OSError) -> Any:
        raise OSError("address in use") if error.errno == errno.EADDRINUSE else error


@breaks("servers.no-address")
class ServesNowhere(_OtherErrors):
    """A server that cannot be bound anywhere is a server without sockets."""

    def failed(self, error: OSError) -> Any:
        if error.errno == errno.EADDRINUSE or isinstance(error, socket.gaierror):
            raise error


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


@breaks("servers.sock-and-host")
class PortZeroIsNoPort(ChangesServers):
    """Port 0 beside a socket is taken for no port."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("sock") is not None:
            where[1] = where[1] or None


@breaks("servers.sock-type")
class ListensOnDatagrams(ChangesServers):
    """A datagram socket is replaced by one that can listen."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        sock = kwargs.get("sock")
        if sock is not None and sock.type == socket.SOCK_DGRAM:
            sock.close()
            kwargs["sock"] = socket.socket()


@breaks("servers.nothing-given")
class ServesAnywhere(ChangesServers):
    """Without host, port and sock the server listens somewhere."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if where == [None, None] and kwargs.get("sock") is None:
            where[1] = 0


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


@breaks("servers.port-range")
class CutsPorts(ChangesServers):
    """Of a port, the lower 16 bits are taken."""

    def changed(self, where: list[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(where[1], int):
            where[1] &= 0xFFFF
