"""Broken loops of the chapter `subprocess`: what asyncio.subprocess.Process finds in them."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced

Stock = asyncio.SelectorEventLoop


def is_process(protocol: Any) -> bool:
    """Whether the child belongs to an asyncio.subprocess.Process."""
    return isinstance(protocol, asyncio.subprocess.SubprocessStreamProtocol)


@breaks("subprocess.process-streams")
class ProcessHasNoStderr(TampersWithChildren):
    """In connection_made() the pipe of standard error is not there yet."""

    def patch(self, transport: Any, protocol: Any) -> None:
        get = transport.get_pipe_transport
        if is_process(protocol) and all(map(get, (0, 1, 2))) and get(2):
            transport.get_pipe_transport = lambda fd: get(fd) if fd < 2 else None


@breaks("subprocess.process-no-streams")
class NoneIsTheDefault(Stock):
    """A child whose three streams are None gets three pipes."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        streams = ("stdin", "stdout", "stderr")
        if all(kwargs.get(name, subprocess.PIPE) is None for name in streams):
            kwargs.update(dict.fromkeys(streams, subprocess.PIPE))
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.process-shell")
class TheShellHasAParent(Stock):
    """A shell command runs in a shell below another one."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        if not isinstance(cmd, str) or "$$" not in cmd:
            return await super().subprocess_shell(protocol_factory, cmd, **kwargs)
        return await self.subprocess_exec(protocol_factory, "/bin/sh", "-c", '/bin/sh -c "$1"; :', "sh", cmd, **kwargs)


class _WaitsItself(TampersWithChildren):
    """Answers wait() in its own way."""

    async def waited(self, transport: Any, wait: Any) -> Any:
        return await wait()

    def patch(self, transport: Any, protocol: Any) -> None:
        if is_process(protocol):
            replaced(transport, "_wait", lambda wait: self.waited(transport, wait))


@breaks("subprocess.wait")
class WaitGivesTheRawStatus(_WaitsItself):
    """wait() returns the status as waitpid() has it, for the code 6."""

    async def waited(self, transport: Any, wait: Any) -> Any:
        code = await wait()
        return code << 8 if code == 6 else code


@breaks("subprocess.wait-before-pipes")
class WaitsForThePipes(EventLoop):
    """wait() waits for the ends of the child's pipes, too."""

    async def _spawn(self, *args: Any) -> Any:
        transport, protocol = await super()._spawn(*args)
        wake = transport._wake_waiters

        def when_over() -> None:
            if transport._open_pipes:
                self.call_later(0.001, when_over)
            else:
                wake()

        transport._wake_waiters = when_over  # type: ignore[method-assign]
        return transport, protocol


@breaks("subprocess.wait-again")
class WaitsOnce(_WaitsItself):
    """A second wait() at the same time is refused."""

    waiting = 0

    async def waited(self, transport: Any, wait: Any) -> Any:
        if self.waiting:
            raise RuntimeError("somebody waits already")
        self.waiting += 1
        try:
            return await wait()
        finally:
            self.waiting -= 1


@breaks("subprocess.wait-cancelled")
class KillsWithTheWaiter(_WaitsItself):
    """A child whose waiter is cancelled is killed."""

    async def waited(self, transport: Any, wait: Any) -> Any:
        try:
            return await wait()
        except asyncio.CancelledError:
            transport.kill()
            raise


@breaks("subprocess.process-returncode")
class TerminatedIsShellCode(TampersWithChildren):
    """A process that was terminated while it had only an input has code 128 + N."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if is_process(protocol):
            replaced(transport, "get_returncode", lambda code: 143 if (c := code()) == -15 else c)


@breaks("subprocess.process-signals")
class ProcessesAreKilled(TampersWithChildren):
    """send_signal() of a process kills it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if is_process(protocol):
            replaced(transport, "send_signal", lambda send, _signal: transport.kill())


@breaks("subprocess.communicate")
class CutsTheErrors(TampersWithChildren):
    """Of standard error, only what comes before standard output has ended arrives."""

    def tamper(self, protocol: Any) -> None:
        if is_process(protocol):
            replaced(protocol, "pipe_data_received", self.received)

    def received(self, told: Any, fd: int, data: bytes) -> None:
        self.total = getattr(self, "total", 0) + len(data)
        if fd == 1 or self.total < 1 << 20:
            told(fd, data)


