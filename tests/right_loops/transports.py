"""Right loops whose transports read, write and end in another way."""

from __future__ import annotations

import fcntl
import termios
from array import array
from collections.abc import Iterable
from typing import Any

from reference_loop.buffers import Data, as_bytes
from reference_loop.streams import StreamTransport
from tests.broken_loops.over_streams import OddSocket, OverStreams
from tests.right_loops.registry import right

_A_WHILE = 0.003
_FEW_BYTES = 1000
_LITTLE = 100


class _LateReader(StreamTransport):
    _coming = False

    def _read_ready(self) -> None:
        if not self._coming:
            self._coming = True
            self._loop.call_soon(self._read_now, context=self._context)

    def _read_now(self) -> None:
        self._coming = False
        if self._reading and self._sock is not None:
            super()._read_ready()


@right
class ReadsATurnLater(OverStreams):
    """What has come is received in the turn after the one that noticed it."""

    Stream = _LateReader


class _SmallReader(StreamTransport):
    def _read_ready(self) -> None:
        self._read_size = _FEW_BYTES
        super()._read_ready()


@right
class ReadsLittle(OverStreams):
    """data_received() gets 1000 bytes at most."""

    Stream = _SmallReader


class _BytewiseSocket(OddSocket):
    def recv(self, size: int) -> bytes:
        return self.real.recv(min(size, self._few()))

    def recv_into(self, buffer: Any) -> int:
        return self.real.recv_into(buffer, min(memoryview(buffer).nbytes, self._few()))

    def _few(self) -> int:
        """Half of what has come; one byte of little."""
        waiting = array("i", [0])
        fcntl.ioctl(self.real, termios.FIONREAD, waiting)
        return waiting[0] // 2 if waiting[0] > _LITTLE else 1


@right
class ReadsBytewise(OverStreams):
    """data_received() gets a single byte where few have come, and half of them where there are many."""

    Socket = _BytewiseSocket


class _LateWriter(StreamTransport):
    def write(self, data: Data) -> None:
        self.writelines([data])

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        pieces = [piece for piece in map(as_bytes, list_of_data) if piece]
        if self._barred and not self._may_write("write()"):
            return
        for piece in pieces:
            if self._lost:
                break
            if not self._buffer:
                self._start_writing()
            self._append(piece)


@right
class WritesInTheNextTurn(OverStreams):
    """write() only buffers: what was written is sent when the loop finds that there is room."""

    Stream = _LateWriter


class _LateLoser(StreamTransport):
    def _lose(self, exc: BaseException | None) -> None:
        self._lost = self._barred = True
        self._loop.call_later(_A_WHILE, self._call_connection_lost, exc, context=self._context)


@right
class LosesConnectionsLater(OverStreams):
    """connection_lost() is called, and the descriptor closed, three milliseconds after close() or abort()."""

    Stream = _LateLoser
