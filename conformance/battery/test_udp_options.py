"""Chapter udp: the options of an endpoint's socket, sockets that are given, and endpoints that are not made."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.datagrams import (
    HERE,
    arrival,
    blocked_endpoint,
    endpoint,
    receive_after_filler,
    udp_peer,
    unix_datagram_pair,
)
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, Derived, free_port
from conformance.kit.protocols import Datagrams, raising
from conformance.kit.refusals import Answer, outcome_of, refused
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ENDPOINT = "asyncio-eventloop: loop.create_datagram_endpoint"
SENDTO = "asyncio-protocol: DatagramTransport.sendto"


@requirement("udp.address-in-use", MUST, cite=(ENDPOINT, "exceptions: OSError"))
def test_a_local_addr_in_use_raises(loop: Loop) -> None:
    """If the socket cannot be bound to local_addr, OSError is raised.

    If this fails: look for SO_REUSEADDR, or SO_REUSEPORT, set without being asked for.
    """
    with udp_peer() as taken, pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
        loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, taken.getsockname()))


@requirement("udp.no-reuse-address", MUST, cite=ENDPOINT)
def test_the_address_of_an_endpoint_is_not_shared(loop: Loop) -> None:
    """SO_REUSEADDR, a significant security concern for UDP, is not set.

    If this fails: look for an option that TCP servers want and UDP must not have.
    """
    with endpoint(loop) as (transport, _):
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0


@requirement("udp.reuse-address-removed", MUST, cite=ENDPOINT)
@each("value", [True, False])
def test_the_parameter_reuse_address_is_refused(loop: Loop, value: bool) -> None:
    """The parameter reuse_address has been removed: passing it raises an exception, whatever its value.

    If this fails: look for keywords that are collected and ignored, perhaps only if they are false.
    """
    connect: Any = loop.create_datagram_endpoint

    async def main() -> None:
        transport, _ = await connect(Datagrams, HERE, reuse_address=value)
        transport.abort()

    with pytest.raises((TypeError, ValueError)):
        loop.run_until_complete(main())


@requirement("udp.reuse-port", MUST, cite=ENDPOINT)
def test_reuse_port_lets_endpoints_share_a_port(loop: Loop) -> None:
    """reuse_port tells the kernel to allow this endpoint to be bound to the same port as others that set it, too.

    If this fails: look for an option that is set after the bind, or only for endpoints that are not connected.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        with pytest.raises(ValueError):  # noqa: PT011 (as above)
            loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, HERE, reuse_port=True))
        return
    with endpoint(loop, local_addr=HERE, reuse_port=True) as (first, _):
        address = first.get_extra_info("sockname")
        with endpoint(loop, local_addr=address, reuse_port=True) as (second, _):
            assert second.get_extra_info("sockname") == address
        with udp_peer() as peer:
            how = {"local_addr": address, "remote_addr": peer.getsockname(), "reuse_port": True}
            with endpoint(loop, **how) as (connected, _):
                assert connected.get_extra_info("sockname") == address
            with endpoint(loop, **how, allow_broadcast=True) as (broadcasting, _):
                assert broadcasting.get_extra_info("sockname") == address


@requirement("udp.reuse-port-off", MUST, cite=ENDPOINT)
@each("given", [{}, {"reuse_port": None}, {"reuse_port": False}], ids=["default", "None", "False"])
def test_a_port_is_not_shared_unless_asked_for(loop: Loop, given: dict[str, Any]) -> None:
    """Without reuse_port, the port of an endpoint belongs to it alone: SO_REUSEPORT is not set.

    If this fails: look for an option that is set whenever the keyword is given, or for every endpoint.
    """
    option: int | None = getattr(socket, "SO_REUSEPORT", None)
    with endpoint(loop, local_addr=HERE, **given) as (transport, _):
        assert option is None or transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option) == 0


@requirement("udp.reuse-address-off", SHOULD, cite=ENDPOINT, needs=("reuse-port",))
@each("given", [{}, {"reuse_port": True}], ids=["default", "reuse_port"])
def test_reuse_port_is_used_instead_of_reuse_address(loop: Loop, given: dict[str, Any]) -> None:
    """SO_REUSEADDR, a security concern for UDP, is not set: with reuse_port, SO_REUSEPORT is used instead.

    If this fails: look for an option of TCP servers that endpoints get, too.
    """
    with endpoint(loop, local_addr=HERE, **given) as (transport, _):
        assert transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0


