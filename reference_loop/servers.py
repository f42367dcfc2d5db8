"""Listening for TCP and Unix connections ("Creating network servers" in the documentation)."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl as ssl_module
import sys
from collections.abc import Iterable
from typing import Any

from . import tls_arguments
from .core import LoopCore, logger
from .listeners import bind_all, bind_unix, socket_file
from .serving import ProtocolFactory, Server


class ServersMixin(LoopCore):
    """create_server, create_unix_server."""

    async def create_server(  # type: ignore[override]  # typeshed spells out which arguments exclude each other
        self,
        protocol_factory: ProtocolFactory,
        host: str | bytes | Iterable[str | bytes | None] | None = None,
        port: str | int | None = None,
        *,
        family: int = socket.AF_UNSPEC,
        flags: int = socket.AI_PASSIVE,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: ssl_module.SSLContext | None = None,
        reuse_address: bool | None = None,
        reuse_port: bool | None = None,
        keep_alive: bool | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
    ) -> Server:
        """Listen on every address of `host` or on a socket (asyncio-eventloop: loop.create_server)."""
        tls_arguments.check_server(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if host is not None or port is not None:
            if sock is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            hosts: list[Any]
            if host == "":
                hosts = [None]
            elif isinstance(host, (str, bytes)) or not isinstance(host, Iterable):
                hosts = [host]
            else:
                hosts = list(host)
            resolved = await asyncio.gather(*(self._resolve(one, port, family=family, flags=flags) for one in hosts))
            infos = list(dict.fromkeys(info for infos in resolved for info in infos))
            sockets = bind_all(infos, reuse_address is not False, reuse_port, keep_alive)
        elif sock is None:
            raise ValueError("Neither host/port nor sock were specified")
        else:
            self._check_stream(sock)
            sockets = [sock]
        for each in sockets:
            each.setblocking(False)
        server = Server(self, sockets, protocol_factory, backlog, ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        return await self._started(server, start_serving)

    async def create_unix_server(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        path: str | bytes | os.PathLike[str] | None = None,
        *,
        sock: socket.socket | None = None,
        backlog: int = 100,
        ssl: ssl_module.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        cleanup_socket: bool = sys.version_info >= (3, 13),
    ) -> Server:
        """Listen on a Unix socket, also an abstract one (asyncio-eventloop: loop.create_unix_server).

        A stale socket file is replaced. With `cleanup_socket`, the default from Python 3.13 on, close() removes the
        file if it is still ours.
        """
        tls_arguments.check_server(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = bind_unix(os.fspath(path))
        elif sock is None:
            raise ValueError("path was not specified, and no sock specified")
        else:
            self._check_stream(sock, socket.AF_UNIX)
        unlink = socket_file(sock.getsockname()) if cleanup_socket else None
        sock.setblocking(False)
        server = Server(
            self, [sock], protocol_factory, backlog, ssl, ssl_handshake_timeout, ssl_shutdown_timeout, unlink
        )
        return await self._started(server, start_serving)

    async def _started(self, server: Server, start_serving: bool) -> Server:
        if start_serving:
            try:
                server._listen()
            except BaseException:
                server.close()
                raise
        if self._debug:
            logger.info("%r is serving", server)
        return server
