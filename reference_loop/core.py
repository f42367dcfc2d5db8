"""What every section of the loop may rely on: the parts, the state they share and the internal services.

Each mixin derives from `LoopCore` and adds one section of the documentation's page "Event Loop". `LoopCore` only
declares; the section named in each docstring implements.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from .handles import Handle, TimerHandle
    from .poller import Poller
    from .streams import StreamTransport
    from .timers import Timers
    from .waker import Waker

logger = logging.getLogger("asyncio")

AddressInfo = tuple[Any, Any, int, str, Any]  # one of getaddrinfo()


class LoopCore(asyncio.AbstractEventLoop):
    """The parts and the services that sections use of each other."""

    # The parts.
    _ready: deque[Handle]
    _timers: Timers[TimerHandle]
    _poller: Poller[Handle]
    _waker: Waker

    # The state. No defaults in the class: a class attribute of the same name keeps the interpreter from specialising
    # the access to the instance's, and get_debug() takes 183 ns instead of 121 ns.
    _closed: bool
    _stopping: bool
    _thread_id: int | None  # of the thread that runs the loop
    _debug: bool
    slow_callback_duration: float = 0.1  # seconds; debug mode logs what takes longer
    _current_handle: Handle | None = None  # in debug mode, the handle that runs

    # Transports by the descriptor that they own: add_reader() and friends refuse these. Weak, so that an abandoned
    # transport can be collected and complain. A transport enters itself when made and leaves before it closes its fd.
    _transports: WeakValueDictionary[int, asyncio.BaseTransport]

    def _check_closed(self) -> None:
        """Raise RuntimeError if the loop is closed (callbacks.py)."""
        raise NotImplementedError

    def _run_handle(self, handle: Handle) -> None:
        """Run a handle now; its exception goes to the exception handler (loop.py)."""
        raise NotImplementedError

    def _check_callback(self, callback: object, method: str) -> None:
        """Debug mode: raise TypeError for what is not a plain callable (debug.py)."""
        raise NotImplementedError

    def _check_thread(self) -> None:
        """Debug mode: raise RuntimeError outside the thread that runs the loop (debug.py)."""
        raise NotImplementedError

    def _check_socket(self, sock: socket.socket) -> None:
        """Debug mode: raise ValueError for a blocking socket; TypeError for a TLS socket (sockets.py)."""
        raise NotImplementedError

    def _check_stream(self, sock: socket.socket, family: int | None = None) -> None:
        """TypeError for a TLS socket, ValueError for one that is no stream, or not of `family` (connections.py)."""
        raise NotImplementedError

    async def _wait_writable(self, sock: socket.socket) -> None:
        """Return when `sock` can be written to; RuntimeError if a transport owns it (sockets.py)."""
        raise NotImplementedError

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
        """getaddrinfo(), whose answer is never empty; OSError, and OverflowError for no port (connections.py)."""
        raise NotImplementedError

    def _handle(
        self, callback: Callable[..., object], args: tuple[Any, ...] = (), context: Context | None = None
    ) -> Handle:
        """A handle that is not queued, in a copy of the current context: for the poller's slots (callbacks.py)."""
        raise NotImplementedError

    def _watch_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> None:
        """set_reader() with a new handle, without the guard of add_reader(): for the owner of `fd` (watchers.py)."""
        raise NotImplementedError

    def _signals_noted(self, numbers: bytes) -> None:
        """What the waker found in `signal.set_wakeup_fd()`'s descriptor (signals.py)."""
        raise NotImplementedError

    def _check_unowned(self, fd: int) -> None:
        """Raise RuntimeError if a transport that is not closing owns `fd` (watchers.py)."""
        raise NotImplementedError

    def _start_stream(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        *,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.AbstractServer | None = None,
        context: Context | None = None,
    ) -> StreamTransport:
        """Make the transport of a connected non-blocking stream socket (streams.py).

        connection_made() is called soon, then reading starts, then `waiter` is resolved.
        """
        raise NotImplementedError

    def _start_tls_stream(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.AbstractServer | None = None,
    ) -> asyncio.Transport:
        """Make a TLS transport over a connected socket and begin the handshake (tls.py).

        Returns the transport that the application sees. `waiter` is resolved after the handshake and
        connection_made(), or gets the handshake's exception; then the socket is closed.
        """
        raise NotImplementedError
