"""Chapter servers: connections that came to nothing, for which wait_closed() does not wait."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.patience import Patience
from conformance.kit.servers import dial, ended, serving
from conformance.requirement import MUST, requirement

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
