"""Broken loops of the chapter `udp`: datagram_received() and error_received()."""

from __future__ import annotations

import contextlib
import ctypes
import errno
from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.udp_sending import OverDatagrams


class _Hands(OverDatagrams):
    """Changes what datagram_received() gets, by `changed` of the transport."""

    class Endpoint(DatagramTransport):
        def changed(self, data: Any, address: Any) -> tuple[Any, Any]:
            return data, address

        def _read_ready(self) -> None:
            protocol, changed = self._protocol, self.changed

            class Changing:
                error_received = protocol.error_received

                def datagram_received(self, data: bytes, address: Any) -> None:
                    protocol.datagram_received(*changed(data, address))

            self._protocol = Changing()
            try:
                super()._read_ready()
            finally:
                if isinstance(self._protocol, Changing):
                    self._protocol = protocol


@breaks("udp.received")
class ReceivesBytearrays(_Hands):
    """datagram_received() gets a bytearray."""

    class Endpoint(_Hands.Endpoint):
        def changed(self, data: Any, address: Any) -> tuple[Any, Any]:
            return bytearray(data) if data == b"data" else data, address


@breaks("udp.received-senders")
class RemembersTheFirstSender(_Hands):
    """From the third datagram on, the sender is that of the first."""

    class Endpoint(_Hands.Endpoint):
        senders: list[Any] | None = None

        def changed(self, data: Any, address: Any) -> tuple[Any, Any]:
            self.senders = [*(self.senders or []), address]
            return data, address if len(self.senders) < 3 else self.senders[0]


@breaks("udp.unix")
class NamesAreStrings(_Hands):
    """The abstract name of a sender is handed over as the text after its leading zero."""

    class Endpoint(_Hands.Endpoint):
        def changed(self, data: Any, address: Any) -> tuple[Any, Any]:
            return data, address.decode()[1:] if isinstance(address, bytes) else address


@breaks("udp.unix")
class NamesEndAtTheirZeros(_Hands):
    """The abstract name of a sender is handed over without the zero bytes at its end."""

    class Endpoint(_Hands.Endpoint):
        def changed(self, data: Any, address: Any) -> tuple[Any, Any]:
            return data, address.rstrip(b"\0") if isinstance(address, bytes) else address


class _Reads(OverDatagrams):
    """Changes what an endpoint reads from its socket, by `received`, which returns None for nothing.

    The errors that `missed` names never get to error_received().
    """

    class Endpoint(DatagramTransport):
        missed = 0

        def received(self, data: bytes) -> bytes | None:
            return data

        def _read_ready(self) -> None:
            try:
                data, address = self._sock.recvfrom(65536)  # type: ignore[union-attr]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != self.missed:
                    self._protocol.error_received(error)
                return
            changed = self.received(data)
            if changed is not None:
                self._protocol.datagram_received(changed, address)


@breaks("udp.received-empty")
class TakesNothingForASpuriousEvent(_Reads):
    """An empty datagram is not passed on."""

    class Endpoint(_Reads.Endpoint):
        def received(self, data: bytes) -> bytes | None:
            return data or None


@breaks("udp.received-boundaries")
class ReceivesAPacketAtMost(_Reads):
    """Of a datagram of more than 2048 bytes the rest is dropped."""

    class Endpoint(_Reads.Endpoint):
        def received(self, data: bytes) -> bytes | None:
            return data[:2048]


@breaks("udp.received-stays-valid")
class ReusesTheDatagramBuffer(_Reads):
    """The memory of the last datagram is filled again by one of the same size."""

    class Endpoint(_Reads.Endpoint):
        last = b""

        def received(self, data: bytes) -> bytes | None:
            if len(data) == len(self.last) == 1000:
                ctypes.memmove(id(self.last) + bytes.__basicsize__ - 1, data, len(data))
                data = self.last
            self.last = data
            return data


@breaks("udp.received-while-sending")
class HearsTheLastEndpointOnly(OverDatagrams):
    """When an endpoint has received nothing by the time that another one is made, it never will."""

    earlier: Any = None

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **how: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(protocol_factory, *args, **how)
        if self.earlier is not None and self.earlier._sock is not None:
            self._poller.remove_reader(self.earlier._fd)
        self.earlier = transport
        return transport, protocol

    def close(self) -> None:
        self.earlier = None
        super().close()


