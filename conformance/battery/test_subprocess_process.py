"""Chapter subprocess: asyncio.create_subprocess_exec() and create_subprocess_shell(), and the Process they give."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from conformance.kit.cases import each
from conformance.kit.children import BIG
from conformance.kit.patience import Patience
from conformance.kit.refusals import refused
from conformance.kit.transports import keep_limits_low
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
T = TypeVar("T")


def sh(script: str, **streams: Any) -> Awaitable[asyncio.subprocess.Process]:
    return asyncio.create_subprocess_exec("/bin/sh", "-c", script, **{"stdin": DEVNULL, **streams})


def run(loop: Loop, patience: Patience, scenario: Awaitable[T]) -> T:
    """The scenario's result, which must come in time."""
    return loop.run_until_complete(asyncio.wait_for(scenario, patience.seconds))


@requirement(
    "subprocess.process-streams",
    MUST,
    cite=("asyncio-subprocess: asyncio.subprocess.PIPE", "asyncio-subprocess: subprocess.Process.stderr"),
)
def test_pipe_makes_streams(loop: Loop, patience: Patience) -> None:
    """If PIPE is passed, stdin points to a StreamWriter, stdout and stderr point to StreamReader instances.

    If this fails: look for a pipe that is not there when connection_made() is called.
    """

    async def scenario() -> None:
        process = await sh("cat; echo err >&2", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        assert isinstance(process.stdin, asyncio.StreamWriter)
        assert isinstance(process.stdout, asyncio.StreamReader)
        assert isinstance(process.stderr, asyncio.StreamReader)
        process.stdin.write(b"in")
        process.stdin.close()
        assert await process.stdout.read() == b"in"
        assert await process.stderr.read() == b"err\n"
        await process.wait()

    run(loop, patience, scenario())


@requirement("subprocess.process-no-streams", MUST, cite="asyncio-subprocess: subprocess.Process.stdin")
def test_without_pipes_there_are_no_streams(loop: Loop, patience: Patience) -> None:
    """stdin, stdout and stderr are None if the process was created without PIPE for them.

    If this fails: look for a loop whose own default, PIPE, wins over the None that it is given.
    """

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert (process.stdin, process.stdout, process.stderr) == (None, None, None)
        await process.wait()

    run(loop, patience, scenario())


@requirement("subprocess.process-shell", MUST, cite="asyncio-subprocess: create_subprocess_shell")
def test_create_subprocess_shell_runs_a_command(loop: Loop, patience: Patience) -> None:
    """create_subprocess_shell() runs the cmd shell command, and pid is the PID of the spawned shell.

    If this fails: look for a command that is not given to a shell.
    """

    async def scenario() -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_shell("echo $$ | cat; exit 0", stdout=PIPE)
        return process.pid, (await process.communicate())[0]

    pid, output = run(loop, patience, scenario())
    assert int(output) == pid


@requirement("subprocess.wait", MUST, cite="asyncio-subprocess: subprocess.Process.wait")
@pytest.mark.parametrize("code", [0, 6])
def test_wait_gives_the_code(loop: Loop, patience: Patience, code: int) -> None:
    """wait() waits for the child process to terminate, and sets and returns the returncode attribute.

    If this fails: look for a wait that ends with the pipes, or a code that is set afterwards.
    """

    async def scenario() -> None:
        process = await sh(f"exit {code}")
        assert await process.wait() == code
        assert process.returncode == code

    run(loop, patience, scenario())


@requirement("subprocess.wait-again", MUST, cite="asyncio-subprocess: subprocess.Process.wait")
def test_wait_may_be_called_again_and_by_several(loop: Loop, patience: Patience) -> None:
    """Every wait() returns the code: several at once, and one after the end.

    If this fails: look for one waiter that is overwritten by the next, or a status that is given out once.
    """

    async def scenario() -> list[int]:
        process = await sh("read line; exit 3", stdin=PIPE)
        waiters = [asyncio.ensure_future(process.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        codes = await asyncio.gather(*waiters)
        return [*codes, await process.wait()]

    assert run(loop, patience, scenario()) == [3] * 4


@requirement("subprocess.wait-cancelled", MUST, cite="asyncio-subprocess: asyncio.subprocess.Process")
def test_a_wait_with_a_timeout_leaves_the_child_alone(loop: Loop, patience: Patience) -> None:
    """wait() has no timeout parameter: use wait_for(). A wait that times out leaves the child, and later waits, alone.

    If this fails: look for a cancelled waiter that gets a result, or a child that is killed with its waiter.
    """

    async def scenario() -> int:
        process = await sh("read line; exit 3", stdin=PIPE)
        others = [asyncio.ensure_future(process.wait())]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 0.003)
        others.append(asyncio.ensure_future(process.wait()))
        await asyncio.sleep(0)
        assert process.returncode is None
        assert process.stdin is not None
        process.stdin.write(b"\n")
        assert await asyncio.gather(*others) == [3, 3]
        return await process.wait()

    assert run(loop, patience, scenario()) == 3


@requirement("subprocess.process-returncode", MUST, cite="asyncio-subprocess: subprocess.Process.returncode")
def test_returncode_is_none_until_the_end_and_negative_for_signals(loop: Loop, patience: Patience) -> None:
    """returncode is None while the process has not terminated, and -N if it was terminated by signal N.

    If this fails: look for a code that begins as 0, or a raw status.
    """

    async def scenario() -> None:
        process = await sh("read line", stdin=PIPE)
        assert process.returncode is None
        process.terminate()
        assert await process.wait() == process.returncode == -signal.SIGTERM

    run(loop, patience, scenario())


@requirement("subprocess.process-signals", MUST, cite="asyncio-subprocess: subprocess.Process.send_signal")
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM", "SIGKILL"])
def test_process_sends_signals(loop: Loop, patience: Patience, name: str) -> None:
    """send_signal() sends the signal, terminate() SIGTERM and kill() SIGKILL to the child process.

    If this fails: look for a transport whose three methods are not its own.
    """

    async def scenario() -> int:
        process = await sh("read line", stdin=PIPE)
        {"SIGTERM": process.terminate, "SIGKILL": process.kill}.get(name, lambda: process.send_signal(signal.SIGUSR1))()
        return await process.wait()

    assert run(loop, patience, scenario()) == -signal.Signals[name]


@requirement("subprocess.process-missing", MUST, cite="subprocess: Exceptions")
def test_create_subprocess_exec_raises_for_a_missing_program(loop: Loop, patience: Patience) -> None:
    """create_subprocess_exec() of a program that does not exist raises FileNotFoundError; the next one works.

    If this fails: look for an error that is raised by wait(), or a loop that waits for a child that never was.
    """

    async def scenario() -> int:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/nonexistent/program", stdin=PIPE, stdout=PIPE)
        return await (await sh("exit 4")).wait()

    assert run(loop, patience, scenario()) == 4


@requirement(
    "subprocess.limit",
    MUST,
    cite=("asyncio-subprocess: create_subprocess_exec", "asyncio-subprocess: create_subprocess_shell"),
)
@each("stream", ["stdout", "stderr"])
@each("starts", ["exec", "shell"])
def test_limit_bounds_a_line(loop: Loop, patience: Patience, starts: str, stream: str) -> None:
    """limit sets the buffer limit of the StreamReaders: readline() of a longer line raises ValueError.

    A line of that length, or of 64 KiB if no limit is given, is read.

    If this fails: look for output that the pipe gives to another reader, or for a way that has its own limit.
    """

    async def started(script: str, **kwargs: Any) -> Any:
        if starts == "shell":
            return await asyncio.create_subprocess_shell(script, **kwargs)
        return await asyncio.create_subprocess_exec("/bin/sh", "-c", script, **kwargs)

    async def scenario(limit: int | None, length: int) -> Any:
        number = {"stdout": 1, "stderr": 2}[stream]
        script = f"(head -c {length - 1} /dev/zero | tr '\\0' ' '; echo) >&{number}"
        given = {} if limit is None else {"limit": limit}
        process = await started(script, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, **given)
        try:
            return len(await getattr(process, stream).readline())
        except ValueError:
            return ValueError
        finally:
            await process.communicate()

    for limit, most in ((8, 8), (None, 1 << 16)):
        assert run(loop, patience, scenario(limit, most)) == most
        assert run(loop, patience, scenario(limit, most + 2)) is ValueError


@requirement("subprocess.drain", MUST, cite="asyncio-stream: StreamWriter.drain")
def test_drain_waits_for_a_child_that_does_not_read(loop: Loop, patience: Patience) -> None:
    """await stdin.drain() waits while the buffer is above its limit, and goes on when the child has read.

    If this fails: look for pause_writing() that does not reach the writer, or a resume that never comes.
    """

    async def scenario() -> None:
        process = await sh("kill -STOP $$; cat >/dev/null", stdin=PIPE)
        assert process.stdin is not None
        keep_limits_low(process.stdin.transport)
        process.stdin.write(BIG)
        draining = asyncio.ensure_future(process.stdin.drain())
        done, _ = await asyncio.wait([draining], timeout=0.003)
        assert not done
        process.send_signal(signal.SIGCONT)
        while not draining.done():
            process.send_signal(signal.SIGCONT)  # the first may have come before the stop
            await asyncio.sleep(0.001)
        await draining
        process.stdin.close()
        await process.wait()

    run(loop, patience, scenario())


@requirement("subprocess.stdin-wait-closed", MUST, cite="asyncio-stream: StreamWriter.wait_closed")
def test_stdin_can_be_waited_for(loop: Loop, patience: Patience) -> None:
    """await stdin.wait_closed() ends when the pipe of standard input is closed, while the child goes on.

    If this fails: look for the end of the pipe told only with the end of the process.
    """

    async def scenario() -> None:
        process = await sh("cat; exec sleep 30", stdin=PIPE)
        assert process.stdin is not None
        process.stdin.close()
        await process.stdin.wait_closed()
        assert process.returncode is None
        process.kill()
        await process.wait()

    run(loop, patience, scenario())


@requirement("subprocess.process-text", MUST, cite="asyncio-subprocess: asyncio.subprocess.Process")
@pytest.mark.parametrize("create", ["exec", "shell"])
def test_universal_newlines_is_not_supported(loop: Loop, patience: Patience, create: str) -> None:
    """The universal_newlines parameter is not supported: an exception is raised.

    If this fails: look for a parameter that is accepted and ignored.
    """
    starting: Any = asyncio.create_subprocess_exec if create == "exec" else asyncio.create_subprocess_shell
    with refused():
        run(loop, patience, starting("/bin/true", universal_newlines=True))
