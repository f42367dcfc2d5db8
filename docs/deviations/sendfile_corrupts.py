"""loop.sendfile() of a file that has no descriptor: does the peer get what was in the file?"""

import asyncio
import importlib
import io
import socket
import sys
import time

module, _, factory = (sys.argv[1] if len(sys.argv) > 1 else "asyncio:SelectorEventLoop").partition(":")
loop = getattr(importlib.import_module(module), factory)()
data = b"".join(number.to_bytes(4, "big") for number in range(1_000_000))


def read_late(sock: socket.socket) -> bytes:
    time.sleep(0.1)  # until then, the transport has to buffer
    received = b""
    while len(received) < len(data):
        received += sock.recv(1 << 20)
    return received


async def main() -> bytes:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    reading = loop.run_in_executor(None, read_late, theirs)
    await loop.sendfile(transport, io.BytesIO(data))
    received = await reading
    transport.close()
    theirs.close()
    return received


received = loop.run_until_complete(main())
wrong = sum(received[at : at + 4] != data[at : at + 4] for at in range(0, len(data), 4))
print(f"{wrong} of {len(data) // 4} numbers arrived as others than were sent")
sys.exit(wrong > 0)
