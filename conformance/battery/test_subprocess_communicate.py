"""Chapter subprocess: communicate() of a Process, which sends, reads and waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.battery.test_subprocess_process import run, sh
from conformance.kit.cases import each
from conformance.kit.children import BIG
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL


@requirement("subprocess.communicate", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
@pytest.mark.parametrize("debug", [False, True])
def test_communicate_sends_reads_and_waits(loop: Loop, patience: Patience, debug: bool) -> None:
    """communicate(input) sends data to stdin, reads stdout and stderr until EOF, and waits; it returns both outputs.

    If this fails: look for a deadlock between a full input and a full output pipe.
    """

    async def scenario() -> None:
        process = await sh("cat; echo err >&2; exit 2", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        assert await process.communicate(BIG) == (BIG, b"err\n")
        assert process.returncode == 2

    loop.set_debug(debug)
    run(loop, patience, scenario())


@requirement(
    "subprocess.communicate-no-input", MUST, cite="asyncio-subprocess: subprocess.Process.communicate", since="3.12"
)
def test_communicate_without_input_ends_the_input(loop: Loop, patience: Patience) -> None:
    """communicate() without input closes stdin, so that a child that reads to the end comes to it.

    If this fails: look for a close that does not reach the pipe if nothing was written.
    """

    async def scenario() -> Any:
        process = await sh("cat; echo end", stdin=PIPE, stdout=PIPE)
        return await process.communicate()

    assert run(loop, patience, scenario()) == (b"end\n", None)


@requirement("subprocess.communicate-none", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
def test_communicate_gives_none_for_what_is_no_pipe(loop: Loop, patience: Patience) -> None:
    """To get anything other than None in the result tuple, the process has to be created with PIPE for that stream.

    If this fails: look for b"" instead of None, or the outputs exchanged.
    """

    async def scenario() -> Any:
        process = await sh("echo out; echo err >&2", stdout=DEVNULL, stderr=PIPE)
        return await process.communicate()

    assert run(loop, patience, scenario()) == (None, b"err\n")


@requirement("subprocess.communicate-broken-pipe", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
def test_communicate_ignores_a_child_that_does_not_read(loop: Loop, patience: Patience) -> None:
    """BrokenPipeError and ConnectionResetError when writing input into stdin are ignored: the child exited before.

    If this fails: look for another exception type at a write to a child that has gone, or one that is reported.
    """

    async def scenario() -> Any:
        process = await sh("exec <&-; echo done; exit 1", stdin=PIPE, stdout=PIPE)
        return await process.communicate(BIG), process.returncode

    assert run(loop, patience, scenario()) == ((b"done\n", None), 1)


@requirement("subprocess.communicate-after-exit", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
def test_communicate_after_the_end_gives_the_output(loop: Loop, patience: Patience) -> None:
    """communicate() reads until EOF is reached, also when the child had exited before it was called.

    If this fails: look for output that is dropped with the process.
    """

    async def scenario() -> Any:
        process = await sh("echo out; exit 1", stdin=PIPE, stdout=PIPE)
        await process.wait()
        return await process.communicate(b"too late")

    assert run(loop, patience, scenario()) == (b"out\n", None)


@requirement("subprocess.communicate-until-eof", MUST, cite="asyncio-subprocess: subprocess.Process.communicate")
@each("stream", ["stdout", "stderr"])
def test_communicate_reads_until_the_end(loop: Loop, patience: Patience, stream: str) -> None:
    """communicate() reads until EOF is reached: what a grandchild writes when the child has exited is read, too.

    If this fails: look for pipes that are closed when the child is gone, though others hold their other end.
    """
    number = {"stdout": 1, "stderr": 2}[stream]

    async def scenario() -> Any:
        process = await sh(
            f"exec >&{number}; echo early; (sleep 0.05; echo late) & exit 3",
            **{"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL, stream: PIPE},
        )
        return await process.communicate(), process.returncode

    output, code = run(loop, patience, scenario())
    assert (output[number - 1], code) == (b"early\nlate\n", 3)


@requirement("subprocess.gather", MUST, cite="asyncio-subprocess: §Subprocesses")
def test_several_processes_communicate_at_once(loop: Loop, patience: Patience) -> None:
    """It is easy to execute and monitor multiple subprocesses in parallel: each communicate() gets its own output.

    If this fails: look for pipes or watchers that are kept under a number that is used again.
    """

    async def one(number: int) -> Any:
        process = await sh("cat", stdin=PIPE, stdout=PIPE)
        return await process.communicate(b"%d" % number)

    async def scenario() -> Any:
        return await asyncio.gather(*map(one, range(12)))

    assert run(loop, patience, scenario()) == [(b"%d" % number, None) for number in range(12)]
