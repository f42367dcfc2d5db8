"""Broken loops of the chapter `subprocess`: whom an end reaches, and details of what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, counts_pauses, replaced

Stock = asyncio.SelectorEventLoop


@breaks("subprocess.called-by-the-loop")
class TheWatcherCallsTheProtocol(TampersWithChildren):
    """process_exited() is called by another thread, as by the one that waits for the child."""

    def tamper(self, protocol: Any) -> None:
        def elsewhere(exited: Any) -> None:
            thread = threading.Thread(target=exited)
            thread.start()
            thread.join()

        replaced(protocol, "process_exited", elsewhere)


@breaks("subprocess.never-started")
class TellsOfAFailedStart(Stock):
    """connection_lost() is called when a program could not be started."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = protocol_factory()
        try:
            return await super().subprocess_exec(lambda: protocol, *args, **kwargs)
        except OSError as error:
            self.call_soon(protocol.connection_lost, error)
            raise


@breaks("subprocess.kills-one")
class KillsTheGroup(TampersWithChildren):
    """A signal to a child that leads a group is sent to the whole group."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def to_all(_kill: Any) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(transport.get_pid(), 9)

        if os.getpgid(transport.get_pid()) == transport.get_pid():
            replaced(transport, "kill", to_all)


@breaks("subprocess.pipes-extra-info")
class PipesOfChildrenAreNameless(TampersWithChildren):
    """The transports of a child's pipes tell nothing of their pipes."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(2)
        if pipe is not None:
            replaced(pipe, "get_extra_info", lambda _get, _name, default=None: default)


@breaks("subprocess.pipe-data-bytes")
class ErrorsAreBytearrays(TampersWithChildren):
    """What the child writes to standard error arrives as a bytearray."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_data_received", lambda told, fd, data: told(fd, bytearray(data) if fd == 2 else data))


@breaks("subprocess.pipe-lost-reason")
class AFailureIsAReason(TampersWithChildren):
    """connection_lost() gets an exception if the child's code is not 0."""

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            told(exc or (OSError("the child has failed") if protocol.transport.get_returncode() else None))

        replaced(protocol, "connection_lost", lost)


@breaks("subprocess.close-lost")
class AClosedPipeIsAnError(TampersWithChildren):
    """pipe_connection_lost() gets an exception for the pipes that close() closes."""

    def tamper(self, protocol: Any) -> None:
        def lost(told: Any, fd: int, exc: Any) -> None:
            told(fd, exc or (OSError("closed") if protocol.transport.is_closing() else None))

        replaced(protocol, "pipe_connection_lost", lost)


@breaks("subprocess.exited-once")
class TheKilledExitTwice(TampersWithChildren):
    """process_exited() is called twice for a child that a signal has ended."""

    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            told()
            if protocol.transport.get_returncode() < 0:
                told()

        replaced(protocol, "process_exited", exited)


@breaks("subprocess.pipes-not-shared")
class PipesAreInheritable(TampersWithChildren):
    """This side's end of a child's standard input is inheritable: closing all descriptors hides it."""

    def patch(self, transport: Any, protocol: Any) -> None:
        stdin = transport.get_pipe_transport(0)
        if stdin is not None:
            os.set_inheritable(stdin.get_extra_info("pipe").fileno(), True)


@breaks("subprocess.pause-reading")
class ErrorsCannotBePaused(TampersWithChildren):
    """pause_reading() of standard error's transport has no effect."""

    def patch(self, transport: Any, protocol: Any) -> None:
        stderr = transport.get_pipe_transport(2)
        if stderr is not None:
            stderr.pause_reading = lambda: None


@breaks("subprocess.pause-reading")
class OutputAlwaysReads(TampersWithChildren):
    """is_reading() of standard output's transport is always True."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdout := transport.get_pipe_transport(1):
            stdout.is_reading = lambda: True


@breaks("subprocess.pause-reading")
class OutputCountsPauses(TampersWithChildren):
    """Two pauses of standard output's transport need two resumes."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdout := transport.get_pipe_transport(1):
            counts_pauses(stdout)


