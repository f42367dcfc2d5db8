"""Chapter udp: what a protocol may do to its endpoint inside its own callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, arrival, endpoint, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Datagrams
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CLOSE = "asyncio-protocol: BaseTransport.close"
ABORT = "asyncio-protocol: DatagramTransport.abort"
RECEIVED = "asyncio-protocol: DatagramProtocol.datagram_received"
SENDTO = "asyncio-protocol: DatagramTransport.sendto"
WHERE = each("where", ["connection_made", "datagram_received", "error_received"])


class Reacting(Datagrams):
    """Calls `act` with its transport when the callback `where` is called for the first time.

    Before that `peer` has sent five datagrams, so that more of them wait; the sixth, a long one, cannot be sent back.
    """

    def __init__(self, peer: Any, where: str, act: Callable[[Any], object]) -> None:
        super().__init__()
        self._peer, self._where, self._act = peer, where, act

    def _react(self, name: str) -> None:
        if name == self._where and self.names.count(name) == 1:
            self._act(self.transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        for number in range(5):
            self._peer.sendto(b"%d" % number, transport.get_extra_info("sockname"))
        if self._where == "error_received":
            self.transport.sendto(bytes(70_000), self._peer.getsockname())
        self._react("connection_made")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        super().datagram_received(data, addr)
        self._react("datagram_received")

    def error_received(self, exc: Exception) -> None:
        super().error_received(exc)
        self._react("error_received")


@requirement("udp.end-inside", MUST, cite=(CLOSE, ABORT))
@each("how", ["close", "abort"])
@WHERE
def test_a_protocol_may_end_its_endpoint_inside_a_callback(
    loop: Loop, patience: Patience, where: str, how: str
) -> None:
    """After close() or abort() inside a callback of its protocol, an endpoint receives nothing more, and ends once.

    If this fails: look for reading that is started behind connection_made(), whatever that has done, or for a batch of
    datagrams that is delivered to its end.
    """
    with udp_peer() as peer:
        protocol = Reacting(peer, where, lambda transport: getattr(transport, how)())
        with endpoint(loop, local_addr=HERE, protocol=protocol) as (transport, _):
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            turn(loop, 3)
            assert transport.is_closing() is True
            assert protocol.names[protocol.names.index(where) + 1 :] == ["connection_lost"]
            assert protocol.lost == [None]


@requirement("udp.set-protocol-inside", MUST, cite="asyncio-protocol: BaseTransport.set_protocol")
@WHERE
def test_an_endpoint_may_be_handed_over_inside_a_callback(loop: Loop, patience: Patience, where: str) -> None:
    """set_protocol() inside a callback of the protocol of an endpoint holds: all that follows is the new one's.

    If this fails: look for a batch of datagrams that goes to the protocol which got the first of them.
    """
    second = Datagrams()
    with udp_peer() as peer:
        first = Reacting(peer, where, lambda transport: transport.set_protocol(second))
        with endpoint(loop, local_addr=HERE, protocol=first) as (transport, _):
            patience.run_until(loop, lambda: len(first.received + second.received) == 5, "five datagrams")
            patience.run_until(loop, lambda: where in first.names, f"{where}()")
            assert transport.get_protocol() is second
            assert first.names[-1] == where
            assert first.names.count(where) == 1
            assert sorted(first.received + second.received) == [
                (b"%d" % number, peer.getsockname()) for number in range(5)
            ]
            transport.close()
            patience.run_until(loop, lambda: second.lost, "connection_lost()")
            assert first.lost == []


class Stopping(Datagrams):
    """Ends the other of two endpoints when it gets a datagram, and notes what the other has got by then."""

    other: Any = None

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.stopped_with: int | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:
        super().datagram_received(data, addr)
        if self.stopped_with is None and self.other.stopped_with is None:
            self.other.stopped_with = len(self.other.received)
            getattr(self.other.transport, self.how)()


@requirement("udp.stopped-by-another", MUST, cite=(CLOSE, ABORT))
@each("how", ["close", "abort"])
def test_an_endpoint_may_be_ended_by_another(loop: Loop, patience: Patience, how: str) -> None:
    """After close() or abort() inside a callback of another endpoint, an endpoint receives nothing.

    If this fails: look for all that one poll has found readable being read, whatever happens in between.
    """
    one, two = Stopping(how), Stopping(how)
    one.other, two.other = two, one
    with (
        udp_peer() as peer,
        endpoint(loop, local_addr=HERE, protocol=one) as (first, _),
        endpoint(loop, local_addr=HERE, protocol=two) as (second, _),
    ):
        turn(loop, 2)
        for transport in (first, second):
            peer.sendto(b"data", transport.get_extra_info("sockname"))  # the loop has not run: it finds both at once
        patience.run_until(loop, lambda: one.received or two.received, "a datagram")
        turn(loop, 10)
        stopped = one if one.stopped_with is not None else two
        assert (stopped.stopped_with, len(stopped.received)) == (0, 0)


@requirement("udp.stop-inside", MUST, cite=("asyncio-eventloop: loop.stop", RECEIVED))
def test_a_stop_loses_no_datagram(loop: Loop, patience: Patience) -> None:
    """After stop() inside a callback of one endpoint, what another has got is received, in this run or the next.

    If this fails: look for a batch of events that is not worked off when the loop stops, and not reported again.
    """

    class Stops(Datagrams):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            loop.stop()

    with (
        udp_peer() as peer,
        endpoint(loop, local_addr=HERE, protocol=Stops()) as (first, one),
        endpoint(loop, local_addr=HERE, protocol=Stops()) as (second, two),
    ):
        turn(loop, 2)
        for transport in (first, second):
            peer.sendto(b"data", transport.get_extra_info("sockname"))  # the loop has not run: it finds both at once
        patience.run_through_stops(loop, lambda: one.received and two.received, "the arrival of both")


@requirement("udp.sendto-inside-error", MUST, cite=("asyncio-protocol: DatagramProtocol.error_received", SENDTO))
def test_an_endpoint_may_send_inside_error_received(loop: Loop, patience: Patience) -> None:
    """A protocol may send inside error_received(), something shorter perhaps: it arrives, and what is sent later, too.

    If this fails: look for a transport that is locked, or looks at its buffer, while it tells of an error.
    """
    with udp_peer() as peer:

        class Insists(Datagrams):
            def error_received(self, exc: Exception) -> None:
                super().error_received(exc)
                if len(self.errors) == 1:
                    self.transport.sendto(b"shorter", peer.getsockname())

        with endpoint(loop, local_addr=HERE, protocol=Insists()) as (transport, protocol):
            transport.sendto(bytes(70_000), peer.getsockname())
            assert arrival(loop, patience, peer)[0] == b"shorter"
            transport.sendto(b"next", peer.getsockname())
            assert arrival(loop, patience, peer)[0] == b"next"
            assert len(protocol.errors) == 1
