"""The loop over the ring: asyncio's base class, with sockets, transports, servers and children of its own."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import weakref
from asyncio import base_subprocess, constants, events, sslproto, unix_events
from asyncio.trsock import TransportSocket
from typing import Any

from tests.right_loops.completions.others import DatagramTransport, ReadPipe, WritePipe
from tests.right_loops.completions.ring import READ, Operation, Ring
from tests.right_loops.completions.sockets import SocketsMixin
from tests.right_loops.completions.transports import SocketTransport
from tests.right_loops.registry import right
from tests.right_loops.threads import started

_Unix = unix_events._UnixSelectorEventLoop  # what it does with signals and paths has to do with no selector


class _Child(base_subprocess.BaseSubprocessTransport):
    def _start(self, args: Any, shell: bool, stdin: Any, stdout: Any, stderr: Any, bufsize: int, **kwargs: Any) -> None:
        self._proc = subprocess.Popen(
            args, shell=shell, stdin=stdin, stdout=stdout, stderr=stderr, bufsize=bufsize, **kwargs
        )


@right
class Completions(SocketsMixin):
    """What is done is done by another thread, and then told."""

    read_size = 0  # the usual one

    def __init__(self) -> None:
        super().__init__()
        self.ring = self._selector = Ring()
        self.transports = weakref.WeakValueDictionary()
        self._csock = self.ring.wake_up_end
        self._signal_handlers: dict[int, Any] = {}
        self._unix_server_sockets: dict[Any, Any] = {}
        self._watched = {}
        self._accepting: dict[int, Operation] = {}

    def close(self) -> None:
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if not self.is_closed():
            for number in list(self._signal_handlers):
                self.remove_signal_handler(number)
            super().close()
            self.ring.close()

    def _run_once(self) -> None:
        if self._stopping:  # before the run: what is ready by now is to be found
            self.ring.look()
        super()._run_once()

    def _write_to_self(self) -> None:
        self.ring.wake()

    def _process_events(self, found: list[Any]) -> None:
        for each in found:
            if isinstance(each, bytes):
                for number in filter(None, each):
                    self._handle_signal(number)
            elif each is not None:
                self._complete(*each)

    def _complete(self, operation: Operation, result: Any, error: Any) -> None:
        self._add_callback(events.Handle(operation.done, (result, error), self, operation.context))

    add_signal_handler = _Unix.add_signal_handler
    remove_signal_handler = _Unix.remove_signal_handler
    _handle_signal = _Unix._handle_signal
    _check_signal = _Unix._check_signal
    create_unix_connection = _Unix.create_unix_connection
    create_unix_server = _Unix.create_unix_server

    # ---- transports --------------------------------------------------------------------------------------------------

    def _make_socket_transport(
        self, sock: Any, protocol: Any, waiter: Any = None, *, extra: Any = None, server: Any = None, **_kwargs: Any
    ) -> Any:
        return SocketTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self, rawsock: Any, protocol: Any, sslcontext: Any, waiter: Any = None, *, server_side: bool = False,
        server_hostname: Any = None, extra: Any = None, server: Any = None, ssl_handshake_timeout: Any = None,
        ssl_shutdown_timeout: Any = None, **_kwargs: Any,
    ) -> Any:  # fmt: skip
        above = sslproto.SSLProtocol(
            self, protocol, sslcontext, waiter, server_side, server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
        SocketTransport(self, rawsock, above, extra=extra, server=server)
        return above._app_transport

    def _make_datagram_transport(
        self, sock: Any, protocol: Any, address: Any = None, waiter: Any = None, extra: Any = None
    ) -> Any:
        return DatagramTransport(self, sock, protocol, address, waiter, extra)

    def _make_read_pipe_transport(self, pipe: Any, protocol: Any, waiter: Any = None, extra: Any = None) -> Any:
        return ReadPipe(self, pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(self, pipe: Any, protocol: Any, waiter: Any = None, extra: Any = None) -> Any:
        return WritePipe(self, pipe, protocol, waiter, extra)

    async def _make_subprocess_transport(self, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        waiter = self.create_future()
        child = _Child(self, protocol, *args, waiter=waiter, **kwargs)
        threading.Thread(target=self._wait_for, args=(child, child.get_pid()), daemon=True).start()
        return await started(child, waiter)

    def _wait_for(self, child: _Child, pid: int) -> None:
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:
            code = 255
        if not self.is_closed():
            self.call_soon_threadsafe(child._process_exited, code)

    # ---- servers -----------------------------------------------------------------------------------------------------

    def _start_serving(
        self, factory: Any, sock: Any, sslcontext: Any = None, server: Any = None, backlog: int = 100,
        ssl_handshake_timeout: Any = None, ssl_shutdown_timeout: Any = None, **_kwargs: Any,
    ) -> None:  # fmt: skip
        def go_on() -> None:
            if sock.fileno() >= 0:
                self._accepting[sock.fileno()] = self.ring.submit(sock.fileno(), READ, sock.accept, accepted)

        def accepted(found: Any, error: Any) -> None:
            if error is not None and sock.fileno() >= 0:
                context = {"message": "accept() failed", "exception": error, "socket": TransportSocket(sock)}
                self.call_exception_handler(context)
                self.call_later(constants.ACCEPT_RETRY_DELAY, go_on)
            elif error is None and sock.fileno() < 0:
                found[0].close()
            elif error is None:
                go_on()
                self._serve(factory, *found, sslcontext, server, ssl_handshake_timeout, ssl_shutdown_timeout)

        go_on()

    def _serve(
        self, factory: Any, sock: Any, address: Any, context: Any, server: Any, handshake: Any, shutdown: Any
    ) -> None:
        try:
            sock.setblocking(False)
            how: dict[str, Any] = {"extra": {"peername": address}, "server": server}
            if context is None:
                self._make_socket_transport(sock, factory(), **how)
            else:
                how |= {"ssl_handshake_timeout": handshake, "ssl_shutdown_timeout": shutdown}
                self._make_ssl_transport(sock, factory(), context, server_side=True, **how)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            sock.close()
            self.call_exception_handler({"message": "Error on an incoming connection", "exception": exc})

    def _stop_serving(self, sock: Any) -> None:
        if operation := self._accepting.pop(sock.fileno(), None):
            operation.cancel()
        sock.close()


@right
class LateCompletions(Completions):
    """What was completed is told up to four turns later."""

    def _complete(self, operation: Operation, result: Any, error: Any) -> None:
        # What a run that was stopped beforehand finds runs in it, as the documentation of run_forever() says.
        self._later(0 if self._stopping else random.randrange(1, 4), operation, result, error)

    def _later(self, turns: int, *completed: Any) -> None:
        if turns:
            self.call_soon(self._later, turns - 1, *completed)
        else:
            super()._complete(*completed)


@right
class SmallCompletions(Completions):
    """Streams are read in pieces of at most 509 bytes."""

    read_size = 509
