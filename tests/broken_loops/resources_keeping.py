"""Broken loops of the chapter `resources`: they do not keep what is open."""

from __future__ import annotations

import weakref

from reference_loop.datagrams import DatagramTransport
from reference_loop.socket_transports import SocketTransport
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OverStreams
from tests.broken_loops.udp_sending import OverDatagrams


def _watch_weakly(transport: SocketTransport) -> None:
    if transport._reading or transport._paused or transport._closing:
        return
    transport._reading = True
    reference = weakref.ref(transport)

    def ready() -> None:
        if (found := reference()) is not None:
            found._read_ready()

    loop = transport._loop
    loop._poller.set_reader(transport._fd, loop._handle(ready, (), transport._context))
    loop._transports.pop(transport._fd, None)


@breaks("resources.open-kept")
class KnowsConnectionsWeakly(OverStreams):
    """A connection is collected if nobody but the loop refers to it."""

    class Stream(StreamTransport):
        def _start_reading(self) -> None:
            _watch_weakly(self)


@breaks("resources.open-endpoint-kept")
class KnowsEndpointsWeakly(OverDatagrams):
    """An endpoint is collected if nobody but the loop refers to it."""

    class Endpoint(DatagramTransport):
        def _start_reading(self) -> None:
            _watch_weakly(self)
