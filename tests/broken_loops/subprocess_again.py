"""Broken loops of the chapter `subprocess`: what works, unless something else has happened, or is given by name."""

from __future__ import annotations

import functools
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_keywords import Keywords, Shell
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced


@breaks("subprocess.is-closing")
class ClosesWithItsOutputs(TampersWithChildren):
    """is_closing() is true when the child has closed its outputs, though it runs."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(
            transport,
            "is_closing",
            lambda closing: closing() or protocol.names.count("pipe_connection_lost") > 1,
        )


@breaks("subprocess.kill")
class TerminatesOrKills(TampersWithChildren):
    """kill() after terminate() does nothing."""

    def patch(self, transport: Any, protocol: Any) -> None:
        terminated: list[None] = []

        def terminate(terminate: Any) -> None:
            terminated.append(None)
            terminate()

        replaced(transport, "terminate", terminate)
        replaced(transport, "kill", lambda kill: None if terminated else kill())


@breaks("subprocess.close-without-pipes")
class ClosesTheOnlyPipe(TampersWithChildren):
    """close() of a child with one pipe closes that, and kills nobody."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipes = [pipe for pipe in map(transport.get_pipe_transport, (0, 1, 2)) if pipe is not None]
        if len(pipes) == 1:
            replaced(transport, "close", lambda close: close() if pipes[0].is_closing() else pipes[0].close())


@breaks("subprocess.exec-type")
class TakesAListAsPopenDoes(Keywords):
    """The program and its arguments may be given as a list."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        args[:] = [*args[0], *args[1:]] if args and isinstance(args[0], list) else args


@breaks("subprocess.methods-by-name")
class ChildrenAreSignalledByPosition(TampersWithChildren):
    """send_signal() takes its argument by position only."""

    def patch(self, transport: Any, protocol: Any) -> None:
        send = transport.send_signal
        transport.send_signal = lambda signum, /: send(signum)


@breaks("subprocess.returncode-none")
class TheCodeOfATalkerIsZero(TampersWithChildren):
    """Inside pipe_data_received() get_returncode() is 0 while the child runs."""

    def tamper(self, protocol: Any) -> None:
        def received(told: Any, fd: int, data: bytes) -> None:
            code = protocol.transport.get_returncode
            protocol.transport.get_returncode = lambda: code() or 0
            try:
                told(fd, data)
            finally:
                protocol.transport.get_returncode = code

        replaced(protocol, "pipe_data_received", received)


@breaks("subprocess.set-protocol-when-made")
class ChildrenChangeHandsLater(TampersWithChildren):
    """set_protocol() inside connection_made() of a child's protocol has no effect."""

    def patch(self, transport: Any, protocol: Any) -> None:
        made: list[None] = []
        self.call_soon(made.append, None)
        replaced(transport, "set_protocol", lambda exchange, new: exchange(new) if made else None)


@breaks("subprocess.pipes-extra-info")
class InputsHaveNoDefault(TampersWithChildren):
    """get_extra_info() of the transport of standard input ignores the default."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "get_extra_info", lambda info, name, default=None: info(name))


@breaks("subprocess.stdin-buffers")
class InputsAreCounted(TampersWithChildren):
    """write() of the transport of standard input returns the number of bytes."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> int:
            write(data)
            return len(data)

        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "write", write)


@breaks("subprocess.pipes-closing")
class FlushingInputsAreOpen(TampersWithChildren):
    """is_closing() of the transport of standard input is false while data is flushed."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "is_closing", lambda closing: closing() and not stdin.get_write_buffer_size())


@breaks("subprocess.stdin-rejects-text")
class InputsEncodeText(TampersWithChildren):
    """write() of the transport of standard input encodes what is text."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "write", lambda write, data: write(data.encode() if isinstance(data, str) else data))


@breaks("subprocess.no-pipe-transport")
class StreamsHaveSmallNumbers(TampersWithChildren):
    """get_pipe_transport() takes a byte."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_pipe_transport", lambda get, fd: get(fd) if abs(fd) < 256 else [get(0)][fd])


@breaks("subprocess.keywords-together")
class SessionsHaveNoHook(Keywords):
    """preexec_fn is not called for a child that leads a session or a group."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if kwargs.get("start_new_session") or kwargs.get("process_group") == 0:
            kwargs.pop("preexec_fn", None)


@breaks("subprocess.keywords-together")
class ShellsLoseTheirPlace(Shell):
    """cwd of a shell is dropped when there are other descriptors to pass on."""

    def changed(self, cmd: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("pass_fds"):
            kwargs.pop("cwd", None)
        return cmd


@breaks("subprocess.keywords-together")
class DebugsWithoutKeywords(Keywords):
    """In debug mode, the environment is this process's own."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        if self.get_debug():
            kwargs.pop("env", None)


@breaks("subprocess.own-descriptors")
class StandardFilesAreNotTheirs(Keywords):
    """A file of one of this process's own standard streams is refused."""

    def changed(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        for name in ("stdin", "stdout", "stderr"):
            if hasattr(given := kwargs.get(name), "fileno") and given.fileno() < 3:
                raise ValueError(name)


@breaks("subprocess.stdin-buffers")
class InputsTakeAThousandLines(TampersWithChildren):
    """writelines() of the transport of standard input gives as many pieces to the system as it takes, and no more."""

    def patch(self, transport: Any, protocol: Any) -> None:
        if stdin := transport.get_pipe_transport(0):
            replaced(stdin, "writelines", lambda writelines, lines: writelines(list(lines)[:1024]))


@breaks("subprocess.pause-closed")
class ClosedOutputsCannotBePaused(TampersWithChildren):
    """pause_reading() of the transport of an output raises when it is closed."""

    name = "pause_reading"

    def patch(self, transport: Any, protocol: Any) -> None:
        def called(method: Any, output: Any) -> None:
            if output.is_closing():
                raise RuntimeError("the transport is closing")
            method()

        for fd in (1, 2):
            if output := transport.get_pipe_transport(fd):
                replaced(output, self.name, functools.partial(lambda output, method: called(method, output), output))


@breaks("subprocess.resume-closed")
class ClosedOutputsCannotBeResumed(ClosedOutputsCannotBePaused):
    """resume_reading() of the transport of an output raises when it is closed."""

    name = "resume_reading"
