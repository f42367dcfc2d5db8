"""Running out of file descriptors, those of high numbers, and what the kernel tells of one that listens."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
from collections.abc import Iterator

import pytest

HIGH = 1100  # beyond FD_SETSIZE, where select() ends
# Of netlink.h, sock_diag.h and unix_diag.h of Linux; the attribute that is asked for stands right behind the answer.
_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _ANY, _RQLEN = 4, 20, 0xFFFFFFFF, 0x10
_HEADER = 16
_LIMIT = _HEADER + 16 + 4 + 4
_BACKLOG = 28  # of Linux's struct tcp_info: tcpi_sacked, which of a listening socket is the length of its queue


@contextlib.contextmanager
def none_left() -> Iterator[None]:
    """In this block, the process can open no descriptor more. A trial's process may have a few hundred."""
    held: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


@contextlib.contextmanager
def many_allowed() -> Iterator[None]:
    """In this block, the process can have descriptors of numbers above `HIGH`. Skips where the system says no."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] <= HIGH + 100:
        pytest.skip(f"a process may have no more than {before[1]} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], HIGH + 100), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def backlog_of(listening: int) -> int:
    """How many connections may wait for accept() on a listening socket of Linux. Skips where the kernel does not tell.

    The kernel is asked, since connections cannot be counted: a loop may accept at any time.
    """
    with socket.socket(fileno=os.dup(listening)) as sock, socket.socket(sock.family) as control:
        read = _read_unix_backlog if sock.family == socket.AF_UNIX else _read_tcp_backlog
        control.bind(f"\0backlog-{os.getpid()}" if sock.family == socket.AF_UNIX else ("", 0))
        control.listen(3)
        told = read(sock)
        if told is None or read(control) != 3:
            pytest.skip("this kernel does not tell how many connections may wait")
        return told


def _read_tcp_backlog(sock: socket.socket) -> int | None:
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    number: int = struct.unpack_from("I", told, _BACKLOG)[0]
    return number


def _read_unix_backlog(sock: socket.socket) -> int | None:
    """By the kernel's sock_diag(7), whose answer for a listening socket is its receive queue's length and limit."""
    asked = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _ANY, os.fstat(sock.fileno()).st_ino, _RQLEN, _ANY, _ANY)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(1)
            kernel.send(struct.pack("=IHHII", _HEADER + len(asked), _SOCK_DIAG_BY_FAMILY, 1, 1, 0) + asked)
            told = kernel.recv(1024)
    except OSError:
        return None
    if len(told) < _LIMIT + 4:  # an error: it has no such module
        return None
    limit: int = struct.unpack_from("=I", told, _LIMIT)[0]
    return limit
