"""Broken loops of several chapters: numbers that are closed or named when they are another's, and counts that stay."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from typing import Any

from reference_loop import EventLoop
from reference_loop.serving import Server
from reference_loop.streams import StreamTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import OddSocket, OverStreams
from tests.broken_loops.servers_clients import OverServers

Stock = asyncio.SelectorEventLoop


@breaks("tcp.writelines-after-loss-is-quiet")
class PiecesNeedASocket(OverStreams):
    """writelines() does not look whether the connection was lost."""

    class Stream(StreamTransport):
        def writelines(self, list_of_data: Iterable[Any]) -> None:
            if self._lost:
                raise AttributeError("None has no sendmsg()")
            super().writelines(list_of_data)


class _Numbered(OddSocket):
    number = -1

    def fileno(self) -> int:
        return self.number


@breaks("tcp.closed-socket-number")
class SocketsKeepTheirNumber(OverStreams):
    """The 'socket' of a transport is an object that has the number of the socket, also when that was closed."""

    class Stream(StreamTransport):
        seen: _Numbered | None = None

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if name != "socket":
                return super().get_extra_info(name, default)
            if self.seen is None:
                self.seen = _Numbered(super().get_extra_info(name))
                self.seen.number = self.seen.real.fileno()
            return self.seen


@breaks("pipes.closed-once")
class ClosesTheNumberFirst(Stock):
    """The transport of a pipe closes its number, and then the file object."""

    async def connect_read_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_read_pipe(protocol_factory, _Twice(pipe))

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        return await super().connect_write_pipe(protocol_factory, _Twice(pipe))


class _Twice:
    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        if not self._file.closed:
            os.close(self._file.fileno())
            self._file.close()


@breaks("servers.factory-error-is-finished", since="3.12")
class CountsBeforeItAsks(OverServers):
    """A connection is counted when it is accepted, also if the protocol factory then fails."""

    class server(Server):
        _failed = 0

        def _serve(self, connection: socket.socket, address: Any, context: Any) -> None:
            asked = self._protocol_factory

            def make() -> Any:
                try:
                    return asked()
                except BaseException:
                    self._failed += 1
                    raise

            self._protocol_factory = make
            try:
                super()._serve(connection, address, context)
            finally:
                self._protocol_factory = asked

        def _wake_if_over(self) -> None:
            if not self._failed:
                super()._wake_if_over()


@breaks("pipes.end-after-the-end")
class EndsPipesAgain(EventLoop):
    """abort() of a pipe that has ended needs what was let go."""

    async def connect_write_pipe(self, protocol_factory: Any, pipe: Any) -> Any:
        transport, protocol = await super().connect_write_pipe(protocol_factory, pipe)
        abort = transport.abort

        def again() -> None:
            if pipe.closed:
                raise AttributeError("None has no call_soon()")
            abort()

        transport.abort = again  # type: ignore[method-assign]
        return transport, protocol


@breaks("tcp.write-while-closing-is-quiet")
class ClosingTakesNoMore(OverStreams):
    """write() raises after close(), while there is data to flush."""

    class Stream(StreamTransport):
        def write(self, data: Any) -> None:
            if self._closing and not self._lost:
                raise RuntimeError("the transport is closing")
            super().write(data)


@breaks("flow.buffer-size-when-aborted")
class CountsWhatWasDropped(OverStreams):
    """get_write_buffer_size() is after abort() what it was before."""

    class Stream(StreamTransport):
        dropped = 0

        def _drop_buffer(self) -> None:
            self.dropped += self._buffer_size
            super()._drop_buffer()

        def get_write_buffer_size(self) -> int:
            return super().get_write_buffer_size() or self.dropped
