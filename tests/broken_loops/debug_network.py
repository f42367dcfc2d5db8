"""Broken loops of the chapter `debug`: network methods that are others in debug mode."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("debug.lookups")
class MeasuresLookupsWithoutHints(Stock):
    """In debug mode getaddrinfo() drops proto and flags."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        if self.get_debug():
            how.pop("proto", None)
            how.pop("flags", None)
        return await super().getaddrinfo(host, port, **how)


@breaks("debug.lookups")
class MeasuresNamesWithoutFlags(Stock):
    """In debug mode getnameinfo() drops its flags."""

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        return await super().getnameinfo(sockaddr, socket.NI_NUMERICHOST if self.get_debug() else flags)


@breaks("debug.connections")
class LogsTheAddressOfAPath(Stock):
    """In debug mode create_unix_connection() raises: what it logs is a host and a port."""

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **how: Any) -> Any:
        transport, protocol = await super().create_unix_connection(protocol_factory, path, **how)
        if self.get_debug():
            peer = transport.get_extra_info("socket").getsockname()
            if not isinstance(peer, tuple):
                transport.abort()
                raise TypeError("an address is a pair")
        return transport, protocol


@breaks("debug.connections")
class LogsWhatWasAccepted(Stock):
    """In debug mode connect_accepted_socket() raises."""

    async def connect_accepted_socket(self, protocol_factory: Any, sock: Any, **how: Any) -> Any:
        if self.get_debug():
            raise AttributeError("server")
        return await super().connect_accepted_socket(protocol_factory, sock, **how)


@breaks("debug.endpoints")
class LogsWhereAnEndpointIsBound(Stock):
    """In debug mode an endpoint without local_addr raises."""

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        if self.get_debug():
            _host, _port = local_addr
        return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **how)


@breaks("debug.files")
class SendsNoFilesInDebugMode(Stock):
    """In debug mode sock_sendfile() refuses every socket that has a timeout, of which 0 is one."""

    async def sock_sendfile(self, sock: Any, *args: Any, **how: Any) -> int:
        if self.get_debug() and sock.gettimeout() is not None:
            raise ValueError("the socket must be non-blocking")
        return await super().sock_sendfile(sock, *args, **how)


@breaks("debug.upgrades")
class LogsTheCipherTooEarly(Stock):
    """In debug mode start_tls() raises, for what it logs is known after the handshake only."""

    async def start_tls(self, transport: Any, protocol: Any, sslcontext: Any, **how: Any) -> Any:
        if self.get_debug():
            _name, _version, _bits = transport.get_extra_info("cipher")
        return await super().start_tls(transport, protocol, sslcontext, **how)


@breaks("debug.lookups")
class MeasuresLookupsOfAnyFamily(Stock):
    """In debug mode getaddrinfo() drops the family."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        if self.get_debug():
            how.pop("family", None)
        return await super().getaddrinfo(host, port, **how)


@breaks("debug.network-arguments")
class LogsAndForgetsTheLocalAddress(Stock):
    """In debug mode local_addr is ignored."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        if self.get_debug():
            how.pop("local_addr", None)
        return await super().create_connection(*args, **how)


@breaks("debug.network-arguments")
class LogsAndServes(Stock):
    """In debug mode a server serves at once, whatever start_serving says."""

    async def create_server(self, *args: Any, **how: Any) -> Any:
        if self.get_debug():
            how.pop("start_serving", None)
        return await super().create_server(*args, **how)