@breaks("subprocess.communicate-no-input", since="3.12")
class ClosesOnlyWhatWasWritten(TampersWithChildren):
    """close() of standard input does nothing if nothing was written."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(0)
        if pipe is None or not is_process(protocol) or transport.get_pipe_transport(1) is None:
            return
        close, write = pipe.close, pipe.write

        def written(data: bytes) -> None:
            pipe.close = close
            write(data)

        pipe.write, pipe.close = written, lambda: None


@breaks("subprocess.communicate-none")
class OnePipeIsStdout(TampersWithChildren):
    """A pipe that is the only one for output is standard output's."""

    def patch(self, transport: Any, protocol: Any) -> None:
        get = transport.get_pipe_transport
        if is_process(protocol) and get(1) is None and get(2) is not None:
            transport.get_pipe_transport = lambda fd: get(3 - fd)
            received, lost = protocol.pipe_data_received, protocol.pipe_connection_lost
            protocol.pipe_data_received = lambda fd, data: received(3 - fd, data)
            protocol.pipe_connection_lost = lambda fd, exc: lost(3 - fd, exc)


@breaks("subprocess.communicate-broken-pipe")
class BrokenPipesAreOtherErrors(TampersWithChildren):
    """A child that does not read its input is an error of another kind."""

    def tamper(self, protocol: Any) -> None:
        if is_process(protocol):
            replaced(protocol, "_drain_helper", self.drained)  # where both ways to notice meet

    async def drained(self, drain: Any) -> None:
        try:
            await drain()
        except ConnectionError:
            raise OSError("gone") from None


@breaks("subprocess.communicate-after-exit")
class TheInputOfTheDeadIsClosed(TampersWithChildren):
    """Writing to a child that has exited raises RuntimeError."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(0)
        if pipe is not None and is_process(protocol):
            write = pipe.write

            def alive(data: bytes) -> None:
                if transport.get_returncode() is not None:
                    raise RuntimeError("the transport is closed")
                write(data)

            pipe.write = alive


@breaks("subprocess.process-missing")
class AMissingProgramIsCode127(Stock):
    """A process of a missing program exits with code 127."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().subprocess_exec(protocol_factory, *args, **kwargs)
        except FileNotFoundError:
            if "stdin" not in kwargs:
                raise  # not on behalf of create_subprocess_exec()
            return await super().subprocess_exec(protocol_factory, "/bin/sh", "-c", "exit 127", **kwargs)


@breaks("subprocess.limit")
class CutsLongLines(TampersWithChildren):
    """Output of a child without input comes a few bytes at a time, as if it were lines."""

    def tamper(self, protocol: Any) -> None:
        if is_process(protocol):
            replaced(protocol, "pipe_data_received", lambda told, fd, data: told(fd, data.replace(b" ", b"\n")))


@breaks("subprocess.limit")
class ErrorsHaveTheDefaultLimit(TampersWithChildren):
    """limit is not that of the reader of standard error."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if is_process(protocol):
            self.call_soon(lambda: setattr(protocol.stderr, "_limit", 1 << 16) if protocol.stderr else None)


@breaks("subprocess.limit")
class ShellsHaveTheDefaultLimit(Stock):
    """limit is not that of the readers of a shell."""

    async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
        def made() -> Any:
            protocol = protocol_factory()
            if is_process(protocol):
                protocol._limit = 1 << 16
            return protocol

        return await super().subprocess_shell(made, cmd, **kwargs)


@breaks("subprocess.drain")
class ProcessesAreNotPaused(TampersWithChildren):
    """pause_writing() is not passed on to the streams of a process."""

    def tamper(self, protocol: Any) -> None:
        if is_process(protocol):
            protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("subprocess.stdin-wait-closed")
class StdinEndsWithTheProcess(TampersWithChildren):
    """The end of standard input is told when the process has exited."""

    def tamper(self, protocol: Any) -> None:
        if not is_process(protocol):
            return
        late: list[Any] = []

        def lost(told: Any, fd: int, exc: Any) -> None:
            if fd:
                told(fd, exc)
            else:
                late.append(lambda: told(fd, exc))

        def exited(told: Any) -> None:
            for each in late:
                each()
            told()

        replaced(protocol, "pipe_connection_lost", lost)
        replaced(protocol, "process_exited", exited)


@breaks("subprocess.gather")
class MixesOutputUp(TampersWithChildren):
    """Of several children that run at once, one gets the output of another."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Any] = []

    def tamper(self, protocol: Any) -> None:
        if is_process(protocol):
            self.received.append(protocol.pipe_data_received)
            if len(self.received) == 7:
                protocol.pipe_data_received = self.received[2]


@breaks("subprocess.process-text")
class IgnoresUniversalNewlines(Stock):
    """universal_newlines is ignored when the standard streams are inherited."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("stdout", subprocess.PIPE) is None:
            kwargs.pop("universal_newlines", None)
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.communicate")
class DebugModeHasNoErrors(TampersWithChildren):
    """In debug mode a process has no pipe for standard error."""

    def patch(self, transport: Any, protocol: Any) -> None:
        get = transport.get_pipe_transport
        if self.get_debug() and is_process(protocol):
            transport.get_pipe_transport = lambda fd: get(fd) if fd < 2 else None
