"""Chapter subprocess: the examples of the documentation, with children that are quick to start."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import Any

from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
PIPE = asyncio.subprocess.PIPE


class _Date(asyncio.SubprocessProtocol):
    """Tells `exit_future` when both the output and the child have ended, whichever comes first."""

    def __init__(self, exit_future: asyncio.Future[bool]) -> None:
        self.exit_future = exit_future
        self.output = bytearray()
        self.pipe_closed = self.exited = False

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        assert fd == 1
        self.pipe_closed = True
        self.check_for_exit()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        assert fd == 1
        self.output += data

    def process_exited(self) -> None:
        self.exited = True
        self.check_for_exit()

    def check_for_exit(self) -> None:
        if self.pipe_closed and self.exited:
            self.exit_future.set_result(True)


@requirement(
    "subprocess.example-protocol", MUST, cite="asyncio-protocol: loop.subprocess_exec() and SubprocessProtocol"
)
def test_a_protocol_collects_the_output_of_a_child(loop: Loop, patience: Patience) -> None:
    """A SubprocessProtocol is told once that the pipe is closed and once that the child has exited, in any order.

    With stdin=None and stderr=None only the standard output is a pipe. When both were told, all output was, and the
    transport can be closed.

    If this fails: look for pipes that nobody asked for, an end that is told twice, or a close() that finds no process.
    """

    async def get_date(words: str) -> str:
        exit_future: asyncio.Future[bool] = asyncio.Future(loop=loop)
        transport, protocol = await loop.subprocess_exec(
            lambda: _Date(exit_future), "/bin/sh", "-c", f"echo {words}", stdin=None, stderr=None
        )
        await exit_future
        transport.close()
        return bytes(protocol.output).decode("ascii").rstrip()

    async def main() -> list[str]:
        return [await get_date("2022-02-22 22:22"), *await asyncio.gather(get_date("left"), get_date("right"))]

    assert loop.run_until_complete(asyncio.wait_for(main(), patience.seconds)) == ["2022-02-22 22:22", "left", "right"]


@requirement("subprocess.example-shell", MUST, cite="asyncio-subprocess: §Subprocesses")
def test_two_commands_run_in_parallel(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """Several shell commands run in parallel by gather(), each with its own output, errors and return code.

    If this fails: look for a lock round the start or the end of children, or for pipes that are mixed up.
    """
    # The first has nothing to say before the second has run.
    os.mkfifo(tmp_path / "fifo")
    fifo = shlex.quote(str(tmp_path / "fifo"))

    async def run(cmd: str) -> tuple[int | None, bytes, bytes]:
        proc = await asyncio.create_subprocess_shell(cmd, stdout=PIPE, stderr=PIPE)
        stdout, stderr = await proc.communicate()
        return proc.returncode, stdout, stderr

    async def main() -> Any:
        return await asyncio.gather(run(f"cat {fifo}"), run(f"echo hello > {fifo}; ls /zzz"))

    first, second = loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert first == (0, b"hello\n", b"")
    assert second[0]
    assert second[1] == b""
    assert b"/zzz" in second[2]


@requirement("subprocess.example-date", MUST, cite="asyncio-subprocess: §Examples")
def test_one_line_of_output_is_read(loop: Loop, patience: Patience) -> None:
    """One line of a child's output is read by readline(), then wait() waits for its exit, with nothing else read.

    If this fails: look for a wait() that waits until somebody has read the end of the output.
    """

    async def get_date() -> tuple[str, int]:
        proc = await asyncio.create_subprocess_exec("/bin/sh", "-c", "echo date; echo more; exit 3", stdout=PIPE)
        assert proc.stdout
        data = await proc.stdout.readline()
        return data.decode("ascii").rstrip(), await proc.wait()

    assert loop.run_until_complete(asyncio.wait_for(get_date(), patience.seconds)) == ("date", 3)
