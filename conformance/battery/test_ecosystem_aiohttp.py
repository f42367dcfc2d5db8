"""Chapter ecosystem: aiohttp, client and server, over the loop."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.certificates import NAME, client_context, server_context
from conformance.kit.libraries import aiohttp_server, complete, library, url_of
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, free_port, receive_all
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
AIOHTTP = ("aiohttp",)
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


@requirement(
    "ecosystem.aiohttp-keeps-connections", SHOULD, cite="aiohttp/client_quickstart: Make a Request", needs=AIOHTTP
)
def test_a_session_uses_one_connection_for_requests_in_turn(loop: Loop, patience: Patience) -> None:
    """A session of aiohttp keeps its connection to a server, and sends the next request on it.

    If this fails: look for is_closing() that is true too early, or for connections that end after a message.
    """
    aiohttp, web = library("aiohttp"), library("aiohttp.web")

    async def handler(request: Any) -> Any:
        return web.Response(text=str(request.transport.get_extra_info("peername")[1]))

    async def scenario() -> list[str]:
        async with aiohttp_server(handler) as runner, aiohttp.ClientSession() as session:
            answers = []
            for _ in range(3):
                async with session.get(url_of(runner)) as response:
                    answers.append(await response.text())
            return answers

    ports = complete(loop, patience, scenario())
    assert len(set(ports)) == 1, f"three requests came from the ports {ports}"


@requirement(
    "ecosystem.aiohttp-keepalive-timeout", SHOULD, cite="aiohttp/web_reference: aiohttp.web.run_app", needs=AIOHTTP
)
def test_an_idle_connection_is_closed_after_the_keepalive_timeout(loop: Loop, patience: Patience) -> None:
    """aiohttp's server closes a connection that was idle for the keep-alive timeout, by a timer at an absolute time.

    If this fails: look for call_at() that takes its time for a delay, or for close() that does not end the stream.
    """
    web = library("aiohttp.web")

    async def handler(request: Any) -> Any:
        return web.Response(text="answer")

    async def scenario() -> bytes:
        async with aiohttp_server(handler, keepalive_timeout=0.01) as runner:
            with socket.create_connection(runner.addresses[0][:2], timeout=PEER_TIMEOUT) as peer:
                peer.sendall(GET)
                helper = in_thread(lambda: receive_all(peer))
                await until(patience, lambda: not helper.is_alive(), "the end of the idle connection")
                return helper.result()

    assert complete(loop, patience, scenario()).endswith(b"answer")


@requirement("ecosystem.aiohttp-timeout", SHOULD, cite="aiohttp/client_quickstart: §Timeouts", needs=AIOHTTP)
def test_a_request_ends_at_its_total_timeout(loop: Loop, patience: Patience) -> None:
    """A request of aiohttp whose total timeout is over raises TimeoutError, and not before.

    If this fails: look for timers that fire early, or for a cancelled task that does not leave its wait.
    """
    aiohttp = library("aiohttp")
    seconds = 0.06  # long enough to tell a timer that is early from one that load makes late

    async def handler(request: Any) -> Any:
        await asyncio.sleep(3600)

    async def scenario() -> float:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp_server(handler, handler_cancellation=True) as runner,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            before = loop.time()
            with pytest.raises(TimeoutError):
                await session.get(url_of(runner))
            return loop.time() - before

    assert complete(loop, patience, scenario()) >= seconds - 0.002  # a cached clock may be behind by a millisecond


@requirement(
    "ecosystem.aiohttp-sendfile", SHOULD, cite="aiohttp/web_reference: aiohttp.web.FileResponse", needs=AIOHTTP
)
def test_a_file_response_sends_the_range_that_is_asked_for(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """aiohttp's FileResponse sends a file, and of it the part that a Range asks for, by loop.sendfile().

    If this fails: look for sendfile() that does not begin at `offset` or does not end after `count` bytes.
    """
    aiohttp, web = library("aiohttp"), library("aiohttp.web")
    content = bytes(range(256)) * 1024
    (tmp_path / "file").write_bytes(content)

    async def handler(request: Any) -> Any:
        return web.FileResponse(tmp_path / "file")

    async def scenario() -> tuple[bytes, bytes]:
        async with aiohttp_server(handler) as runner, aiohttp.ClientSession() as session:
            async with session.get(url_of(runner)) as response:
                whole = await response.read()
            async with session.get(url_of(runner), headers={"Range": "bytes=1001-200000"}) as response:
                return whole, await response.read()

    whole, part = complete(loop, patience, scenario())
    assert whole == content, f"the whole file: {len(whole)} of {len(content)} bytes, or others"
    assert part == content[1001:200001], f"{len(part)} of 199000 bytes came, or others"


@requirement(
    "ecosystem.aiohttp-tls", SHOULD, cite="aiohttp/client_advanced: SSL control for TCP sockets", needs=AIOHTTP
)
def test_a_request_goes_over_tls_and_the_server_knows(loop: Loop, patience: Patience) -> None:
    """aiohttp sends a request over TLS to a server whose name it verifies, and the server sees that it is secure.

    If this fails: look for server_hostname that gets lost, or for get_extra_info("sslcontext").
    """
    aiohttp, web = library("aiohttp"), library("aiohttp.web")

    async def handler(request: Any) -> Any:
        return web.Response(text=f"{request.scheme} {await request.text()}")

    async def scenario() -> Any:
        async with aiohttp_server(handler, tls=server_context()) as runner, aiohttp.ClientSession() as session:
            how = {"ssl": client_context(), "server_hostname": NAME}
            async with session.post(url_of(runner, "https"), data="body", **how) as response:
                return await response.text()

    assert complete(loop, patience, scenario()) == "https body"
    loop.run_until_complete(asyncio.sleep(0.01))  # aiohttp leaves the closing of TLS to the loop


@requirement(
    "ecosystem.aiohttp-peer-gone", SHOULD, cite="aiohttp/web_advanced: Web handler cancellation", needs=AIOHTTP
)
def test_a_handler_is_cancelled_when_its_client_disconnects(loop: Loop, patience: Patience) -> None:
    """With handler_cancellation, aiohttp cancels the handler of a request whose client has disconnected.

    If this fails: look for an end of the stream that is not seen while nothing is written, or that leaves open.
    """

    async def scenario() -> None:
        entered, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: Any) -> Any:
            entered.set()
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()

        async with aiohttp_server(handler, handler_cancellation=True) as runner:
            with socket.create_connection(runner.addresses[0][:2], timeout=PEER_TIMEOUT) as peer:
                peer.sendall(GET)
                await entered.wait()
            await cancelled.wait()

    complete(loop, patience, scenario())


@requirement(
    "ecosystem.aiohttp-graceful-shutdown",
    SHOULD,
    cite=("aiohttp/web_advanced: Graceful shutdown", "uvloop#180"),
    needs=AIOHTTP,
)
def test_shutting_down_lets_a_request_end(loop: Loop, patience: Patience) -> None:
    """When aiohttp's server is shut down, no connection is accepted any more, and a request that runs gets its answer.

    If this fails: look for Server.close() that closes connections, or goes on listening.
    """
    web = library("aiohttp.web")

    async def scenario() -> bytes:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def handler(request: Any) -> Any:
            entered.set()
            await leave.wait()
            return web.Response(text="answer")

        async with aiohttp_server(handler) as runner:
            address = runner.addresses[0][:2]
            with socket.create_connection(address, timeout=PEER_TIMEOUT) as peer:
                peer.sendall(GET)
                helper = in_thread(lambda: receive_all(peer))
                await entered.wait()
                cleanup = loop.create_task(runner.cleanup())
                await until(patience, lambda: refused(address), "the end of listening")
                leave.set()
                await cleanup
                await until(patience, lambda: not helper.is_alive(), "the end of the connection")
                return helper.result()

    assert complete(loop, patience, scenario()).endswith(b"answer")


def refused(address: Any) -> bool:
    try:
        socket.create_connection(address, timeout=PEER_TIMEOUT).close()
    except OSError:
        return True
    return False


@requirement(
    "ecosystem.aiohttp-connection-refused",
    SHOULD,
    cite="aiohttp/client_reference: aiohttp.ClientConnectorError",
    needs=AIOHTTP,
)
def test_a_refused_connection_is_a_connector_error(loop: Loop, patience: Patience) -> None:
    """Where nobody listens, aiohttp's client raises ClientConnectorError; it connects by sock_connect().

    If this fails: look for sock_connect() that takes the end of connecting for success.
    """
    aiohttp = library("aiohttp")

    async def scenario() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://127.0.0.1:{free_port()}/")

    complete(loop, patience, scenario())


@requirement(
    "ecosystem.aiohttp-unix", SHOULD, cite="aiohttp/client_advanced: Unix domain sockets", needs=(*AIOHTTP, "unix")
)
def test_a_request_goes_over_a_unix_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """aiohttp's client and server talk over a Unix socket.

    If this fails: look for the path of create_unix_connection() and create_unix_server().
    """
    aiohttp, web = library("aiohttp"), library("aiohttp.web")
    path = str(tmp_path / "s")

    async def handler(request: Any) -> Any:
        return web.Response(body=await request.read())

    async def scenario() -> Any:
        async with (
            aiohttp_server(handler, path=path),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
            session.post("http://here/", data=b"x" * 100_000) as response,
        ):
            return await response.read()

    assert complete(loop, patience, scenario()) == b"x" * 100_000


@requirement("ecosystem.aiohttp-upload", SHOULD, cite="aiohttp/client_quickstart: Streaming uploads", needs=AIOHTTP)
def test_an_upload_waits_for_a_server_that_reads_late(loop: Loop, patience: Patience) -> None:
    """An upload from a generator is not read ahead of a server that does not read, and comes whole when it does.

    If this fails: look for pause_reading(), pause_writing() and resume_writing().
    """
    aiohttp, web = library("aiohttp"), library("aiohttp.web")
    chunk, count = b"x" * 262_144, 128

    async def scenario() -> tuple[int, str]:
        entered, leave = asyncio.Event(), asyncio.Event()
        taken = 0

        async def handler(request: Any) -> Any:
            entered.set()
            await leave.wait()
            return web.Response(text=str(sum([len(part) async for part in request.content.iter_any()])))

        async def generate() -> Any:
            nonlocal taken
            for _ in range(count):
                taken += 1
                yield chunk

        async def release() -> int:
            await entered.wait()
            before = -1
            while before != taken:
                before = taken
                for _ in range(50):
                    await asyncio.sleep(0.0005)
            leave.set()
            return before

        async with aiohttp_server(handler, client_max_size=2**30) as runner, aiohttp.ClientSession() as session:
            releasing = loop.create_task(release())
            async with session.post(url_of(runner), data=generate()) as response:
                return await releasing, await response.text()

    taken, received = complete(loop, patience, scenario())
    assert taken < count, "the generator was read to its end before the server had read anything"
    assert received == str(count * len(chunk))
