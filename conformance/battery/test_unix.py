"""Chapter unix: connections and servers over sockets of the family AF_UNIX."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, Derived, as_subclass, unix_listener
from conformance.kit.protocols import Events
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.servers import Service, accepted, answers, dial, serving_unix, shut
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


def connect(loop: Loop, *args: Any, **kwargs: Any) -> Any:
    return loop.run_until_complete(loop.create_unix_connection(Events, *args, **kwargs))


def speaks(loop: Loop, patience: Patience, transport: Any, protocol: Events, peer: socket.socket) -> None:
    """Bytes go both ways; then the transport is closed."""
    peer.settimeout(PEER_TIMEOUT)
    answers(loop, patience, protocol, peer)
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


def spelled(path: Path, kind: type) -> Any:
    return path if kind is Path else str(path) if kind is str else os.fsencode(path)


KINDS = pytest.mark.parametrize("kind", [str, bytes, Path], ids=["str", "bytes", "Path"])


@requirement("unix.connect", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
@KINDS
def test_a_connection_is_made_to_a_path(loop: Loop, patience: Patience, tmp_path: Path, kind: type) -> None:
    """path is the name of a Unix domain socket; str, bytes and Path paths are supported.

    If this fails: look for a path that must be str.
    """
    with unix_listener(str(tmp_path / "s")) as sock:
        transport, protocol = connect(loop, spelled(tmp_path / "s", kind))
        with sock.accept()[0] as peer:
            speaks(loop, patience, transport, protocol, peer)


@requirement("unix.connect-pair", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
def test_a_tuple_of_transport_and_protocol_is_returned(loop: Loop, tmp_path: Path) -> None:
    """A tuple of (transport, protocol) is returned on success, after connection_made() was called.

    If this fails: look for a list, or a connection that is announced later.
    """
    with unix_listener(str(tmp_path / "s")) as sock:
        pair = connect(loop, str(tmp_path / "s"))
        assert isinstance(pair, tuple)
        assert pair[1].calls == [("connection_made", pair[0])]
        pair[0].close()
        turn(loop, 3)
        sock.accept()[0].close()


def abstract(kind: type) -> Any:
    """An abstract name of this test's own, with a zero in it; nothing is left of it when its last socket is closed."""
    name = f"\0conformance\0battery-{os.getpid()}"
    return name if kind is str else name.encode()


NAMES = pytest.mark.parametrize("kind", [str, bytes], ids=["str", "bytes"])


