"""Chapter unix: the file of a server's socket, and when it is removed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.patience import Patience
from conformance.kit.peers import unix_listener
from conformance.kit.servers import accepted, dial, serving_unix
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("unix.cleanup", MUST, cite="asyncio-eventloop: loop.create_unix_server", since="3.13", needs=("unix",))
@each("value", [None, True, False], ids=["default", "True", "False"])
def test_the_socket_file_is_removed_with_the_server(
    loop: Loop, patience: Patience, tmp_path: Path, value: bool | None
) -> None:
    """If cleanup_socket is true (the default) the Unix socket is removed from the filesystem when the server is closed.

    If this fails: look for a file that stays, perhaps for one spelling of its path or if the socket was given, or one
    that is removed though cleanup_socket is false.
    """
    kwargs: dict[str, Any] = {} if value is None else {"cleanup_socket": value}
    path = tmp_path / "s"
    for spelled in (str(path), bytes(path), path, None):
        if spelled is None:
            kwargs["sock"] = socket.socket(socket.AF_UNIX)
            kwargs["sock"].bind(str(path))
        with serving_unix(loop, spelled, **kwargs):
            assert stat.S_ISSOCK(os.stat(path).st_mode)
        if value is not False:
            patience.in_turns.run_until(loop, lambda: not path.exists(), "the removal of the socket's file")
        assert path.exists() is (value is False)
        path.unlink(missing_ok=True)


@requirement(
    "unix.cleanup-replaced", MUST, cite="asyncio-eventloop: loop.create_unix_server", since="3.13", needs=("unix",)
)
def test_a_socket_that_replaced_it_is_left_alone(loop: Loop, tmp_path: Path) -> None:
    """The socket is not removed if it has been replaced after the server was created, by another or by a file.

    If this fails: look for a removal by name alone, which takes the next server's socket away.
    """
    path = tmp_path / "s"
    with serving_unix(loop, str(path)):
        path.rename(tmp_path / "renamed")  # so that its number is not used again
        with unix_listener(str(path)):
            pass
    assert path.exists()
    path.unlink()
    with serving_unix(loop, str(path)):
        path.rename(tmp_path / "renamed")
        path.write_text("precious")
    assert path.read_text() == "precious"
    path.unlink()
    with serving_unix(loop, str(path)):
        path.unlink()  # what is gone need not be removed


@requirement("unix.no-cleanup-before", MUST, cite="whatsnew 3.13: asyncio", until="3.12", needs=("unix",))
def test_the_socket_file_stayed_before(loop: Loop, tmp_path: Path) -> None:
    """Before Python 3.13 the socket's file is not removed when the server is closed.

    If this fails: look for the newer behaviour on an older Python, where programs remove the file themselves.
    """
    with serving_unix(loop, str(tmp_path / "s")):
        pass
    assert (tmp_path / "s").exists()


async def _leave_a_block(server: Any) -> None:
    async with server:
        pass


async def _cancel_serve_forever(server: Any) -> None:
    serving = asyncio.ensure_future(server.serve_forever())
    await asyncio.sleep(0)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@requirement(
    "unix.cleanup-whenever", MUST, cite="asyncio-eventloop: loop.create_unix_server", since="3.13", needs=("unix",)
)
@each("how", ["async with", "serve_forever", "never served", "over TLS", "relative path"])
def test_the_socket_file_is_removed_however_the_server_ends(
    loop: Loop, patience: Patience, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The Unix socket is removed when the server is closed: by async with or a cancellation, served or not, over TLS.

    If this fails: look for a removal that only one way to the end of a server comes by.
    """
    monkeypatch.chdir(tmp_path)
    kwargs: dict[str, Any] = {"start_serving": how != "never served"}
    if how == "over TLS":
        kwargs["ssl"] = server_context()
    path = Path("s") if how == "relative path" else tmp_path / "s"
    with serving_unix(loop, str(path), **kwargs) as service:
        assert path.exists()
        if how == "async with":
            loop.run_until_complete(_leave_a_block(service.server))
        elif how == "serve_forever":
            loop.run_until_complete(_cancel_serve_forever(service.server))
        else:
            service.server.close()
        patience.in_turns.run_until(loop, lambda: not path.exists(), "the removal of the socket's file")


@requirement(
    "unix.cleanup-connected", MUST, cite="asyncio-eventloop: loop.create_unix_server", since="3.13", needs=("unix",)
)
def test_the_socket_file_is_removed_while_there_are_connections(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """The Unix socket is removed when the server is closed, not when its last connection has ended.

    If this fails: look for a removal by the code that wakes wait_closed().
    """
    path = tmp_path / "s"
    with serving_unix(loop, str(path)) as service, dial(service):
        protocol = accepted(loop, patience, service)
        service.server.close()
        patience.in_turns.run_until(loop, lambda: not path.exists(), "the removal of the socket's file")
        assert not protocol.transport.is_closing()
