"""Broken loops of the chapter `subprocess`: what is taken for another, calls that count once, and ends of several."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import TampersWithChildren, replaced


@breaks("subprocess.pause-reading")
class ErrorsPauseTheOutput(TampersWithChildren):
    """pause_reading() of the transport of stderr pauses that of stdout as well."""

    def patch(self, transport: Any, protocol: Any) -> None:
        output, errors = transport.get_pipe_transport(1), transport.get_pipe_transport(2)
        if output is None or errors is None:
            return

        def pause(pause: Any) -> None:
            pause()
            output.pause_reading()

        def resume(resume: Any) -> None:
            resume()
            output.resume_reading()

        replaced(errors, "pause_reading", pause)
        replaced(errors, "resume_reading", resume)


@breaks("subprocess.stdin-lost-early")
class TheInputEndsTheOutputs(TampersWithChildren):
    """The transports of the outputs are closed when the child closes its standard input."""

    def tamper(self, protocol: Any) -> None:
        def lost(lost: Any, fd: int, exc: Any) -> None:
            lost(fd, exc)
            if fd == 0 and self.runs(protocol.transport):
                for number in (1, 2):
                    protocol.transport.get_pipe_transport(number).close()

        replaced(protocol, "pipe_connection_lost", lost)

    def runs(self, transport: Any) -> bool:
        """A child that has ended has closed its input as well, and its output may be on its way."""
        with contextlib.suppress(ChildProcessError):
            return not os.waitid(os.P_PID, transport.get_pid(), os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return False


@breaks("subprocess.terminate")
class TerminatesOnce(TampersWithChildren):
    """A second terminate() is ignored while the child runs."""

    def patch(self, transport: Any, protocol: Any) -> None:
        done: list[None] = []

        def terminate(terminate: Any) -> None:
            if not done or transport.get_returncode() is not None:
                done.append(None)
                terminate()

        replaced(transport, "terminate", terminate)


@breaks("subprocess.close-with-grandchild")
class TheInputOutlivesTheChild(TampersWithChildren):
    """close() after the exit leaves the transport of standard input open, for the end of the loop to close."""

    def patch(self, transport: Any, protocol: Any) -> None:
        stdin = transport.get_pipe_transport(0)

        def close(close: Any) -> None:
            if stdin is not None and transport.get_returncode() is not None:
                replaced(stdin, "close", lambda _close: None)
            close()

        replaced(transport, "close", close)


@breaks("subprocess.close-again")
class KillsTheUnseenDead(TampersWithChildren):
    """close() of a child whose end was not told yet makes its code that of a child that was killed."""

    def patch(self, transport: Any, protocol: Any) -> None:
        unseen: list[None] = []

        def close(close: Any) -> None:
            if transport.get_returncode() is None:
                unseen.append(None)
            close()

        replaced(transport, "close", close)
        replaced(transport, "get_returncode", lambda code: -9 if unseen and code() is not None else code())


@breaks("subprocess.many")
class EndsComeInTheOrderOfStarts(TampersWithChildren):
    """process_exited() of a child waits for the ends of those that were started before."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Any] = []
        self.ends: dict[Any, Any] = {}

    def tamper(self, protocol: Any) -> None:
        def exited(told: Any) -> None:
            self.ends[protocol] = told
            while self.started and self.started[0] in self.ends:
                self.ends.pop(self.started.pop(0))()

        self.started.append(protocol)
        replaced(protocol, "process_exited", exited)


@breaks("subprocess.pipe-data-bytes")
class LinesEndAsInPython(TampersWithChildren):
    """The ends of lines in the output of a child are made newlines."""

    def tamper(self, protocol: Any) -> None:
        replaced(protocol, "pipe_data_received", lambda told, fd, data: told(fd, data.replace(b"\r\n", b"\n") or b"\n"))


@breaks("subprocess.other-thread")
class ExitsElsewhereAreNotTold(TampersWithChildren):
    """process_exited() is not called by a loop that runs in another thread than the main one."""

    def tamper(self, protocol: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            protocol.process_exited = lambda: None


@breaks("subprocess.set-protocol")
class TheFirstProtocolGetsTheErrors(TampersWithChildren):
    """After set_protocol(), what comes from standard error is still given to the protocol that is no more."""

    def patch(self, transport: Any, protocol: Any) -> None:
        def exchange(change: Any, new: Any) -> None:
            replaced(
                new,
                "pipe_data_received",
                lambda told, fd, data: (protocol.pipe_data_received if fd == 2 else told)(fd, data),
            )
            change(new)

        replaced(transport, "set_protocol", exchange)
