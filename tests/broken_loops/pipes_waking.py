"""Broken loops of the chapter `pipes`: pipes that do not wake a loop which waits, and those of streams."""

from __future__ import annotations

import asyncio
import os
import select
from typing import Any

from conformance.kit.pipes import BIG
from conformance.kit.protocols import Events
from tests.broken_loops import breaks
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.streams import is_stream
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Looks(Stock):
    """Looks at pipes when it goes round anyway, and does not wait for them."""

    method = ""
    flags = select.POLLIN

    def __init__(self) -> None:
        self.waiting: dict[int, Any] = {}
        super().__init__()

    def is_waiting(self, fd: int, callback: Any) -> bool:
        owner = getattr(callback, "__self__", None)
        if getattr(callback, "__name__", "") != self.method or not isinstance(getattr(owner, "_protocol", 0), Events):
            return False
        if not hasattr(owner, "_pipe"):
            return False
        self.waiting[fd] = callback
        return True

    def _run_once(self) -> None:
        for fd, callback in list(self.waiting.items()):
            poller = select.poll()
            poller.register(fd, self.flags)
            if poller.poll(0):
                self.call_soon(callback)
        super()._run_once()  # type: ignore[misc]  # the stock loop has it


@breaks("pipes.wakes")
class PipesDoNotWakeTheLoop(_Looks):
    """A pipe is read only when the loop goes round for another reason."""

    method = "_read_ready"

    def _add_reader(self, fd: int, callback: Any, *args: Any) -> Any:
        if self.is_waiting(fd, callback):
            return None
        return super()._add_reader(fd, callback, *args)  # type: ignore[misc]  # the stock loop has it

    def _remove_reader(self, fd: int) -> Any:
        self.waiting.pop(fd, None)
        return super()._remove_reader(fd)  # type: ignore[misc]  # the stock loop has it


@breaks("pipes.wakes-writer")
class ReadersDoNotWakeTheLoop(_Looks):
    """A pipe is written to only when the loop goes round for another reason."""

    method = "_write_ready"
    flags = select.POLLOUT

    def _add_writer(self, fd: int, callback: Any, *args: Any) -> Any:
        if self.is_waiting(fd, callback):
            return None
        return super()._add_writer(fd, callback, *args)  # type: ignore[misc]  # the stock loop has it

    def _remove_writer(self, fd: int) -> Any:
        self.waiting.pop(fd, None)
        return super()._remove_writer(fd)  # type: ignore[misc]  # the stock loop has it


@breaks("streams.over-pipes")
class StreamsOfPipesLoseTheEnd(Stock):
    """What a stream reads from a pipe after much data is dropped."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            total = [0]

            def received(told: Any, data: bytes) -> None:
                total[0] += len(data)
                if total[0] <= len(BIG) + 7:
                    told(data)

            if is_stream(protocol):
                replaced(protocol, "data_received", received)
            return protocol

        return await super().connect_read_pipe(make, pipe)


class _LosesTheFirst(Stock):
    """write() of a pipe does nothing inside connection_made()."""

    def tampered(self, protocol_factory: Any, pipe_of: Any) -> Any:
        def make() -> Any:
            protocol = protocol_factory()
            if not hasattr(protocol, "calls"):  # the stock loop's own for a child's pipe
                return protocol

            def made(told: Any, transport: Any) -> None:
                pipe = pipe_of(transport)
                if pipe is None:
                    told(transport)
                    return
                write = pipe.write
                pipe.write = lambda data: None
                told(transport)
                pipe.write = write

            replaced(protocol, "connection_made", made)
            return protocol

        return make


@breaks("pipes.write-when-made")
class PipesAreWrittenLater(_LosesTheFirst):
    """write() of a pipe does nothing inside connection_made()."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_write_pipe(self.tampered(protocol_factory, lambda transport: transport), pipe)


@breaks("subprocess.write-when-made")
class InputIsWrittenLater(_LosesTheFirst):
    """write() of standard input's transport does nothing inside connection_made()."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = self.tampered(protocol_factory, lambda transport: transport.get_pipe_transport(0))
        return await super().subprocess_exec(made, *args, **kwargs)


@breaks("pipes.named")
class NamedPipesBlock(TampersWithPipes):
    """A pipe that was opened by its name, and is written to, is left in blocking mode."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        pipe = transport.get_extra_info("pipe")
        if isinstance(getattr(pipe, "name", None), str | os.PathLike):
            os.set_blocking(pipe.fileno(), True)


@breaks("pipes.abort")
class AbortedBuffersHaveASize(TampersWithPipes):
    """get_write_buffer_size() after abort() is what it was before."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def abort(abort: Any) -> None:
            size = transport.get_write_buffer_size()
            transport.get_write_buffer_size = lambda: size
            abort()

        replaced(transport, "abort", abort)


@breaks("pipes.data")
class PipesCarryLines(TampersWithPipes):
    """The ends of lines that come through a pipe are made newlines."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda told, data: told(data.replace(b"\r\n", b"\n") or b"\n"))


@breaks("pipes.set-protocol")
class PipesChangeHandsBetweenTheirData(TampersWithPipes):
    """set_protocol() inside data_received() of a pipe has no effect."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        inside: list[None] = []

        def received(told: Any, data: bytes) -> None:
            inside.append(None)
            try:
                told(data)
            finally:
                inside.clear()

        replaced(protocol, "data_received", received)
        replaced(transport, "set_protocol", lambda exchange, new: None if inside else exchange(new))


@breaks("pipes.set-protocol")
class ClosingPipesHaveNoProtocol(TampersWithPipes):
    """get_protocol() of a pipe that was closed is None."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(transport, "get_protocol", lambda current: None if transport.is_closing() else current())


@breaks("pipes.extra-info")
class ClosedPipesTellNothing(TampersWithPipes):
    """get_extra_info() of a write pipe that is closed raises an exception."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def info(info: Any, name: str, default: Any = None) -> Any:
            if transport.is_closing():
                raise ValueError("the pipe is closed")
            return info(name, default)

        replaced(transport, "get_extra_info", info)
