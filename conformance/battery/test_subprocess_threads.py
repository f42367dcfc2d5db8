"""Chapter subprocess: children of loops that run in other threads than the main one."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, finish
from conformance.kit.patience import Patience
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
THREADS = "asyncio-subprocess: Subprocess and Threads"


async def _several() -> list[Any]:
    """The codes and outputs of some children at once: one is killed, one gets a signal, the others get their input."""

    async def one(number: int) -> Any:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", f"echo {number}; cat; echo errors >&2; exit {number}", stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert process.stdout is not None
        line = await process.stdout.readline()
        waiting = asyncio.ensure_future(process.wait())
        if number == 1:
            process.kill()
        if number == 2:
            process.terminate()
        rest = await process.communicate(b"input")
        return [line, *rest, await waiting] if number > 2 else [await waiting, process.returncode]

    return await asyncio.gather(*map(one, range(1, 6)))


@requirement("subprocess.threads-at-once", SHOULD, cite=(THREADS, "asyncio-policy: ThreadedChildWatcher"))
def test_loops_in_several_threads_have_children_at_once(make_loop: Factory, patience: Patience) -> None:
    """Running subprocesses from different threads is supported: each loop's children get their input and signals, and
    every wait() ends, while others run.

    If this fails: look for children that are kept in one table for all loops, for an end that is told to another loop,
    or for a method that asks for the main thread.
    """

    def work() -> list[Any]:
        loop = make_loop()
        try:
            return loop.run_until_complete(asyncio.wait_for(_several(), patience.seconds))
        finally:
            loop.close()

    helpers = [in_thread(work) for _ in range(3)]
    told = [helper.result(2 * patience.seconds) for helper in helpers]
    codes = [[-9, -9], [-15, -15]]
    outputs = [[b"%d\n" % number, b"input", b"errors\n", number] for number in (3, 4, 5)]
    assert told == [codes + outputs] * 3


@requirement("subprocess.other-thread", SHOULD, cite="asyncio-subprocess: Subprocess and Threads")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_children_run_under_a_loop_in_another_thread(make_loop: Factory, patience: Patience, method: str) -> None:
    """The event loop supports running subprocesses from different threads.

    If this fails: look for an end that is learnt by SIGCHLD, which only the main thread can handle.
    """
    script = "echo from a thread; exit 8"

    def start(loop: Loop) -> Any:
        if method == "subprocess_exec":
            return finish(loop, patience, script)
        transport, protocol = loop.run_until_complete(loop.subprocess_shell(ChildEvents, script, stdin=DEVNULL))
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        transport.close()
        return protocol

    def work() -> tuple[int, bytes, list[str]]:
        loop = make_loop()
        protocol = start(loop)
        loop.close()
        return protocol.transport.get_returncode(), bytes(protocol.output[1]), protocol.names

    code, output, names = in_thread(work).result(2 * patience.seconds)
    assert (code, output) == (8, b"from a thread\n")
    assert [names.count(name) for name in ("connection_made", "process_exited", "connection_lost")] == [1, 1, 1]
