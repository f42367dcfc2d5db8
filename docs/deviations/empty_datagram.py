"""sendto(b""): does the empty datagram arrive?"""

import asyncio
import importlib
import socket
import sys

module, _, factory = (sys.argv[1] if len(sys.argv) > 1 else "uvloop:new_event_loop").partition(":")
loop = getattr(importlib.import_module(module), factory)()


async def main(peer: socket.socket) -> bytes:
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
    transport.sendto(b"", peer.getsockname())
    transport.sendto(b"the next one", peer.getsockname())
    first: bytes = await loop.run_in_executor(None, peer.recv, 100)
    transport.close()
    return first


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
    peer.bind(("127.0.0.1", 0))
    peer.settimeout(3)
    first = loop.run_until_complete(main(peer))
print(f"the first datagram that arrived was {first!r}")
sys.exit(first != b"")
