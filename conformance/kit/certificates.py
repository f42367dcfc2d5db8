"""Certificates for TLS, made once per process: an authority that only these contexts trust, and what it issues.

The contexts load nothing of the machine, so they are quickly made.
"""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import trustme

NAME = "localhost"


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def _issued(*names: str) -> trustme.LeafCert:
    return _authority().issue_cert(*names)


def new_server_context(name: str = NAME, *, client_certificates: bool = False) -> ssl.SSLContext:
    """A server's context, with a certificate for `name`, of a test's own: it may be changed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _issued(name).configure_cert(context)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        _authority().configure_trust(context)
    return context


def new_client_context(*, trusting: bool = True, certificate: str | None = None) -> ssl.SSLContext:
    """A client's context of a test's own, which verifies; it trusts the authority unless told otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusting:
        _authority().configure_trust(context)
    if certificate is not None:
        _issued(certificate).configure_cert(context)
    return context


# Reading a certificate takes longer than a handshake: whoever changes nothing of a context gets the same one again.
server_context = functools.cache(new_server_context)
client_context = functools.cache(new_client_context)


def trusted_by_default(directory: Path) -> str:
    """The path of a file with the authority's certificate, for SSL_CERT_FILE: default contexts then trust it."""
    path = directory / "authority.pem"
    _authority().cert_pem.write_to_path(str(path))
    return str(path)


# Made while the module is imported, so that processes forked for single tests find them ready.
server_context()
client_context()
