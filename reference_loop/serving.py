"""The server object: what listens, and the connections that came from it ("Server Objects" in the documentation).

A server that runs out of descriptors stops accepting for a moment instead of spinning. Errors of one connection are
reported and end that connection only.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl as ssl_module
import sys
import weakref
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from .core import LoopCore
from .listeners import unlink_if_same

ProtocolFactory = Callable[[], asyncio.BaseProtocol]

# accept() fails for want of descriptors or memory: seconds until it is tried again. The connection stays queued.
_ACCEPT_RETRY_DELAY = 1.0
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Server(asyncio.AbstractServer):
    """Listening sockets and the connections that came from them (asyncio-eventloop: Server Objects)."""

    def __init__(
        self,
        loop: LoopCore,
        sockets: list[socket.socket],
        protocol_factory: ProtocolFactory,
        backlog: int,
        sslcontext: ssl_module.SSLContext | None,
        handshake_timeout: float | None,
        shutdown_timeout: float | None,
        unlink: tuple[str | bytes, int] | None = None,
    ) -> None:
        self._loop = loop
        self._sockets: list[socket.socket] | None = sockets
        self._protocol_factory = protocol_factory
        self._backlog = backlog
        self._ssl_context = sslcontext  # called as asyncio's own, because the tests of websockets look at it
        self._handshake_timeout = handshake_timeout
        self._shutdown_timeout = shutdown_timeout
        self._unlink = unlink  # path and inode of a Unix socket to remove
        # Weak, so that an abandoned transport can be collected and complain.
        self._clients: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._waiters: list[asyncio.Future[None]] | None = []  # None: closed, and the last connection is gone
        self._serving = False
        self._forever: asyncio.Future[None] | None = None

    @property
    def sockets(self) -> tuple[TransportSocket, ...]:
        """The listening sockets; none after close() (asyncio-eventloop: Server.sockets)."""
        return tuple(TransportSocket(sock) for sock in self._sockets or ())

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this server (asyncio-eventloop: Server.get_loop)."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether the server accepts connections (asyncio-eventloop: Server.is_serving)."""
        return self._serving

    async def start_serving(self) -> None:
        """Begin to accept; idempotent (asyncio-eventloop: Server.start_serving)."""
        self._listen()

    async def serve_forever(self) -> None:
        """Accept until cancelled, then close (asyncio-eventloop: Server.serve_forever)."""
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        self._listen()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        finally:
            self._forever = None

    def close(self) -> None:
        """Stop listening; connections live on (asyncio-eventloop: Server.close)."""
        if self._sockets is None:
            return
        sockets, self._sockets = self._sockets, None
        self._serving = False
        for sock in sockets:
            self._loop._poller.remove_reader(sock.fileno())
            sock.close()
        if self._unlink is not None:
            unlink_if_same(*self._unlink)
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake_if_over()

    def close_clients(self) -> None:
        """close() every connection (asyncio-eventloop: Server.close_clients, Python 3.13)."""
        for transport in list(self._clients):
            transport.close()

    def abort_clients(self) -> None:
        """abort() every connection (asyncio-eventloop: Server.abort_clients, Python 3.13)."""
        for transport in list(self._clients):
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until close() was called and every connection is gone (asyncio-eventloop: Server.wait_closed).

        Python 3.11 has it return at once after close(), and programs written for it rely on that.
        """
        if self._waiters is None or (sys.version_info < (3, 12) and self._sockets is None):
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def __repr__(self) -> str:
        return f"<{type(self).__name__} sockets={self.sockets!r}>"

    # -- For transports -----------------------------------------------------------------------------------------------

    def _attach(self, transport: asyncio.Transport) -> None:
        self._clients.add(transport)

    def _detach(self, transport: asyncio.Transport) -> None:
        self._clients.discard(transport)
        self._wake_if_over()

    def _wake_if_over(self) -> None:
        if self._sockets is None and self._waiters is not None and not self._clients:
            waiters, self._waiters = self._waiters, None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # -- Accepting ----------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._sockets is None:
            raise RuntimeError(f"server {self!r} is closed")
        if self._serving:
            return
        try:
            for sock in self._sockets:
                sock.listen(self._backlog)
                self._loop._watch_reader(sock.fileno(), self._accept_ready, sock)
        except BaseException:  # the port of a socket that was bound in good time may be somebody else's by now
            for sock in self._sockets:
                self._loop._poller.remove_reader(sock.fileno())
            raise
        self._serving = True

    def _accept_ready(self, sock: socket.socket) -> None:
        # A queue of connections is emptied in one turn, but no more than the backlog, for the sake of the others.
        for _ in range(max(self._backlog, 1)):
            try:
                connection, address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:
                if exc.errno not in _OUT_OF_RESOURCES:
                    raise  # the loop reports it
                self._loop.call_exception_handler(
                    {
                        "message": "socket.accept() out of system resource",
                        "exception": exc,
                        "socket": TransportSocket(sock),
                    }
                )
                # The listening socket stays readable: without a pause the loop would spin.
                self._loop._poller.remove_reader(sock.fileno())
                self._loop.call_later(_ACCEPT_RETRY_DELAY, self._accept_again, sock)
                return
            # Each connection has its own copy of the context in which the server was started.
            context = copy_context()
            context.run(self._serve, connection, address, context)
            if self._sockets is None:  # the protocol factory has closed us
                return

    def _accept_again(self, sock: socket.socket) -> None:
        if self._sockets is not None:
            self._loop._watch_reader(sock.fileno(), self._accept_ready, sock)

    def _serve(self, connection: socket.socket, address: Any, context: Any) -> None:
        try:
            connection.setblocking(False)
            protocol = self._protocol_factory()
            extra = {"peername": address}
            if self._ssl_context is None:
                self._loop._start_stream(connection, protocol, extra=extra, server=self, context=context)
            else:
                self._loop._start_tls_stream(
                    connection,
                    protocol,
                    self._ssl_context,
                    server_side=True,
                    ssl_handshake_timeout=self._handshake_timeout,
                    ssl_shutdown_timeout=self._shutdown_timeout,
                    extra=extra,
                    server=self,
                )
        except (SystemExit, KeyboardInterrupt):
            connection.close()
            raise
        except BaseException as exc:
            connection.close()
            self._loop.call_exception_handler(
                {"message": "Error on transport creation for incoming connection", "exception": exc}
            )
