"""Chapter subprocess: a child that opens its streams by their names."""

from __future__ import annotations

import asyncio

from conformance.kit.children import spawned
from conformance.kit.patience import Patience
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
