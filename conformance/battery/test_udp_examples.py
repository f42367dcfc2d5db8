"""Chapter udp: the examples of the documentation's page on transports and protocols."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


class _EchoServer:
    """As in the documentation, a class without a base."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The documentation's server leaves this out, and is never closed."""


class _EchoClient:
    """This one too."""

    def __init__(self, message: str, on_con_lost: asyncio.Future[bool]) -> None:
        self.message = message
        self.on_con_lost = on_con_lost
        self.answers: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.transport.sendto(self.message.encode())

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self.answers.append(data.decode())
        self.transport.close()

    def error_received(self, exc: Exception) -> None:
        self.answers.append(repr(exc))

    def connection_lost(self, _exc: Exception | None) -> None:
        self.on_con_lost.set_result(True)


@requirement(
    "udp.example-echo",
    MUST,
    cite=("asyncio-protocol: UDP Echo Server", "asyncio-protocol: UDP Echo Client"),
)
def test_the_echo_client_talks_to_the_echo_server(loop: Loop, patience: Patience) -> None:
    """The documentation's UDP echo server and client understand each other, though their protocols have no base class.

    If this fails: look for a check of the protocol's type, for methods that it need not have, or for what is sent
    inside connection_made() or datagram_received().
    """

    async def client(address: Any, message: str) -> list[str]:
        on_con_lost = loop.create_future()
        made: Any = lambda: _EchoClient(message, on_con_lost)  # noqa: E731 (a factory as in the documentation)
        transport, protocol = await loop.create_datagram_endpoint(made, remote_addr=address)
        try:
            await on_con_lost
        finally:
            transport.close()
        answers: list[str] = protocol.answers
        return answers

    async def serve(address: asyncio.Future[Any]) -> None:
        made: Any = lambda: _EchoServer()  # noqa: E731 (as above)
        transport, _ = await loop.create_datagram_endpoint(made, local_addr=("127.0.0.1", 0))
        address.set_result(transport.get_extra_info("sockname"))
        try:
            await asyncio.sleep(3600)
        finally:
            transport.close()

    async def main() -> list[list[str]]:
        address = loop.create_future()
        serving = loop.create_task(serve(address))
        answers = [await client(await address, message) for message in ("Hello World!", "again")]
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        return answers

    answers = loop.run_until_complete(asyncio.wait_for(main(), patience.seconds))
    assert answers == [["Hello World!"], ["again"]]
