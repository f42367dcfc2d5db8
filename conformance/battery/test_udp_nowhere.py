"""Chapter udp: sendto() without an address, where none was given."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.cases import each
from conformance.kit.datagrams import HERE, arrival, endpoint, udp_peer
from conformance.kit.patience import Patience
from conformance.kit.refusals import REFUSALS
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CITE = ("PEP 3156: Datagram Transports", "asyncio-protocol: DatagramTransport.sendto")


def _refused_at_once(transport: Any, *arguments: Any) -> bool:
    try:
        transport.sendto(*arguments)
    except NotImplementedError:
        raise
    except (*REFUSALS, OSError):
        return True
    return False


@requirement("udp.sendto-without-address", SHOULD, cite=CITE)
@each("arguments", [(), (None,)], ids=["left-out", "None"])
def test_without_a_remote_address_an_address_is_needed(
    loop: Loop, patience: Patience, watch: Any, arguments: tuple[Any, ...]
) -> None:
    """If addr is omitted, remote_addr must have been specified: sendto() raises, or its protocol is told, otherwise.

    Other endpoints go on.

    If this fails: look for an address that is read without a look at whether there is one, or for a datagram that goes
    nowhere in silence.
    """
    watch.allow("reported")
    with udp_peer() as peer, endpoint(loop, local_addr=HERE) as (other, _):
        with endpoint(loop, local_addr=HERE) as (transport, protocol):
            if not _refused_at_once(transport, b"for nobody", *arguments):
                patience.run_until(loop, lambda: protocol.errors or protocol.lost, "error_received(), or the end")
        other.sendto(b"for somebody", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"for somebody"
