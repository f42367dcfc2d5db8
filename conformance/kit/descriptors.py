"""Running out of file descriptors, and what the kernel tells of one that listens."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

import pytest

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


def backlog_of(listening: int) -> int:
    """How many connections may wait for accept() on a TCP socket of Linux. Skips where the kernel does not tell."""
    with socket.create_server(("127.0.0.1", 0), backlog=3) as control:
        if _read_backlog(control) != 3:
            pytest.skip("this kernel does not tell how many connections may wait")
    with socket.socket(fileno=os.dup(listening)) as sock:
        return _read_backlog(sock)


def _read_backlog(sock: socket.socket) -> int:
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    number: int = struct.unpack_from("I", told, _BACKLOG)[0]
    return number
