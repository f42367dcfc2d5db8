"""Sending files: natively, by copying, over TLS; positions, order with other data, and connections that break."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from reference_loop import EventLoop
from tests.reference_loop.connections import Recorder, connected_pair, plain_pair, run

DATA = os.urandom(3_000_000)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("how", ["native", "copy", "tls"])
@pytest.mark.parametrize("count", [None, 1_500_000])
def test_a_file_comes_between_what_was_written_before_and_after(path: Path, how: str, count: int | None) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await (connected_pair() if how == "tls" else plain_pair())
        expected = DATA[1000 : 1000 + (count or len(DATA))]
        with open(path, "rb") as file:
            file.read(10)  # its own buffer must not matter
            source: Any = io.BytesIO(DATA) if how == "copy" else file
            client.transport.write(b"<" * 500_000)
            assert await loop.sendfile(client.transport, source, 1000, count) == len(expected)
            client.transport.write(b">")
            assert source.tell() == 1000 + len(expected)
        assert client.transport.is_reading()
        client.transport.close()
        await asyncio.gather(client.lost, server.lost)
        assert server.data == b"<" * 500_000 + expected + b">"
        assert client.events.count("pause") == client.events.count("resume")

    run(main())


@pytest.mark.parametrize("native", [True, False], ids=["native", "copy"])
def test_a_file_over_a_socket(path: Path, native: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs, open(path, "rb") as file:
            ours.setblocking(False)
            _, server = await loop.connect_accepted_socket(Recorder, theirs)
            source: Any = file if native else io.BytesIO(DATA)
            assert await loop.sock_sendfile(ours, source, 5, None) == len(DATA) - 5
            assert source.tell() == len(DATA)
            assert await loop.sock_sendfile(ours, source, len(DATA)) == 0
            ours.shutdown(socket.SHUT_WR)
            await server.lost
        assert server.data == DATA[5:]

    run(main())


def test_without_the_fallback_it_is_not_available(path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await plain_pair()
        with pytest.raises(asyncio.SendfileNotAvailableError):
            await loop.sendfile(client.transport, io.BytesIO(b"data"), fallback=False)
        client.transport.close()
        await asyncio.gather(client.lost, server.lost)
        assert not server.data
        client, server = await connected_pair()
        with open(path, "rb") as file, pytest.raises(asyncio.SendfileNotAvailableError):
            await loop.sendfile(client.transport, file, fallback=False)
        client.transport.close()
        await asyncio.gather(client.lost, server.lost)

    run(main())


@pytest.mark.parametrize("how", ["native", "copy", "tls"])
@pytest.mark.parametrize("who", ["peer", "abort", "cancel"])
def test_a_connection_that_breaks_in_the_middle(path: Path, how: str, who: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await (connected_pair() if how == "tls" else plain_pair())
        server.transport.pause_reading()
        with open(path, "rb") as file:
            source: Any = io.BytesIO(DATA) if how == "copy" else file
            sending = loop.create_task(loop.sendfile(client.transport, source))
            await asyncio.sleep(0.02)  # the first part is on its way: more than fits does not get there
            {"peer": server.transport.abort, "abort": client.transport.abort, "cancel": sending.cancel}[who]()
            with pytest.raises(asyncio.CancelledError if who == "cancel" else ConnectionError):
                await sending
            assert source.tell() < len(DATA)
        client.transport.abort()
        server.transport.abort()
        await asyncio.gather(client.lost, server.lost)

    run(main())


@pytest.mark.parametrize("first", ["abort", "cancel"])
def test_abort_and_cancel_in_one_turn_leave_no_writer(path: Path, first: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        client, server = await plain_pair()
        server.transport.pause_reading()
        number = client.transport.get_extra_info("socket").fileno()
        with open(path, "rb") as file:
            sending = loop.create_task(loop.sendfile(client.transport, file))
            await asyncio.sleep(0)
            while number not in loop._poller._writers:  # until the socket is full
                await asyncio.sleep(0)
            steps = [client.transport.abort, sending.cancel]
            for step in steps if first == "abort" else reversed(steps):
                step()
            with pytest.raises(asyncio.CancelledError):
                await sending
        await client.lost
        await asyncio.sleep(0)
        assert number not in loop._poller._writers
        server.transport.abort()
        await server.lost

    run(main())


def test_a_write_while_a_file_is_sent_is_refused(path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await plain_pair()
        with open(path, "rb") as file:
            sending = loop.create_task(loop.sendfile(client.transport, file))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError):
                client.transport.write(b"data")
            with pytest.raises(RuntimeError):
                await loop.sendfile(client.transport, file)
            assert await sending == len(DATA)
        client.transport.close()
        await asyncio.gather(client.lost, server.lost)
        assert server.data == DATA

    run(main())


@pytest.mark.parametrize("native", [True, False], ids=["native", "copy"])
def test_a_transport_that_is_closed_before_its_turn_sends_nothing_of_a_file(path: Path, native: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client, server = await plain_pair()
        server.transport.pause_reading()
        client.transport.write(b"<" * 5_000_000)
        with open(path, "rb") as file:
            source: Any = file if native else io.BytesIO(DATA)
            sending = loop.create_task(loop.sendfile(client.transport, source))
            await asyncio.sleep(0)
            client.transport.close()
            server.transport.resume_reading()
            with pytest.raises((ConnectionError, RuntimeError)):
                await sending
        await asyncio.gather(client.lost, server.lost)
        assert server.data == b"<" * 5_000_000

    run(main())