@requirement("udp.allow-broadcast", MUST, cite=ENDPOINT)
def test_allow_broadcast_sets_the_option(loop: Loop) -> None:
    """allow_broadcast tells the kernel to allow this endpoint to send messages to the broadcast address.

    If this fails: look for a keyword that is accepted and ignored, perhaps if the endpoint has a remote address.
    """
    with udp_peer() as peer:
        remote = {"remote_addr": peer.getsockname()}
        shared = {"local_addr": HERE, **({"reuse_port": True} if hasattr(socket, "SO_REUSEPORT") else {})}
        for where in ({"local_addr": HERE}, remote, {"local_addr": HERE, **remote}, {"family": socket.AF_INET}, shared):
            with endpoint(loop, allow_broadcast=True, **where) as (transport, _):
                assert transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) != 0


@requirement("udp.broadcast-off", MUST, cite=ENDPOINT)
def test_broadcast_is_not_allowed_unless_asked_for(loop: Loop) -> None:
    """Without allow_broadcast, messages to the broadcast address are not allowed.

    If this fails: look for an option that is set for every endpoint, or for all that come after the first with it.
    """
    with endpoint(loop, local_addr=HERE, allow_broadcast=True):
        pass
    with endpoint(loop) as (transport, _):
        assert transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0


@requirement("udp.sock", MUST, cite=ENDPOINT)
@each("kind", [socket.socket, Derived], ids=["socket", "subclass"])
def test_a_preexisting_socket_is_used(loop: Loop, patience: Patience, kind: type[socket.socket]) -> None:
    """sock, a preexisting socket, is used by the transport, also one that is in blocking mode, or of a subclass.

    If this fails: look for a socket that is left in blocking mode, replaced by another one, or refused for its type.
    """
    with kind(socket.AF_INET, socket.SOCK_DGRAM) as ours, udp_peer() as peer:
        ours.bind(HERE)
        address = ours.getsockname()
        with endpoint(loop, sock=ours) as (transport, protocol):
            turn(loop, 3)
            peer.sendto(b"x", address)
            patience.run_until(loop, lambda: protocol.received, "the datagram")
            assert transport.get_extra_info("sockname") == address


