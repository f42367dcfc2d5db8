"""Chapter resources: descriptors that a child process inherits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.children import spawned
from conformance.kit.connections import opened
from conformance.kit.patience import Patience
from conformance.kit.protocols import Datagrams, Events
from conformance.kit.ways import WAYS, joined
from conformance.requirement import SHOULD, requirement
from conformance.watch import open_descriptors

Loop = asyncio.AbstractEventLoop
HERE = ("127.0.0.1", 0)


def inheritable() -> set[int]:
    """The descriptors of this process that a program which it executes would keep."""
    found = set()
    for number in open_descriptors():
        with contextlib.suppress(OSError):  # it was that of the directory which lists them
            if os.get_inheritable(number):
                found.add(number)
    return found


@requirement("resources.connections-not-inherited", SHOULD, cite="PEP 446: Non-Inheritable File Descriptors")
@WAYS
def test_connections_are_not_inherited(loop: Loop, patience: Patience, way: str) -> None:
    """The descriptor of a connection is non-inheritable, whichever way it was made: no child process keeps it open.

    If this fails: look for socket() or accept() without SOCK_CLOEXEC.
    """
    before = inheritable()
    with joined(loop, patience, way):
        assert inheritable() <= before


@contextlib.contextmanager
def _loop(_: Loop, make_loop: Callable[[], Loop]) -> Iterator[None]:
    loop = make_loop()
    try:
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.run_in_executor(None, int))
        yield
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


@contextlib.contextmanager
def _server(loop: Loop, *_: Any) -> Iterator[None]:
    with contextlib.closing(loop.run_until_complete(loop.create_server(Events, *HERE))):
        yield


@contextlib.contextmanager
def _endpoint(loop: Loop, *_: Any) -> Iterator[None]:
    with opened(loop, loop.create_datagram_endpoint(Datagrams, local_addr=HERE)):
        yield


@contextlib.contextmanager
def _accepted(loop: Loop, *_: Any) -> Iterator[None]:
    with socket.create_server(HERE) as listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(False)
        sock, _address = loop.run_until_complete(loop.sock_accept(listening))
        with sock:
            yield


_MADE: dict[str, Callable[..., Any]] = {
    "loop": _loop, "server": _server, "endpoint": _endpoint, "sock_accept": _accepted,
}  # fmt: skip


@requirement("resources.not-inherited", SHOULD, cite="PEP 446: Non-Inheritable File Descriptors")
@pytest.mark.parametrize("what", _MADE)
def test_what_a_loop_opens_is_not_inherited(loop: Loop, make_loop: Callable[[], Loop], what: str) -> None:
    """File descriptors that a loop opens are non-inheritable: its own, and those of servers and endpoints.

    If this fails: look for a poller, a pair of sockets or a listening socket that is made without close-on-exec.
    """
    before = inheritable()
    with _MADE[what](loop, make_loop):
        assert inheritable() <= before


@requirement("resources.unix-server-not-inherited", SHOULD, cite="PEP 446: Non-Inheritable File Descriptors",
             needs=("unix",))  # fmt: skip
def test_a_unix_server_is_not_inherited(loop: Loop, tmp_path: Path) -> None:
    """The listening socket of create_unix_server() is non-inheritable.

    If this fails: look for socket() without SOCK_CLOEXEC.
    """
    before = inheritable()
    with contextlib.closing(loop.run_until_complete(loop.create_unix_server(Events, str(tmp_path / "s")))):
        assert inheritable() <= before


@requirement("resources.pipes-not-inherited", SHOULD, cite="PEP 446: Non-Inheritable File Descriptors",
             needs=("shell",))  # fmt: skip
def test_the_pipes_of_a_child_are_not_inherited(loop: Loop, patience: Patience) -> None:
    """This process's ends of the pipes of a child are non-inheritable: the next child does not keep them open.

    If this fails: look for pipe() or socketpair() without close-on-exec.
    """
    before = inheritable()
    with spawned(loop, patience, "read line"):
        assert inheritable() <= before
