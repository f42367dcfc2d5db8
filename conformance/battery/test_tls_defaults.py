"""Chapter tls: ssl=True and ssl=False, and names that are left out.

What the machine trusts is a file of this suite, named by SSL_CERT_FILE, which OpenSSL reads for default contexts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME, client_context, server_context, trusted_by_default
from conformance.kit.connections import accept, opened
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import dialled, drive, free_port, listener, receive_exactly, unix_listener
from conformance.kit.protocols import Events
from conformance.kit.refusals import refused
from conformance.kit.secured import tls_accept
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CITE = "asyncio-eventloop: loop.create_connection"


@requirement("tls.default-context-trusts", MUST, cite=CITE)
def test_true_trusts_what_the_machine_trusts(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If ssl is True, the context of ssl.create_default_context() is used: it trusts the authorities of the machine.

    It is what the transport tells as 'sslcontext'.

    If this fails: look for a context that nobody gave authorities, or for True told in its place.
    """
    monkeypatch.setenv("SSL_CERT_FILE", trusted_by_default(tmp_path))
    with listener() as listening:
        helper = tls_accept(listening)
        opening = loop.create_connection(Events, *listening.getsockname(), ssl=True, server_hostname=NAME)
        transport, _ = loop.run_until_complete(opening)
        with drive(loop, patience, helper):
            context = transport.get_extra_info("sslcontext")
            transport.abort()
            turn(loop, 4)
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED


@requirement("tls.default-context-checks", MUST, cite=CITE, needs=("unix",))
@pytest.mark.parametrize("way", ["host", "sock", "path", "path-unknown"])
def test_true_checks_authorities_and_names(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, watch: Any
) -> None:
    """If ssl is True, the default context matches the name, too: over TCP, and over Unix sockets as well.

    If this fails: look for a context of the loop's own, whose check_hostname is off, or that verifies nothing, perhaps
    for a socket that was given.
    """
    watch.allow("reported")
    if way != "path-unknown":
        monkeypatch.setenv("SSL_CERT_FILE", trusted_by_default(tmp_path))
    context = server_context(NAME if way == "path-unknown" else "other.example")
    how: Any = {"ssl": True, "server_hostname": NAME}
    path = str(tmp_path / "s")
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(unix_listener(path) if way.startswith("path") else listener())
        helper = tls_accept(listening, context)
        if way == "sock":
            sock = stack.enter_context(dialled(listening.getsockname()))
            sock.setblocking(False)
            opening: Any = loop.create_connection(Events, sock=sock, **how)
        elif way == "host":
            opening = loop.create_connection(Events, *listening.getsockname(), **how)
        else:
            opening = loop.create_unix_connection(Events, path, **how)
        with pytest.raises(ssl.SSLCertVerificationError):
            loop.run_until_complete(opening)
        with contextlib.suppress(OSError):
            drive(loop, patience, helper).close()
        turn(loop, 4)


@requirement("tls.default-context-empty-name", MUST, cite=CITE)
def test_true_with_an_empty_name_checks_none(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If ssl is True and server_hostname an empty string, hostname matching is disabled.

    If this fails: look for a default context that still checks names, and refuses to work without one.
    """
    monkeypatch.setenv("SSL_CERT_FILE", trusted_by_default(tmp_path))
    with listener() as listening:
        helper = tls_accept(listening, server_context("other.example"))
        opening = loop.create_connection(Events, *listening.getsockname(), ssl=True, server_hostname="")
        transport, _ = loop.run_until_complete(opening)
        with drive(loop, patience, helper):
            transport.abort()
            turn(loop, 4)


@requirement("tls.false", MUST, cite=CITE)
@each("value", [False, None], ids=["False", "None"])
def test_false_is_a_plain_connection(loop: Loop, value: bool | None) -> None:
    """If ssl is not given or is false, a plain TCP transport is created.

    If this fails: look for a comparison with None, which takes False for a context.
    """
    with listener() as listening:
        transport, _ = loop.run_until_complete(loop.create_connection(Events, *listening.getsockname(), ssl=value))
        with accept(listening) as peer:
            transport.write(b"plain")
            turn(loop, 2)
            assert receive_exactly(peer, 5) == b"plain"
            assert transport.get_extra_info("sslcontext") is None
            transport.abort()
            turn(loop, 3)


@requirement("tls.hostname-of-empty-host", MUST, cite=CITE)
def test_an_empty_host_is_no_name(loop: Loop) -> None:
    """If host is empty there is no default for server_hostname, and a value must be passed: an exception is raised.

    If this fails: look for the empty string used as a name, so that nothing is checked.
    """
    with listener() as listening, refused():
        loop.run_until_complete(
            loop.create_connection(Events, "", listening.getsockname()[1], ssl=client_context(), family=socket.AF_INET)
        )


@requirement("tls.local-addr", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_local_addr_binds_the_socket_of_a_tls_connection(loop: Loop, patience: Patience) -> None:
    """local_addr is a (local_host, local_port) pair to bind the socket to, with ssl as without.

    If this fails: look for arguments that a connection over TLS does not pass on.
    """
    here = ("127.0.0.1", free_port())
    with listener() as listening:
        helper = tls_accept(listening)
        connecting = loop.create_connection(
            Events, *listening.getsockname(), ssl=client_context(), server_hostname=NAME, local_addr=here
        )
        with opened(loop, connecting) as (transport, _), drive(loop, patience, helper) as peer:
            assert transport.get_extra_info("sockname") == here
            assert peer.getpeername() == here
