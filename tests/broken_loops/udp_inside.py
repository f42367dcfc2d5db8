"""Broken loops of the chapter `udp`: endpoints whose protocol acts inside a callback, or sends nothing at all."""

from __future__ import annotations

import contextlib
import select
from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams


class _Batches(DatagramTransport):
    """Reads all datagrams that are there, and asks `is_over()` before each."""

    def is_over(self) -> bool:
        return self._closing

    def tell(self, _first: Any, data: bytes, address: Any) -> None:
        self._protocol.datagram_received(data, address)

    def _read_ready(self) -> None:
        first = self._protocol
        with contextlib.suppress(BlockingIOError):
            while not self.is_over():
                self.tell(first, *self._sock.recvfrom(65536))  # type: ignore[union-attr]  # we read: it is there


@breaks("udp.end-inside")
class AbortsBetweenBatches(OverDatagrams):
    """abort() inside datagram_received() does not keep the other datagrams of a batch back; close() does."""

    class Endpoint(_Batches):
        aborted = False

        def abort(self) -> None:
            self.aborted = True
            super().abort()

        def is_over(self) -> bool:
            return self._closing and not self.aborted


@breaks("udp.end-inside")
class IsMadeAnyhow(OverDatagrams):
    """close() and abort() inside connection_made() of an endpoint do nothing."""

    class Endpoint(DatagramTransport):
        def _is_made(self) -> bool:
            return self._reading or self._closing

        def close(self) -> None:
            if self._is_made():
                super().close()

        def abort(self) -> None:
            if self._is_made():
                super().abort()


@breaks("udp.end-inside")
class ErrorsKeepOpen(OverDatagrams):
    """close() inside error_received() of an endpoint does nothing."""

    class Endpoint(DatagramTransport):
        telling = False

        def sendto(self, data: Any, addr: Any = None) -> None:
            self.telling = len(data) > 65536
            super().sendto(data, addr)
            self.telling = False

        def close(self) -> None:
            if not self.telling:
                super().close()


@breaks("udp.set-protocol-inside")
class BatchesAreForOne(OverDatagrams):
    """A batch of datagrams goes to the protocol that got the first of them."""

    class Endpoint(_Batches):
        def tell(self, first: Any, data: bytes, address: Any) -> None:
            first.datagram_received(data, address)


@breaks("udp.sendto-empty", since="3.13")
class ConnectedEndpointsSendNoNothing(OverDatagrams):
    """sendto() of an endpoint that is connected drops an empty datagram."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if data or not self._connected:
                super().sendto(data, addr)


@breaks("udp.sendto-empty", since="3.13")
class NothingDoesNotWait(OverDatagrams):
    """sendto() drops an empty datagram when others wait."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if data or not self._buffer:
                super().sendto(data, addr)


@breaks("udp.sendto-returns-none")
class ConnectedEndpointsCount(OverDatagrams):
    """sendto() of an endpoint that is connected returns how many bytes it was given."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> Any:
            super().sendto(data, addr)
            return len(data) if self._connected else None


@breaks("udp.error-is-not-the-end")
class EndsAtTheSecondError(OverDatagrams):
    """An endpoint closes when the second datagram in a row was refused."""

    class Endpoint(DatagramTransport):
        errors = 0

        def _read_ready(self) -> None:
            try:
                self._protocol.datagram_received(*self._sock.recvfrom(65536))  # type: ignore[union-attr]
            except OSError as exc:
                self.errors += 1
                self._protocol.error_received(exc)
                if self.errors == 2:
                    self.close()


@breaks("udp.error-is-not-the-end")
class EndsWithAnOldError(OverDatagrams):
    """connection_lost() of an endpoint that is closed gets the error that error_received() was told of."""

    class Endpoint(DatagramTransport):
        error: OSError | None = None

        def _read_ready(self) -> None:
            try:
                self._protocol.datagram_received(*self._sock.recvfrom(65536))  # type: ignore[union-attr]
            except OSError as exc:
                self.error = exc
                self._protocol.error_received(exc)

        def _lose(self, exc: BaseException | None) -> None:
            super()._lose(exc or self.error)


@breaks("udp.error-received")
class TellsErrorsOnce(OverDatagrams):
    """error_received() is called once, and again only when a datagram has come in between."""

    class Endpoint(DatagramTransport):
        told = False

        def _read_ready(self) -> None:
            try:
                self._protocol.datagram_received(*self._sock.recvfrom(65536))  # type: ignore[union-attr]
                self.told = False
            except OSError as exc:
                if not self.told:
                    self._protocol.error_received(exc)
                self.told = True


@breaks("udp.stopped-by-another")
class ReadsAllEndpointsThatAreReadable(OverDatagrams):
    """All endpoints that are readable at a time are read, whatever the protocol of the first does to the others."""

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            others = [other for other in self._loop._transports.values() if other is not self and _is_readable(other)]
            super()._read_ready()
            for other in others:
                if other._closing and other._sock is not None:
                    other._protocol.datagram_received(*other._sock.recvfrom(100))


def _is_readable(transport: Any) -> bool:
    return transport._reading and bool(select.select([transport._fd], [], [], 0)[0])


@breaks("udp.stop-inside")
class DropsDatagramsWhenStopped(OverDatagrams):
    """Datagrams that are received in the turn in which the loop was stopped are dropped."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True
        super().stop()
        self.call_soon(setattr, self, "stopped", False)

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            loop: Any = self._loop
            if loop.stopped and self._sock is not None:
                self._sock.recvfrom(65536)
            else:
                super()._read_ready()


@breaks("udp.sendto-inside-error")
class IsBusyWithAnError(OverDatagrams):
    """sendto() inside error_received() does nothing."""

    class Endpoint(DatagramTransport):
        sending = False

        def sendto(self, data: Any, addr: Any = None) -> None:
            if not self.sending:
                self.sending = True
                super().sendto(data, addr)
                self.sending = False
