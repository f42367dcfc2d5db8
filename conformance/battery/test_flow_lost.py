"""Chapter flow: the buffer of a connection that was lost."""

from __future__ import annotations

import asyncio

from conformance.kit.patience import Patience
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
_BIG = bytes(2_000_000)  # more than shrunk buffers take


@requirement(
    "flow.buffer-size-when-aborted",
    MUST,
    cite=("asyncio-protocol: WriteTransport.get_write_buffer_size", "asyncio-protocol: WriteTransport.abort"),
)
@WAYS
def test_the_buffer_of_an_aborted_connection_is_empty(loop: Loop, patience: Patience, way: str) -> None:
    """get_write_buffer_size() is 0 when the connection was lost by abort(): buffered data is lost.

    If this fails: look for a count that is kept when its data is dropped.
    """
    with joined(loop, patience, way) as (transport, protocol, _):
        transport.write(_BIG)
        assert transport.get_write_buffer_size() > 0
        transport.abort()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert transport.get_write_buffer_size() == 0