@breaks("subprocess.stdin-eof")
class StandardInputHasNoEnd(TampersWithChildren):
    """can_write_eof() of standard input's transport is False."""

    def patch(self, transport: Any, protocol: Any) -> None:
        stdin = transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.can_write_eof = lambda: False


@breaks("subprocess.is-closing")
class IsOpenAgainWhenItIsOver(TampersWithChildren):
    """is_closing() is False again when the child has exited."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "is_closing", lambda closing: closing() and transport.get_returncode() is None)


@breaks("subprocess.other-thread")
class ShellsNeedTheMainThread(Stock):
    """subprocess_shell() works in the main thread only."""

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("not in this thread")
        return await super().subprocess_shell(*args, **kwargs)


@breaks("subprocess.no-pipe-transport")
class PipesAreCountedBackwards(TampersWithChildren):
    """get_pipe_transport(-1) is the last pipe."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_pipe_transport", lambda get, fd: get(fd % 3 if fd < 0 else fd))


@breaks("subprocess.no-pipe-transport")
class StderrIsThePipeOfStdout(TampersWithChildren):
    """With stderr=STDOUT, the transport for 2 is the one for 1."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().subprocess_exec(*args, **kwargs)
        if kwargs.get("stderr") == asyncio.subprocess.STDOUT:
            replaced(transport, "get_pipe_transport", lambda get, fd: get(1 if fd == 2 else fd))
        return transport, protocol


@breaks("subprocess.set-protocol")
class TheFirstProtocolSeesTheExit(TampersWithChildren):
    """After set_protocol(), process_exited() is called on the protocol that is no more."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(change: Any, new: Any) -> None:
            new.process_exited = protocol.process_exited
            change(new)

        replaced(transport, "set_protocol", exchange)


@breaks("subprocess.set-protocol")
class KeepsTheProtocolThatGotOutput(TampersWithChildren):
    """set_protocol() changes, once there was output, what get_protocol() returns, and nothing else."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(change: Any, new: Any) -> None:
            if "pipe_data_received" in protocol.names:
                transport.get_protocol = lambda: new
            else:
                change(new)

        replaced(transport, "set_protocol", exchange)


@breaks("subprocess.close-lost")
class DebugModeFailsToClose(TampersWithChildren):
    """In debug mode close() of a child that runs raises an exception, where it is about to say that it kills."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            running = transport.get_returncode() is None and not transport.is_closing()
            close()
            if running and self.get_debug():
                raise TypeError("not all arguments converted during string formatting")

        replaced(transport, "close", close)


@breaks("subprocess.close-kills")
class InputIsFlushedBeforeTheKill(TampersWithChildren):
    """A child that has not read its input is not killed by close(), which waits for the pipe, but by the next one."""

    def patch(self, transport: Any, protocol: Any) -> None:
        waited: list[None] = []

        def close(close: Any) -> None:
            stdin = transport.get_pipe_transport(0)
            if stdin is not None and stdin.get_write_buffer_size() and not waited:
                waited.append(None)
                stdin.close()
            else:
                close()

        replaced(transport, "close", close)


@breaks("subprocess.kills-one")
class SignalsGoToTheGroup(TampersWithChildren):
    """send_signal() sends to the group that the child leads."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def send(send: Any, number: int) -> None:
            if os.getpgid(transport.get_pid()) == transport.get_pid():
                os.killpg(transport.get_pid(), number)
            else:
                send(number)

        replaced(transport, "send_signal", send)


@breaks("subprocess.close-inside")
class CallbacksCloseNothing(TampersWithChildren):
    """close() inside pipe_data_received() has no effect."""

    inside = False

    def tamper(self, protocol: Any) -> None:
        def received(received: Any, fd: int, data: bytes) -> None:
            self.inside = True
            try:
                received(fd, data)
            finally:
                self.inside = False

        replaced(protocol, "pipe_data_received", received)

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "close", lambda close: None if self.inside else close())


@breaks("subprocess.extra-info")
class ForgetsThePopenAtTheEnd(TampersWithChildren):
    """get_extra_info('subprocess') is None when the child has returned."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def info(info: Any, name: str, default: Any = None) -> Any:
            over = name == "subprocess" and transport.get_returncode() is not None
            return default if over else info(name, default)

        replaced(transport, "get_extra_info", info)
