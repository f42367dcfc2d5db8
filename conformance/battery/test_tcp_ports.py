"""Chapter tcp: ports that are written as strings, as they are read from a configuration or an address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.peers import free_port, listener
from conformance.kit.protocols import Events
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CITE = ("asyncio-eventloop: loop.create_connection", "socket: socket.getaddrinfo")


@requirement("tcp.connect-port-string", MUST, cite=CITE)
@each("host", ["127.0.0.1", "localhost"])
def test_ports_are_looked_up(loop: Loop, host: str) -> None:
    """port is looked up with getaddrinfo(), as host is, and so is local_port: it may be the string of a number.

    If this fails: look for a port that must be a number because the look-up of a numeric host is left out.
    """
    with listener() as listening:
        address, port = listening.getsockname(), free_port()
        remote, local = (host, str(address[1])), (host, str(port))
        how: dict[str, Any] = {"family": socket.AF_INET, "local_addr": local}
        opening = loop.create_connection(Events, *remote, **how)  # type: ignore[call-overload]
        with opened(loop, opening) as (transport, _), accept(listening):
            assert transport.get_extra_info("peername") == address
            assert transport.get_extra_info("sockname") == ("127.0.0.1", port)


@requirement("tcp.connect-service", MUST, cite=CITE)
@each("host", ["127.0.0.1", "localhost"])
def test_services_are_looked_up(loop: Loop, host: str) -> None:
    """port may be the name of a service, which getaddrinfo() looks up.

    If this fails: look for int() of a port that is a string.
    """
    if _known(host, "discard"):
        opening = loop.create_connection(Events, host, "discard", family=socket.AF_INET)  # type: ignore[call-overload]
        with contextlib.suppress(ConnectionRefusedError), opened(loop, opening):
            pass


def _known(host: str, service: str) -> bool:
    """Whether this machine knows a service by that name."""
    try:
        return bool(socket.getaddrinfo(host, service, family=socket.AF_INET, type=socket.SOCK_STREAM))
    except OSError:
        return False
