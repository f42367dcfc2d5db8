"""Chapter tasks: what a loop does for others while an eager task factory is set, by tasks of its own perhaps.

The factory is for all tasks of the loop. Those that it makes for itself begin, and may even end, inside create_task().
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable

import pytest

from conformance.kit.cases import each
from conformance.kit.children import finish
from conformance.kit.datagrams import HERE, arrival, endpoint, udp_peer
from conformance.kit.generators import count, start
from conformance.kit.patience import Patience
from conformance.kit.secured import SIDES, secured
from conformance.kit.servers import answers
from conformance.kit.waiting import until
from conformance.kit.ways import WAYS, joined
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
EAGER = "asyncio-task: eager_task_factory"
CONNECT = "asyncio-eventloop: loop.create_connection"


@pytest.fixture
def eager(loop: Loop) -> Loop:
    """The loop with the eager task factory set."""
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


@requirement("tasks.eager-connections", MUST, cite=(EAGER, CONNECT), since="3.12")
@WAYS
def test_connections_are_made_with_eager_tasks(eager: Loop, patience: Patience, way: str) -> None:
    """With the eager task factory set, connections of every kind are made, accepted and used as without it.

    If this fails: look for a task of the loop's own whose first step needs what is written down only when create_task()
    has returned.
    """
    with joined(eager, patience, way) as (_, protocol, peer):
        answers(eager, patience, protocol, peer)


@requirement("tasks.eager-tls", MUST, cite=(EAGER, CONNECT, "asyncio-eventloop: loop.start_tls"), since="3.12")
@SIDES
def test_tls_is_made_with_eager_tasks(eager: Loop, patience: Patience, side: str) -> None:
    """With the eager task factory set, connections over TLS are made, accepted and used as without it.

    If this fails: look for a handshake in a task of its own, whose first step needs what is written down only when
    create_task() has returned.
    """
    with secured(eager, patience, side) as (_, protocol, peer):
        answers(eager, patience, protocol, peer)


def _endpoint(loop: Loop, patience: Patience) -> None:
    with udp_peer() as peer, endpoint(loop, local_addr=HERE) as (transport, _):
        transport.sendto(b"data", peer.getsockname())
        assert arrival(loop, patience, peer)[0] == b"data"


def _child(loop: Loop, patience: Patience) -> None:
    protocol = finish(loop, patience, "echo out; exit 3")
    assert (bytes(protocol.output[1]), protocol.transport.get_returncode()) == (b"out\n", 3)


def _look_up(loop: Loop, _patience: Patience) -> None:
    assert loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))[0][4] == (
        "127.0.0.1",
        80,
    )


def _executor(loop: Loop, _patience: Patience) -> None:
    async def main() -> None:
        assert await asyncio.gather(*(loop.run_in_executor(None, int, text) for text in "123")) == [1, 2, 3]
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())


def _generators(loop: Loop, patience: Patience) -> None:
    trace: list[str] = []

    async def main() -> None:
        kept, dropped = count(trace), count(trace)
        await start(kept)
        await start(dropped)
        del dropped
        gc.collect()
        await until(patience, lambda: trace == ["closed"], "the closing of the generator that was collected")
        await loop.shutdown_asyncgens()
        assert trace == ["closed", "closed"]

    loop.run_until_complete(main())


_USES: dict[str, Callable[[Loop, Patience], None]] = {
    "create_datagram_endpoint": _endpoint,
    "subprocess_exec": _child,
    "getaddrinfo": _look_up,
    "run_in_executor": _executor,
    "shutdown_asyncgens": _generators,
}


@requirement("tasks.eager-methods", MUST, cite=(EAGER, "asyncio-eventloop: Event Loop Methods"), since="3.12")
@each("method", list(_USES))
def test_methods_work_with_eager_tasks(eager: Loop, patience: Patience, method: str) -> None:
    """With the eager task factory set, endpoints, children, look-ups, executors and generators work as without it.

    If this fails: look for a task of the loop's own whose first step needs what is written down only when create_task()
    has returned.
    """
    _USES[method](eager, patience)
