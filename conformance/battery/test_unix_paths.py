"""Chapter unix: paths of every spelling, and servers that start late or with a backlog."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.certificates import server_context
from conformance.kit.descriptors import backlog_of
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import unix_listener
from conformance.kit.protocols import Events
from conformance.kit.servers import accepted, dial, serving_unix
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_unix_connection"
SERVE = "asyncio-eventloop: loop.create_unix_server"


class _PathLike:
    """A path that is no str, bytes or Path."""

    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


_PATHS: dict[str, Any] = {
    "relative": "s",
    "not-ascii": "s\u00e9\u4e2d",
    "not-text": b"s\xff",
    "a-space": "s s",
    "path-like": _PathLike("s"),
    "path-like-bytes": _PathLike(b"s"),
    "long": "s" * 100,
}


def _possible(path: Any) -> str | bytes:
    """The path as the system takes it; where it does not, the test is not run."""
    spelled: str | bytes = os.fspath(path)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(spelled)
    except (OSError, UnicodeError) as error:
        pytest.skip(f"this system has no such path: {error}")
    os.unlink(spelled)
    return spelled


@requirement("unix.connect-any-path", MUST, cite=CONNECT, needs=("unix",))
@pytest.mark.parametrize("name", _PATHS)
def test_a_connection_is_made_to_any_path(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """create_unix_connection() takes every path that the system does: relative, long, not ASCII, or path-like.

    If this fails: look for a buffer that is too short, an encoding that is not the file system's, or a type check.
    """
    monkeypatch.chdir(tmp_path)
    path = _possible(_PATHS[name])
    with unix_listener(path) as listening:
        transport, protocol = loop.run_until_complete(loop.create_unix_connection(Events, _PATHS[name]))
        listening.accept()[0].close()
        assert protocol.transport is transport
        transport.abort()
        turn(loop, 3)


@requirement("unix.server-any-path", MUST, cite=SERVE, needs=("unix",))
@pytest.mark.parametrize("name", _PATHS)
def test_a_server_listens_at_any_path(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """create_unix_server() takes every path that the system does: relative, long, not ASCII, or path-like.

    If this fails: look for a buffer that is too short, an encoding that is not the file system's, or a type check.
    """
    monkeypatch.chdir(tmp_path)
    path = _possible(_PATHS[name])
    with serving_unix(loop, _PATHS[name]) as service, dial(service, path):
        accepted(loop, patience, service)


@requirement("unix.server-starts-later", MUST, cite=SERVE, needs=("unix",))
def test_a_server_may_be_made_without_serving(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """With start_serving=False, a Unix server accepts no connection until start_serving() is awaited.

    If this fails: look for a parameter that only servers over TCP have, or only those without TLS, or of a path.
    """
    with serving_unix(loop, str(tmp_path / "tls"), start_serving=False, ssl=server_context()) as service:
        turn(loop, 2)
        assert not service.server.is_serving()
        loop.run_until_complete(service.server.start_serving())
        assert service.server.is_serving()
    path = str(tmp_path / "s")
    with serving_unix(loop, path, start_serving=False) as service:
        assert not service.server.is_serving()
        with contextlib.suppress(OSError):
            dial(service, path).close()
        turn(loop, 5)
        assert service.protocols == []
        loop.run_until_complete(service.server.start_serving())
        assert service.server.is_serving()
        with dial(service, path):
            accepted(loop, patience, service)
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(tmp_path / "given"))
    with serving_unix(loop, sock=given, start_serving=False) as service:
        turn(loop, 2)
        assert not service.server.is_serving()


@requirement("unix.server-backlog", MUST, cite=SERVE, needs=("unix", "linux"))
@pytest.mark.parametrize("given", [None, 0, 7])
def test_backlog_of_a_unix_server_is_passed_to_listen(loop: Loop, tmp_path: Path, given: int | None) -> None:
    """backlog is the maximum number of queued connections passed to listen() (100 by default), for a Unix server too.

    If this fails: look for a number of the loop's own, perhaps with ssl, or for a 0 taken for none, perhaps by
    start_serving().
    """
    arguments: dict[str, Any] = {} if given is None else {"backlog": given}
    with serving_unix(loop, str(tmp_path / "tls"), ssl=server_context(), **arguments) as service:
        assert backlog_of(service.server.sockets[0].fileno()) == (100 if given is None else given)
    for path, at_once in ((tmp_path / "s", True), (tmp_path / "later", False)):
        with serving_unix(loop, str(path), start_serving=at_once, **arguments) as service:
            loop.run_until_complete(service.server.start_serving())
            assert backlog_of(service.server.sockets[0].fileno()) == (100 if given is None else given)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
        with serving_unix(loop, sock=sock, **arguments) as service:
            assert backlog_of(service.server.sockets[0].fileno()) == (100 if given is None else given)


@requirement("unix.false-protocol", MUST, cite=(CONNECT, SERVE), needs=("unix",))
def test_protocols_over_unix_sockets_may_be_false(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """protocol_factory may return any protocol, also one that is false, as an object without items is.

    If this fails: look for a test for truth where one for None was meant.
    """

    class Empty(Events):
        def __len__(self) -> int:
            return 0

    path = str(tmp_path / "s")
    with serving_unix(loop, path) as service:
        service.make = Empty
        transport, protocol = loop.run_until_complete(loop.create_unix_connection(Empty, path))
        assert protocol.transport is transport
        assert isinstance(accepted(loop, patience, service), Empty)
        transport.abort()


@requirement(
    "unix.connect-factory-last", MUST, cite=(CONNECT, "asyncio-eventloop: loop.create_connection"), needs=("unix",)
)
def test_no_protocol_is_made_for_a_path_that_nobody_listens_at(loop: Loop, tmp_path: Path) -> None:
    """The connection to a path is established first, and then protocol_factory is called; connection_made() follows.

    If this fails: look for a protocol that is made before the attempt, or a pair that is returned unannounced.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    async def connected(path: str) -> None:
        transport, protocol = await loop.create_unix_connection(factory, path)
        assert made == [protocol]
        assert protocol.names == ["connection_made"]
        transport.abort()

    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(loop.create_unix_connection(factory, str(tmp_path / "nobody")))
    assert made == []
    with unix_listener(str(tmp_path / "s")):
        loop.run_until_complete(connected(str(tmp_path / "s")))
        turn(loop, 3)
