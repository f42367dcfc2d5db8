"""Broken loops of the chapter `subprocess`: the transports of a child's pipes."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.pipes_kinds import takes_the_whole_memory
from tests.broken_loops.subprocess_transport import TampersWithChildren, raises_without_a_reader, replaced

Stock = asyncio.SelectorEventLoop


class _OfInput(TampersWithChildren):
    """Changes the transport of standard input."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        raise NotImplementedError

    def patch(self, transport: Any, protocol: Any) -> None:
        stdin = transport.get_pipe_transport(0)
        if stdin is not None:
            self.change(stdin, transport, protocol)


@breaks("subprocess.stdin-limits")
class InputHasFixedLimits(_OfInput):
    """set_write_buffer_limits() of standard input's transport does nothing."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        stdin.set_write_buffer_limits = lambda high=None, low=None: None


@breaks("subprocess.stdin-limits")
class InputTakesAnyLimits(_OfInput):
    """Limits of standard input's transport that cannot be are brought in order, not refused."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, high: int | None = None, low: int | None = None) -> None:
            high = None if high is None else max(high, 0)
            low = None if low is None else max(low, 0)
            limit(high, low if high is None or low is None else min(low, high))

        replaced(stdin, "set_write_buffer_limits", limit)


@breaks("subprocess.stdin-limits")
class InputWantsAHighMark(_OfInput):
    """A high-water mark of zero for standard input is one of a byte."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, high: int | None = None, low: int | None = None) -> None:
            limit(1 if high == 0 else high, low)

        replaced(stdin, "set_write_buffer_limits", limit)


@breaks("subprocess.stdin-limits")
class EveryWritePausesAgain(_OfInput):
    """The child's protocol is paused by each write to its input above the limit, though it is paused already."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            paused = stdin.get_write_buffer_size() > stdin.get_write_buffer_limits()[1]
            write(data)
            if paused:
                protocol.pause_writing()

        replaced(stdin, "write", write)


@breaks("subprocess.pause-writing")
class LinesDoNotPause(_OfInput):
    """writelines() of standard input's transport does not pause the protocol."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        inside: list[bool] = []

        def writelines(writelines: Any, lines: Any) -> None:
            inside.append(True)
            writelines(lines)
            inside.clear()

        replaced(stdin, "writelines", writelines)
        replaced(protocol, "pause_writing", lambda told: None if inside else told())


@breaks("subprocess.stdin-buffers")
class InputIsBytes(_OfInput):
    """Standard input's transport takes bytes only."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if not isinstance(data, bytes):
                raise TypeError("bytes are required")
            write(data)

        replaced(stdin, "write", write)


@breaks("subprocess.stdin-buffers")
class InputTakesTheWholeMemory(_OfInput):
    """write() of a memoryview to standard input sends all of the object of which it shows a part."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        takes_the_whole_memory(stdin)


@breaks("subprocess.stdin-buffers")
class LinesOfInputAreAList(_OfInput):
    """writelines() of standard input's transport takes a list only."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def writelines(writelines: Any, lines: Any) -> None:
            if not isinstance(lines, list):
                raise TypeError("a list is required")
            writelines(lines)

        replaced(stdin, "writelines", writelines)


@breaks("subprocess.stdin-buffers")
class PagesOfInputAreReversed(_OfInput):
    """What is written to standard input in whole pages arrives with the last page first."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            pages = [data[start : start + 4096] for start in range(0, len(data), 4096)]
            write(data if len(data) % 4096 else b"".join(reversed(pages)))

        replaced(stdin, "write", write)


@breaks("subprocess.stdin-buffers")
class NothingEndsTheInput(_OfInput):
    """write() of standard input's transport takes empty data for the end."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        replaced(stdin, "write", lambda write, data: write(data) if data else stdin.close())


