"""Broken loops of the chapter `pipes`: what else is a pipe, and what the callbacks of its protocol may do."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import stat
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Checks(Stock):
    """Refuses some pipes that others take."""

    def refuses(self, pipe: Any) -> bool:
        raise NotImplementedError

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if self.refuses(pipe):
            raise ValueError("this is no pipe")
        return await super().connect_read_pipe(protocol_factory, pipe)


@breaks("pipes.kinds")
class TerminalsAreNoPipes(_Checks):
    """A terminal, or another character device, cannot be read."""

    def refuses(self, pipe: Any) -> bool:
        return stat.S_ISCHR(os.fstat(pipe.fileno()).st_mode)


@breaks("pipes.kinds")
class BufferedFilesAreNoPipes(_Checks):
    """A file object that is buffered cannot be read."""

    def refuses(self, pipe: Any) -> bool:
        return isinstance(pipe, io.BufferedReader)


@breaks("pipes.kinds")
class TextFilesAreNoPipes(_Checks):
    """A text file, as sys.stdin is, cannot be read."""

    def refuses(self, pipe: Any) -> bool:
        return isinstance(pipe, io.TextIOBase)


@breaks("pipes.kinds")
class ObjectsAreNoPipes(_Checks):
    """What is neither a file of the module io nor a socket cannot be read."""

    def refuses(self, pipe: Any) -> bool:
        return not isinstance(pipe, io.IOBase | socket.socket)


@breaks("pipes.kinds")
class BufferedWritersAreNoPipes(Stock):
    """A file object that is buffered cannot be written."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if isinstance(pipe, io.BufferedWriter):
            raise TypeError("a buffered file is no pipe")
        return await super().connect_write_pipe(protocol_factory, pipe)


@breaks("pipes.mode")
class TerminalsBlock(TampersWithPipes):
    """A terminal that is read is left in blocking mode."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        number = transport.get_extra_info("pipe").fileno()
        if stat.S_ISCHR(os.fstat(number).st_mode):
            os.set_blocking(number, True)


@breaks("pipes.non-blocking")
class SocketPipesBlock(TampersWithPipes):
    """A socket that is written as a pipe is left in blocking mode."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        number = transport.get_extra_info("pipe").fileno()
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            os.set_blocking(number, True)