@requirement("udp.blocking-sock", MUST, cite=(ENDPOINT, SENDTO), needs=("unix",))
def test_an_endpoint_of_a_blocking_socket_does_not_block(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sendto() does not block, also if sock was given in blocking mode, and there is no room for a datagram.

    If this fails: look for a socket that is left in blocking mode.
    """
    with blocked_endpoint(loop, tmp_path, blocking=True) as (transport, _, peer):
        transport.sendto(b"message")
        receiving = in_thread(lambda: receive_after_filler(peer, 1))
        patience.run_until(loop, lambda: not receiving.is_alive(), "the arrival of the datagram")
        assert receiving.result() == [b"message"]


@requirement("udp.sock-connected", MUST, cite=(ENDPOINT, SENDTO))
def test_a_connected_socket_keeps_its_peer(loop: Loop, patience: Patience) -> None:
    """sock may be connected already: 'peername' tells its peer, and sendto() without addr sends there.

    If this fails: look for a remote address that is known only if it was given as an argument.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, udp_peer() as peer:
        ours.connect(peer.getsockname())
        with endpoint(loop, sock=ours) as (transport, protocol):
            assert transport.get_extra_info("peername") == peer.getsockname()
            transport.sendto(b"out")
            data, address = arrival(loop, patience, peer)
            assert data == b"out"
            peer.sendto(b"in", address)
            patience.run_until(loop, lambda: protocol.received == [(b"in", peer.getsockname())], "the datagram")


@requirement("udp.sock-is-owned", MUST, cite=ENDPOINT)
def test_the_transport_owns_the_socket_it_was_given(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership: closing the transport closes the socket, and its port is free.

    If this fails: look for a duplicate of the descriptor.
    """
    address = (HERE[0], free_port())  # none that the system gives to anybody else meanwhile
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.bind(address)
    transport, protocol = loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, sock=ours))
    transport.close()
    patience.run_until(loop, lambda: protocol.lost and ours.fileno() == -1, "the end of the socket")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(address)


@requirement("udp.sock-or-arguments", MUST, cite=ENDPOINT)
@each("name", ["local_addr", "remote_addr"])
def test_a_socket_excludes_other_arguments(loop: Loop, name: str) -> None:
    """If sock is given, local_addr and remote_addr must be None: an address is refused.

    If this fails: look for an argument that is ignored in silence.
    """
    arguments: dict[str, Any] = {name: HERE}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, refused():
        loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, sock=ours, **arguments))


@requirement("udp.sock-and-options", MAY, cite=ENDPOINT)
def test_a_socket_and_options(loop: Loop, answer: Answer) -> None:
    """Whether family, proto, flags, reuse_port and allow_broadcast are refused if sock is given, is left open.

    If this fails: look for an exception that says nothing of the arguments.
    """
    options: dict[str, Any] = dict.fromkeys(("family", "proto", "flags"), socket.AF_INET)
    options |= dict.fromkeys(("reuse_port", "allow_broadcast"), True)
    for name, value in options.items():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            given: dict[str, Any] = {"sock": ours, name: value}
            answer(f"{name}: {outcome_of(loop, loop.create_datagram_endpoint(Datagrams, **given))}")


@requirement("udp.stream-sock", SHOULD, cite=ENDPOINT)
def test_a_stream_socket_is_refused(loop: Loop) -> None:
    """A socket that is no datagram socket raises an exception.

    If this fails: look for a missing check of the socket's type.
    """
    with socket.socket() as ours, refused():
        loop.run_until_complete(loop.create_datagram_endpoint(Datagrams, sock=ours))


def answers_over_unix(loop: Loop, patience: Patience, ours: str, theirs: str) -> None:
    """An endpoint at one address sends to the other, and gets its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PEER_TIMEOUT)
        peer.bind(theirs)
        how = {"local_addr": ours, "remote_addr": theirs, "family": socket.AF_UNIX}
        with endpoint(loop, **how) as (transport, protocol):
            transport.sendto(b"hello")
            assert arrival(loop, patience, peer)[0] == b"hello"
            peer.sendto(b"answer", ours)
            patience.run_until(loop, lambda: protocol.received, "the answer")
            sender = theirs.encode() if theirs.startswith("\0") else theirs
            assert protocol.received == [(b"answer", sender)]


@requirement("udp.unix", SHOULD, cite=(ENDPOINT, "gh-75428"), needs=("unix",))
def test_an_endpoint_may_be_a_unix_socket(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """With family AF_UNIX, the addresses are paths, or names in the abstract namespace.

    If this fails: look for a path that is given to the resolver, a name that loses its leading zero, or one that ends
    at another.
    """
    paths = (str(tmp_path / "ours"), str(tmp_path / "theirs"))
    names = (f"\0ours {os.getpid()}", f"\0theirs {os.getpid()}")
    zeros = (f"\0ours\0{os.getpid()}\0", f"\0theirs\0{os.getpid()}\0")
    for ours, theirs in (paths, names, zeros) if sys.platform == "linux" else (paths,):
        answers_over_unix(loop, patience, ours, theirs)


@requirement("udp.unix-sock", MUST, cite=ENDPOINT, needs=("unix",))
def test_a_unix_datagram_socket_may_be_given(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """sock may be an already connected socket, also of the family AF_UNIX.

    If this fails: look for an address of two items that a Unix socket does not have.
    """
    with unix_datagram_pair(tmp_path) as (ours, peer), endpoint(loop, sock=ours) as (transport, protocol):
        transport.sendto(b"hello")
        assert arrival(loop, patience, peer)[0] == b"hello"
        peer.send(b"answer")
        patience.run_until(loop, lambda: protocol.received, "the answer")
        assert protocol.received[0][0] == b"answer"


@requirement("udp.unix-unnamed", SHOULD, cite=("uvloop#304", ENDPOINT), needs=("unix",))
def test_a_unix_socket_without_a_name_may_be_given(loop: Loop, patience: Patience) -> None:
    """sock may be one end of a socket.socketpair(): it is connected, though the other end has no address.

    If this fails: look for an empty peer name that is taken for a missing connection.
    """
    ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, peer, endpoint(loop, sock=ours) as (transport, protocol):
        peer.send(b"hello")
        patience.run_until(loop, lambda: protocol.received, "the datagram")
        assert protocol.received[0][0] == b"hello"
        transport.sendto(b"answer")
        turn(loop, 5)
        assert not protocol.lost
        assert arrival(loop, patience, peer)[0] == b"answer"


@requirement("udp.failing-factory", SHOULD, cite="gh-156400")
def test_a_failing_factory_closes_the_socket(loop: Loop) -> None:
    """An exception of protocol_factory comes out of create_datagram_endpoint(), and the socket is closed.

    If this fails: look for a socket that nobody owns between the bind and the transport.
    """
    address = (HERE[0], free_port())
    error = LookupError("in the factory")

    async def main() -> BaseException | None:
        try:
            await loop.create_datagram_endpoint(raising(error), local_addr=address)
        except LookupError as caught:
            return caught.with_traceback(None)
        return None

    assert loop.run_until_complete(main()) is error
    gc.collect()  # counts as closing: the exception is what the requirement is about
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(address)


@requirement("udp.cancelled", SHOULD, cite="asyncio-task: Task.cancel")
@each("after", [0, 1, 2])
def test_cancelling_the_making_of_an_endpoint_leaves_nothing(loop: Loop, after: int) -> None:
    """Cancelled at any point, create_datagram_endpoint() leaves no socket open.

    If this fails: look for a transport that is made when nobody waits for it.
    """

    async def main() -> None:
        task = asyncio.ensure_future(loop.create_datagram_endpoint(Datagrams, local_addr=HERE))
        await turns(after)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()[0].abort()
        await turns(3)

    loop.run_until_complete(main())
