"""Protocols that write down what a transport tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Events(asyncio.Protocol):
    """Keeps every call as `(method, argument)`; `names` are the methods alone, `received` the bytes so far.

    `keep_open` is what eof_received() returns.
    """

    def __init__(self, keep_open: bool = False) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.received = bytearray()
        self.keep_open = keep_open
        self.transport: Any = None

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    @property
    def lost(self) -> bool:
        return "connection_lost" in self.names

    @property
    def reason(self) -> BaseException | None:
        """The argument of connection_lost(); only once it was called."""
        argument: BaseException | None = dict(self.calls)["connection_lost"]
        return argument

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.calls.append(("connection_made", transport))

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.calls.append(("data_received", data))

    def eof_received(self) -> bool:
        self.calls.append(("eof_received", None))
        return self.keep_open

    def pause_writing(self) -> None:
        self.calls.append(("pause_writing", None))

    def resume_writing(self) -> None:
        self.calls.append(("resume_writing", None))

    def connection_lost(self, exc: BaseException | None) -> None:
        self.calls.append(("connection_lost", exc))


class Datagrams(asyncio.DatagramProtocol):
    """The same for datagrams: `received` are `(data, address)` pairs, `errors` what error_received() was given."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.received: list[tuple[bytes, Any]] = []
        self.errors: list[Exception] = []
        self.lost: list[BaseException | None] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.names.append("connection_made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append((data, addr))
        self.names.append("datagram_received")

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)
        self.names.append("error_received")

    def pause_writing(self) -> None:
        self.names.append("pause_writing")

    def resume_writing(self) -> None:
        self.names.append("resume_writing")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.append(exc)
        self.names.append("connection_lost")


class FailsAtTheEnd(Events):
    """Raises `error` in connection_lost(), which it keeps as any."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        raise self._error


def raising(error: BaseException) -> Callable[..., Any]:
    """A callback that raises `error`, whatever it is called with."""

    def callback(*_args: object, **_kwargs: object) -> None:
        raise error

    return callback
