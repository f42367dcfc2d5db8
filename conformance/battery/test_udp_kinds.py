"""Chapter udp: sockets of other families than those of IP, and endpoints that have none any more."""

from __future__ import annotations

import asyncio
import socket
import struct

from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, endpoint, udp_peer
from conformance.kit.patience import Patience, turn
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CREATE = "asyncio-eventloop: loop.create_datagram_endpoint"
_DUMP_LINKS = struct.pack("=LHHLLBxxxxxxx", 24, 18, 0x301, 1, 0, 0)  # RTM_GETLINK with NLM_F_REQUEST | NLM_F_DUMP


@requirement("udp.sock-of-another-family", SHOULD, cite="uvloop#676", needs=("linux",))
def test_a_netlink_socket_can_be_an_endpoint(loop: Loop, patience: Patience) -> None:
    """sock can be a datagram socket of any family: one of netlink, by which programs ask the kernel.

    If this fails: look for addresses that must be those of IP, or paths.
    """
    _asks_the_kernel(loop, patience, socket.SOCK_DGRAM)


@requirement("udp.raw-sock", SHOULD, cite=(CREATE, "gh-114887"), needs=("linux",))
def test_a_raw_socket_can_be_an_endpoint(loop: Loop, patience: Patience) -> None:
    """sock can be a preexisting socket of datagrams that is raw, by which programs speak other protocols than UDP.

    If this fails: look for a check of the socket's type that knows SOCK_DGRAM only.
    """
    _asks_the_kernel(loop, patience, socket.SOCK_RAW)  # of netlink, since others need a privilege


def _asks_the_kernel(loop: Loop, patience: Patience, kind: int) -> None:
    sock = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    sock.bind((0, 0))
    with endpoint(loop, sock=sock) as (transport, protocol):
        transport.sendto(_DUMP_LINKS, (0, 0))
        patience.run_until(loop, lambda: protocol.received, "the answer of the kernel")
        data, address = protocol.received[0]
        assert struct.unpack_from("=LHHL", data)[1:] == (16, 2, 1)
        assert address == (0, 0)


@requirement("udp.sendto-after-loss-is-quiet", SHOULD, cite=("uvloop#207", "gh-28110"))
@each("addressed", [True, False])
@each("end", ["close", "abort"])
def test_sending_over_a_closed_endpoint_does_not_raise(
    loop: Loop, patience: Patience, end: str, addressed: bool
) -> None:
    """sendto() after the end of an endpoint does not raise: who answers late may not have heard of it yet.

    If this fails: look for a socket that is gone, and for an error that is told to a protocol which is gone, too.
    """
    with udp_peer() as peer:
        how = {"local_addr": HERE} if addressed else {"remote_addr": peer.getsockname()}
        with endpoint(loop, **how) as (transport, protocol):
            getattr(transport, end)()
            patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
            for _ in range(10):
                transport.sendto(b"late", peer.getsockname() if addressed else None)
            turn(loop, 2)
            assert protocol.names[-1] == "connection_lost"
            assert protocol.errors == []
