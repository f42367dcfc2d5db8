"""Chapter ecosystem: anyio over the loop, and aiosqlite, whose connections live in threads of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.libraries import complete, library
from conformance.kit.patience import Patience
from conformance.kit.peers import tcp_pair
from conformance.kit.waiting import turns
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ANYIO = ("anyio",)
VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


@requirement("ecosystem.anyio-run", SHOULD, cite="anyio/basics: Backend specific options", needs=ANYIO)
def test_run_takes_a_loop_factory(make_loop: Callable[[], Loop]) -> None:
    """anyio.run() with a loop_factory runs a program on a loop of that factory, and returns its result.

    If this fails: look at what asyncio.Runner calls around a program: set_debug(), shutdown_asyncgens() and the rest.
    """
    anyio = library("anyio")
    made: list[Loop] = []

    def factory() -> Loop:
        made.append(make_loop())
        return made[0]

    async def program() -> bool:
        await anyio.sleep(0)
        return asyncio.get_running_loop() is made[0]

    assert anyio.run(program, backend_options={"loop_factory": factory}) is True
    assert made[0].is_closed()


@requirement(
    "ecosystem.anyio-to-thread", SHOULD, cite="anyio/threads: Running a function in a worker thread", needs=ANYIO
)
def test_a_worker_thread_wakes_the_loop(loop: Loop) -> None:
    """to_thread.run_sync() returns what the function returns in a worker thread, though the loop is idle meanwhile.

    If this fails: look for call_soon_threadsafe() that does not wake a loop which waits.
    """
    anyio = library("anyio")
    entered = threading.Event()

    def work() -> int:
        assert entered.wait(5)
        threading.Event().wait(0.005)  # until the loop waits
        return threading.get_ident()

    async def scenario() -> int:
        loop.call_soon(entered.set)
        result: int = await anyio.to_thread.run_sync(work)
        return result

    assert loop.run_until_complete(scenario()) != threading.get_ident()


@requirement("ecosystem.anyio-thread-context", SHOULD, cite="anyio/threads: Context propagation", needs=ANYIO)
def test_context_goes_to_a_worker_thread_and_back(loop: Loop, patience: Patience) -> None:
    """A worker thread sees the context variables of its caller, and so does what it calls in the loop's thread.

    If this fails: look for call_soon_threadsafe() that forgets `context`, or the calling thread's context.
    """
    anyio = library("anyio")
    from_thread = library("anyio.from_thread")

    async def coroutine() -> str:
        await anyio.sleep(0)
        return VARIABLE.get()

    def work() -> list[str]:
        return [VARIABLE.get(), from_thread.run_sync(VARIABLE.get), from_thread.run(coroutine)]

    async def scenario() -> Any:
        VARIABLE.set("set")
        return await anyio.to_thread.run_sync(work)

    assert complete(loop, patience, scenario()) == ["set"] * 3


@requirement("ecosystem.anyio-move-on", SHOULD, cite="anyio/cancellation: §Timeouts", needs=ANYIO)
def test_a_cancel_scope_ends_at_its_deadline(loop: Loop, patience: Patience) -> None:
    """move_on_after() cancels what its scope waits for when the time is over, not before, and only that.

    If this fails: look for call_at() that takes its time for a delay, or for a cancellation that comes twice.
    """
    anyio = library("anyio")
    seconds = 0.01

    async def scenario() -> tuple[float, bool]:
        before = loop.time()
        with anyio.move_on_after(seconds) as scope:
            await anyio.sleep_forever()
        after = loop.time()
        await turns(3)  # no cancellation follows
        return after - before, scope.cancelled_caught

    lasted, caught = complete(loop, patience, scenario())
    assert caught
    assert lasted >= seconds - 0.002, f"it was cancelled after {lasted:.4f} s, before its {seconds} s were over"


@requirement(
    "ecosystem.anyio-task-group",
    SHOULD,
    cite="anyio/cancellation: Differences between asyncio and AnyIO cancellation semantics",
    needs=ANYIO,
)
def test_a_cancelled_scope_cancels_again_and_again(loop: Loop, patience: Patience) -> None:
    """A task in a cancelled scope is cancelled at each await, until it leaves the scope; others go on.

    If this fails: look for call_soon() from a callback, or for a task factory that anyio cannot look into.
    """
    anyio = library("anyio")

    async def scenario() -> list[str]:
        seen: list[str] = []

        async def stubborn() -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                for _ in range(3):
                    try:
                        await anyio.sleep_forever()
                    except asyncio.CancelledError:
                        seen.append("cancelled")
                await anyio.sleep_forever()
            seen.append("left")

        async with anyio.create_task_group() as group:
            group.start_soon(stubborn)
        return seen

    assert complete(loop, patience, scenario()) == ["cancelled"] * 3 + ["left"]


@requirement(
    "ecosystem.anyio-process", SHOULD, cite="anyio/subprocesses: Running one-shot commands", needs=(*ANYIO, "shell")
)
def test_a_command_runs_with_input_directory_and_environment(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """run_process() gives a command its input, working directory and environment, and returns all of its output.

    If this fails: look for keyword arguments of subprocess_exec() that are lost, or for a pipe that is never closed.
    """
    anyio = library("anyio")
    command = ["/bin/sh", "-c", 'pwd; printf "$SAID "; cat; echo err >&2; exit 0']

    async def scenario() -> Any:
        return await anyio.run_process(command, input=b"x" * 100_000, cwd=tmp_path, env={"SAID": "said"})

    finished = complete(loop, patience, scenario())
    assert finished.stdout == os.fsencode(tmp_path.resolve()) + b"\nsaid " + b"x" * 100_000
    assert (finished.stderr, finished.returncode) == (b"err\n", 0)


@requirement("ecosystem.anyio-signals", SHOULD, cite="anyio/signals: Receiving operating system signals", needs=ANYIO)
def test_a_signal_receiver_yields_each_signal(loop: Loop, patience: Patience) -> None:
    """open_signal_receiver() yields each signal that arrives, and gives its handlers back at its end.

    If this fails: look for a handler that works once, or remains.
    """
    anyio = library("anyio")
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    async def scenario() -> list[int]:
        received = []
        with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
                os.kill(os.getpid(), number)
                received.append(await anext(signals))
        return received

    try:
        assert complete(loop, patience, scenario()) == [signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1]
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, before)


@requirement("ecosystem.anyio-half-close", SHOULD, cite="anyio/networking: Working with TCP sockets", needs=ANYIO)
def test_a_stream_can_be_ended_on_one_side(loop: Loop, patience: Patience) -> None:
    """After send_eof() a stream of anyio still receives, and its peer, that saw the end, still sends.

    If this fails: look for write_eof() that closes, or for eof_received() whose true result is not heeded.
    """
    anyio = library("anyio")

    async def echo(stream: Any) -> None:
        async with stream:
            received = b"".join([part async for part in stream])
            await turns(3)  # what closes by itself at the end of the stream does it now
            await stream.send(received)

    async def scenario() -> bytes:
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, echo)
            host, port = listener.extra(anyio.abc.SocketAttribute.local_address)
            async with await anyio.connect_tcp(host, port) as stream:
                await stream.send(b"x" * 100_000)
                await stream.send_eof()
                received = b"".join([part async for part in stream])
            group.cancel_scope.cancel()
        return received

    assert complete(loop, patience, scenario()) == b"x" * 100_000


@requirement("ecosystem.anyio-wait-readable", SHOULD, cite="anyio/api: anyio.wait_readable", needs=ANYIO)
def test_waiting_for_a_socket_ends_when_it_is_readable(loop: Loop, patience: Patience) -> None:
    """wait_readable() returns when the socket has something to read, not before, and can be called again.

    If this fails: look for add_reader() that calls at once, or remove_reader() that leaves the callback.
    """
    anyio = library("anyio")

    async def scenario(ours: socket.socket, peer: socket.socket) -> None:
        for _ in range(2):
            with anyio.move_on_after(0.005) as scope:
                await anyio.wait_readable(ours)
            assert scope.cancelled_caught, "the socket has nothing to read"
            peer.sendall(b"x")
            await anyio.wait_readable(ours)
            assert ours.recv(10) == b"x"

    with tcp_pair() as (ours, peer):
        complete(loop, patience, scenario(ours, peer))


@requirement(
    "ecosystem.anyio-portal",
    SHOULD,
    cite="anyio/threads: Running code from threads using blocking portals",
    needs=ANYIO,
)
def test_a_portal_runs_a_loop_in_another_thread(make_loop: Callable[[], Loop]) -> None:
    """A blocking portal runs a loop in a thread of its own, and runs there what other threads ask for.

    If this fails: look for what only the main thread may do, as handling signals, and for a loop that needs it.
    """
    library("anyio")
    from_thread = library("anyio.from_thread")

    async def where() -> tuple[Loop, int]:
        await asyncio.sleep(0)
        return asyncio.get_running_loop(), threading.get_ident()

    loop = make_loop()
    with from_thread.start_blocking_portal(backend_options={"loop_factory": lambda: loop}) as portal:
        running, thread = portal.call(where)
        with pytest.raises(ZeroDivisionError):
            portal.call(lambda: 1 / 0)
    assert running is loop
    assert thread != threading.get_ident()


@requirement("ecosystem.aiosqlite-queries", SHOULD, cite="aiosqlite/api: aiosqlite.Connection", needs=("aiosqlite",))
def test_each_of_many_queries_gets_its_answer(loop: Loop, patience: Patience) -> None:
    """Queries that run at the same time on a connection of aiosqlite each get their own answer from its thread.

    If this fails: look for calls of call_soon_threadsafe() that are lost when several come before the loop wakes.
    """
    aiosqlite = library("aiosqlite")

    async def scenario() -> list[Any]:
        async with aiosqlite.connect(":memory:") as connection:

            async def ask(number: int) -> Any:
                async with connection.execute("select ?", (number,)) as cursor:
                    return (await cursor.fetchone())[0]

            return await asyncio.gather(*map(ask, range(100)))

    assert complete(loop, patience, scenario()) == list(range(100))
