"""Making the sockets on which servers listen, and the files of Unix sockets: bound, replaced when stale, removed.

Whatever fails on the way, every socket made here is closed.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Sequence

from .core import AddressInfo, logger


def bind_all(
    infos: Sequence[AddressInfo], reuse_address: bool, reuse_port: bool | None, keep_alive: bool | None
) -> list[socket.socket]:
    """One bound socket per address; addresses of a family that this machine lacks are left out."""
    sockets: list[socket.socket] = []
    try:
        for family, kind, proto, _, address in infos:
            try:
                sock = socket.socket(family, kind, proto)
            except OSError:
                continue
            sockets.append(sock)
            if reuse_address:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                set_reuse_port(sock)
            if keep_alive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if family == socket.AF_INET6:
                # Otherwise it takes the IPv4 address too, and whichever is bound second fails.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind(address)
            except OSError as exc:
                if exc.errno == errno.EADDRNOTAVAIL and len(infos) > 1:
                    sockets.pop().close()
                    continue
                raise OSError(
                    exc.errno, f"error while attempting to bind on address {address!r}: {str(exc.strerror).lower()}"
                ) from None
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"could not bind on any address out of {[info[4] for info in infos]!r}")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def set_reuse_port(sock: socket.socket) -> None:
    """Let several sockets share a port; ValueError where the system does not know that."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("reuse_port not supported by socket module")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as exc:
        raise ValueError(
            "reuse_port not supported by socket module, SO_REUSEPORT defined but not implemented."
        ) from exc


def is_abstract(path: str | bytes) -> bool:
    """Whether a Unix address lives in the abstract namespace (or is unnamed), and not in a file system."""
    return path[:1] in ("", b"", "\0", b"\0")


def remove_stale_socket(path: str | bytes) -> None:
    """Remove the file of a socket whose server is gone: bind() would fail on it."""
    if is_abstract(path):
        return
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        # The directory may allow to create a socket only: let bind() decide.
        logger.error("Unable to check or remove stale UNIX socket %r: %r", path, exc)


def bind_unix(path: str | bytes) -> socket.socket:
    remove_stale_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
    except OSError as exc:
        sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
        raise
    except BaseException:
        sock.close()
        raise
    return sock


def socket_file(path: str | bytes) -> tuple[str | bytes, int] | None:
    if is_abstract(path):
        return None
    try:
        return path, os.stat(path).st_ino
    except FileNotFoundError:
        return None


def unlink_if_same(path: str | bytes, inode: int) -> None:
    try:
        if os.stat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        logger.error("Unable to clean up listening UNIX socket %r: %r", path, exc)