@breaks("pipes.terminal-end")
class ReportsTheEndOfATerminal(Stock):
    """EIO, by which the system tells the end of a terminal, is reported to the exception handler."""

    def _make_read_pipe_transport(self, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_read_pipe_transport(*args, **kwargs)  # type: ignore[misc]
        fatal_error = transport._fatal_error

        def report(error: Any, message: str = "") -> None:
            self.call_exception_handler({"message": message, "exception": error, "transport": transport})
            fatal_error(error, message)

        transport._fatal_error = report
        return transport


@breaks("pipes.terminal-input")
class WatchesTerminalsForTheEnd(Stock):
    """Whatever there is to read at a terminal that is connected for writing is taken for its end."""

    def _make_write_pipe_transport(self, pipe: Any, *args: Any, **kwargs: Any) -> Any:
        transport = super()._make_write_pipe_transport(pipe, *args, **kwargs)  # type: ignore[misc]
        if stat.S_ISCHR(os.fstat(pipe.fileno()).st_mode):
            self.call_soon(self._add_reader, pipe.fileno(), transport._read_ready)  # type: ignore[attr-defined]
        return transport


@breaks("pipes.one-protocol")
class TriesTheFactory(Stock):
    """connect_write_pipe() calls the factory once more, before anything else."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        protocol_factory()
        return await super().connect_write_pipe(protocol_factory, pipe)


def _in_pieces(protocol: Any, wanted: Any) -> None:
    """Passes what was read on in pieces of 4 KiB, as long as it is wanted."""

    def received(told: Any, data: bytes) -> None:
        for start in range(0, len(data), 4096):
            if wanted():
                told(data[start : start + 4096])

    replaced(protocol, "data_received", received)


@breaks("pipes.pause-inside")
class PassesPiecesOnThoughPaused(TampersWithPipes):
    """What was read before pause_reading() is passed on in pieces."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        _in_pieces(protocol, lambda: not transport.is_closing())


@breaks("pipes.close-inside")
class PassesPiecesOnThoughClosed(TampersWithPipes):
    """What was read before close() is passed on in pieces."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        _in_pieces(protocol, lambda: transport.is_reading() or transport.is_closing())


@breaks("pipes.pause-inside")
class ReadsOnceItHasAnnounced(Stock):
    """After connection_made() a pipe is read, whatever that has said."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        transport, protocol = await super().connect_read_pipe(protocol_factory, pipe)
        transport.resume_reading()
        return transport, protocol


@breaks("pipes.pause-closed")
class ClosedPipesCannotBePaused(TampersWithPipes):
    """pause_reading() of a closed pipe raises."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def pause(pause: Any) -> None:
            if transport.is_closing():
                raise RuntimeError("the transport is closed")
            pause()

        replaced(transport, "pause_reading", pause)


@breaks("pipes.error-reported")
class ErrorsOfPipesAreDropped(TampersWithPipes):
    """An exception of data_received() is dropped."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def received(told: Any, data: bytes) -> None:
            with contextlib.suppress(Exception):
                told(data)

        replaced(protocol, "data_received", received)


@breaks("pipes.set-writers-protocol")
class WritersKeepTheirProtocol(TampersWithPipes):
    """set_protocol() of a write pipe changes what get_protocol() returns, and nothing else."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def remember(_set: Any, new: Any) -> None:
            transport.get_protocol = lambda: new

        replaced(transport, "set_protocol", remember)


@breaks("pipes.limits")
class NoLimitIsTheDefault(TampersWithPipes):
    """A high-water mark of 0 is taken for the default."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, high: Any = None, low: Any = None) -> None:
            limit(high=high or None, low=low)

        replaced(transport, "set_write_buffer_limits", limit)


@breaks("pipes.limits")
class PausesPipesAtTheMark(TampersWithPipes):
    """pause_writing() is called when the buffer reaches the high-water mark."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def limit(limit: Any, high: Any = None, low: Any = None) -> None:
            limit(high=high - 1 if high else high, low=low)

        replaced(transport, "set_write_buffer_limits", limit)


@breaks("pipes.extra-info")
class PipesHaveNoDefault(TampersWithPipes):
    """get_extra_info() of what is not known is None, whatever the default."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_extra_info", lambda get, name, default=None: get(name))


@breaks("pipes.close-read")
class ClosedPipesAreRead(TampersWithPipes):
    """is_reading() is true after close()."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "is_reading", lambda reading: reading() or transport.is_closing())


@breaks("pipes.wide-items")
class PipesTakeItemsForBytes(EventLoop):
    """write() of a pipe sends as many bytes of a memoryview as it has items."""

    async def connect_write_pipe(self, *args: Any) -> Any:
        def write(write: Any, data: Any) -> None:
            write(data.cast("B")[: len(data)] if isinstance(data, memoryview) else data)

        transport, protocol = await super().connect_write_pipe(*args)
        replaced(transport, "write", write)
        return transport, protocol


def takes_the_whole_memory(transport: Any) -> None:
    """write() sends the object that a view is of."""
    replaced(transport, "write", lambda write, data: write(data.obj if isinstance(data, memoryview) else data))


@breaks("pipes.write-buffers")
class PipesTakeTheWholeMemory(TampersWithPipes):
    """write() of a memoryview to a pipe sends all of the object of which it shows a part."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        takes_the_whole_memory(transport)


@breaks("pipes.set-protocol")
class KeepsTheProtocolThatGotData(TampersWithPipes):
    """set_protocol() of a pipe changes, once data came, what get_protocol() returns, and nothing else."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def exchange(change: Any, new: Any) -> None:
            if "data_received" in protocol.names:
                transport.get_protocol = lambda: new
            else:
                change(new)

        replaced(transport, "set_protocol", exchange)


@breaks("pipes.terminal-both")
class ShowsOrListens(asyncio.SelectorEventLoop):
    """A terminal to which a transport writes is not read by another."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        if os.isatty(pipe.fileno()):
            self.__dict__.setdefault("shown", set()).add(os.ttyname(pipe.fileno()))
        return await super().connect_write_pipe(protocol_factory, pipe)

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        transport, protocol = await super().connect_read_pipe(protocol_factory, pipe)
        if os.isatty(pipe.fileno()) and os.ttyname(pipe.fileno()) in self.__dict__.get("shown", ()):
            transport.pause_reading()
        return transport, protocol
