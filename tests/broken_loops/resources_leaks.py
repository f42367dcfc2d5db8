"""Broken loops of the chapter `resources`: descriptors, threads and signal state that are not given back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import Any

from reference_loop import EventLoop
from reference_loop.streams import StreamTransport
from reference_loop.tls import SSLTransport
from reference_loop.tls_session import State
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("resources.loop-descriptors")
class KeepsADescriptor(EventLoop):
    """Each loop leaves a descriptor open when it is closed."""

    def close(self) -> None:
        if not self.is_closed():
            os.open(os.devnull, os.O_RDONLY)
        super().close()


@breaks("resources.loop-threads")
class KeepsAThread(EventLoop):
    """Each loop leaves a thread behind, which waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        threading.Thread(target=threading.Event().wait, daemon=True).start()


@breaks("resources.loop-signals")
class KeepsItsSigintHandler(EventLoop):
    """Each loop sets a handler of its own for SIGINT when it runs, and leaves it."""

    def run_forever(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, lambda number, frame: None)
        super().run_forever()


@breaks("resources.transport-descriptors")
class ClosesDescriptorsWithTheLoop(OverStreams):
    """The descriptors of transports are closed when the loop is closed."""

    class Stream(StreamTransport):
        def _release(self) -> None:
            sock, self._sock = self._sock, None
            if sock is not None:
                self._loop.__dict__.setdefault("later", []).append(sock)
                self._loop._transports.pop(self._fd, None)
            super()._release()

    def close(self) -> None:
        super().close()
        for sock in self.__dict__.pop("later", []):
            sock.close()


class _KeepsSockets(EventLoop):
    """When something of the kind `kept_for` is not made, a socket stays open until the loop is closed."""

    kept_for: type[BaseException] = OSError

    async def keeping(self, opening: Any) -> Any:
        try:
            return await opening
        except self.kept_for:
            self.__dict__.setdefault("kept", []).append(socket.socket())
            raise

    def close(self) -> None:
        super().close()
        for sock in self.__dict__.pop("kept", []):
            sock.close()


@breaks("resources.failed-opening")
class KeepsRefusedSockets(_KeepsSockets):
    """When create_connection() fails, a socket stays open."""

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        return await self.keeping(super().create_connection(*args, **how))


class _Refused(SSLTransport):
    def _force_close(self, exc: BaseException | None) -> None:
        if self._state is State.HANDSHAKE:
            self._stop_timer()
            self._loop.refused.append(self)
        else:
            super()._force_close(exc)


@breaks("resources.failed-opening")
class KeepsWhoSpeaksNoTls(EventLoop):
    """When a handshake fails, the connection beneath stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[Any] = []

    def _start_tls_stream(self, *args: Any, **kwargs: Any) -> Any:
        transport = super()._start_tls_stream(*args, **kwargs)
        transport.__class__ = _Refused
        return transport


@breaks("resources.failed-unix-opening")
class KeepsUnixSockets(_KeepsSockets):
    """When create_unix_connection() fails, a socket stays open."""

    async def create_unix_connection(self, *args: Any, **how: Any) -> Any:
        return await self.keeping(super().create_unix_connection(*args, **how))


@breaks("resources.cancelled-opening")
class KeepsCancelledSockets(_KeepsSockets):
    """When create_connection() is cancelled, a socket stays open."""

    kept_for = asyncio.CancelledError

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        return await self.keeping(super().create_connection(*args, **how))


@breaks("resources.reused-numbers")
class ClosesNumbersTwice(OverStreams):
    """abort() of a transport that is closed closes the number that it had."""

    class Stream(StreamTransport):
        def abort(self) -> None:
            if self._sock is None:
                os.close(self._fd)
            super().abort()
