"""Datagram endpoints: UDP and Unix ("Creating network connections: create_datagram_endpoint").

A datagram is sent whole or not at all, in order, and also when it is empty. Errors of one datagram go to
error_received() and do not end the endpoint.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from .core import LoopCore, logger
from .listeners import remove_stale_socket, set_reuse_port
from .socket_transports import SocketTransport

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

# No IP datagram is larger, and larger reads fall into the allocator's trap that `streams.py` describes.
_READ_SIZE = 64 * 1024
# A Unix datagram may be as large as the sender's buffer.
_UNIX_READ_SIZE = 256 * 1024

# What a waiting datagram costs besides its data, so that a flood of empty ones meets the high-water mark too.
_HEADER_SIZE = 8


class DatagramTransport(SocketTransport, asyncio.DatagramTransport):
    """A datagram socket; `_address` is where datagrams go that name no address."""

    def __init__(
        self,
        loop: LoopCore,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self._buffer: deque[tuple[bytes, Any]] = deque()
        self._buffer_size = 0
        super().__init__(loop, sock, protocol, extra)
        self._address = address
        self._connected = self._extra["peername"] is not None
        self._read_size = _UNIX_READ_SIZE if sock.family == socket.AF_UNIX else _READ_SIZE
        loop.call_soon(self._begin, waiter, context=self._context)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent (asyncio-protocol: WriteTransport.get_write_buffer_size)."""
        return self._buffer_size

    def _read_ready(self) -> None:
        try:
            data, address = self._sock.recvfrom(self._read_size)  # type: ignore[union-attr]  # we read: it is there
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._protocol.error_received(exc)
            return
        self._protocol.datagram_received(data, address)

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send one datagram without blocking (asyncio-protocol: DatagramTransport.sendto)."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._address is not None:
            if addr not in (None, self._address):
                raise ValueError(f"Invalid address: must be None or {self._address}")
            addr = self._address
        if self._lost:
            self._note_lost_write()
            return
        if not self._buffer:
            try:
                self._send(data, addr)
                return
            except (BlockingIOError, InterruptedError):
                self._start_writing()
            except OSError as exc:
                self._protocol.error_received(exc)
                return
        payload = bytes(data)  # what is given may be changed meanwhile, or have items of several bytes
        self._buffer.append((payload, addr))
        self._buffer_size += len(payload) + _HEADER_SIZE
        self._buffer_grew()

    def _send(self, data: bytes | bytearray | memoryview, address: Any) -> None:
        if self._connected:
            self._sock.send(data)  # type: ignore[union-attr]
        else:
            self._sock.sendto(data, address)  # type: ignore[union-attr]

    def _write_ready(self) -> None:
        while self._buffer:
            data, address = self._buffer[0]
            error: OSError | None = None
            try:
                self._send(data, address)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as exc:
                error = exc
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exc:
                self._fail(exc, "a datagram cannot be sent")
                return
            # It is gone, sent or not, before the protocol hears of it and perhaps raises.
            self._buffer.popleft()
            self._buffer_size -= len(data) + _HEADER_SIZE
            if error is not None:
                self._tell_error(error)
                if self._lost:
                    return
        self._buffer_shrank()  # the protocol may send again
        if not self._buffer:
            self._stop_writing()  # also if the protocol has just closed the transport
            if self._closing and not self._lost:
                self._lost = True
                self._call_connection_lost(None)

    def _tell_error(self, error: OSError) -> None:
        try:
            self._protocol.error_received(error)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._report(exc, "protocol.error_received() failed")

    def _drop_buffer(self) -> None:
        self._buffer.clear()
        self._buffer_size = 0


