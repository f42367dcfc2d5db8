"""Chapter sockets: a cancelled sock_accept() and the connection that comes at the same time."""

from __future__ import annotations

import asyncio
import socket

from conformance.kit.cases import each
from conformance.kit.peers import listener
from conformance.kit.waiting import turns
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("sockets.cancelled-as-one-connects", SHOULD, cite=("asyncio-eventloop: loop.sock_accept", "gh-153761"))
@each("when", ["now", "next"])
def test_a_connection_that_comes_as_sock_accept_is_cancelled_is_not_lost(loop: Loop, when: str) -> None:
    """Cancelled in the very turn in which a connection comes, sock_accept() either returns it or leaves it there.

    If this fails: look for a connection that was accepted for a future that nobody looks at any more.
    """

    async def main() -> None:
        accepting = asyncio.ensure_future(loop.sock_accept(listening))
        await turns(2)
        with socket.create_connection(listening.getsockname()) as client:
            if when == "now":
                accepting.cancel()
            else:
                loop.call_soon(accepting.cancel)  # the poll before it finds the connection
            try:
                conn, _ = await accepting
            except asyncio.CancelledError:
                # Who comes later is accepted later: if the next one is returned, the first was lost.
                with socket.create_connection(listening.getsockname()):
                    conn, _ = await loop.sock_accept(listening)
            with conn:
                assert conn.getpeername() == client.getsockname()

    with listener() as listening:
        listening.setblocking(False)
        loop.run_until_complete(main())