@breaks("udp.failing-datagram-received")
class SwallowsTheErrorsOfReceiving(OverDatagrams):
    """An exception in datagram_received() is dropped."""

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            with contextlib.suppress(LookupError):
                super()._read_ready()


@breaks("udp.error-received")
class MissesRefusals(_Reads):
    """A refused datagram is no error."""

    class Endpoint(_Reads.Endpoint):
        missed = errno.ECONNREFUSED


@breaks("udp.error-of-sending")
class DropsLongDatagrams(_Reads):
    """A datagram that is too long is dropped in silence."""

    class Endpoint(_Reads.Endpoint):
        missed = errno.EMSGSIZE

        def sendto(self, data: Any, addr: Any = None) -> None:
            if len(data) <= 65507:
                super().sendto(data, addr)


@breaks("udp.error-of-sending")
class SendsToNoPortInSilence(OverDatagrams):
    """A datagram to port 0 is dropped in silence."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if addr is None or addr[1] != 0:
                super().sendto(data, addr)


@breaks("udp.sendto-broadcast-name")
class KnowsNoBroadcast(OverDatagrams):
    """The name of the broadcast address is refused at once, as no address."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if isinstance(addr, tuple) and addr[0] == "<broadcast>":
                raise ValueError("not an address")
            super().sendto(data, addr)


@breaks("udp.error-is-not-the-end")
class EndsWithTheFirstRefusal(OverDatagrams):
    """An endpoint closes itself when a datagram is refused."""

    class Endpoint(DatagramTransport):
        def _read_ready(self) -> None:
            told = self._protocol.error_received
            protocol = self._protocol

            def error_received(error: OSError) -> None:
                told(error)
                self.close()

            protocol.error_received = error_received
            super()._read_ready()
            protocol.error_received = told


@breaks("udp.failing-error-received")
class SwallowsTheErrorsOfErrors(OverDatagrams):
    """An exception in error_received() is dropped."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            with contextlib.suppress(LookupError):
                super().sendto(data, addr)


class _Flushes(OverDatagrams):
    """Sends what is buffered one by one, in `flush` of the transport."""

    class Endpoint(DatagramTransport):
        def flush(self, data: bytes, address: Any) -> None:
            raise NotImplementedError

        def _write_ready(self) -> None:
            data, address = self._buffer[0]
            self.flush(data, address)
            self._buffer.popleft()
            self._buffer_size -= len(data) + 8
            if not self._buffer:
                self._stop_writing()


@breaks("udp.error-of-buffered")
class DropsWhatCannotBeSentLater(_Flushes):
    """A datagram that cannot be sent once there is room is dropped in silence."""

    class Endpoint(_Flushes.Endpoint):
        def flush(self, data: bytes, address: Any) -> None:
            with contextlib.suppress(OSError):
                self._send(data, address)


@breaks("udp.failing-error-of-buffered")
class TriesTheSameDatagramAgain(_Flushes):
    """A datagram that cannot be sent is tried again if error_received() raises."""

    class Endpoint(_Flushes.Endpoint):
        def flush(self, data: bytes, address: Any) -> None:
            try:
                self._send(data, address)
            except OSError as error:
                self._protocol.error_received(error)


@breaks("udp.received-empty")
class NothingEndsAConnectedEndpoint(_Reads):
    """An empty datagram from the peer of a connected endpoint closes it."""

    class Endpoint(_Reads.Endpoint):
        def received(self, data: bytes) -> bytes | None:
            if not data and self.get_extra_info("peername"):
                self.close()
                return None
            return data


@breaks("udp.error-of-sending")
class ErrorsHaveNoNumber(OverDatagrams):
    """error_received() gets an OSError that says in words only what was the matter."""

    class Endpoint(DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            tell = self._protocol.error_received
            self._protocol.error_received = lambda exc: tell(OSError(str(exc)))
            super().sendto(data, addr)
            self._protocol.error_received = tell
