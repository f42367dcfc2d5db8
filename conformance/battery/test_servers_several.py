"""Chapter servers: several servers of one loop, and connections that are opened side by side."""

from __future__ import annotations

import asyncio

from conformance.kit.patience import Patience, turn
from conformance.kit.servers import accepted, dial, serving
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("servers.several", MUST, cite=("asyncio-eventloop: loop.create_server", "asyncio-eventloop: Server.close"))
def test_servers_of_one_loop_do_not_share(loop: Loop, patience: Patience) -> None:
    """Each server accepts on its own sockets for its own protocol_factory, and close() stops that server alone.

    If this fails: look for a factory, or a list of listening sockets, that belongs to the loop.
    """
    with serving(loop) as first, serving(loop) as second:
        with dial(first), dial(second):
            accepted(loop, patience, first)
            accepted(loop, patience, second)
        second.server.close()
        turn(loop, 2)
        assert first.server.is_serving()
        with dial(first):
            accepted(loop, patience, first, 2)
            assert len(second.protocols) == 1
