"""Broken loops of the chapter `pipes`: what is asked for twice, at the very beginning, or after the end."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.subprocess_transport import raises_without_a_reader, replaced

Stock = asyncio.SelectorEventLoop


@breaks("pipes.close-again")
class ClosingAPipeAgainAborts(TampersWithPipes):
    """A second close() of a write pipe is abort()."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "close", lambda close: transport.abort() if transport.is_closing() else close())


@breaks("pipes.lost-once")
class EveryEndOfAPipeIsTold(TampersWithPipes):
    """connection_lost() is called for every close() of a pipe."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def close(close: Any) -> None:
            if transport.is_closing():
                self.call_soon(protocol.connection_lost, None)
            close()

        replaced(transport, "close", close)


@breaks("pipes.close-while-paused")
class PausedPipesDoNotEnd(TampersWithPipes):
    """A read pipe that was closed while it was paused does not tell its end."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        paused: list[bool] = []

        def close(close: Any) -> None:
            paused.append(not transport.is_closing() and not transport.is_reading())
            close()

        replaced(transport, "close", close)
        replaced(protocol, "connection_lost", lambda told, exc: None if any(paused) else told(exc))


@breaks("pipes.ended-before")
class PipesEndLater(TampersWithPipes):
    """An end that was there before the pipe was connected is not noticed."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        poll = select.poll()
        poll.register(pipe.fileno(), 0)
        ended = bool(poll.poll(0))
        transport, protocol = await super().connect_read_pipe(protocol_factory, pipe)
        if ended:
            transport.pause_reading()
        return transport, protocol


@breaks("pipes.failing-eof-received")
class TheEndOfAPipeIsUnheard(TampersWithPipes):
    """An exception in eof_received() of a pipe is dropped."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def quietly(told: Any) -> Any:
            try:
                return told()
            except Exception:
                return None

        replaced(protocol, "eof_received", quietly)


@breaks("pipes.broken-while-closing")
class FlushesForEver(TampersWithPipes):
    """That the reader leaves while a closed pipe is flushed is not told."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            if not (closed and isinstance(exc, OSError)):
                told(exc)

        def close(close: Any) -> None:
            closed.append(None)
            close()

        closed: list[None] = []
        replaced(transport, "close", close)
        replaced(transport, "write_eof", close)
        replaced(protocol, "connection_lost", lost)


@breaks("pipes.writelines-order")
class LinesOfPipesAreReversed(TampersWithPipes):
    """writelines() of a pipe that is full puts its pieces into the buffer from behind."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def writelines(write: Any, pieces: Any) -> None:
            write(list(pieces)[::-1] if transport.get_write_buffer_size() else pieces)

        replaced(transport, "writelines", writelines)


@breaks("pipes.set-protocol-when-made")
class PipesChangeHandsLater(TampersWithPipes):
    """set_protocol() inside connection_made() of a read pipe is forgotten."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        made: list[None] = []
        self.call_soon(made.append, None)
        replaced(transport, "set_protocol", lambda set_protocol, new: set_protocol(new) if made else None)


@breaks("pipes.set-protocol-while-paused")
class PipesReadForEachProtocol(TampersWithPipes):
    """set_protocol() of a read pipe resumes reading."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def exchange(exchange: Any, new: Any) -> None:
            exchange(new)
            transport.resume_reading()

        replaced(transport, "set_protocol", exchange)


@breaks("pipes.named")
class PipesHaveNoNames(Stock):
    """A file that has a name is no pipe."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if isinstance(getattr(pipe, "name", None), str):
            raise ValueError("a named file is no pipe")
        return await super().connect_read_pipe(protocol_factory, pipe)


@breaks("pipes.named")
class PipesHaveOneDirection(Stock):
    """A pipe that is open for reading and writing cannot be read."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if stat.S_ISFIFO(os.fstat(pipe.fileno()).st_mode):
            os.set_blocking(pipe.fileno(), False)
            if _is_writable(pipe.fileno()):
                raise ValueError("a pipe that can be written is no read pipe")
        return await super().connect_read_pipe(protocol_factory, pipe)


def _is_writable(number: int) -> bool:
    try:
        os.write(number, b"")
    except OSError:
        return False
    return True


@breaks("pipes.reader-gone")
class WaitsForTheReaderToGo(Stock):
    """That the reader was gone before the pipe was connected is not told."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        asked = select.poll()
        asked.register(pipe.fileno(), 0)
        gone = asked.poll(0) != []
        transport, protocol = await super().connect_write_pipe(protocol_factory, pipe)
        if gone:
            transport.set_protocol(asyncio.Protocol())
        return transport, protocol


@breaks("pipes.reader-gone")
class DebugModeHidesTheReadersEnd(TampersWithPipes):
    """In debug mode nothing is told of a reader that is gone: the log line fails before."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        if self.get_debug():
            protocol.connection_lost = lambda exc: None


@breaks("pipes.write-after-loss-is-quiet")
class WritesKnowItFirst(TampersWithPipes):
    """write() of a pipe raises BrokenPipeError when its reader has gone, before connection_lost()."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        raises_without_a_reader(transport)


@breaks("pipes.several")
class FourPipesAreRead(TampersWithPipes):
    """Of the pipes of a loop, four are read."""

    readers = 0

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        self.readers += 1
        if self.readers > 4:
            self.call_later(0.001, transport.pause_reading)


@breaks("pipes.several")
class PipesShareAWriter(TampersWithPipes):
    """What is written to the third of several pipes goes to the second."""

    last: Any = None
    writers = 0

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        self.writers += 1
        if self.writers == 3:
            transport.write = self.last.write
        self.last = transport


@breaks("pipes.other-thread")
class PipesAreForTheMainThread(Stock):
    """A pipe can be written to by a loop of the main thread only."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("SIGPIPE is handled by the main thread")
        return await super().connect_write_pipe(protocol_factory, pipe)
