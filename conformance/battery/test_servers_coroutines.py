"""Chapter servers: the methods that are coroutines, which begin when they are awaited."""

from __future__ import annotations

import asyncio
import socket

from conformance.kit.coroutines import call_only
from conformance.kit.peers import free_port
from conformance.kit.servers import serving
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "servers.coroutines",
    SHOULD,
    cite=(
        "asyncio-eventloop: loop.create_server",
        "asyncio-eventloop: Server.start_serving",
        "asyncio-eventloop: Server.serve_forever",
        "asyncio-eventloop: Server.wait_closed",
    ),
)
def test_the_methods_are_coroutines(loop: Loop) -> None:
    """create_server() and the methods of servers that are awaited are coroutines: nothing is done before they are.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    port = free_port()
    call_only(loop, lambda: loop.create_server(asyncio.Protocol, "127.0.0.1", port))
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
    with serving(loop, start_serving=False) as service:
        for method in (service.server.start_serving, service.server.serve_forever, service.server.wait_closed):
            call_only(loop, method)
            assert not service.server.is_serving()
            assert service.server.sockets