class DatagramsMixin(LoopCore):
    """create_datagram_endpoint."""

    async def create_datagram_endpoint(  # type: ignore[override]  # without reuse_address, which 3.11 removed
        self,
        protocol_factory: Callable[[], ProtocolT],
        local_addr: Any = None,
        remote_addr: Any = None,
        *,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        reuse_port: bool | None = None,
        allow_broadcast: bool | None = None,
        sock: socket.socket | None = None,
    ) -> tuple[DatagramTransport, ProtocolT]:
        """Open a datagram socket, bound, connected, both or neither (asyncio-eventloop:
        loop.create_datagram_endpoint)."""
        if sock is not None:
            if sock.type == socket.SOCK_STREAM:
                raise ValueError(f"A UDP Socket was expected, got {sock!r}")
            given = {
                "local_addr": local_addr,
                "remote_addr": remote_addr,
                "family": family,
                "proto": proto,
                "flags": flags,
                "reuse_port": reuse_port,
                "allow_broadcast": allow_broadcast,
            }
            if excess := ", ".join(name for name, value in given.items() if value):
                raise ValueError(
                    f"socket modifier keyword arguments can not be used when sock is specified. ({excess})"
                )
            sock.setblocking(False)
            address = None
        else:
            pairs = await self._resolve_pairs(local_addr, remote_addr, family, proto, flags)
            sock, address = await self._open_first(pairs, reuse_port, allow_broadcast)
        try:
            protocol = protocol_factory()
        except BaseException:
            sock.close()
            raise
        waiter: asyncio.Future[None] = self.create_future()
        transport = DatagramTransport(self, sock, protocol, address, waiter)
        if self._debug:
            logger.debug("Datagram endpoint %r -> %r created: (%r, %r)", local_addr, remote_addr, transport, protocol)
        try:
            await waiter
        except BaseException:
            transport.close()
            raise
        return transport, protocol

    async def _resolve_pairs(
        self, local: Any, remote: Any, family: int, proto: int, flags: int
    ) -> list[tuple[int, int, Any, Any]]:
        """Candidates: (family, protocol, local address, remote address)."""
        if not (local or remote):
            if family == 0:
                raise ValueError("unexpected address family: without an address, it has to be given")
            return [(family, proto, None, None)]
        if family == socket.AF_UNIX:
            paths = [os.fspath(path) if path is not None else None for path in (local, remote)]
            if paths[0]:
                remove_stale_socket(paths[0])
            return [(family, proto, paths[0], paths[1])]
        found: dict[tuple[int, int], list[Any]] = {}
        for index, address in enumerate((local, remote)):
            if address is None:
                continue
            if not (isinstance(address, tuple) and len(address) == 2):
                raise TypeError(f"2-tuple is expected, not {address!r}")
            infos = await self._resolve(*address, family=family, type=socket.SOCK_DGRAM, proto=proto, flags=flags)
            for info in infos:
                found.setdefault((info[0], info[2]), [None, None])[index] = info[4]
        pairs = [
            (*key, *pair)
            for key, pair in found.items()
            if not ((local and pair[0] is None) or (remote and pair[1] is None))
        ]
        if not pairs:
            raise ValueError("can not get address information: the two addresses have no family in common")
        return pairs

    async def _open_first(
        self, pairs: list[tuple[int, int, Any, Any]], reuse_port: bool | None, allow_broadcast: bool | None
    ) -> tuple[socket.socket, Any]:
        error: OSError | None = None
        for family, proto, local, remote in pairs:
            sock: socket.socket | None = None
            try:
                sock = socket.socket(family, socket.SOCK_DGRAM, proto)
                sock.setblocking(False)
                if reuse_port:
                    set_reuse_port(sock)
                if allow_broadcast:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if local:
                    sock.bind(local)
                # Answers to a broadcast come from other addresses, which a connected socket would drop.
                if remote and not allow_broadcast:
                    await self.sock_connect(sock, remote)
                return sock, remote
            except BaseException as exc:
                if sock is not None:
                    sock.close()
                if not isinstance(exc, OSError):
                    raise
                error = error or exc
        assert error is not None
        try:
            raise error
        finally:
            error = None
