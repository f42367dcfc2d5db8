"""What a requirement may need of the machine, and whether it is here.

A missing *platform* feature makes a requirement "not applicable"; a feature that this machine merely lacks makes
it "not run", so that nobody mistakes it for a pass.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """One thing that a requirement may need. `why` completes the sentence "not run: …"; a library can be imported."""

    name: str
    why: str
    present: Callable[[], bool]
    platform: bool = False
    library: bool = False


def need_named(name: str) -> Need:
    """The need of that name. Raises KeyError with the known names."""
    try:
        return _NEEDS[name]
    except KeyError:
        raise KeyError(f"unknown need {name!r}; known: {', '.join(sorted(_NEEDS))}") from None


@functools.cache
def _can_bind(family: int, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


@functools.cache
def _pidfd_works() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


@functools.cache
def link_local() -> tuple[str, int] | None:
    """An address of this machine that belongs to one interface, and the number of that; None if it has none."""
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as table:
            rows = [line.split() for line in table]
    except OSError:
        return None
    for digits, number, _, scope, *_ in rows:
        host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
        if scope == "20" and _can_listen(host, int(number, 16)):
            return host, int(number, 16)
    return None


def _can_listen(host: str, scope: int) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe, socket.socket(socket.AF_INET6) as other:
            probe.bind((host, 0, 0, scope))
            probe.listen()
            other.settimeout(1)
            other.connect(probe.getsockname())
    except OSError:
        return False
    return True


def _importable(module: str) -> Callable[[], bool]:
    return functools.cache(lambda: importlib.util.find_spec(module) is not None)


_NEEDS = {
    need.name: need
    for need in (
        Need("linux", "Linux only", lambda: sys.platform == "linux", platform=True),
        Need("fork", "this platform has no os.fork", lambda: hasattr(os, "fork"), platform=True),
        Need("unix", "this platform has no Unix sockets", lambda: hasattr(socket, "AF_UNIX"), platform=True),
        Need(
            "reuse-port",
            "this platform has no SO_REUSEPORT",
            lambda: hasattr(socket, "SO_REUSEPORT"),
            platform=True,
        ),
        Need("pidfd", "this kernel has no pidfd_open", _pidfd_works, platform=True),
        Need("os-sendfile", "this platform has no os.sendfile", lambda: hasattr(os, "sendfile"), platform=True),
        Need("ipv4", "this machine has no IPv4 loopback", lambda: _can_bind(socket.AF_INET, "127.0.0.1")),
        Need(
            "ipv6",
            "this machine has no IPv6 loopback",
            lambda: socket.has_ipv6 and _can_bind(socket.AF_INET6, "::1"),
        ),
        Need("link-local", "this machine has no address that is local to a link", lambda: link_local() is not None),
        Need("proc", "/proc is not mounted", lambda: os.path.isdir("/proc/self/fd")),
        Need("shell", "there is no /bin/sh", lambda: shutil.which("sh") is not None),
        Need("non-root", "root is not stopped by permissions", lambda: os.geteuid() != 0),
        Need("tls-1.3", "this OpenSSL has no TLS 1.3", lambda: ssl.HAS_TLSv1_3),
        *(
            Need(name, f"{name} is not installed (extra: ecosystem)", _importable(name), library=True)
            for name in ("aiohttp", "aiosqlite", "anyio", "httpx", "uvicorn", "websockets")
        ),
    )
}
