"""Chapter streams: readers and writers over the loop's pipes."""

from __future__ import annotations

import asyncio
import os

from conformance.kit.patience import Patience
from conformance.kit.pipes import BIG
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = ("asyncio-eventloop: loop.connect_read_pipe", "asyncio-eventloop: loop.connect_write_pipe")


@requirement("streams.over-pipes", SHOULD, cite=CONNECT)
def test_a_stream_may_read_and_write_pipes(loop: Loop, patience: Patience) -> None:
    """A protocol of the streams can be given to connect_read_pipe() and connect_write_pipe(), as programs do for stdin:
    its reader gives lines, pauses when it is full, and sees the end; its writer drains.

    If this fails: look for a protocol that is called in another way than a socket's, or for what only sockets tell.
    """
    ours, theirs = os.pipe()
    source, target = open(ours, "rb", buffering=0), open(theirs, "wb", buffering=0)  # noqa: SIM115 (the transports own them)

    async def scenario() -> tuple[bytes, bytes, bytes]:
        reader, idle = asyncio.StreamReader(limit=1000), asyncio.StreamReader()
        reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(idle), target)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)

        async def write() -> None:
            for data in (b"a line\n", BIG, b"the rest"):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        writes = asyncio.ensure_future(write())
        line = await reader.readline()
        await asyncio.sleep(0.003)
        assert not writes.done()
        data = await reader.readexactly(len(BIG))
        rest = await reader.read()
        await writes
        reading.close()  # its protocol wants to decide that
        return line, data, rest

    result = loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds))
    assert result == (b"a line\n", BIG, b"the rest")
    patience.run_until(loop, lambda: source.closed and target.closed, "the end of the files")
