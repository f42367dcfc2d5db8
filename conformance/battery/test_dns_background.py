"""Chapter dns: the methods that look names up for their callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import listener
from conformance.kit.protocols import Datagrams, Events
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
WAYS = [
    "host",
    "local_addr",
    "create_server",
    "local_addr of datagrams",
    "remote_addr",
    "sock_connect",
    "sock_connect of datagrams",
]


async def _made_by(loop: Loop, way: str, address: tuple[str, int]) -> Any:
    """What `way` makes of the name localhost: a transport, a server or a socket, which can be closed."""
    named = ("localhost", address[1])
    if way == "create_server":
        return await loop.create_server(Events, "localhost", 0)
    if way.startswith("sock_connect"):
        sock = socket.socket(type=socket.SOCK_DGRAM if way.endswith("datagrams") else socket.SOCK_STREAM)
        sock.setblocking(False)
        await loop.sock_connect(sock, named)
        return sock
    if way == "host":
        return (await loop.create_connection(Events, *named, family=socket.AF_INET))[0]
    if way == "local_addr":
        return (await loop.create_connection(Events, *address, local_addr=("localhost", 0), family=socket.AF_INET))[0]
    addresses = {"remote_addr": named} if way == "remote_addr" else {"local_addr": ("localhost", 0)}
    return (await loop.create_datagram_endpoint(Datagrams, **addresses))[0]  # type: ignore[arg-type]


@requirement(
    "dns.lookups-in-background",
    MUST,
    cite=("asyncio-dev: Running Blocking Code", "asyncio-eventloop: loop.create_connection"),
)
@each("way", WAYS)
def test_the_loop_runs_while_names_are_looked_up_for_others(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """create_connection(), create_server(), create_datagram_endpoint() and sock_connect() do not block for a name.

    If this fails: look for the system's resolver, or a bind() or connect() to a name, in the thread of the loop.
    """
    begun, release = threading.Event(), threading.Event()
    released: list[bool] = []
    real = socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "localhost":
            begun.set()
            released.append(release.wait(patience.seconds / 4))
        return real(host, *args, **kwargs)

    async def main(address: tuple[str, int]) -> Any:
        making = asyncio.ensure_future(_made_by(loop, way, address))

        def look() -> None:
            if begun.is_set() or making.done():  # a loop with a resolver of its own does not ask here
                release.set()
            else:
                loop.call_later(0.001, look)

        loop.call_soon(look)
        return await making

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with listener() as listening:
        try:
            made = loop.run_until_complete(main(listening.getsockname()))
        finally:
            release.set()
        made.close()
        turn(loop, 3)
    assert False not in released


@requirement(
    "dns.getnameinfo-does-not-block",
    MUST,
    cite=("asyncio-eventloop: loop.getnameinfo", "asyncio-dev: Running Blocking Code"),
)
def test_the_loop_runs_while_an_address_is_looked_up(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    """getnameinfo() is asynchronous: callbacks run while the name of an address is looked up.

    If this fails: look for the system's resolver called in the thread of the loop.
    """
    release = threading.Event()
    trace: list[str] = []

    def slow(*_: Any) -> tuple[str, str]:
        trace.append("asked")
        release.wait(patience.seconds / 4)
        return "name", "service"

    def ran() -> None:
        trace.append("ran")
        release.set()

    async def main() -> None:
        task = asyncio.ensure_future(loop.getnameinfo(("127.0.0.1", 80)))
        task.add_done_callback(lambda _: trace.append("looked up"))
        loop.call_soon(loop.call_soon, ran)
        await task

    monkeypatch.setattr(socket, "getnameinfo", slow)
    try:
        loop.run_until_complete(main())
    finally:
        release.set()
    assert "ran" in trace[: trace.index("looked up")] or "asked" not in trace


@requirement("dns.default-executor", SHOULD, cite="asyncio-eventloop: §DNS")
@each("method", ["getaddrinfo", "getnameinfo"])
def test_the_default_executor_looks_names_up(make_loop: Factory, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """getaddrinfo() and getnameinfo() utilize their synchronous versions through the loop's default executor.

    A loop that has a resolver of its own does not need an executor: nothing is asked of it.

    If this fails: look for a thread, or a pool, that lookups have for themselves: who sets a default executor with more
    workers, since lookups are late, finds no difference.
    """
    loop = make_loop()
    places: list[str] = []
    answers: dict[str, Any] = {"getaddrinfo": [], "getnameinfo": ("name", "service")}

    def look_up(*_args: Any, **_hints: Any) -> Any:
        places.append(threading.current_thread().name)
        return answers[method]

    monkeypatch.setattr(socket, method, look_up)
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="chosen"))
    arguments: Any = ("localhost", 80) if method == "getaddrinfo" else (("127.0.0.1", 80),)
    with contextlib.suppress(OSError):  # what is found elsewhere
        loop.run_until_complete(getattr(loop, method)(*arguments))
    loop.run_until_complete(loop.shutdown_default_executor())
    if not places:
        pytest.skip("the loop has a resolver of its own")
    assert {name.partition("_")[0] for name in places} == {"chosen"}
