"""Chapter tls: a second connection over TLS, which has nothing of the first."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from conformance.kit.certificates import client_context, server_context
from conformance.kit.patience import Patience
from conformance.kit.secured import SERVERS, SIDES, secured
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
SERVE = "asyncio-eventloop: loop.create_server"
NAMES = ("localhost", "other.test")


def _anybody() -> ssl.SSLContext:
    """A client's context that asks for a certificate of the authority, for whatever name."""
    context = client_context()
    context.check_hostname = False
    return context


@requirement("tls.given-to-each", MUST, cite=(CONNECT, SERVE, "asyncio-eventloop: loop.start_tls"))
@SIDES
def test_each_connection_has_the_context_and_the_name_that_it_was_given(
    loop: Loop, patience: Patience, side: str
) -> None:
    """The SSLContext and server_hostname that are given with a connection are those of that one, and of no later one.

    If this fails: look for a context, a name or a session that the loop keeps from the first connection.
    """
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            if side in SERVERS:
                ours = server_context(name)
                connection = secured(loop, patience, side, ours=ours, theirs=_anybody())
            else:
                ours = client_context()
                connection = secured(loop, patience, side, ours=ours, theirs=server_context(name), server_hostname=name)
            transport, _, peer = stack.enter_context(connection)
            assert transport.get_extra_info("sslcontext") is ours
            if side in SERVERS:
                certificate = peer.getpeercert()
                assert certificate is not None
                assert certificate["subjectAltName"] == (("DNS", name),)
            else:
                assert transport.get_extra_info("ssl_object").server_hostname == name
