"""What the reference loop makes of data that is not one byte per item, or that cannot be sent at all."""

from __future__ import annotations

import array
import asyncio
import socket
from typing import Any

import pytest

from conformance.kit.datagrams import udp_peer
from conformance.kit.patience import Patience
from conformance.kit.peers import drive, receive_exactly, tcp_pair
from conformance.kit.protocols import Datagrams
from conformance.kit.threads import in_thread
from reference_loop import EventLoop
from tests.reference_loop.connections import Recorder, connected_pair, run

PATIENCE = Patience(10.0)


@pytest.fixture
def loop() -> Any:
    loop = EventLoop()
    yield loop
    loop.close()


def test_sock_sendall_sends_every_byte_of_wide_items(loop: EventLoop) -> None:
    with tcp_pair() as (ours, peer):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        data = array.array("H", range(60000)) * 4
        # As many items as the first send takes bytes: such a send looks like the whole.
        data = data[: ours.send(bytes(len(data) * 2))]
        receive_exactly(peer, len(data))
        helper = in_thread(lambda: receive_exactly(peer, len(data) * 2))
        loop.run_until_complete(loop.sock_sendall(ours, data))
        assert drive(loop, PATIENCE, helper) == data.tobytes()


class _Wide(Recorder, asyncio.BufferedProtocol):
    """Takes data into a buffer whose items have four bytes each."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = array.array("I", bytes(1024))

    def get_buffer(self, sizehint: int) -> Any:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(memoryview(self.buffer).tobytes()[:nbytes])


def test_a_buffer_of_wide_items_is_filled_to_its_end_over_tls() -> None:
    sent = array.array("I", range(25_000)).tobytes()

    async def exchange() -> None:
        client, server = await connected_pair(serving=_Wide)
        client.transport.write(sent)
        client.transport.close()
        await asyncio.gather(client.lost, server.lost)
        assert server.data == sent

    run(asyncio.wait_for(exchange(), PATIENCE.seconds))


def _full(loop: EventLoop, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Datagrams]:
    """An endpoint that finds its socket full until `monkeypatch` is undone."""
    transport, protocol = loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0)))

    def full(*_: Any) -> None:
        raise BlockingIOError

    monkeypatch.setattr(transport, "_send", full)
    return transport, protocol


def test_a_datagram_of_wide_items_leaves_the_buffer_as_it_came(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with udp_peer() as peer:
        transport, protocol = _full(loop, monkeypatch)
        transport.sendto(memoryview(array.array("I", [1, 2, 3])), peer.getsockname())
        assert transport.get_write_buffer_size() >= 12
        monkeypatch.undo()
        PATIENCE.run_until(loop, lambda: not transport.get_write_buffer_size(), "an empty buffer")
        assert peer.recv(100) == array.array("I", [1, 2, 3]).tobytes()
        transport.close()
        PATIENCE.run_until(loop, lambda: protocol.lost == [None], "connection_lost()")


def test_a_datagram_that_cannot_be_sent_ends_the_endpoint_once(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    transport, protocol = _full(loop, monkeypatch)
    transport.sendto(b"to nobody")
    monkeypatch.undo()
    PATIENCE.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert [type(context["exception"]) for context in reported] == [TypeError]


def test_a_descriptor_that_cannot_be_watched_is_the_callers_error(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(9, "bad")

    with tcp_pair() as (ours, _):
        monkeypatch.setattr(loop._poller, "set_reader", refuse)
        with pytest.raises(OSError, match="bad"):
            loop.run_until_complete(asyncio.wait_for(loop.create_connection(asyncio.Protocol, sock=ours), 10))
        monkeypatch.undo()
        loop.run_until_complete(asyncio.sleep(0))
