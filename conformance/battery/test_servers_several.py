"""Chapter servers: several servers of one loop, side by side or one after the other."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import free_port
from conformance.kit.servers import accepted, answers, dial, ended, serving, serving_unix
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


@requirement("servers.address-again", MUST, cite="asyncio-eventloop: Server.close")
@each("kind", ["tcp", *(["unix"] if need_named("unix").present() else [])])
def test_an_address_can_be_served_again(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """close() stops serving and closes the listening sockets: another server of the loop can have their address.

    If this fails: look for addresses that the loop remembers, or a socket that stays open until the loop is closed.
    """
    path = str(tmp_path / "s")
    if kind == "tcp":
        serve = functools.partial(serving, loop, "127.0.0.1", free_port())
    else:
        serve = functools.partial(serving_unix, loop, path)
    for _ in range(3):
        with serve() as service:
            with dial(service) as peer:
                answers(loop, patience, accepted(loop, patience, service), peer)
            service.server.close()
            loop.run_until_complete(ended(service.server.wait_closed(), patience))
