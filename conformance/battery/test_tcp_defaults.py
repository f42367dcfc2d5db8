"""Chapter tcp: keyword arguments that are given with the value which they have if they are left out."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience
from conformance.kit.peers import listener, tcp_pair
from conformance.kit.protocols import Events
from conformance.kit.servers import answers
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"

_DEFAULTS: dict[str, Any] = {
    "ssl": None,
    "family": 0,
    "proto": 0,
    "flags": 0,
    "sock": None,
    "local_addr": None,
    "server_hostname": None,
    "ssl_handshake_timeout": None,
    "ssl_shutdown_timeout": None,
}
_RACING: dict[str, Any] = {"happy_eyeballs_delay": None, "interleave": None}
if sys.version_info >= (3, 12):
    _RACING["all_errors"] = False


def _connects(loop: Loop, patience: Patience, given: dict[str, Any]) -> None:
    """A connection is made, and used, with these keyword arguments."""
    with listener() as listening:
        opening = loop.create_connection(Events, *listening.getsockname(), **given)
        with opened(loop, opening) as (_, protocol), accept(listening) as peer:
            answers(loop, patience, protocol, peer)


@requirement("tcp.connect-defaults", MUST, cite=CONNECT)
@each("given", [{name: value} for name, value in _DEFAULTS.items()] + [_DEFAULTS])
def test_defaults_of_a_connection_may_be_given(loop: Loop, patience: Patience, given: dict[str, Any]) -> None:
    """A keyword argument of create_connection() may be given its default: None, or 0, is as if it were left out.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    _connects(loop, patience, given)


@requirement("tcp.connect-happy-eyeballs-defaults", MUST, cite=CONNECT)
@each("given", [{name: value} for name, value in _RACING.items()])
def test_defaults_of_a_race_may_be_given(loop: Loop, patience: Patience, given: dict[str, Any]) -> None:
    """happy_eyeballs_delay, interleave and all_errors may be given their defaults, as if they were left out.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    _connects(loop, patience, given)


@requirement("tcp.accepted-defaults", MUST, cite=ACCEPTED)
@each("name", ["ssl", "ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_defaults_of_an_accepted_socket_may_be_given(loop: Loop, patience: Patience, name: str) -> None:
    """A keyword argument of connect_accepted_socket() may be None, its default, as if it were left out.

    If this fails: look for a test of whether an argument was given, where its value was meant.
    """
    with tcp_pair() as (ours, peer):
        given: dict[str, Any] = {name: None}
        with opened(loop, loop.connect_accepted_socket(Events, ours, **given)) as (_, protocol):
            answers(loop, patience, protocol, peer)