@requirement("unix.abstract", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix", "linux"))
@NAMES
def test_a_connection_is_made_to_an_abstract_name(loop: Loop, patience: Patience, kind: type) -> None:
    """Abstract Unix sockets are supported by create_unix_connection().

    If this fails: look for a name that ends at its first zero byte.
    """
    with unix_listener(abstract(kind)) as sock:
        transport, protocol = connect(loop, abstract(kind))
        with sock.accept()[0] as peer:
            speaks(loop, patience, transport, protocol, peer)


@requirement("unix.server-abstract", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix", "linux"))
@NAMES
def test_a_server_listens_at_an_abstract_name(loop: Loop, patience: Patience, kind: type) -> None:
    """Abstract Unix sockets are supported by create_unix_server().

    If this fails: look for a file that is looked for, or made, under the name.
    """
    with serving_unix(loop, abstract(kind)) as service, dial(service, abstract(bytes)):
        accepted(loop, patience, service)


@requirement("unix.connect-sock", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
@each("derived", [False, True], ids=["socket", "subclass"])
def test_a_connected_socket_may_be_given(loop: Loop, patience: Patience, derived: bool) -> None:
    """sock can be a connected socket, blocking or not, instead of a path; it may be an instance of a subclass.

    If this fails: look for a socket that blocks the loop, a path that is required, or a type that must be socket.socket
    itself.
    """
    ours, peer = socket.socketpair(socket.AF_UNIX)
    if derived:
        ours = as_subclass(ours)
    with peer:
        transport, protocol = connect(loop, sock=ours)
        speaks(loop, patience, transport, protocol, peer)
    patience.in_turns.run_until(loop, lambda: ours.fileno() == -1, "the end of the socket")


@requirement("unix.connect-arguments", MUST, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
@each("given", ["both", "neither", "empty path"])
def test_a_connection_needs_path_or_sock(loop: Loop, tmp_path: Path, given: str) -> None:
    """path is required unless a sock is specified, and both exclude each other: an exception is raised.

    If this fails: look for one of the two that wins silently.
    """
    path = "" if given == "empty path" else str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock, refused():
        connect(loop, **({} if given == "neither" else {"path": path, "sock": sock}))


@requirement("unix.connect-sock-family", SHOULD, cite="asyncio-eventloop: loop.create_unix_connection", needs=("unix",))
@each("family", ["inet", "datagram"])
def test_a_connection_needs_a_unix_stream_socket(loop: Loop, family: str) -> None:
    """A sock that is no stream socket of AF_UNIX is refused.

    If this fails: look for a transport over whatever socket is given.
    """
    sock = socket.socket() if family == "inet" else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sock, refused(OSError):
        connect(loop, sock=sock)


@requirement("unix.connect-errors", MUST, cite="exceptions: OSError", needs=("unix",))
@each("error", [FileNotFoundError, ConnectionRefusedError])
def test_a_failed_connection_is_the_systems_error(loop: Loop, tmp_path: Path, error: type[OSError]) -> None:
    """No socket at the path is FileNotFoundError, and one that nobody listens on ConnectionRefusedError.

    If this fails: look for an errno that is lost, or a socket that stays open.
    """
    path = str(tmp_path / "s")
    if error is ConnectionRefusedError:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
    with pytest.raises(error):
        connect(loop, path)


@requirement("unix.connect-hostname", MUST, cite="asyncio-eventloop: loop.create_connection", needs=("unix",))
def test_server_hostname_needs_tls(loop: Loop, tmp_path: Path) -> None:
    """server_hostname is only meaningful with ssl: without it, an exception is raised.

    If this fails: look for an argument that is ignored, so that the caller believes in TLS.
    """
    for name in ("name", ""):
        path = str(tmp_path / f"s{len(name)}")
        with unix_listener(path), refused():
            connect(loop, path, server_hostname=name)


@requirement("unix.connect-tls-hostname", MUST, cite="asyncio-eventloop: loop.create_connection", needs=("unix",))
def test_tls_needs_server_hostname(loop: Loop, tmp_path: Path) -> None:
    """With ssl and no host, there is no default for server_hostname: an exception is raised unless it is given.

    If this fails: look for a certificate that is checked against nothing.
    """
    with unix_listener(str(tmp_path / "s")), refused():
        connect(loop, str(tmp_path / "s"), ssl=True)


@requirement("unix.connect-tls-timeouts", MAY, cite="asyncio-eventloop: loop.create_connection", needs=("unix",))
@each("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@each("side", ["connection", "server"])
def test_tls_timeouts_without_tls(loop: Loop, tmp_path: Path, name: str, side: str, answer: Answer) -> None:
    """Whether Unix connections and servers refuse ssl_handshake_timeout and ssl_shutdown_timeout without ssl is open.

    If this fails: what was opened could not be closed.
    """
    arguments: dict[str, Any] = {name: 1.0}
    path = str(tmp_path / f"{side[0]}{name[4]}")  # short, wherever temporary files are
    if side == "server":
        answer(outcome_of(loop, loop.create_unix_server(Events, path, **arguments)))
    else:
        with unix_listener(path):
            answer(outcome_of(loop, loop.create_unix_connection(Events, path, **arguments)))


@requirement("unix.server", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
@KINDS
def test_a_server_listens_at_a_path(loop: Loop, patience: Patience, tmp_path: Path, kind: type) -> None:
    """create_unix_server() listens at path, which may be str, bytes or Path, and connections reach a protocol.

    If this fails: look for a path that must be str.
    """
    with serving_unix(loop, spelled(tmp_path / "s", kind)) as service, dial(service, str(tmp_path / "s")) as peer:
        protocol = accepted(loop, patience, service)
        speaks(loop, patience, protocol.transport, protocol, peer)


@requirement("unix.server-sock", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
@each("kind", [socket.socket, Derived], ids=["socket", "subclass"])
def test_a_server_takes_a_socket(loop: Loop, patience: Patience, tmp_path: Path, kind: type[socket.socket]) -> None:
    """sock can be given instead of a path; the server owns it then. It may be an instance of a subclass.

    If this fails: look for a socket that nobody makes listen, that stays open after close(), or whose type must be
    socket.socket itself.
    """
    sock = kind(socket.AF_UNIX)
    path = str(tmp_path / kind.__name__)
    sock.bind(path)
    with serving_unix(loop, sock=sock) as service, dial(service, path):
        accepted(loop, patience, service)
    patience.in_turns.run_until(loop, lambda: sock.fileno() == -1, "the end of the listening socket")


@requirement("unix.server-arguments", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
@each("given", ["both", "neither", "empty path"])
def test_a_server_needs_path_or_sock(loop: Loop, tmp_path: Path, given: str) -> None:
    """path is required, unless a sock argument is provided, and both exclude each other: an exception is raised.

    If this fails: look for one of the two that wins silently.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        path = "" if given == "empty path" else str(tmp_path / "s")
        arguments: Any = {} if given == "neither" else {"path": path, "sock": sock}
        with refused():
            loop.run_until_complete(loop.create_unix_server(Events, **arguments))


@requirement("unix.stale-socket", SHOULD, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
@each("kind", [str, os.fsencode, Path])
def test_a_stale_socket_is_replaced(loop: Loop, patience: Patience, tmp_path: Path, kind: Any) -> None:
    """A socket that an earlier server left at the path, of any type, does not keep the server from listening there.

    If this fails: look for bind() without the removal of a socket file, which every restart after a crash needs.
    """
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with serving_unix(loop, kind(path)) as service, dial(service, path):
        accepted(loop, patience, service)
    Path(path).unlink(missing_ok=True)


@requirement("unix.file-in-the-way", MUST, cite="exceptions: OSError", needs=("unix",))
def test_a_file_at_the_path_is_left_alone(loop: Loop, tmp_path: Path) -> None:
    """A file that is no socket is not removed: create_unix_server() raises OSError with errno EADDRINUSE.

    If this fails: look for an unlink() that does not look at what it removes.
    """
    (tmp_path / "s").write_text("precious")
    with pytest.raises(OSError) as caught:  # noqa: PT011 (the number is checked below)
        loop.run_until_complete(loop.create_unix_server(Events, str(tmp_path / "s")))
    assert caught.value.errno == errno.EADDRINUSE
    assert (tmp_path / "s").read_text() == "precious"


@requirement("unix.missing-directory", MUST, cite="exceptions: OSError", needs=("unix",))
def test_a_missing_directory_is_an_error(loop: Loop, tmp_path: Path) -> None:
    """A path in a directory that does not exist raises FileNotFoundError, and leaves no socket open.

    If this fails: look for an error turned into a log message.
    """
    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(loop.create_unix_server(Events, str(tmp_path / "none" / "s")))


@requirement("unix.extra-info", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info", needs=("unix",))
def test_a_unix_transport_knows_its_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """get_extra_info() tells 'socket' (of the family AF_UNIX), 'sockname' and 'peername' as the socket would.

    If this fails: look for addresses made up as those of TCP.
    """
    path = str(tmp_path / "s")
    with serving_unix(loop, path) as service:
        transport, _ = connect(loop, path)
        other = accepted(loop, patience, service).transport
        assert transport.get_extra_info("socket").family == socket.AF_UNIX
        assert transport.get_extra_info("peername") == other.get_extra_info("sockname") == path
        assert transport.get_extra_info("sockname") == transport.get_extra_info("socket").getsockname()
        transport.abort()


@requirement("unix.credentials", SHOULD, cite="uvloop#156", needs=("unix", "linux"))
def test_the_peer_of_a_unix_socket_can_be_identified(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """The 'socket' of an accepted connection gives the peer's credentials: getsockopt(SO_PEERCRED) works.

    If this fails: look for a stand-in for the socket that lacks getsockopt().
    """
    with serving_unix(loop, str(tmp_path / "s")) as service, dial(service, str(tmp_path / "s")):
        sock = accepted(loop, patience, service).transport.get_extra_info("socket")
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert int.from_bytes(credentials[:4], "little") == os.getpid()


@requirement("unix.by-name", MUST, cite="asyncio-eventloop: loop.create_unix_server", needs=("unix",))
def test_the_path_may_be_given_by_name(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """create_unix_server() and create_unix_connection() take protocol_factory and path by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    path, service = str(tmp_path / "socket"), Service()
    service.server = loop.run_until_complete(loop.create_unix_server(protocol_factory=service, path=path))
    transport, _ = loop.run_until_complete(loop.create_unix_connection(protocol_factory=Events, path=path))
    accepted(loop, patience, service)
    transport.abort()
    shut(loop, service)
