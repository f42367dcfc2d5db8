"""Chapter udp: create_datagram_endpoint() is a coroutine, which begins when it is awaited."""

from __future__ import annotations

import asyncio
import socket

from conformance.kit.coroutines import call_only
from conformance.kit.peers import free_port
from conformance.kit.protocols import Datagrams
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("udp.coroutines", SHOULD, cite="asyncio-eventloop: loop.create_datagram_endpoint")
def test_the_method_is_a_coroutine(loop: Loop) -> None:
    """create_datagram_endpoint() is a coroutine: nothing is bound, and no protocol made, before it is awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    made: list[Datagrams] = []

    def factory() -> Datagrams:
        made.append(Datagrams())
        return made[-1]

    here = ("127.0.0.1", free_port())
    call_only(loop, lambda: loop.create_datagram_endpoint(factory, local_addr=here))
    assert made == []
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(here)
