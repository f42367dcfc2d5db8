"""Chapter subprocess: asyncio.create_subprocess_exec() and asyncio.create_subprocess_shell() over the loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from conformance.kit.patience import Patience
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
BIG = bytes(range(256)) * 4096  # 1 MiB: more than a pipe holds
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


@requirement("subprocess.wait-grandchild", SHOULD, cite=("asyncio-subprocess: subprocess.Process.wait", "gh-119710"))
def test_wait_does_not_wait_for_the_pipes(loop: Loop, patience: Patience) -> None:
    """wait() waits for the child process to terminate, and for nothing else: a grandchild may hold its output open.

    If this fails: look for a wait that ends with connection_lost(), which comes after the last pipe.
    """

    async def scenario() -> None:
        process = await sh("read line; exec 3<&0; cat <&3 & exit 4", stdin=PIPE, stdout=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        waiting = asyncio.ensure_future(process.wait())
        await asyncio.sleep(0)
        process.stdin.write(b"end\n")
        assert await waiting == 4
        process.stdin.write(b"from the grandchild")
        process.stdin.close()
        assert await process.stdout.read() == b"from the grandchild"

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


@requirement("subprocess.limit", MUST, cite="asyncio-subprocess: create_subprocess_exec")
def test_limit_bounds_a_line(loop: Loop, patience: Patience) -> None:
    """limit sets the buffer limit of the StreamReaders: readline() of a longer line raises ValueError.

    If this fails: look for output that the pipe gives to another reader.
    """

    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            "/bin/echo", "a line that is too long", stdout=PIPE, stderr=PIPE, limit=8
        )
        assert process.stdout is not None
        with pytest.raises(ValueError):  # noqa: PT011 (no message is part of the contract)
            await process.stdout.readline()
        await process.communicate()

    run(loop, patience, scenario())


@requirement("subprocess.drain", MUST, cite="asyncio-stream: StreamWriter.drain")
def test_drain_waits_for_a_child_that_does_not_read(loop: Loop, patience: Patience) -> None:
    """await stdin.drain() waits while the buffer is above its limit, and goes on when the child has read.

    If this fails: look for pause_writing() that does not reach the writer, or a resume that never comes.
    """

    async def scenario() -> None:
        process = await sh("kill -STOP $$; cat >/dev/null", stdin=PIPE)
        assert process.stdin is not None
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


@requirement("subprocess.process-text", MUST, cite="asyncio-subprocess: asyncio.subprocess.Process")
@pytest.mark.parametrize("create", ["exec", "shell"])
def test_universal_newlines_is_not_supported(loop: Loop, patience: Patience, create: str) -> None:
    """The universal_newlines parameter is not supported: an exception is raised.

    If this fails: look for a parameter that is accepted and ignored.
    """
    starting: Any = asyncio.create_subprocess_exec if create == "exec" else asyncio.create_subprocess_shell
    with refused():
        run(loop, patience, starting("/bin/true", universal_newlines=True))
