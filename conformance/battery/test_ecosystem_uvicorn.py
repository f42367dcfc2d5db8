"""Chapter ecosystem: uvicorn, with httpx as its client, over the loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from conformance.kit.libraries import complete, library, settled
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, receive_all
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
UVICORN = ("uvicorn", "httpx")
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def make_server(application: Any, **options: Any) -> Any:
    uvicorn = library("uvicorn")
    options = {"host": "127.0.0.1", "port": 0, "lifespan": "off", "log_config": None, "ws": "none"} | options
    return uvicorn.Server(uvicorn.Config(application, **options))


def address_of(server: Any) -> Any:
    return server.servers[0].sockets[0].getsockname()[:2]


async def answer(send: Any, body: bytes) -> None:
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(patience: Patience, application: Any, **options: Any) -> AsyncIterator[Any]:
    """The address of a uvicorn server, which is shut down at the end: that takes up to a tenth of a second."""
    server = make_server(application, **options)
    task = asyncio.get_running_loop().create_task(server.serve())
    await until(patience, lambda: server.started or task.done(), "the start of the server")
    try:
        yield address_of(server)
    finally:
        server.should_exit = True
        await task


@requirement("ecosystem.uvicorn-scope", SHOULD, cite="uvicorn/concepts/asgi: HTTP Scope", needs=UVICORN)
def test_an_application_is_told_both_addresses(loop: Loop, patience: Patience) -> None:
    """A request of httpx reaches an application on uvicorn, with the client's address and the server's.

    If this fails: look for get_extra_info() of "socket", "peername" and "sockname".
    """
    httpx = library("httpx")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, f"{scope['client'][0]} {scope['server']!r}".encode())

    async def scenario() -> tuple[Any, str]:
        async with serving(patience, application) as address, httpx.AsyncClient(trust_env=False) as client:
            return address, (await client.get(f"http://{address[0]}:{address[1]}/")).text

    address, text = complete(loop, patience, scenario())
    assert text == f"127.0.0.1 {address!r}"


@requirement("ecosystem.uvicorn-keepalive-timeout", SHOULD, cite="uvicorn/server-behavior: §Timeouts", needs=UVICORN)
def test_uvicorn_closes_an_idle_connection(loop: Loop, patience: Patience) -> None:
    """uvicorn closes a connection that was idle for timeout_keep_alive seconds, by a timer that a callback starts.

    If this fails: look for call_later() from data_received() or from a write, or for close().
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"answer")

    async def scenario() -> bytes:
        async with serving(patience, application, timeout_keep_alive=0.01) as address:
            with socket.create_connection(address, timeout=PEER_TIMEOUT) as peer:
                peer.sendall(GET)
                helper = in_thread(lambda: receive_all(peer))
                await until(patience, lambda: not helper.is_alive(), "the end of the idle connection")
                return helper.result()

    assert complete(loop, patience, scenario()).endswith(b"answer")


@requirement(
    "ecosystem.uvicorn-flow-control", SHOULD, cite="uvicorn/server-behavior: Write flow control", needs=UVICORN
)
def test_send_waits_for_a_client_that_does_not_read(loop: Loop, patience: Patience) -> None:
    """An application's send() on uvicorn waits while the client does not read, and goes on when it does.

    If this fails: look for pause_writing() and resume_writing().
    """
    chunk, count = b"x" * 262_144, 128
    head = {"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]}

    async def scenario() -> tuple[int, int]:
        sent = 0

        async def application(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await send(head)
            for _ in range(count):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                sent += 1
            await send({"type": "http.response.body", "body": b""})

        async with serving(patience, application) as address:
            with socket.create_connection(address, timeout=PEER_TIMEOUT) as peer:
                peer.sendall(GET)
                await until(patience, lambda: sent, "the first chunk")
                before = await settled(lambda: sent)
                helper = in_thread(lambda: receive_all(peer))
                await until(patience, lambda: not helper.is_alive(), "the rest of the response")
                return before, helper.result().count(b"x")

    sent, received = complete(loop, patience, scenario())
    assert sent < count, "everything was sent though the client had read nothing"
    assert received == count * len(chunk)


@requirement(
    "ecosystem.uvicorn-shutdown-by-signal",
    SHOULD,
    cite="uvicorn/server-behavior: Graceful Process Shutdown",
    needs=UVICORN,
)
def test_a_signal_lets_requests_end(loop: Loop, patience: Patience) -> None:
    """At SIGTERM uvicorn lets a request that runs get its answer, ends, and raises the signal again.

    If this fails: look for Python's signal handlers, which have to run while the loop waits.
    """
    raised: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: raised.append(number))

    async def scenario() -> bytes:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            entered.set()
            await leave.wait()
            await answer(send, b"answer")

        server = make_server(application)
        task = loop.create_task(server.serve())
        await until(patience, lambda: server.started or task.done(), "the start of the server")
        with socket.create_connection(address_of(server), timeout=PEER_TIMEOUT) as peer:
            peer.sendall(GET)
            helper = in_thread(lambda: receive_all(peer))
            await entered.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await until(patience, lambda: server.should_exit, "the signal's handler")
            leave.set()
            await task
            await until(patience, lambda: not helper.is_alive(), "the end of the connection")
            return helper.result()

    try:
        assert complete(loop, patience, scenario()).endswith(b"answer")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised == [signal.SIGTERM]


@requirement("ecosystem.uvicorn-in-thread", SHOULD, cite="uvicorn#742", needs=UVICORN)
def test_uvicorn_serves_from_another_thread(make_loop: Callable[[], Loop], patience: Patience) -> None:
    """uvicorn serves from a loop in another thread than the main one, and ends when told so from outside.

    If this fails: look for what only the main thread may do.
    """
    httpx = library("httpx")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"answer")

    loop, server = make_loop(), make_server(application)
    helper = in_thread(lambda: loop.run_until_complete(server.serve()))
    patience.until(lambda: server.started or not helper.is_alive(), "the start of the server")
    if server.started:
        host, port = address_of(server)
        assert httpx.get(f"http://{host}:{port}/", trust_env=False).text == "answer"
        loop.call_soon_threadsafe(setattr, server, "should_exit", True)
    helper.result()
