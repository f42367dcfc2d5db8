"""Chapter lifecycle: what a loop is for, in a thread that is not the main one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.datagrams import arrival, endpoint, udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import receive_exactly, tcp_pair
from conformance.kit.pipes import both
from conformance.kit.secured import secured
from conformance.kit.servers import answers
from conformance.kit.threads import in_thread
from conformance.kit.ways import IPV6, TCP, UNIX, joined
from conformance.loops import Factory
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
Use = Callable[[Loop, Patience], None]


def _connection(way: str) -> Use:
    def use(loop: Loop, patience: Patience) -> None:
        with joined(loop, patience, way) as (_, protocol, peer):
            answers(loop, patience, protocol, peer)

    return use


def _tls(loop: Loop, patience: Patience) -> None:
    with secured(loop, patience) as (_, protocol, peer):
        answers(loop, patience, protocol, peer)


def _datagrams(loop: Loop, patience: Patience) -> None:
    with udp_peer() as peer, endpoint(loop, remote_addr=peer.getsockname()) as (transport, protocol):
        transport.sendto(b"there")
        data, address = arrival(loop, patience, peer)
        assert data == b"there"
        peer.sendto(b"and back", address)
        patience.run_until(loop, lambda: protocol.received == [(b"and back", peer.getsockname())], "the answer")


def _pipe(loop: Loop, patience: Patience) -> None:
    with both(loop, patience, "raw") as (reading, writer, *_):
        writer.write(b"through the pipe")
        patience.run_until(loop, lambda: reading.received == b"through the pipe", "the data")


def _socket(loop: Loop, _patience: Patience) -> None:
    with tcp_pair() as (ours, peer):
        peer.sendall(b"question")
        assert loop.run_until_complete(loop.sock_recv(ours, 100)) == b"question"
        loop.run_until_complete(loop.sock_sendall(ours, b"answer"))
        assert receive_exactly(peer, 6) == b"answer"


_USES: dict[str, Use] = {
    **{way: _connection(way) for way in TCP + IPV6 + UNIX},
    "tls": _tls,
    "datagrams": _datagrams,
    "pipe": _pipe,
    "socket": _socket,
}


@requirement("lifecycle.used-in-a-thread", MUST, cite="asyncio-dev: Concurrency and Multithreading")
@each("what", _USES)
def test_a_loop_in_another_thread_does_what_it_does_in_the_main_one(
    make_loop: Factory, watch: Any, patience: Patience, what: str
) -> None:
    """An event loop runs in a thread, the main one typically: in another it makes and serves connections as well.

    If this fails: look for what only the main thread can do, as to handle signals, where a connection is made.
    """

    def work() -> None:
        loop = make_loop()
        loop.set_exception_handler(lambda _loop, context: watch.reported.append(context))
        try:
            _USES[what](loop, patience)
            loop.run_until_complete(asyncio.sleep(0.02))  # transports may take time to end
        finally:
            loop.close()

    in_thread(work).result(2 * patience.seconds)
