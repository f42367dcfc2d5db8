"""A protocol factory raises once: does the server accept the next connection?"""

import asyncio
import importlib
import socket
import sys
from typing import Any

module, _, factory = (sys.argv[1] if len(sys.argv) > 1 else "uvloop:new_event_loop").partition(":")
loop = getattr(importlib.import_module(module), factory)()
loop.set_exception_handler(lambda loop, context: None)
calls: list[str] = []


class Greets(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


def make() -> asyncio.Protocol:
    calls.append("call")
    if len(calls) == 1:
        raise LookupError("only this once")
    return Greets()


def greeting(address: Any) -> bytes:
    with socket.create_connection(address, timeout=3) as sock:
        try:
            return sock.recv(100)
        except TimeoutError:
            return b"nothing for 3 seconds"


async def main() -> bytes:
    server = await loop.create_server(make, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    with socket.create_connection(address):
        while not calls:
            await asyncio.sleep(0.01)
    second = await loop.run_in_executor(None, greeting, address)
    server.close()
    return second


second = loop.run_until_complete(main())
print(f"the second client got: {second.decode()}")
sys.exit(second != b"hello")
