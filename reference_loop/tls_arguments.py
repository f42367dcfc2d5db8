"""What is said about TLS by the arguments of connections, servers and upgrades, and the defaults of what is not."""

from __future__ import annotations

import ssl
from typing import Any


def check_client(
    sslcontext: ssl.SSLContext | bool | None,
    server_hostname: str | None,
    handshake_timeout: float | None,
    shutdown_timeout: float | None,
) -> None:
    """ValueError for an argument that says something about TLS when there is none."""
    if sslcontext:
        return
    for name, value in (
        ("server_hostname", server_hostname),
        ("ssl_handshake_timeout", handshake_timeout),
        ("ssl_shutdown_timeout", shutdown_timeout),
    ):
        if value is not None:
            raise ValueError(f"{name} is only meaningful with ssl")


def check_server(sslcontext: Any, handshake_timeout: float | None, shutdown_timeout: float | None) -> None:
    """The same for a server, to which True is not enough: TypeError."""
    if isinstance(sslcontext, bool):
        raise TypeError("ssl argument must be an SSLContext or None: a server needs a certificate")
    check_client(sslcontext, None, handshake_timeout, shutdown_timeout)


def default_context(server_hostname: str | None) -> ssl.SSLContext:
    """What ssl=True stands for."""
    context = ssl.create_default_context()
    if not server_hostname:
        context.check_hostname = False
    return context


def positive(name: str, value: float | None, default: float) -> float:
    """A timeout in seconds; ValueError unless it is above 0."""
    if value is None:
        return default
    if value <= 0:
        raise ValueError(f"{name} should be a positive number, got {value!r}")
    return value
