"""Broken loops of the chapter `pipes`: what they make of the ends of a pipe."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import lost_once, replaced

Stock = asyncio.SelectorEventLoop


class TampersWithPipes(Stock):
    """Changes protocol and transport of a pipe before the one is told of the other. Not those of children."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        pass

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        pass

    def tampered(self, protocol_factory: Any, patch: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            announce = protocol.connection_made

            def connection_made(transport: Any) -> None:
                patch(transport, protocol)
                announce(transport)

            if hasattr(protocol, "keep_open"):
                protocol.connection_made = connection_made
            return protocol

        return make

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_read_pipe(self.tampered(protocol_factory, self.patch_reader), pipe)

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_write_pipe(self.tampered(protocol_factory, self.patch_writer), pipe)


@breaks("pipes.read-pair")
class AnnouncesReadPipesTwice(TampersWithPipes):
    """A read pipe is announced twice."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        protocol.calls.append(("connection_made", transport))


@breaks("pipes.write-pair")
class AnnouncesWritePipesTwice(TampersWithPipes):
    """A write pipe is announced twice."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        if not protocol.calls:
            self.call_soon(protocol.calls.insert, 0, ("connection_made", transport))


@breaks("pipes.non-blocking")
class PipesBlock(TampersWithPipes):
    """A write pipe is left in blocking mode."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        os.set_blocking(transport.get_extra_info("pipe").fileno(), True)


@breaks("pipes.data")
class PipesGiveBytearrays(TampersWithPipes):
    """Large data from a pipe comes as a bytearray."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(bytearray(data) if len(data) > 100 else data))


@breaks("pipes.end")
class AHangUpIsAnError(TampersWithPipes):
    """The end of a pipe in which something was left is an error."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def lost(told: Any, exc: Any) -> None:
            told(BrokenPipeError() if len(protocol.received) == 60_000 else exc)

        replaced(protocol, "connection_lost", lost)


@breaks("pipes.end-closes")
class LeavesTheFileToTheCaller(TampersWithPipes):
    """A duplicate of the read pipe is watched, and the caller's file stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[Any] = []

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if not hasattr(protocol_factory(), "keep_open"):
            return await super().connect_read_pipe(protocol_factory, pipe)
        self.files.append(pipe)
        transport, protocol = await super().connect_read_pipe(
            protocol_factory, os.fdopen(os.dup(pipe.fileno()), "rb", 0)
        )
        transport.get_extra_info = lambda name, default=None: pipe if name == "pipe" else default
        replaced(transport, "close", lambda close: (close(), pipe.close()))
        return transport, protocol

    def close(self) -> None:
        for file in self.files:
            file.close()
        super().close()


@breaks("pipes.pause")
class PipesAreNotPaused(TampersWithPipes):
    """pause_reading() of a pipe changes what is_reading() says, and nothing else."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def pause(_pause: Any) -> None:
            transport.is_reading = lambda: False

        def resume(_resume: Any) -> None:
            transport.is_reading = lambda: True

        replaced(transport, "pause_reading", pause)
        replaced(transport, "resume_reading", resume)


@breaks("pipes.pause-again")
class CountsPipePauses(TampersWithPipes):
    """Two pauses need two resumes."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        pauses: list[None] = []

        def pause(pause: Any) -> None:
            pauses.append(None)
            pause()

        def resume(resume: Any) -> None:
            del pauses[-1:]
            if not pauses:
                resume()

        replaced(transport, "pause_reading", pause)
        replaced(transport, "resume_reading", resume)


@breaks("pipes.pause-again")
class ResumesPipesInAdvance(TampersWithPipes):
    """A resume of a pipe that is not paused makes up for the next pause."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        ahead: list[None] = []

        def pause(pause: Any) -> None:
            if ahead:
                ahead.clear()
            else:
                pause()

        def resume(resume: Any) -> None:
            if transport.is_reading():
                ahead.append(None)
            resume()

        replaced(transport, "pause_reading", pause)
        replaced(transport, "resume_reading", resume)


@breaks("pipes.is-closing")
class PipesAreClosingUntilTheyAre(TampersWithPipes):
    """is_closing() of a write pipe is false again when connection_lost() was called."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "is_closing", lambda is_closing: is_closing() and not protocol.lost)


@breaks("pipes.is-closing")
class ReadPipesNeverClose(TampersWithPipes):
    """is_closing() of a read pipe is false."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        transport.is_closing = lambda: False


@breaks("pipes.connection-lost-not-inline")
class ReadsBeforeItCloses(TampersWithPipes):
    """close() calls connection_lost() at once."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        lost = lost_once(protocol)

        def close(close: Any) -> None:
            close()
            lost(None)

        replaced(transport, "close", close)


@breaks("pipes.write")
class DropsTheRest(TampersWithPipes):
    """What is written while something waits is dropped."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "write", lambda write, data: None if transport.get_write_buffer_size() else write(data))


@breaks("pipes.write-buffers")
class WritesBytesOnly(TampersWithPipes):
    """A bytearray cannot be written into a pipe."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if isinstance(data, bytearray):
                raise TypeError("bytes are required")
            write(data)

        replaced(transport, "write", write)


@breaks("pipes.writelines")
class PipesCannotWriteLines(TampersWithPipes):
    """writelines() of a pipe writes the first piece."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "writelines", lambda _write, pieces: transport.write(next(iter(pieces))))


@breaks("pipes.pause-writing")
class PipesDoNotPause(TampersWithPipes):
    """A full pipe does not pause its protocol."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        protocol.pause_writing = protocol.resume_writing = lambda: None


@breaks("pipes.buffer-size")
class CountsWhatWasSent(TampersWithPipes):
    """The size of the buffer counts what the pipe has taken."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        written: list[int] = [0]
        write, size = transport.write, transport.get_write_buffer_size

        def counted(data: Any) -> None:
            write(data)
            written[0] = len(data) if size() else 0

        transport.write = counted
        transport.get_write_buffer_size = lambda: written[0]


@breaks("pipes.close-write")
class ClosingAPipeAborts(TampersWithPipes):
    """close() of a write pipe drops the buffer."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        transport.close = transport.abort


@breaks("pipes.write-eof")
class PipesHaveNoEof(TampersWithPipes):
    """can_write_eof() of a pipe is false."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        transport.can_write_eof = lambda: False


@breaks("pipes.abort")
class AbortingAPipeFlushes(TampersWithPipes):
    """abort() of a pipe flushes it."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        transport.abort = transport.close


@breaks("pipes.broken")
class ABrokenPipeIsAnEnd(TampersWithPipes):
    """A reader that goes away is a regular end."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "connection_lost", lambda told, exc: told(None))


@breaks("pipes.reader-gone")
class WatchesOnlyWhatItWrites(TampersWithPipes):
    """That the reader is gone is not told to a protocol that has written nothing."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        written: list[None] = []
        lost = protocol.connection_lost

        def write(write: Any, data: Any) -> None:
            written.append(None)
            write(data)

        def close(close: Any) -> None:
            written.append(None)
            close()

        for name, replacement in (("write", write), ("writelines", write)):
            replaced(transport, name, replacement)
        for name in ("close", "abort", "write_eof"):
            replaced(transport, name, close)
        protocol.connection_lost = lambda exc: lost(exc) if written else None


@breaks("pipes.extra-info")
class PipesAreNumbers(TampersWithPipes):
    """get_extra_info('pipe') is a descriptor."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda info, name, default=None: info(name, default).fileno())


@breaks("pipes.refuses-files")
class FilesAreOtherErrors(TampersWithPipes):
    """A regular file is refused by the poller, with PermissionError."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if stat.S_ISREG(os.fstat(pipe.fileno()).st_mode):
            raise PermissionError("the poller does not take files")
        return await super().connect_read_pipe(protocol_factory, pipe)


@breaks("pipes.set-protocol")
class PipesKeepTheirProtocol(TampersWithPipes):
    """set_protocol() of a pipe changes what get_protocol() returns, and nothing else."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def remember(_set: Any, new: Any) -> None:
            transport.get_protocol = lambda: new

        replaced(transport, "set_protocol", remember)
