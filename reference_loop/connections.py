"""Connecting to TCP and Unix servers ("Opening network connections" in the documentation).

Addresses are tried one after the other, or overlapping by `happy_eyeballs_delay` (RFC 8305). Whatever fails on the way,
cancellation included, every socket made here is closed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import ssl as ssl_module
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from . import tls_arguments
from .core import AddressInfo, LoopCore, logger

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class ConnectionsMixin(LoopCore):
    """create_connection, create_unix_connection, connect_accepted_socket."""

    async def create_connection(
        self,
        protocol_factory: Callable[[], ProtocolT],
        host: str | bytes | None = None,
        port: str | int | None = None,
        *,
        ssl: ssl_module.SSLContext | bool | None = None,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        sock: socket.socket | None = None,
        local_addr: tuple[str, int] | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        happy_eyeballs_delay: float | None = None,
        interleave: int | None = None,
        all_errors: bool = False,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """Connect to a TCP server, or use a connected stream socket (asyncio-eventloop: loop.create_connection).

        Raises OSError for the only address, or for all of them in one; with `all_errors` an ExceptionGroup.
        """
        tls_arguments.check_client(ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        if server_hostname is None and ssl:
            # An empty server_hostname is the way to say that the certificate's name does not matter.
            if not host:
                raise ValueError("You must set server_hostname when using ssl without a host")
            server_hostname = host if isinstance(host, str) else host.decode("idna")
        if host is not None or port is not None:
            if sock is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            infos = await self._resolve(host, port, family=family, proto=proto, flags=flags)
            local_infos = None
            if local_addr is not None:
                local_infos = await self._resolve(*local_addr, family=family, proto=proto, flags=flags)
            if interleave or (interleave is None and happy_eyeballs_delay is not None):
                infos = _interleave(infos, interleave or 1)
            sock, errors = await self._connect_first(infos, local_infos, happy_eyeballs_delay)
            try:
                if sock is None:
                    raise _combine(errors, all_errors)
            finally:
                del errors  # a traceback that leads to its own exception is a cycle
        elif sock is None:
            raise ValueError("host and port was not specified and no sock specified")
        else:
            self._check_stream(sock)
        transport, protocol = await self._establish(
            protocol_factory, sock, ssl, server_hostname, False, ssl_handshake_timeout, ssl_shutdown_timeout
        )
        if self._debug:
            logger.debug("connected to %s:%r: (%r, %r)", host, port, transport, protocol)
        return transport, protocol

    async def create_unix_connection(
        self,
        protocol_factory: Callable[[], ProtocolT],
        path: str | bytes | os.PathLike[str] | None = None,
        *,
        ssl: ssl_module.SSLContext | bool | None = None,
        sock: socket.socket | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """Connect to a Unix socket, also an abstract one (asyncio-eventloop: loop.create_unix_connection)."""
        tls_arguments.check_client(ssl, server_hostname, ssl_handshake_timeout, ssl_shutdown_timeout)
        if ssl and server_hostname is None:
            raise ValueError("you have to pass server_hostname when using ssl")
        if path is not None:
            if sock is not None:
                raise ValueError("path and sock can not be specified at the same time")
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                await self.sock_connect(sock, os.fspath(path))
            except BaseException:
                sock.close()
                raise
        elif sock is None:
            raise ValueError("no path and sock were specified")
        else:
            self._check_stream(sock, socket.AF_UNIX)
        return await self._establish(
            protocol_factory, sock, ssl, server_hostname, False, ssl_handshake_timeout, ssl_shutdown_timeout
        )

    async def connect_accepted_socket(
        self,
        protocol_factory: Callable[[], ProtocolT],
        sock: socket.socket,
        *,
        ssl: ssl_module.SSLContext | bool | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """Serve a connection that was accepted elsewhere (asyncio-eventloop: loop.connect_accepted_socket)."""
        tls_arguments.check_server(ssl or None, ssl_handshake_timeout, ssl_shutdown_timeout)
        self._check_stream(sock)
        return await self._establish(protocol_factory, sock, ssl, "", True, ssl_handshake_timeout, ssl_shutdown_timeout)

    async def _establish(
        self,
        protocol_factory: Callable[[], ProtocolT],
        sock: socket.socket,
        ssl: ssl_module.SSLContext | bool | None,
        server_hostname: str | None,
        server_side: bool,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """A protocol and a transport for a connected socket, once connection_made() has been called."""
        sock.setblocking(False)
        waiter: asyncio.Future[None] = self.create_future()
        transport: asyncio.Transport
        try:
            protocol = protocol_factory()
            if ssl:
                transport = self._start_tls_stream(
                    sock,
                    protocol,
                    tls_arguments.default_context(server_hostname) if isinstance(ssl, bool) else ssl,
                    server_side=server_side,
                    server_hostname=server_hostname,
                    ssl_handshake_timeout=handshake_timeout,
                    ssl_shutdown_timeout=shutdown_timeout,
                    waiter=waiter,
                )
            else:
                transport = self._start_stream(sock, protocol, waiter=waiter)
        except BaseException:
            sock.close()
            raise
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        return transport, protocol

    async def _resolve(
        self,
        host: str | bytes | None,
        port: str | int | None,
        *,
        family: int,
        proto: int = 0,
        flags: int = 0,
        type: int = socket.SOCK_STREAM,
    ) -> Sequence[AddressInfo]:
        if isinstance(port, int) and not 0 <= port <= 65535:
            raise OverflowError(f"port must be 0-65535, not {port}")  # the C library takes the lower sixteen bits
        infos = await self.getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)
        if not infos:
            raise OSError(f"getaddrinfo({host!r}) returned empty list")
        return infos

    async def _connect_first(
        self, infos: Sequence[AddressInfo], local_infos: Sequence[AddressInfo] | None, delay: float | None
    ) -> tuple[socket.socket | None, list[OSError]]:
        """The first socket that gets through, or None, and the errors of the attempts that failed."""
        if delay is not None:
            return await self._race(deque(infos), local_infos, delay)
        errors: list[OSError] = []
        try:
            for info in infos:
                try:
                    return await self._connect_one(info, local_infos), errors
                except OSError as exc:
                    errors.append(exc)
            return None, errors
        finally:
            del errors

    async def _race(
        self, waiting: deque[AddressInfo], local_infos: Sequence[AddressInfo] | None, delay: float
    ) -> tuple[socket.socket | None, list[OSError]]:
        """Happy eyeballs: an attempt begins when the one before it fails, or `delay` seconds after that began."""
        errors: list[OSError] = []
        winner: socket.socket | None = None
        attempts: set[asyncio.Task[socket.socket]] = set()
        try:
            while winner is None and (waiting or attempts):
                if waiting:
                    attempts.add(self.create_task(self._connect_one(waiting.popleft(), local_infos)))
                done, attempts = await asyncio.wait(
                    attempts, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for attempt in done:
                    error = attempt.exception()
                    if isinstance(error, OSError):
                        errors.append(error)
                    elif winner is None:
                        winner = attempt.result()
                    else:
                        attempt.result().close()
        finally:
            for attempt in attempts:
                attempt.add_done_callback(_close_result)
                attempt.cancel()
        return winner, errors

    async def _connect_one(self, info: AddressInfo, local_infos: Sequence[AddressInfo] | None) -> socket.socket:
        family, kind, proto, _, address = info
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            if local_infos is not None:
                _bind_first(sock, [local[4] for local in local_infos if local[0] == family])
            await self.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _check_stream(self, sock: socket.socket, family: int | None = None) -> None:
        if isinstance(sock, ssl_module.SSLSocket):
            raise TypeError("Socket cannot be of type SSLSocket: pass the plain socket and `ssl`")
        if sock.type != socket.SOCK_STREAM or family not in (None, sock.family):
            kind = "A UNIX Domain Stream Socket" if family is not None else "A Stream Socket"
            raise ValueError(f"{kind} was expected, got {sock!r}")


def _bind_first(sock: socket.socket, addresses: Iterable[Any]) -> None:
    """Bind to the first local address that is free; OSError when there is none."""
    failures: list[str] = []
    number = None
    for address in addresses:
        try:
            sock.bind(address)
            return
        except OSError as exc:
            number = exc.errno
            failures.append(f"error while attempting to bind on address {address!r}: {str(exc.strerror).lower()}")
    raise OSError(number, ", ".join(failures) or f"no matching local address with family={sock.family!r} found")


def _interleave(infos: Sequence[AddressInfo], first_count: int) -> list[AddressInfo]:
    """Addresses by turns of families, after `first_count` of the first family (RFC 8305, section 4)."""
    by_family: dict[Any, list[AddressInfo]] = {}
    for info in infos:
        by_family.setdefault(info[0], []).append(info)
    families = list(by_family.values())
    head, families[0] = families[0][: first_count - 1], families[0][first_count - 1 :]
    rounds = itertools.zip_longest(*families)
    return head + [info for turn in rounds for info in turn if info is not None]


def _combine(errors: list[OSError], all_errors: bool) -> Exception:
    if all_errors:
        return ExceptionGroup("create_connection failed", errors)
    if len({str(error) for error in errors}) == 1:
        return errors[0]
    return OSError("Multiple exceptions: " + ", ".join(map(str, errors)))


def _close_result(attempt: asyncio.Task[socket.socket]) -> None:
    """An attempt that got through at the moment when another had won."""
    if not attempt.cancelled() and not attempt.exception():
        attempt.result().close()
