"""Chapter subprocess: a child that opens its streams by name, and one that has left its own behind."""

from __future__ import annotations

import asyncio
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import spawned
from conformance.kit.patience import Patience, turn
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement(
    "subprocess.pipes-by-name",
    SHOULD,
    cite=("asyncio-eventloop: loop.subprocess_exec", "uvloop#505"),
    needs=("linux", "proc"),
)
def test_a_child_can_open_its_pipes_by_name(loop: Loop, patience: Patience) -> None:
    """PIPE creates a pipe: a child can open /dev/stdin, /dev/stdout and /dev/stderr, as it cannot with a socket.

    If this fails: look for a pair of sockets in place of a pipe. Scripts that write to /dev/stderr are many.
    """
    script = "cat /dev/stdin > /dev/stdout; echo done > /dev/stderr"
    with spawned(loop, patience, script) as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        stdin.write(b"through")
        stdin.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert (protocol.output[1], protocol.output[2]) == (b"through", b"done\n")


@requirement(
    "subprocess.stdin-after-exit-is-quiet",
    SHOULD,
    cite=("asyncio-protocol: WriteTransport.write", "asyncio-subprocess: subprocess.Process.communicate"),
)
@each("method", ["write", "writelines", "write_eof", "close"])
def test_standard_input_of_a_child_that_has_exited_can_be_written(loop: Loop, patience: Patience, method: str) -> None:
    """Methods of standard input's transport do not raise when the child has exited: nobody may know of it yet.

    If this fails: look for a pipe that is gone. communicate() ignores what drain() raises, and not what write() does.
    """
    with spawned(loop, patience, "exit 3") as (transport, protocol):
        stdin = transport.get_pipe_transport(0)
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        data: dict[str, tuple[Any, ...]] = {"write": (b"late",), "writelines": ([b"too", b"late"],)}
        for _ in range(10):
            getattr(stdin, method)(*data.get(method, ()))
        turn(loop, 2)
        assert protocol.names.count("connection_lost") == 1
