"""Chapter sockets: calls on several sockets, which wait side by side, calls in a row, and calls in debug mode."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.connections import accept, silent_listener
from conformance.kit.datagrams import udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import dialled, listener, receive_exactly, tcp_pair
from conformance.kit.threads import Helper
from conformance.kit.waiting import assert_waits, turns
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
SOCKETS = "asyncio-eventloop: Working with socket objects directly"
_CALLS: dict[str, Callable[[Loop, socket.socket], Any]] = {
    "sock_recv": lambda loop, sock: loop.sock_recv(sock, 10),
    "sock_recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(10)),
    "sock_recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 10),
    "sock_recvfrom_into": lambda loop, sock: loop.sock_recvfrom_into(sock, bytearray(10)),
    "sock_accept": lambda loop, sock: loop.sock_accept(sock),
    "sock_sendall": lambda loop, sock: loop.sock_sendall(sock, bytes(8 << 20)),
}


def _ours(stack: contextlib.ExitStack, method: str) -> tuple[socket.socket, Callable[[], object]]:
    """A socket on which this call waits, and what ends its waiting."""
    if method == "sock_accept":
        sock = stack.enter_context(listener())
        end: Any = lambda: stack.enter_context(dialled(sock.getsockname()))  # noqa: E731 (one of three)
    elif "from" in method:
        sock, peer = stack.enter_context(udp_peer()), stack.enter_context(udp_peer())
        end = lambda: peer.sendto(b"data", sock.getsockname())  # noqa: E731
    else:
        sock, peer = stack.enter_context(tcp_pair())
        end = peer.close if method == "sock_sendall" else lambda: peer.sendall(b"data")
    sock.setblocking(False)
    return sock, end


@requirement("sockets.several", MUST, cite=SOCKETS)
@each("method", list(_CALLS))
def test_calls_on_several_sockets_wait_side_by_side(loop: Loop, patience: Patience, method: str) -> None:
    """A call that waits for one socket keeps no call on another from being done: the sock_ methods are asynchronous.

    If this fails: look for a lock, a buffer or a thread that all calls share.
    """

    async def scenario(one: socket.socket, other: socket.socket, end: Callable[[], object]) -> None:
        waiting = asyncio.ensure_future(_CALLS[method](loop, one))
        second = asyncio.ensure_future(_CALLS[method](loop, other))
        await turns(3)
        end()
        done, _ = await asyncio.wait([waiting, second], timeout=patience.seconds, return_when="FIRST_COMPLETED")
        assert_waits(waiting)
        waiting.cancel()
        await turns(3)
        assert done == {second}, "the second call waits for the first"
        if method == "sock_sendall":
            assert isinstance(second.exception(), OSError)
        else:
            result = second.result()
        if method == "sock_accept":
            result[0].close()

    with contextlib.ExitStack() as stack:
        one, _ = _ours(stack, method)
        other, end = _ours(stack, method)
        loop.run_until_complete(scenario(one, other, end))


@requirement("sockets.connect-several", MUST, cite="asyncio-eventloop: loop.sock_connect")
def test_connections_of_several_sockets_are_made_side_by_side(loop: Loop, patience: Patience) -> None:
    """A sock_connect() that is under way keeps no other socket from being connected.

    If this fails: look for a lock, or a thread, that all connections share.
    """

    async def scenario(one: socket.socket, silent: Any, other: socket.socket, address: Any) -> None:
        waiting = asyncio.ensure_future(loop.sock_connect(one, silent))
        await turns(3)
        await asyncio.wait_for(loop.sock_connect(other, address), patience.seconds)
        assert_waits(waiting)
        waiting.cancel()
        await asyncio.wait([waiting])

    with silent_listener() as silent, listener() as listening, socket.socket() as one, socket.socket() as other:
        one.setblocking(False)
        other.setblocking(False)
        loop.run_until_complete(scenario(one, silent, other, listening.getsockname()))
        assert other.getpeername() == listening.getsockname()


@requirement("sockets.in-a-row", MUST, cite=SOCKETS)
@each("method", [method for method in _CALLS if method != "sock_sendall"])
def test_the_next_call_may_begin_as_the_last_ends(loop: Loop, patience: Patience, method: str) -> None:
    """A call may begin in the moment in which the one before it has ended: it waits, and gets what comes next.

    If this fails: look for the clean-up of a call that has waited, a turn later, which removes the watcher of the new
    one.
    """

    async def scenario(sock: socket.socket, end: Callable[[], object]) -> None:
        async def end_later() -> None:
            await turns(5)
            end()

        async with asyncio.timeout(patience.seconds):
            for _ in range(3):
                ending = asyncio.ensure_future(end_later())
                answer = await _CALLS[method](loop, sock)  # in this task: another one would begin a turn later
                assert ending.done(), "it did not wait"
                if method == "sock_accept":
                    answer[0].close()

    with contextlib.ExitStack() as stack:
        loop.run_until_complete(scenario(*_ours(stack, method)))


@requirement("sockets.in-a-row-sending", MUST, cite=(SOCKETS, "asyncio-eventloop: loop.sock_sendall"))
def test_data_is_sent_as_the_connection_is_made(loop: Loop, patience: Patience) -> None:
    """sock_sendall() may begin in the moment in which sock_connect(), or another one, has ended: it sends all its data.

    If this fails: look for the clean-up of a call that has waited, a turn later, which removes the writer of the new
    one.
    """
    data = bytes(8 << 20)

    async def scenario(listening: socket.socket, sock: socket.socket) -> None:
        async with asyncio.timeout(patience.seconds):
            await loop.sock_connect(sock, listening.getsockname())
            loop.call_soon(loop.call_soon, receiving.start)  # when the call has found no more room
            await loop.sock_sendall(sock, data)
            await loop.sock_sendall(sock, data)

    def receive() -> None:
        with accept(listening) as peer:
            receive_exactly(peer, 2 * len(data))

    receiving = Helper(receive)
    with listener() as listening, socket.socket() as sock:
        sock.setblocking(False)
        loop.run_until_complete(scenario(listening, sock))
        receiving.result()


@requirement("sockets.debug-mode", MUST, cite=(SOCKETS, "asyncio-dev: Debug Mode"))
def test_streams_are_used_in_debug_mode(loop: Loop) -> None:
    """sock must be a non-blocking socket, also in debug mode: there, too, such a socket is connected, read and written.

    If this fails: look for a check of the socket's timeout that takes 0 for one.
    """
    loop.set_debug(True)

    async def scenario(listening: socket.socket, sock: socket.socket) -> None:
        await loop.sock_connect(sock, listening.getsockname())
        conn, _ = await loop.sock_accept(listening)
        with conn:
            await loop.sock_sendall(sock, b"data")
            assert await loop.sock_recv(conn, 2) == b"da"
            assert await loop.sock_recv_into(conn, bytearray(2)) == 2

    with listener() as listening, socket.socket() as sock:
        for each in (listening, sock):
            each.setblocking(False)
        loop.run_until_complete(scenario(listening, sock))


@requirement("sockets.debug-mode-datagrams", MUST, cite=(SOCKETS, "asyncio-dev: Debug Mode"))
def test_datagrams_are_sent_and_received_in_debug_mode(loop: Loop) -> None:
    """Datagrams are sent and received over a non-blocking socket in debug mode as in any other.

    If this fails: look for a check of the socket's timeout that takes 0 for one.
    """
    loop.set_debug(True)

    async def scenario(sock: socket.socket) -> None:
        name = sock.getsockname()
        for data in (b"one", b"two"):
            assert await loop.sock_sendto(sock, data, name) == 3
        assert await loop.sock_recvfrom(sock, 10) == (b"one", name)
        assert await loop.sock_recvfrom_into(sock, bytearray(10)) == (3, name)

    with udp_peer() as sock:
        sock.setblocking(False)
        loop.run_until_complete(scenario(sock))
