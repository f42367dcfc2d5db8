"""What the two transports of a pipe share: the file object, its registration, and its end.

The descriptor is set to non-blocking mode, for every process that shares it.
"""

from __future__ import annotations

import os
import stat
import warnings
from contextvars import Context, copy_context
from typing import Any

from .transports import ProtocolTransport


class PipeEnd(ProtocolTransport):
    """What both ends share."""

    _pipe: Any  # None: closed
    _fd: int
    _closing = False
    _lost = False  # connection_lost() is on its way or was called

    def _take(self, pipe: Any, context: Context | None) -> int:
        """Own `pipe`; return its file type. ValueError for a regular file: no system can say when one is ready."""
        self._pipe = None
        fd = pipe.fileno()
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
            raise ValueError(f"Pipe transport is only for pipes, sockets and character devices, not {pipe!r}")
        os.set_blocking(fd, False)
        self._pipe = pipe
        self._fd = fd
        self._context = copy_context() if context is None else context
        self._loop._transports[fd] = self
        return mode

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed (asyncio-protocol: BaseTransport.is_closing)."""
        return self._closing

    def _force_close(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        self._closing = self._lost = True
        self._loop._poller.remove_reader(self._fd)
        if self._loop._closed:
            self._release()  # nobody can be told any more
        else:
            self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _release(self) -> None:
        pipe, self._pipe = self._pipe, None
        self._protocol = None
        if pipe is not None:
            if self._loop._transports.get(self._fd) is self:
                del self._loop._transports[self._fd]
            pipe.close()

    def __repr__(self) -> str:
        state = "closed" if self._pipe is None else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={getattr(self, '_fd', None)}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_pipe", None) is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._release()
