"""Broken loops of the chapter `tcp`: second connections that the first one stands in the way of."""

from __future__ import annotations

import asyncio
from typing import Any

from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams


@breaks("tcp.connect-after-failure")
class RemembersWhoRefused(asyncio.SelectorEventLoop):
    """create_connection() raises at once for an address that has refused a connection."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        refused: dict[Any, OSError] = self.__dict__.setdefault("refused", {})
        if (host, port) in refused:
            raise refused[host, port]
        try:
            return await super().create_connection(protocol_factory, host, port, **how)
        except ConnectionRefusedError as error:
            refused[host, port] = error
            raise


@breaks("tcp.protocol-again")
class IntroducesProtocolsOnce(OverStreams):
    """connection_made() is not called on a protocol that has had a connection."""

    class Stream(StreamTransport):
        def _begin(self, waiter: Any) -> None:
            known: list[Any] = self._loop.__dict__.setdefault("known", [])
            protocol = self._protocol
            if any(protocol is each for each in known):
                made, protocol.connection_made = protocol.connection_made, lambda transport: None
                super()._begin(waiter)
                protocol.connection_made = made
            else:
                known.append(protocol)
                super()._begin(waiter)


@breaks("tcp.protocol-again")
class TakesLeaveOfProtocolsOnce(OverStreams):
    """connection_lost() is not called on a protocol that has lost a connection."""

    class Stream(StreamTransport):
        def _call_connection_lost(self, exc: BaseException | None) -> None:
            left: list[Any] = self._loop.__dict__.setdefault("left", [])
            if any(self._protocol is each for each in left):
                self._protocol = asyncio.Protocol()
            left.append(self._protocol)
            super()._call_connection_lost(exc)


@breaks("tcp.number-again")
class TransportsKeepTheirNumbers(asyncio.SelectorEventLoop):
    """A descriptor with the number of a transport belongs to that one, though it is closed."""

    def _owned(self, sock: Any) -> bool:
        numbers: set[int] = self.__dict__.setdefault("numbers", set())
        return (sock if isinstance(sock, int) else sock.fileno()) in numbers

    async def create_connection(self, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **how)
        self.__dict__.setdefault("numbers", set()).add(transport.get_extra_info("socket").fileno())
        return transport, protocol

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        if self._owned(sock):
            raise RuntimeError("the descriptor is used by a transport")
        return await super().sock_recv(sock, nbytes)


class _TakesItsTime(asyncio.SelectorEventLoop):
    """A descriptor is `busy` for a turn after it was used."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[int] = set()

    def used(self, sock: Any) -> None:
        self.busy.add(sock.fileno())
        self.call_soon(self.call_soon, self.busy.discard, sock.fileno())

    async def create_connection(self, protocol_factory: Any, *args: Any, sock: Any = None, **how: Any) -> Any:
        if sock is not None and sock.fileno() in self.busy:
            raise FileExistsError("the descriptor is watched")
        return await super().create_connection(protocol_factory, *args, sock=sock, **how)


@breaks("tcp.handed-over")
class StillConnects(_TakesItsTime):
    """A socket cannot be given to a transport in the turn in which sock_connect() has returned."""

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await super().sock_connect(sock, address)
        self.used(sock)


@breaks("tcp.handed-over")
class StillWatches(_TakesItsTime):
    """A socket cannot be given to a transport in the turn in which its watcher was removed."""

    def remove_writer(self, fd: Any) -> bool:
        removed = super().remove_writer(fd)
        if removed and not isinstance(fd, int):
            self.used(fd)
        return removed
