"""Chapter servers: connections that came to nothing, for which a server neither waits nor ends."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.patience import Patience
from conformance.kit.protocols import Events, Reacts, raising
from conformance.kit.servers import accepted, answers, dial, ended, serving
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("servers.factory-error-is-finished", MUST, cite="asyncio-eventloop: Server.wait_closed", since="3.12")
def test_a_connection_without_a_protocol_has_finished(loop: Loop, patience: Patience, watch: Any) -> None:
    """wait_closed() waits until all active connections have finished: one whose protocol_factory has failed has.

    If this fails: look for connections that are counted when they are accepted, and taken off by connection_lost().
    """
    watch.allow("reported")  # whether the exception is reported is left open
    failed: list[bool] = []

    def fail() -> Any:
        failed.append(True)
        raise LookupError("no protocol")

    with serving(loop) as service:
        service.make = fail
        with dial(service), dial(service):
            patience.run_until(loop, lambda: failed, "the first connection")
        service.server.close()
        loop.run_until_complete(ended(service.server.wait_closed(), patience))


@requirement("servers.failing-connection-made", SHOULD, cite="PEP 3156: I/O Callbacks")
def test_a_connection_that_fails_at_once_does_not_end_the_server(loop: Loop, patience: Patience, watch: Any) -> None:
    """If connection_made() of one connection raises an exception, that is reported; the server accepts the next.

    If this fails: look for an exception of a protocol that ends the callback of the listening socket.
    """
    watch.allow("reported")
    with serving(loop) as service:
        service.make = lambda: Reacts("connection_made", raising(LookupError("not that one")))
        with dial(service):
            patience.run_until(loop, lambda: watch.reported, "the report")
            assert isinstance(watch.reported[0]["exception"], LookupError)
            assert service.server.is_serving()
            service.make = Events
            with dial(service) as peer:
                answers(loop, patience, accepted(loop, patience, service, 2), peer)
