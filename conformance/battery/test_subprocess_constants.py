"""Chapter subprocess: the constants PIPE, STDOUT and DEVNULL, and the attributes of a Process, one by one."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from conformance.kit.cases import each
from conformance.kit.children import standing_for
from conformance.kit.patience import Patience
from conformance.kit.waiting import turns, until
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
T = TypeVar("T")


async def _shell(script: str, **streams: Any) -> Process:
    return await asyncio.create_subprocess_exec("/bin/sh", "-c", script, **streams)


def _run(loop: Loop, patience: Patience, scenario: Coroutine[Any, Any, T]) -> T:
    return loop.run_until_complete(asyncio.wait_for(scenario, patience.seconds))


@requirement("subprocess.constant-stdout", MUST, cite="asyncio-subprocess: subprocess.STDOUT")
def test_stdout_redirects_standard_error(loop: Loop, patience: Patience) -> None:
    """STDOUT as the stderr argument indicates that standard error should be redirected into standard output.

    If this fails: look for a third pipe, or a stream that communicate() waits for in vain.
    """

    async def scenario() -> tuple[Any, Any]:
        process = await _shell("echo out; echo err >&2", stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        assert process.stderr is None
        return await process.communicate()

    assert _run(loop, patience, scenario()) == (b"out\nerr\n", None)


@requirement("subprocess.constant-devnull", MUST, cite="asyncio-subprocess: subprocess.DEVNULL")
@each("stream", ["stdin", "stdout", "stderr"])
def test_devnull_is_no_stream(loop: Loop, patience: Patience, tmp_path: Path, stream: str) -> None:
    """DEVNULL can be used as the stdin, stdout or stderr argument: the special file os.devnull is used for it.

    If this fails: look for a pipe to nowhere, or a descriptor that is simply closed, or inherited.
    """
    number = ["stdin", "stdout", "stderr"].index(stream)

    async def scenario() -> Any:
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, stream: DEVNULL}
        process = await _shell(f"test /dev/null -ef /dev/fd/{number}", **streams)
        assert getattr(process, stream) is None
        await process.communicate()
        return process.returncode

    with standing_for(number, tmp_path / "own", os.O_RDWR):  # which often is os.devnull
        assert _run(loop, patience, scenario()) == 0


@requirement("subprocess.process-pid", MUST, cite="asyncio-subprocess: subprocess.Process.pid")
def test_pid_is_the_number_of_the_process(loop: Loop, patience: Patience) -> None:
    """pid is the process identification number (PID), also after the process has ended.

    If this fails: look for the number of another process: of a helper that starts it, or of this one.
    """

    async def scenario() -> tuple[int, int]:
        process = await _shell("echo $$", stdin=DEVNULL, stdout=PIPE)
        output, _ = await process.communicate()
        return int(output), process.pid

    printed, told = _run(loop, patience, scenario())
    assert printed == told


@requirement("subprocess.process-terminate", MUST, cite="asyncio-subprocess: subprocess.Process.terminate")
def test_terminate_sends_sigterm(loop: Loop, patience: Patience) -> None:
    """terminate() sends SIGTERM to the child process, which can catch it.

    If this fails: look for SIGKILL.
    """

    async def scenario() -> int | None:
        process = await _shell("trap 'exit 5' TERM; echo ready; while :; do read x; done", stdin=PIPE, stdout=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        process.terminate()
        process.stdin.write(b"\n")  # some shells look at the trap when read returns
        await process.communicate()
        return process.returncode

    assert _run(loop, patience, scenario()) == 5


@requirement("subprocess.process-kill", MUST, cite="asyncio-subprocess: subprocess.Process.kill")
def test_kill_sends_sigkill(loop: Loop, patience: Patience) -> None:
    """kill() kills the child process: it sends SIGKILL, which cannot be caught.

    If this fails: look for SIGTERM.
    """

    async def scenario() -> int | None:
        process = await _shell("trap '' TERM INT HUP; echo ready; read x", stdin=PIPE, stdout=PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        process.kill()
        return await process.wait()

    assert _run(loop, patience, scenario()) == -9


@requirement("subprocess.process-stdout", MUST, cite="asyncio-subprocess: subprocess.Process.stdout")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_streams_are_readers_or_none(loop: Loop, patience: Patience, stream: str) -> None:
    """stdout and stderr are a StreamReader, or None if the process was created with None for that stream.

    If this fails: look for streams that are mixed up, or made where nobody asked for them.
    """

    async def scenario() -> tuple[bytes, Any]:
        other = {"stdout": "stderr", "stderr": "stdout"}[stream]
        number = {"stdout": 1, "stderr": 2}[stream]
        process = await _shell(f"echo words >&{number}", stdin=DEVNULL, **{stream: PIPE, other: None})
        reader = getattr(process, stream)
        assert isinstance(reader, asyncio.StreamReader)
        data = await reader.read()
        await process.wait()
        return data, getattr(process, other)

    assert _run(loop, patience, scenario()) == (b"words\n", None)


@requirement("subprocess.process-stdin", MUST, cite="asyncio-subprocess: subprocess.Process.stdin")
def test_stdin_is_a_writer(loop: Loop, patience: Patience) -> None:
    """stdin is a StreamWriter, which has what the child reads: write(), drain(), close() and wait_closed() work.

    If this fails: look for a write transport that does not tell the protocol of its end.
    """

    async def scenario() -> bytes:
        process = await _shell("cat", stdin=PIPE, stdout=PIPE)
        writer, reader = process.stdin, process.stdout
        assert isinstance(writer, asyncio.StreamWriter)
        assert reader is not None
        writer.write(b"to the ")
        await writer.drain()
        writer.writelines([b"child", b"\n"])
        writer.close()
        await writer.wait_closed()
        data = await reader.read()
        await process.wait()
        return data

    assert _run(loop, patience, scenario()) == b"to the child\n"


@requirement(
    "subprocess.reading-is-bounded",
    MUST,
    cite=("asyncio-subprocess: create_subprocess_exec", "asyncio-subprocess: subprocess.Process.stderr"),
)
@each("stream", ["stdout", "stderr"])
def test_a_reader_that_is_full_holds_the_child_up(loop: Loop, patience: Patience, stream: str) -> None:
    """limit sets the buffer limit of the StreamReaders: they pause reading, and block the child, until they are read.

    If this fails: look for pause_reading() that does not stop pipe_data_received(), for data that is lost by it, or for
    reading that is not resumed when the child has gone.
    """
    number = {"stdout": 1, "stderr": 2}[stream]
    much = 20_000_000  # a transport that is paused may have read ahead, though not for ever

    async def scenario() -> tuple[Any, ...]:
        script = f"head -c {much} /dev/zero >&{number}; exit 3"
        process = await _shell(script, stdin=DEVNULL, limit=100_000, **{stream: PIPE})
        reader = getattr(process, stream)
        first = await reader.readexactly(1)
        await asyncio.sleep(0.1)  # in which a reader that is not bounded has it all
        before = process.returncode
        rest = [await reader.read(100_000) for _ in range(3)]
        rest.append(await reader.read())
        return before, first + b"".join(rest), await process.wait()

    async def left_behind() -> bytes:
        script = f"head -c 10000 /dev/zero >&{number}; read line; head -c 50000 /dev/zero >&{number}"
        process = await _shell(script, stdin=PIPE, limit=1000, **{stream: PIPE})
        reader = getattr(process, stream)
        data: bytes = await reader.readexactly(1)
        await asyncio.sleep(0.005)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        await until(patience, lambda: process.returncode is not None, "the end of the child")
        await turns(3)
        data += await reader.read()
        await process.wait()
        return data

    assert _run(loop, patience, scenario()) == (None, bytes(much), 3)
    assert _run(loop, patience, left_behind()) == bytes(60_000)
