"""Chapter tls: connections that have ended, or that end before and after the time for it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import dialled, drive, reset
from conformance.kit.secured import SIDES, secured, tls_dial
from conformance.kit.servers import accepted, serving
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost, write_until_lost
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "tls.pause-reading-when-ended",
    MUST,
    cite=("asyncio-protocol: ReadTransport.pause_reading", "asyncio-protocol: ReadTransport.resume_reading"),
)
@pytest.mark.parametrize("end", ["close", "close twice", "abort"])
def test_an_ended_tls_transport_can_be_paused(loop: Loop, patience: Patience, end: str) -> None:
    """pause_reading() and resume_reading() are idempotent also when a TLS transport is closed, however it was closed.

    If this fails: look for what a second close() lets go of, and the other methods need.
    """
    with secured(loop, patience) as (transport, protocol, peer):
        for method in end.replace(" twice", " close").split():
            getattr(transport, method)()
        helper = in_thread(peer.close)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        helper.result()
        for _ in range(2):
            transport.pause_reading()
            transport.pause_reading()
            transport.resume_reading()
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1


@requirement("tls.reset-handshake-is-quiet", SHOULD, cite=("gh-81216", "zuvloop#174"))
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_that_goes_before_the_handshake_is_not_reported(
    loop: Loop, patience: Patience, watch: Any, how: str
) -> None:
    """A client that goes before the handshake is complete is nothing for the exception handler: the network does that.

    If this fails: look for every OSError being reported. Whoever looks whether a port is open does so.
    """
    with serving(loop, ssl=server_context()) as service:
        peer = dialled(service.address)
        for _ in range(3):
            turn(loop)
        if how == "reset":
            reset(peer)
        else:
            peer.close()
        helper = tls_dial(service.address)
        accepted(loop, patience, service, service.made() + 1)
        drive(loop, patience, helper).close()
        turn(loop, 3)
        assert watch.reported == []


@requirement("tls.write-error-is-reported", MUST, cite=("asyncio-protocol: BaseProtocol.connection_lost", "gh-118950"))
@SIDES
def test_a_failed_write_loses_the_tls_connection(loop: Loop, patience: Patience, side: str) -> None:
    """A TLS connection whose peer is gone is lost with an OSError also when only writing finds out.

    If this fails: look for an error of the transport beneath that is not passed on while reading is paused.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        transport.pause_reading()
        plain = socket.socket(fileno=peer.detach())
        if plain.family == socket.AF_UNIX:
            plain.close()
        else:
            reset(plain)
        write_until_lost(loop, patience, transport, protocol)
        assert isinstance(protocol.reason, OSError)


@requirement("tls.end-after-the-end", MUST, cite=("asyncio-protocol: BaseProtocol.connection_lost", "anyio#1250"))
@each("how", ["close", "abort", "end"])
@SIDES
def test_a_tls_connection_ends_once(loop: Loop, patience: Patience, side: str, how: str) -> None:
    """connection_lost() is called once per connection: close() and abort() of one that is lost do nothing.

    If this fails: look for an end that is noted down in the transport beneath only.
    """
    with secured(loop, patience, side) as (transport, protocol, peer):
        helper = in_thread(functools.partial(_say_goodbye, peer))
        if how != "end":
            getattr(transport, how)()
        until_lost(loop, patience, protocol)
        drive(loop, patience, helper)
        for again in (transport.close, transport.abort, transport.close):
            again()
            turn(loop, 3)
        assert protocol.names.count("connection_lost") == 1


def _say_goodbye(peer: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError):
        peer.unwrap().close()
