"""Chapter tls: start_tls() is a coroutine, which begins when it is awaited."""

from __future__ import annotations

import asyncio

from conformance.battery.test_tls_upgrade import plain
from conformance.kit.certificates import NAME, client_context
from conformance.kit.coroutines import call_only
from conformance.kit.patience import Patience
from conformance.kit.servers import answers
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("tls.start-coroutine", SHOULD, cite="asyncio-eventloop: loop.start_tls")
def test_start_tls_is_a_coroutine(loop: Loop, patience: Patience) -> None:
    """start_tls() is a coroutine: the connection is a plain one until it is awaited.

    If this fails: look for a method that returns a future, of which no task can be made, or that begins when called.
    """
    with plain(loop) as (transport, protocol, peer):
        call_only(loop, lambda: loop.start_tls(transport, protocol, client_context(), server_hostname=NAME))
        answers(loop, patience, protocol, peer)
