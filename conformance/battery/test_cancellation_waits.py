"""Chapter cancellation: cancelling a task that waits for an operation of the loop.

Each time: the task ends as cancelled, nothing is reported or left behind, and the operation can be done again, with
nothing lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import sys
import threading
from collections.abc import Coroutine
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, drive, listener, receive_all, tcp_pair
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns, until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


async def _cancel(operation: Coroutine[Any, Any, Any] | asyncio.Task[Any], rounds: int = 3) -> None:
    """Start the operation, let it wait, cancel it, and see that it ends as cancelled."""
    task = asyncio.ensure_future(operation)
    await turns(rounds)
    assert not task.done(), "the operation was to wait"
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@requirement("cancellation.sleep", MUST, cite="asyncio-task: Task.cancel")
def test_a_sleep_can_be_cancelled(loop: Loop) -> None:
    """A task that sleeps, however long, can be cancelled: it ends at once.

    If this fails: look for a timer that is not removed, or a sleep made of a blocking call.
    """
    loop.run_until_complete(_cancel(asyncio.sleep(3600)))


@requirement("cancellation.sock-recv", MUST, cite="asyncio-eventloop: loop.sock_recv")
@each("method", ["sock_recv", "sock_recv_into"])
def test_a_cancelled_receive_takes_nothing(loop: Loop, method: str) -> None:
    """Cancelling a task that waits in sock_recv() loses no data: what comes afterwards goes to the next call.

    If this fails: look for a receive that stays submitted to the kernel, or a watcher that stays registered.
    """

    async def receive() -> bytes:
        if method == "sock_recv":
            return await loop.sock_recv(ours, 100)
        buffer = bytearray(100)
        return bytes(buffer[: await loop.sock_recv_into(ours, buffer)])

    async def main() -> None:
        await _cancel(receive())
        peer.sendall(b"first")
        # Time for a receive that was not given up to take what came.
        await asyncio.sleep(0.001)
        assert await receive() == b"first"
        peer.sendall(b"second")
        assert await receive() == b"second"

    with tcp_pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("cancellation.sock-sendall", MUST, cite="asyncio-eventloop: loop.sock_sendall")
def test_a_cancelled_send_sends_no_more(loop: Loop, patience: Patience) -> None:
    """Cancelling a task that waits in sock_sendall() ends the sending: the buffer is not looked at any more.

    If this fails: look for a send that goes on in the background.
    """

    async def main() -> None:
        sending = asyncio.ensure_future(loop.sock_sendall(ours, b"x" * 50_000_000))
        await until(patience, lambda: select.select([peer], [], [], 0)[0], "the arrival of the first bytes")
        await _cancel(sending)
        ours.shutdown(socket.SHUT_WR)
        ours.setblocking(True)

    with tcp_pair() as (ours, peer):
        loop.run_until_complete(main())
        received = 0
        while chunk := peer.recv(1_000_000):
            received += len(chunk)
        assert received < 50_000_000


@requirement("cancellation.sock-accept", MUST, cite="asyncio-eventloop: loop.sock_accept")
def test_a_cancelled_accept_takes_no_connection(loop: Loop) -> None:
    """Cancelling a task that waits in sock_accept() loses no connection: the next call accepts it.

    If this fails: look for an accept that stays submitted, whose connection nobody gets.
    """

    async def main() -> None:
        await _cancel(loop.sock_accept(listening))
        with socket.create_connection(listening.getsockname()) as client:
            await asyncio.sleep(0.001)
            connection, address = await loop.sock_accept(listening)
            with connection:
                assert address == client.getsockname()

    with listener() as listening:
        listening.setblocking(False)
        loop.run_until_complete(main())


@requirement("cancellation.getaddrinfo", MUST, cite="asyncio-eventloop: loop.getaddrinfo")
def test_a_name_lookup_can_be_cancelled(loop: Loop) -> None:
    """A task that waits in getaddrinfo() can be cancelled: it ends, and its late answer disturbs nobody.

    If this fails: look for the answer of the resolver being set on a future that is done.
    """

    async def main() -> None:
        task = asyncio.create_task(loop.getaddrinfo("localhost", 80))
        await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task])
            assert task.cancelled()
        assert await loop.getaddrinfo("127.0.0.1", 80)
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())


@requirement("cancellation.executor", MUST, cite="asyncio-eventloop: loop.run_in_executor")
def test_waiting_for_an_executor_can_be_cancelled(loop: Loop, patience: Patience) -> None:
    """A task that waits for a running call of run_in_executor() is cancelled at once; the call's end disturbs nobody.

    If this fails: look for a wait that goes on until the function returns.
    """
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(patience.seconds)
        ended.set()

    async def call() -> None:
        await loop.run_in_executor(None, work)

    async def main() -> None:
        await _cancel(call())
        patience.wait(started, "the call")
        assert not ended.is_set()
        release.set()
        await loop.shutdown_default_executor()
        await turns(3)
        assert ended.is_set()

    loop.run_until_complete(main())


@requirement("cancellation.create-connection", MUST, cite="asyncio-eventloop: loop.create_connection")
@each("rounds", [0, 1, 2, 5])
def test_connecting_can_be_cancelled(loop: Loop, patience: Patience, rounds: int) -> None:
    """A task that waits in create_connection() can be cancelled at any time; the socket is closed.

    If this fails: look for a connection that is made for nobody, or a descriptor that stays open.
    """

    async def main() -> None:
        task = asyncio.create_task(loop.create_connection(asyncio.Protocol, *listening.getsockname()))
        await turns(rounds)
        if task.cancel():
            await asyncio.wait([task])
            assert task.cancelled()
        else:
            task.result()[0].abort()
        await turns(3)

    with listener() as listening:
        loop.run_until_complete(main())
        listening.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # nobody has come so far
            peer, _ = listening.accept()
            with peer:
                peer.settimeout(PEER_TIMEOUT)
                with contextlib.suppress(ConnectionResetError):
                    drive(loop, patience, in_thread(lambda: receive_all(peer)))


@requirement("cancellation.tls-handshake", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_a_tls_handshake_can_be_cancelled(loop: Loop) -> None:
    """A task that waits in create_connection() for a TLS handshake can be cancelled; the connection is closed.

    If this fails: look for a handshake that only its own timeout can end.
    """

    async def main() -> None:
        host, port = listening.getsockname()
        context = ssl.create_default_context()
        task = asyncio.create_task(loop.create_connection(asyncio.Protocol, host, port, ssl=context))
        peer, _ = await loop.sock_accept(listening)
        with peer:
            peer.setblocking(False)
            assert await loop.sock_recv(peer, 1), "the client was to begin the handshake"
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            with contextlib.suppress(ConnectionError):
                while await loop.sock_recv(peer, 65536):
                    pass

    with listener() as listening:
        listening.setblocking(False)
        loop.run_until_complete(main())


@requirement("cancellation.stream", MUST, cite="asyncio-stream: StreamReader.readline")
def test_a_cancelled_read_of_a_stream_takes_nothing(loop: Loop) -> None:
    """Cancelling a task that reads a line loses no data: the next read gets all of the line.

    If this fails: look for bytes that are handed out before the line is whole.
    """

    async def main() -> None:
        reader, writer = await asyncio.open_connection(sock=ours)
        peer.sendall(b"begin")
        await _cancel(reader.readline())
        peer.sendall(b" and end\n")
        assert await reader.readline() == b"begin and end\n"
        writer.close()
        await writer.wait_closed()

    with tcp_pair() as (ours, peer):
        loop.run_until_complete(main())


@requirement("cancellation.lock", MUST, cite="asyncio-sync: Lock.acquire")
def test_a_cancelled_acquire_does_not_hold_the_lock(loop: Loop, patience: Patience) -> None:
    """A task cancelled while it waits for a lock does not get it: the one that waits behind it does.

    If this fails: look for the future of the cancelled waiter, which must be cancelled, too.
    """

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        waiting, behind = asyncio.create_task(lock.acquire()), asyncio.create_task(lock.acquire())
        await turns(2)
        waiting.cancel()
        lock.release()
        await asyncio.wait([behind], timeout=patience.seconds)
        assert waiting.cancelled()
        assert behind.result() is True

    loop.run_until_complete(main())


@requirement("cancellation.queue", MUST, cite="asyncio-queue: Queue.get")
def test_a_cancelled_get_takes_no_item(loop: Loop) -> None:
    """A task cancelled while it waits for an item of a queue takes none, even if one is put in the same iteration.

    If this fails: look for a result that is ready and a request to end, of which the wrong one wins.
    """

    async def main() -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        getting = asyncio.create_task(queue.get())
        await turns(2)
        queue.put_nowait("item")
        getting.cancel()
        await asyncio.wait([getting])
        assert getting.cancelled()
        assert queue.get_nowait() == "item"

    loop.run_until_complete(main())


@requirement("cancellation.subprocess", MUST, cite="asyncio-subprocess: subprocess.Process.wait")
def test_waiting_for_a_process_can_be_cancelled(loop: Loop) -> None:
    """A task that waits for a child process can be cancelled; the child lives on and can be waited for again.

    If this fails: look for an exit code given to the waiter that is gone, or a child killed with its waiter.
    """

    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", "input()", stdin=asyncio.subprocess.PIPE
        )
        await _cancel(process.wait())
        assert process.returncode is None
        await process.communicate(b"\n")
        assert await process.wait() == 0

    loop.run_until_complete(main())
