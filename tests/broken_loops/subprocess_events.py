"""Broken loops of the chapter `subprocess`: output, end and closing of a child."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, end_of, replaced

Stock = asyncio.SelectorEventLoop


@breaks("subprocess.pipe-data-fd")
class NamesThePipesOfTheParent(TampersWithChildren):
    """pipe_data_received() names standard error 3."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_data_received", lambda told, fd, data: told(fd + (fd == 2), data))


@breaks("subprocess.pipe-data-bytes")
class GivesBytearraysOfOutput(TampersWithChildren):
    """Output comes as a bytearray."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_data_received", lambda told, fd, data: told(fd, bytearray(data)))


@breaks("subprocess.pipe-data-complete")
class DropsOutputAfterAMegabyte(TampersWithChildren):
    """The last part of a long output is dropped."""

    def tamper(self, protocol: Any) -> None:
        def limited(told: Any, fd: int, data: bytes) -> None:
            told(fd, data[: (1 << 20) - 1 - len(protocol.output[fd])])

        replaced(protocol, "pipe_data_received", limited)


@breaks("subprocess.output-after-exit")
class TheDeadDoNotSpeak(TampersWithChildren):
    """The output of a child that has exited before it is looked at is dropped."""

    def tamper(self, protocol: Any) -> None:
        # By its words and not by its state: a loop may read them before the child has ended.
        def unless_dead(told: Any, fd: int, data: bytes) -> None:
            if data != b"last words\n":
                told(fd, data)

        replaced(protocol, "pipe_data_received", unless_dead)


@breaks("subprocess.pipe-lost")
class ForgetsTheEndOfStdin(TampersWithChildren):
    """pipe_connection_lost() is not called for standard input."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_connection_lost", lambda told, fd, exc: told(fd, exc) if fd else None)


@breaks("subprocess.pipe-lost-reason")
class AnEndIsAnError(TampersWithChildren):
    """The end of the output is an EOFError."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_connection_lost", lambda told, fd, exc: told(fd, EOFError() if fd == 2 else exc))


@breaks("subprocess.pipe-lost-early")
class LooksAtPipesWhenItIsOver(TampersWithChildren):
    """pipe_connection_lost() is called only when the process has ended."""

    def tamper(self, protocol: Any) -> None:
        late: list[Any] = []

        def lost(told: Any, fd: int, exc: Any) -> None:
            if protocol.exited:
                told(fd, exc)
            else:
                late.append((told, fd, exc))

        def exited(told_exit: Any) -> None:
            told_exit()
            for told, fd, exc in late:
                told(fd, exc)

        replaced(protocol, "pipe_connection_lost", lost)
        replaced(protocol, "process_exited", exited)


@breaks("subprocess.exited-once")
class ExitsTwice(TampersWithChildren):
    """process_exited() is called twice for a child without pipes."""

    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            told()
            if not any(map(protocol.transport.get_pipe_transport, (0, 1, 2))):
                told()

        replaced(protocol, "process_exited", exited)


@breaks("subprocess.exited-with-code")
class StoresTheCodeLate(TampersWithChildren):
    """get_returncode() is None during process_exited()."""

    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            code = protocol.transport.get_returncode
            protocol.transport.get_returncode = lambda: None
            told()
            protocol.transport.get_returncode = code

        replaced(protocol, "process_exited", exited)


@breaks("subprocess.exited-with-code")
class TakesZeroForNone(TampersWithChildren):
    """get_returncode() is None after an exit with code 0, as long as connection_lost() was not called."""

    def patch(self, transport: Any, protocol: Any) -> None:
        over = end_of(protocol)
        replaced(transport, "get_returncode", lambda get: get() if over else get() or None)


@breaks("subprocess.output-after-exit")
class TheKilledSayNothing(TampersWithChildren):
    """What comes out of the pipes of a child after a signal has ended it is dropped."""

    def tamper(self, protocol: Any) -> None:
        def received(told: Any, fd: int, data: bytes) -> None:
            if (protocol.transport.get_returncode() or 0) >= 0:
                told(fd, data)

        replaced(protocol, "pipe_data_received", received)


@breaks("subprocess.pause-writing")
class PausesForAChildOnce(TampersWithChildren):
    """pause_writing() is called once for each child, however often the buffer of its input fills."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pause_writing", lambda told: None if "pause_writing" in protocol.names else told())


@breaks("subprocess.exited-before-lost")
class TheConnectionIsLostFirst(TampersWithChildren):
    """process_exited() is called after connection_lost() if standard input is a pipe and the code is 1."""

    def tamper(self, protocol: Any) -> None:
        late: list[Any] = []

        def exited(told: Any) -> None:
            pipe = protocol.transport.get_pipe_transport(0)
            if protocol.transport.get_returncode() == 1 and pipe is not None:
                late.append(told)
            else:
                told()

        def lost(told: Any, exc: Any) -> None:
            told(exc)
            for each in late:
                each()

        replaced(protocol, "process_exited", exited)
        replaced(protocol, "connection_lost", lost)


