"""Chapter tls: a second connection over TLS, which has nothing of the first and does not wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, new_client_context, new_server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.secured import SERVERS, SIDES, secured, tls_over
from conformance.kit.waiting import assert_waits
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
SERVE = "asyncio-eventloop: loop.create_server"
START = "asyncio-eventloop: loop.start_tls"
NAMES = ("localhost", "other.test")


def _anybody() -> ssl.SSLContext:
    """A client's context that asks for a certificate of the authority, for whatever name."""
    context = new_client_context()
    context.check_hostname = False
    return context


@requirement("tls.given-to-each", MUST, cite=(CONNECT, SERVE, START))
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
                ours = new_server_context(name)
                connection = secured(loop, patience, side, ours=ours, theirs=_anybody())
            else:
                ours = new_client_context()
                connection = secured(
                    loop, patience, side, ours=ours, theirs=new_server_context(name), server_hostname=name
                )
            transport, _, peer = stack.enter_context(connection)
            assert transport.get_extra_info("sslcontext") is ours
            if side in SERVERS:
                certificate = peer.getpeercert()
                assert certificate is not None
                assert certificate["subjectAltName"] == (("DNS", name),)
            else:
                assert transport.get_extra_info("ssl_object").server_hostname == name


@requirement("tls.handshakes-side-by-side", MUST, cite=(CONNECT, START))
@each("how", ["create_connection", "start_tls"])
def test_a_handshake_that_waits_holds_up_no_other(loop: Loop, patience: Patience, how: str, watch: Any) -> None:
    """A connection that waits for the handshake of its peer keeps no other of the loop from making its own.

    If this fails: look for a lock, a queue or a session that all handshakes share.
    """
    watch.allow("reported")  # whether a handshake that is given up is reported is left open
    with contextlib.ExitStack() as stack:
        silent, answering = (stack.enter_context(tcp_pair()) for _ in range(2))
        waiting = _connecting(loop, how, silent[0])
        turn(loop, 5)
        connecting = _connecting(loop, how, answering[0])
        turn(loop, 5)
        helper = tls_over(answering[1], "server")
        transport = loop.run_until_complete(asyncio.wait_for(connecting, patience.seconds))
        with drive(loop, patience, helper):
            assert_waits(waiting)
            waiting.cancel()
            loop.run_until_complete(asyncio.wait([waiting]))
            transport.abort()
            turn(loop, 4)


def _connecting(loop: Loop, how: str, sock: socket.socket) -> asyncio.Task[Any]:
    """A client's connection with TLS over a connected socket, which has begun; its transport."""

    async def connect() -> Any:
        arguments: Any = {"server_hostname": NAME}
        if how == "create_connection":
            transport, _ = await loop.create_connection(Events, sock=sock, ssl=client_context(), **arguments)
            return transport
        beneath, protocol = await loop.create_connection(Events, sock=sock)
        try:
            return await loop.start_tls(beneath, protocol, client_context(), **arguments)
        except asyncio.CancelledError:
            beneath.abort()
            raise

    return loop.create_task(connect())
