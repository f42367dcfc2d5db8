"""Broken loops of the chapter `subprocess`: one pipe that is taken for another, and calls that count once."""

from __future__ import annotations

import contextlib
import os
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