@breaks("subprocess.exited-before-pipes")
class TheOutputIsTheProcess(TampersWithChildren):
    """process_exited() is called when the last pipe is lost."""

    def tamper(self, protocol: Any) -> None:
        late: list[Any] = []

        def lost(told: Any, exc: Any) -> None:
            for each in late:
                each()
            told(exc)

        replaced(protocol, "process_exited", late.append)
        replaced(protocol, "connection_lost", lost)


@breaks("subprocess.stdin-eof")
class WriteEofDoesNothing(TampersWithChildren):
    """write_eof() of standard input leaves the pipe open."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if pipe := transport.get_pipe_transport(0):
            pipe.write_eof = lambda: None


@breaks("subprocess.pipes-not-shared")
class ChildrenHoldPipes(Stock):
    """A child inherits the standard input's pipe of the child that was started before."""

    held: Any = None

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        held = self.held
        if held is not None and not held.is_closing():
            number = held.get_extra_info("pipe").fileno()
            os.set_inheritable(number, True)
            kwargs["pass_fds"] = [number]
        transport, protocol = await super().subprocess_exec(protocol_factory, *args, **kwargs)
        self.held = transport.get_pipe_transport(0)
        return transport, protocol


@breaks("subprocess.pause-writing")
class ChildrenAreNotPaused(TampersWithChildren):
    """pause_writing() is not passed on to the protocol of the child."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pause_writing", lambda told: None)


@breaks("subprocess.pause-reading")
class OutputCannotBePaused(TampersWithChildren):
    """pause_reading() of the output's transport does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if pipe := transport.get_pipe_transport(1):
            pipe.pause_reading = pipe.resume_reading = lambda: None


@breaks("subprocess.close-kills")
class CloseInterrupts(TampersWithChildren):
    """close() sends SIGINT first."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            if transport.get_returncode() is None:
                transport.send_signal(signal.SIGINT)
                os.waitid(os.P_PID, transport.get_pid(), os.WEXITED | os.WNOWAIT)
            close()

        replaced(transport, "close", close)


@breaks("subprocess.close-pipes")
class CloseLeavesThePipes(TampersWithChildren):
    """close() kills, and the pipes close when their other ends do."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            if transport.get_returncode() is None:
                transport.kill()
                self.call_later(0.01, close)
            else:
                close()

        replaced(transport, "close", close)


@breaks("subprocess.close-lost")
class ClosingAChildIsAnError(TampersWithChildren):
    """After close(), connection_lost() gets an error."""

    def patch(self, transport: Any, protocol: Any) -> None:
        close = transport.close
        if transport.get_pipe_transport(0) is None:
            return

        def closed() -> None:
            if transport.get_returncode() is None:
                replaced(protocol, "connection_lost", lambda told, exc: told(ConnectionAbortedError()))
            close()

        transport.close = closed


@breaks("subprocess.is-closing")
class IsClosingWhenItIsOver(TampersWithChildren):
    """is_closing() is true when the process has ended."""

    def patch(self, transport: Any, protocol: Any) -> None:
        transport.is_closing = lambda: transport.get_returncode() is not None


@breaks("subprocess.close-again")
class LosesTheConnectionAgain(TampersWithChildren):
    """close() after the end calls connection_lost() again."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            if getattr(protocol, "lost", False) and transport.get_returncode() == 3:
                protocol.connection_lost(None)
            close()

        replaced(transport, "close", close)


@breaks("subprocess.no-zombie")
class LeavesZombies(TampersWithChildren):
    """Another child is left that nobody waits for."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pid = os.fork()
        if not pid:
            os._exit(0)
        transport.get_pid = lambda: pid


@breaks("subprocess.other-children")
class WaitsForEveryChild(TampersWithChildren):
    """Before a child is started, every child that has ended is waited for."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.many")
class MixesCodesUp(TampersWithChildren):
    """Of several children that run at once, one gets the code of another."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[Any] = []

    def patch(self, transport: Any, protocol: Any) -> None:
        self.running.append(transport)
        if len(self.running) == 7:
            transport.get_returncode = self.running[2].get_returncode


@breaks("subprocess.other-thread")
class ChildrenNeedTheMainThread(Stock):
    """Children can be started in the main thread only."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("children need the main thread")
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)


@breaks("subprocess.stderr-stdout")
class JoinedStreamsAreLostTwice(TampersWithChildren):
    """With stderr=STDOUT, the end of standard output is told for standard error, too."""

    joined = False

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.joined = kwargs.get("stderr") == subprocess.STDOUT
        return await super().subprocess_exec(protocol_factory, *args, **kwargs)

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, fd: int, exc: Any) -> None:
            told(fd, exc)
            if fd == 1:
                told(2, exc)

        if self.joined:
            replaced(protocol, "pipe_connection_lost", lost)
