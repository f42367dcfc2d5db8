"""Ten thousand connections later: what a program that runs for months depends on."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import sys

import reference_loop

ROUNDS, AT_ONCE = 100, 100
_NO_TIME_WAIT = struct.pack("ii", 1, 0)
"""Closed by a reset: ten thousand ports that wait for a minute would be missed by whoever runs beside this."""


class Counted(asyncio.Protocol):
    """Counts what is lost, and is otherwise quiet."""

    lost = 0

    def connection_lost(self, exc: Exception | None) -> None:
        Counted.lost += 1


async def open_and_close(address: tuple[str, int], count: int) -> None:
    loop = asyncio.get_running_loop()
    before = Counted.lost
    pairs = [await loop.create_connection(Counted, *address) for _ in range(count)]
    for transport, _ in pairs:
        transport.write(b"data")
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME_WAIT)
        transport.close()
    while Counted.lost < before + 2 * count:
        await asyncio.sleep(0.001)


def test_ten_thousand_connections_leave_memory_and_descriptors_where_they_were() -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Counted, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        blocks, descriptors = [], []
        for number in range(ROUNDS):
            await open_and_close(address, AT_ONCE)
            if number in (ROUNDS // 10, ROUNDS - 1):
                blocks.append(sys.getallocatedblocks())
                descriptors.append(len(os.listdir("/dev/fd")))
        server.close()
        assert descriptors[0] == descriptors[1]
        # One object that is kept for each of 9,000 connections would be 18,000 blocks: both sides live here.
        assert blocks[1] - blocks[0] < 1000

    # Nothing is collected: a cycle through a closed transport would be seen as memory.
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=reference_loop.new_event_loop) as runner:
            runner.run(main())
    finally:
        gc.enable()
    assert Counted.lost == 2 * ROUNDS * AT_ONCE
