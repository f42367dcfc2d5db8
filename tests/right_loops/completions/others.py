"""Datagram endpoints and pipes over the ring."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from asyncio import constants
from typing import Any

from tests.right_loops.completions.transports import READ_SIZE, SocketTransport, Transport


class DatagramTransport(SocketTransport, asyncio.DatagramTransport):
    """A datagram socket; what is buffered are (data, address) pairs."""

    _start_tls_compatible = False
    _sendfile_compatible = constants._SendfileMode.UNSUPPORTED

    def __init__(self, loop: Any, sock: Any, protocol: Any, address: Any, waiter: Any, extra: Any) -> None:
        self._address = address
        super().__init__(loop, sock, protocol, waiter, extra)

    def _receive(self) -> Any:
        return self._file.recvfrom(4 * READ_SIZE)

    def _pass_on(self, data: Any, error: Any) -> None:
        if isinstance(error, OSError):
            self._call("error_received", error)
        elif error is not None:
            self._fatal_error(error)
        else:
            self._call("datagram_received", *data)

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__}")
        if self._address and addr not in (None, self._address):
            raise ValueError(f"Invalid address: must be None or {self._address}")
        if not self._closing:
            where = (None if self._extra["peername"] else self._address) if self._address else addr
            self._append((bytes(data), where), memoryview(data).nbytes)

    def _send(self, data: Any) -> int:
        what, where = data
        return self._file.send(what) if where is None else self._file.sendto(what, where)

    def _written(self, count: int, error: Any) -> None:
        self._writer = None
        if self._lost:
            return
        self._size -= len(self._buffer.popleft()[0])
        if isinstance(error, OSError):
            self._call("error_received", error)
        elif error is not None:
            self._fatal_error(error)
        if not self._lost:
            self._went_on()

    def _went_on(self) -> None:
        if self._buffer and not self._size:  # empty datagrams
            self._write()
        else:
            super()._went_on()


def _checked(pipe: Any) -> int:
    mode = os.fstat(pipe.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
        raise ValueError("a pipe, a socket or a character device is expected")
    os.set_blocking(pipe.fileno(), False)
    return mode


class ReadPipe(Transport, asyncio.ReadTransport):
    """The reading end of a pipe."""

    def __init__(self, loop: Any, pipe: Any, *args: Any) -> None:
        _checked(pipe)
        super().__init__(loop, pipe, *args)

    def _receive(self) -> Any:
        return os.read(self._file.fileno(), self._loop.read_size or READ_SIZE)


class WritePipe(Transport, asyncio.WriteTransport):
    """The writing end of a pipe, which also waits for the other end to go."""

    def __init__(self, loop: Any, pipe: Any, *args: Any) -> None:
        self._mode = _checked(pipe)
        super().__init__(loop, pipe, *args)

    def _receive(self) -> Any:
        if stat.S_ISSOCK(self._mode):
            with socket.socket(fileno=os.dup(self._file.fileno())) as sock:
                return sock.recv(READ_SIZE)
        return b""

    def _read(self) -> None:
        if not stat.S_ISCHR(self._mode):
            super()._read()

    def _pass_on(self, data: Any, error: Any) -> None:
        if not data:
            self._force_close(BrokenPipeError() if self._size else None)

    def _send(self, data: Any) -> int:
        return os.write(self._file.fileno(), data)

    def _check_may_write(self) -> None:
        pass  # a pipe that is closed takes no more, in silence

    def write_eof(self) -> None:
        self.close()
