"""Pipe transports where their file decides: devices that no system polls, sockets with data, a buffer and no reader."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Any

import pytest

from reference_loop import EventLoop
from tests.reference_loop.connections import run


class Recorder(asyncio.Protocol):
    """Keeps what it is told; `lost` is done when the transport has ended."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.lost: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.events.append(data)

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set_result(exc)


def unbuffered(file: str | int, mode: str) -> Any:
    return open(file, mode, 0)  # the transport closes it


def test_a_device_that_is_always_ready_is_read_to_its_end() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_read_pipe(Recorder, unbuffered(os.devnull, "rb"))
        assert await protocol.lost is None
        assert protocol.events == ["made", "eof"]
        assert "closed" in repr(transport)

    run(main())


def test_a_device_that_kqueue_refuses_is_read_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, slot: object) -> None:
        raise OSError(errno.EINVAL, "not for kqueue")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop._poller, "set_reader", refuse)  # type: ignore[attr-defined]
        _, protocol = await loop.connect_read_pipe(Recorder, unbuffered(os.devnull, "rb"))
        assert await protocol.lost is None
        assert protocol.events == ["made", "eof"]

    run(main())


def test_a_device_that_never_ends_can_be_paused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_read_pipe(Recorder, unbuffered("/dev/zero", "rb"))
        while len(protocol.events) < 3:
            await asyncio.sleep(0)
        transport.pause_reading()
        count = len(protocol.events)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(protocol.events) == count
        transport.resume_reading()
        while len(protocol.events) == count:
            await asyncio.sleep(0)
        transport.close()
        await protocol.lost

    run(main())


def test_a_reader_that_leaves_data_unread_is_a_broken_pipe() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        transport, protocol = await loop.connect_write_pipe(Recorder, unbuffered(writer, "wb"))
        transport.write(b"x" * 1_000_000)
        assert transport.get_write_buffer_size()
        os.close(reader)
        assert isinstance(await protocol.lost, BrokenPipeError)
        assert not transport.get_write_buffer_size()

    run(main())


def test_data_from_the_other_end_of_a_socket_does_not_end_the_writing() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            transport, protocol = await loop.connect_write_pipe(Recorder, ours)
            theirs.send(b"not for you")
            for _ in range(3):
                await asyncio.sleep(0)
            transport.write(b"hello")
            assert theirs.recv(100) == b"hello"
            assert not protocol.lost.done()
        while not protocol.lost.done():
            transport.write(b"x")
            await asyncio.sleep(0)

    run(main())


def test_large_writes_arrive_in_order_before_the_pipe_is_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        sent = bytearray(os.urandom(1_500_000))
        transport, written = await loop.connect_write_pipe(Recorder, unbuffered(writer, "wb"))
        _, read = await loop.connect_read_pipe(Recorder, unbuffered(reader, "rb"))
        expected = bytes(sent)
        for start in range(0, len(sent), 100_000):
            transport.write(memoryview(sent)[start : start + 100_000])
        sent[:] = bytes(len(sent))  # it may be used again
        transport.write_eof()
        assert await written.lost is None
        assert await read.lost is None
        assert b"".join(event for event in read.events if isinstance(event, bytes)) == expected

    run(main())


def test_a_regular_file_stays_the_callers(tmp_path: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        with open(tmp_path / "file", "wb") as file:
            for connect in (loop.connect_read_pipe, loop.connect_write_pipe):
                with pytest.raises(ValueError, match="pipe"):
                    await connect(Recorder, file)
            assert not file.closed

    run(main())


def test_pausing_and_resuming_while_data_is_received_reads_a_device_once_per_turn() -> None:
    class Restless(Recorder):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            for _ in range(2):
                self.transport.pause_reading()
                self.transport.resume_reading()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_read_pipe(Restless, unbuffered("/dev/zero", "rb"))
        await asyncio.sleep(0)
        for _ in range(5):
            count = len(protocol.events)
            await asyncio.sleep(0)
            assert len(protocol.events) == count + 1
        transport.close()
        await protocol.lost

    run(main())


def test_a_buffer_without_room_is_an_error_and_no_end_of_data() -> None:
    class Roomless(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.eof = False
            self.lost: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        def get_buffer(self, sizehint: int) -> bytearray:
            return bytearray()

        def eof_received(self) -> None:
            self.eof = True

        def connection_lost(self, exc: BaseException | None) -> None:
            self.lost.set_result(exc)

    reported: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        reader, writer = os.pipe()
        os.write(writer, b"data")
        _, protocol = await loop.connect_read_pipe(Roomless, unbuffered(reader, "rb"))
        assert isinstance(await protocol.lost, RuntimeError)
        assert not protocol.eof
        os.close(writer)

    run(main())
    assert "no room" in str(reported[0]["exception"])
