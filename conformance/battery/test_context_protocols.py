"""Chapter context: the context in which the protocols of each kind of transport are called."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
from collections.abc import Awaitable, Callable
from typing import Any

from conformance.kit.datagrams import HERE, udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import dialled, tcp_pair
from conformance.kit.protocols import Datagrams, Events
from conformance.kit.servers import Service, shut
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nobody's")


class _Asks(Events):
    """Writes down whose context its callbacks run in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = [VARIABLE.get()]

    def note(self, name: str, argument: Any) -> None:
        super().note(name, argument)
        self.seen.append(VARIABLE.get())


async def _by_somebody(make: Callable[[], Awaitable[Any]]) -> Any:
    VARIABLE.set("the caller's")
    return await make()


@requirement("context.protocol-callbacks", SHOULD, cite="gh-78250")
def test_protocol_callbacks_see_the_context_of_the_connecting_task(loop: Loop, patience: Patience) -> None:
    """protocol_factory and the protocol's callbacks run in the context of create_connection(), or a copy of it.

    If this fails: look for protocol methods that are called from the poller without a context.
    """
    with tcp_pair() as (ours, peer):
        make = functools.partial(loop.create_connection, _Asks, sock=ours)
        _, protocol = loop.run_until_complete(_by_somebody(make))
        peer.sendall(b"x")
        patience.run_until(loop, lambda: protocol.received, "the data")
        peer.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert protocol.seen == ["the caller's"] * 5


@requirement("context.server-protocols", SHOULD, cite=("gh-78250", "uvloop#305"))
def test_protocols_of_a_server_see_the_context_in_which_it_was_made(loop: Loop, patience: Patience) -> None:
    """The protocols of accepted connections are made and called in a copy of the context of create_server().

    If this fails: look for connections that are accepted without a context.
    """
    service = Service(make=_Asks)
    make = functools.partial(loop.create_server, service, "127.0.0.1", 0)
    service.server = loop.run_until_complete(_by_somebody(make))
    try:
        with dialled(service.address) as peer:
            peer.sendall(b"x")
            patience.run_until(loop, lambda: service.made() and service.protocols[0].received, "the data")
        (protocol,) = service.protocols
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        assert isinstance(protocol, _Asks)
        assert protocol.seen == ["the caller's"] * 5
    finally:
        shut(loop, service)


@requirement("context.datagram-protocols", SHOULD, cite="gh-78250")
def test_protocols_of_datagrams_see_the_context_of_their_endpoint(loop: Loop, patience: Patience) -> None:
    """protocol_factory and the protocol's callbacks run in the context of create_datagram_endpoint(), or a copy of it.

    If this fails: look for datagrams that are read without a context.
    """
    seen: list[str] = []

    class Asks(Datagrams):
        def __init__(self) -> None:
            super().__init__()
            seen.append(VARIABLE.get())

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            seen.append(VARIABLE.get())

        def datagram_received(self, data: bytes, addr: Any) -> None:
            super().datagram_received(data, addr)
            seen.append(VARIABLE.get())

    make = functools.partial(loop.create_datagram_endpoint, Asks, HERE)
    transport, protocol = loop.run_until_complete(_by_somebody(make))
    with udp_peer() as peer:
        peer.sendto(b"x", transport.get_extra_info("sockname"))
        patience.run_until(loop, lambda: protocol.received, "the datagram")
    transport.abort()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert seen == ["the caller's"] * 3


@requirement("context.pipe-protocols", SHOULD, cite="gh-78250")
def test_protocols_of_pipes_see_the_context_of_whoever_connected_them(loop: Loop, patience: Patience) -> None:
    """The protocol of a pipe that is read is made and called in a copy of the context of connect_read_pipe().

    If this fails: look for pipes that are read without a context.
    """
    read, write = os.pipe()
    file = open(read, "rb", buffering=0)  # noqa: SIM115 (the transport owns it)
    make = functools.partial(loop.connect_read_pipe, _Asks, file)
    _, protocol = loop.run_until_complete(_by_somebody(make))
    os.write(write, b"x")
    patience.run_until(loop, lambda: protocol.received, "the data")
    os.close(write)
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert protocol.seen == ["the caller's"] * 5


@requirement("context.example-server", MUST, cite="contextvars: asyncio support")
def test_each_clients_address_is_its_handlers(loop: Loop, patience: Patience) -> None:
    """A context variable that a handler of clients sets is seen by what it calls, and not by the handler of another.

    If this fails: look for one context that all connections of a server share, or a new one at every step.
    """

    async def render_goodbye() -> bytes:
        await asyncio.sleep(0)
        return VARIABLE.get().encode()

    async def handle_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        before = VARIABLE.get()
        VARIABLE.set(f"{before}, {writer.get_extra_info('peername')[1]}")
        while await reader.readline() != b"bye\n":
            await asyncio.sleep(0)
        writer.write(await render_goodbye())
        writer.close()

    async def client(address: Any) -> tuple[bytes, int]:
        reader, writer = await asyncio.open_connection(*address)
        for line in (b"GET / HTTP/1.1\n", b"bye\n"):
            writer.write(line)
            await asyncio.sleep(0.002)
        answer = await reader.read()
        port: int = writer.get_extra_info("sockname")[1]
        writer.close()
        await writer.wait_closed()
        return answer, port

    async def main() -> list[tuple[bytes, int]]:
        server = await asyncio.start_server(handle_request, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        async with server:
            return await asyncio.gather(*(client(address) for _ in range(3)))

    for answer, port in loop.run_until_complete(asyncio.wait_for(main(), patience.seconds)):
        assert answer == f"nobody's, {port}".encode()
