"""What every transport of a protocol shares: how it is introduced, how it reports errors and how it ends.

A transport calls connection_made() from the loop before anything else, and connection_lost() once, from the loop,
after everything else. Whatever it holds is released right after that.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

from .core import LoopCore, logger


class ProtocolTransport(asyncio.BaseTransport):
    """A transport, its loop and the protocol that uses it.

    The derived class sets `_context` and implements `_start_reading()`, `_force_close()` and `_release()`, which sets
    `_protocol` to None, so that no cycle keeps the two alive.
    """

    _protocol: Any
    _context: Context  # every callback of the protocol runs in it, whoever caused it: the creator's, copied once
    _extra: dict[str, Any]  # what get_extra_info() looks at

    def __init__(self, loop: LoopCore, protocol: asyncio.BaseProtocol, extra: dict[str, Any] | None) -> None:
        super().__init__(extra)
        self._loop = loop
        self.set_protocol(protocol)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the transport to another protocol (asyncio-protocol: BaseTransport.set_protocol)."""
        self._buffered_protocol = isinstance(protocol, asyncio.BufferedProtocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The current protocol (asyncio-protocol: BaseTransport.get_protocol)."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def _begin(self, waiter: asyncio.Future[None] | None) -> None:
        """Introduce the transport to its protocol, then start reading, then let the waiter go on."""
        try:
            self._protocol.connection_made(self)
        finally:
            try:
                self._start_reading()
            except OSError as exc:  # the poller refuses the descriptor
                self._force_close(exc)
                if waiter is not None and not waiter.done():
                    waiter.set_exception(exc)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _next_buffer(self) -> Any:
        """Where a BufferedProtocol wants its next data; RuntimeError if there is no room for any.

        A read into an empty buffer returns 0 and would be taken for the end of data.
        """
        buffer = self._protocol.get_buffer(-1)
        if not len(buffer):
            raise RuntimeError("get_buffer() returned an empty buffer: there is no room for data")
        return buffer

    def _start_reading(self) -> None:
        raise NotImplementedError

    def _fail(self, exc: BaseException, message: str) -> None:
        """End by an error: a broken connection is the protocol's business, anything else a programmer's."""
        if not isinstance(exc, OSError):
            self._report(exc, message)
        elif self._loop._debug:
            logger.debug("%r: %s", self, message, exc_info=exc)
        self._force_close(exc)

    def _report(self, exc: BaseException, message: str) -> None:
        self._loop.call_exception_handler(
            {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
        )

    def _force_close(self, exc: BaseException | None) -> None:
        """End at once, without what is buffered: connection_lost(exc) is on its way. Later calls do nothing."""
        raise NotImplementedError

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(exc)
        finally:
            self._release()

    def _release(self) -> None:
        raise NotImplementedError
