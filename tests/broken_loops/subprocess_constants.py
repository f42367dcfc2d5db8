"""Broken loops of the chapter `subprocess`: constants, and what a Process tells and does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_process import is_process
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced

Stock = asyncio.SelectorEventLoop
DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT


@breaks("subprocess.constant-stdout")
class StdoutIsAPipeOfItsOwn(Stock):
    """stderr=STDOUT makes a pipe."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, stderr: Any = PIPE, **kwargs: Any) -> Any:
        stderr = PIPE if stderr == STDOUT else stderr
        return await super().subprocess_exec(protocol_factory, *args, stderr=stderr, **kwargs)


@breaks("subprocess.constant-devnull")
class DevnullOfAnotherKind(Stock):
    """stderr=DEVNULL gives the child an empty file that was deleted."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, stderr: Any = PIPE, **kwargs: Any) -> Any:
        if stderr != DEVNULL:
            return await super().subprocess_exec(protocol_factory, *args, stderr=stderr, **kwargs)
        with tempfile.TemporaryFile() as file:
            return await super().subprocess_exec(protocol_factory, *args, stderr=file, **kwargs)


@breaks("subprocess.process-pid")
class TellsThePidOfTheParent(TampersWithChildren):
    """get_pid() of a child is the number of this process."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_pid", lambda told: os.getpid())


@breaks("subprocess.process-terminate")
class TerminatesForGood(TampersWithChildren):
    """terminate() sends SIGKILL."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "terminate", lambda told: transport.kill())


@breaks("subprocess.process-kill")
class KillsGently(TampersWithChildren):
    """kill() sends SIGQUIT."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "kill", lambda told: transport.send_signal(signal.SIGQUIT))


@breaks("subprocess.process-stdout")
class MixesUpTheOutputs(TampersWithChildren):
    """What the child writes to standard error comes as its output if there is no other."""

    def patch(self, transport: Any, protocol: Any) -> None:
        get = transport.get_pipe_transport
        if get(2) is not None and get(1) is None:
            replaced(transport, "get_pipe_transport", lambda told, fd: told({1: 2, 2: 1}.get(fd, fd)))


@breaks("subprocess.process-stdin")
class StdinEndsInSilence(TampersWithChildren):
    """What is written to standard input with writelines() is dropped."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(0)
        if pipe is not None:
            replaced(pipe, "writelines", lambda told, pieces: None)


@breaks("subprocess.reading-is-bounded")
class ReadersOfErrorsCannotPause(TampersWithChildren):
    """pause_reading() of the pipe of a process's standard error does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(2)
        if is_process(protocol) and pipe is not None:
            pipe.pause_reading = pipe.resume_reading


@breaks("subprocess.reading-is-bounded")
class TheExitEndsPausedPipes(TampersWithChildren):
    """A pipe of a process that is paused when the process exits is closed, with what is in it."""

    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            for pipe in filter(None, map(self.transport.get_pipe_transport, (1, 2))):
                if not pipe.is_reading():
                    pipe.close()
            told()

        if is_process(protocol):
            replaced(protocol, "process_exited", exited)

    def patch(self, transport: Any, protocol: Any) -> None:
        self.transport = transport
