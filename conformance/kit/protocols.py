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

    def note(self, name: str, argument: Any) -> None:
        """Keep a call: the last thing that each callback does before it returns."""
        self.calls.append((name, argument))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.note("connection_made", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.note("data_received", data)

    def eof_received(self) -> bool:
        self.note("eof_received", None)
        return self.keep_open

    def pause_writing(self) -> None:
        self.note("pause_writing", None)

    def resume_writing(self) -> None:
        self.note("resume_writing", None)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.note("connection_lost", exc)


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


class Reacts(Events):
    """Calls `act` with its transport inside the callback `where`, each time, or `once`."""

    def __init__(
        self, where: str, act: Callable[[Any], object], *, once: bool = False, keep_open: bool = False
    ) -> None:
        super().__init__(keep_open)
        self._where, self._act, self._once = where, act, once

    def note(self, name: str, argument: Any) -> None:
        super().note(name, argument)
        if name == self._where and not (self._once and self.names.count(name) > 1):
            self._act(self.transport)


def while_handling(method: str) -> Callable[[Any], None]:
    """Calls this method of a transport while an exception is being handled."""

    def give_up(transport: Any) -> None:
        try:
            raise LookupError("of the protocol")
        except LookupError:
            getattr(transport, method)()

    return give_up


def raising(error: BaseException) -> Callable[..., Any]:
    """A callback that raises `error`, whatever it is called with."""

    def callback(*_args: object, **_kwargs: object) -> None:
        raise error

    return callback
