"""Chapter tls: how long handshakes and shutdowns wait when nobody says for how long: a minute, and half of one.

Nobody waits so long here: the loop's clock is put forward. Where the timeouts do not follow it, the test is not run.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.certificates import NAME
from conformance.kit.clocks import Clock
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, listener, socket_path, tcp_pair, unix_listener
from conformance.kit.protocols import Events
from conformance.kit.secured import CLIENTS, SERVERS, SIDES, TIMED_OUT, own_context, secured, tls_half, upgrading
from conformance.kit.servers import dial, serving, serving_unix
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
HANDSHAKE, SHUTDOWN = 60, 30
ELSEWHERE = "the timeouts of TLS do not go by loop.time()"
CITE = (
    "asyncio-eventloop: loop.create_connection",
    "asyncio-eventloop: loop.create_server",
    "asyncio-eventloop: loop.start_tls",
    "asyncio-eventloop: loop.connect_accepted_socket",
)


@requirement("tls.handshake-timeout-default", MUST, cite=CITE)
@each("side", CLIENTS + SERVERS)
def test_a_handshake_has_a_minute(
    loop: Loop, patience: Patience, watch: Any, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    """ssl_handshake_timeout is 60.0 seconds if None (default): a handshake is aborted then, and not before.

    If this fails: look for a default of the loop's own, or for none, so that a silent peer is waited for for ever.
    """
    watch.allow("reported")
    clock = Clock(loop, monkeypatch)
    began = loop.time()
    with _handshake(loop, patience, side) as over:
        clock.stand_at(began + HANDSHAKE - 1)
        assert not over(), "it was given up before a minute was over"
        clock.put_forward(HANDSHAKE + 1)
        if over():
            return
        with _handshake(loop, patience, side, ssl_handshake_timeout=HANDSHAKE) as over_by_then:
            clock.put_forward(HANDSHAKE + 1)
            if not over_by_then():
                pytest.skip(ELSEWHERE)
        pytest.fail("a minute was over, and it still waited")


@requirement("tls.shutdown-timeout-default", MUST, cite=CITE)
@SIDES
def test_a_shutdown_has_half_a_minute(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    """ssl_shutdown_timeout is 30.0 seconds if None (default): a peer that says no goodbye is waited for so long.

    If this fails: look for a default of the loop's own, or for none, so that the connection never ends.
    """
    clock = Clock(loop, monkeypatch)
    with secured(loop, patience, side) as (transport, protocol, _):
        began = loop.time()
        transport.close()
        turn(loop, 3)
        clock.stand_at(began + SHUTDOWN - 1)
        assert not protocol.lost, "it was given up before half a minute was over"
        clock.put_forward(SHUTDOWN + 1)
        if protocol.lost:
            return
        with secured(loop, patience, side, ssl_shutdown_timeout=SHUTDOWN) as (other, lost_by_then, _):
            other.close()
            turn(loop, 3)
            clock.put_forward(SHUTDOWN + 1)
            if not lost_by_then.lost:
                pytest.skip(ELSEWHERE)
        pytest.fail("half a minute was over, and it still waited")


@contextlib.contextmanager
def _handshake(loop: Loop, patience: Patience, side: str, **how: Any) -> Any:
    """Begin a handshake with a peer that falls silent in the midst of it; gives what tells whether it is over."""
    how["ssl"] = own_context(side)
    with contextlib.ExitStack() as stack:
        if side in ("server", "unix-server"):
            over_unix = side == "unix-server"
            making = (
                serving_unix(loop, stack.enter_context(socket_path()), **how) if over_unix else serving(loop, **how)
            )
            peer = stack.enter_context(dial(stack.enter_context(making)))
            drive(loop, patience, tls_half(peer, "client"))
            yield _ended(peer)
            return
        if side not in SERVERS:
            how["server_hostname"] = NAME
        task, peer = _asked_for(loop, patience, stack, side, how)
        drive(loop, patience, tls_half(peer, "client" if side in SERVERS else "server"))
        try:
            yield task.done
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, *TIMED_OUT):
                loop.run_until_complete(task)
            turn(loop, 4)


def _asked_for(loop: Loop, patience: Patience, stack: Any, side: str, how: dict[str, Any]) -> Any:
    """A task that waits for the handshake, and the socket of its peer."""
    if side in ("client", "unix"):
        if side == "client":
            listening = stack.enter_context(listener())
            opening: Any = loop.create_connection(Events, *listening.getsockname(), **how)
        else:
            listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
            opening = loop.create_unix_connection(Events, listening.getsockname(), **how)
        task = loop.create_task(opening)
        return task, stack.enter_context(drive(loop, patience, in_thread(lambda: listening.accept()[0])))
    ours, peer = stack.enter_context(tcp_pair())
    if side in ("sock", "wrapped"):
        give: Any = loop.create_connection if side == "sock" else loop.connect_accepted_socket
        return loop.create_task(give(Events, sock=ours, **how)), peer
    beneath, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
    as_server = {"server_side": True, "server_hostname": None} if side in SERVERS else {}
    return upgrading(loop, beneath, protocol, sslcontext=how.pop("ssl"), **as_server, **how), peer


def _ended(peer: socket.socket) -> Callable[[], bool]:
    """What tells whether the other side has closed or aborted the connection."""
    peer.setblocking(False)

    def ended() -> bool:
        try:
            while peer.recv(65536):
                pass
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True

    return ended