@breaks("subprocess.stdin-abort")
class AbortingInputFlushes(_OfInput):
    """abort() of standard input's transport is close()."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        stdin.abort = stdin.close


@breaks("subprocess.stdin-abort")
class AbortedInputIsAnError(TampersWithChildren):
    """pipe_connection_lost() is told an exception after abort() of standard input's transport."""

    def tamper(self, protocol: Any) -> None:
        made, lost = protocol.connection_made, protocol.pipe_connection_lost
        aborted: list[None] = []

        def connection_made(transport: Any) -> None:
            if stdin := transport.get_pipe_transport(0):
                replaced(stdin, "abort", lambda abort: (aborted.append(None), abort()))
            made(transport)

        protocol.connection_made = connection_made
        protocol.pipe_connection_lost = lambda fd, exc: lost(
            fd, ConnectionAbortedError() if aborted and fd == 0 else exc
        )


@breaks("subprocess.stdin-lost-early")
class InputIsLookedAtByWriting(TampersWithChildren):
    """That the child has closed its input is told when it has exited, if nothing is written."""

    def tamper(self, protocol: Any) -> None:
        state = {"exited": False}
        held: list[Any] = []

        def lost(told: Any, fd: int, exc: Any) -> None:
            if fd == 0 and not state["exited"]:
                held.append(exc)
            else:
                told(fd, exc)

        def exited(told: Any) -> None:
            state["exited"] = True
            told()
            for exc in held:
                protocol.pipe_connection_lost(0, exc)

        replaced(protocol, "pipe_connection_lost", lost)
        replaced(protocol, "process_exited", exited)


@breaks("subprocess.output-close")
class AnOutputIsTheChild(TampersWithChildren):
    """close() of the transport of an output closes the child's."""

    def patch(self, transport: Any, protocol: Any) -> None:
        for fd in (1, 2):
            output = transport.get_pipe_transport(fd)
            if output is not None:
                replaced(output, "close", lambda close: (close(), transport.close()))


@breaks("subprocess.close-with-grandchild")
class ReadsToTheEndOfAll(TampersWithChildren):
    """close() of a child kills it, and reads its output to the end."""

    def patch(self, transport: Any, protocol: Any) -> None:
        outputs = [transport.get_pipe_transport(fd) for fd in (1, 2)]

        def close(close: Any) -> None:
            kept = [(output, output.close) for output in outputs if output is not None]
            for output, _ in kept:
                output.close = lambda: None
            close()
            for output, method in kept:
                output.close = method

        replaced(transport, "close", close)


@breaks("subprocess.pause-inside")
class OutputIsReadToTheLast(TampersWithChildren):
    """pause_reading() inside pipe_data_received() takes effect when nothing is left to be read."""

    def tamper(self, protocol: Any) -> None:
        self.inside = False

        def received(told: Any, fd: int, data: bytes) -> None:
            self.inside = True
            told(fd, data)
            self.inside = False

        replaced(protocol, "pipe_data_received", received)

    def patch(self, transport: Any, protocol: Any) -> None:
        for pipe in filter(None, map(transport.get_pipe_transport, (1, 2))):
            replaced(pipe, "pause_reading", lambda pause: None if self.inside else pause())


@breaks("subprocess.write-after-loss-is-quiet")
class InputErrorsAreRaised(_OfInput):
    """write() of standard input's transport raises BrokenPipeError when the child has gone."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        raises_without_a_reader(stdin)


@breaks("subprocess.write-after-loss-is-quiet")
class InputOfTheDeadIsRefused(_OfInput):
    """write() of standard input's transport raises an exception after connection_lost()."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if transport.get_returncode() is not None:
                raise RuntimeError("the handler is closed")
            write(data)

        replaced(stdin, "write", write)


@breaks("subprocess.pipes-closing")
class PipesAreClosingWithTheChild(TampersWithChildren):
    """is_closing() of the transport of standard error is that of the child."""

    def patch(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_pipe_transport(2)
        if pipe is not None:
            pipe.is_closing = transport.is_closing


@breaks("subprocess.stdin-eof")
class TheEndDropsInput(_OfInput):
    """write_eof() of standard input's transport does not wait for what is buffered."""

    def change(self, stdin: Any, transport: Any, protocol: Any) -> None:
        stdin.write_eof = stdin.abort


@breaks("subprocess.close-with-grandchild")
class CloseOnlyKills(TampersWithChildren):
    """close() does nothing when the child has returned."""

    def patch(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "close", lambda close: close() if transport.get_returncode() is None else None)
