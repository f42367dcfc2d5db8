"""Chapter tcp: create_connection() and connect_accepted_socket(): arguments, order of events, ownership, failure."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import socket
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.connections import accept, opened, silent_listener
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, free_port, listener, receive_all, tcp_pair
from conformance.kit.protocols import Events, raising
from conformance.kit.threads import in_thread
from conformance.kit.transports import until_lost
from conformance.kit.waiting import turns
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"


@requirement("tcp.connect-pair", MUST, cite=CONNECT)
def test_create_connection_returns_a_transport_and_a_protocol(loop: Loop) -> None:
    """When successful, create_connection() returns a (transport, protocol) pair: the factory's protocol, in a tuple.

    If this fails: look for a list or a structure of the loop's own, or for a protocol that is made twice.
    """
    protocol = Events()
    with listener() as listening:
        answer = loop.run_until_complete(loop.create_connection(lambda: protocol, *listening.getsockname()))
        transport, returned = answer
        with accept(listening):
            assert isinstance(answer, tuple)
            assert returned is protocol
            assert transport.get_protocol() is protocol
            transport.abort()
            turn(loop, 3)


@requirement("tcp.connect-factory", MUST, cite=(CONNECT, "asyncio-eventloop: loop.connect_accepted_socket"))
@each("way", ["host", "sock", "wrapped"])
def test_the_protocol_factory_is_called_once_without_arguments(loop: Loop, way: str) -> None:
    """protocol_factory is called exactly once, without arguments, whether the socket is made or given.

    If this fails: look for a factory that is called per address that is tried, called to look at what it makes, or
    called with the loop.
    """
    calls: list[Any] = []

    def factory(*args: Any, **kwargs: Any) -> Events:
        calls.append((args, kwargs))
        return Events()

    with listener() as listening, tcp_pair() as (ours, _):
        opening: Any
        if way == "host":
            opening = loop.create_connection(factory, *listening.getsockname())
        elif way == "sock":
            opening = loop.create_connection(factory, sock=ours)
        else:
            opening = loop.connect_accepted_socket(factory, ours)
        with opened(loop, opening):
            assert calls == [((), {})]


@requirement("tcp.connect-factory-last", MUST, cite=CONNECT)
def test_no_protocol_is_made_for_a_connection_that_fails(loop: Loop) -> None:
    """The connection is established first, and then protocol_factory is called: never when there is no connection.

    If this fails: look for a protocol that is made before the attempt.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    with pytest.raises(ConnectionRefusedError):
        loop.run_until_complete(loop.create_connection(factory, "127.0.0.1", free_port()))
    assert made == []


@requirement("tcp.connect-made-first", MUST, cite=CONNECT)
def test_connection_made_is_called_before_create_connection_returns(loop: Loop) -> None:
    """The protocol is coupled with the transport by connection_made() before the pair is returned.

    If this fails: look for a future that is resolved before the announcement, or an announcement that is only queued.
    """

    async def main(address: Any) -> tuple[Any, Any]:
        transport, protocol = await loop.create_connection(Events, *address)
        assert protocol.names == ["connection_made"]
        assert protocol.transport is transport
        return transport, protocol

    with listener() as listening, opened(loop, main(listening.getsockname())):
        pass


@requirement("tcp.connect-host", MUST, cite=CONNECT)
@each("host", ["127.0.0.1", "localhost"])
@each("as_text", [False, True], ids=["number", "text"])
def test_create_connection_connects_to_host_and_port(loop: Loop, host: str, as_text: bool) -> None:
    """create_connection() opens a connection to the given host and port, which is looked up: a number, or a service.

    If this fails: look for a fast path for numeric addresses that forgets the others, or a port that must be a number.
    """
    with listener() as listening:
        port = listening.getsockname()[1]
        given: Any = str(port) if as_text else port
        opening = loop.create_connection(Events, host, given, family=socket.AF_INET)
        with opened(loop, opening) as (transport, _), accept(listening) as peer:
            assert transport.get_extra_info("sockname") == peer.getpeername()
            assert transport.get_extra_info("peername") == peer.getsockname()


@requirement("tcp.connect-ipv6", MUST, cite=CONNECT, needs=("ipv6",))
def test_create_connection_connects_to_an_ipv6_address(loop: Loop) -> None:
    """The socket family is AF_INET6 if the host says so, and its addresses have four items.

    If this fails: look for an address cut to host and port.
    """
    with (
        listener(socket.AF_INET6) as listening,
        opened(loop, loop.create_connection(Events, "::1", listening.getsockname()[1])) as (transport, _),
        accept(listening) as peer,
    ):
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("socket").family == socket.AF_INET6


@requirement("tcp.connect-nodelay", MUST, cite=CONNECT)
def test_nagles_algorithm_is_off_for_outgoing_connections(loop: Loop) -> None:
    """The socket option TCP_NODELAY is set by default for all TCP connections, also those to host and port.

    If this fails: look for an option that is set for accepted sockets only.
    """
    with (
        listener() as listening,
        opened(loop, loop.create_connection(Events, *listening.getsockname())) as (transport, _),
    ):
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@requirement("tcp.connect-in-background", MUST, cite=CONNECT)
def test_the_loop_runs_while_a_connection_is_made(loop: Loop) -> None:
    """create_connection() establishes the connection in the background: callbacks run meanwhile.

    If this fails: look for a blocking connect().
    """
    ran: list[int] = []

    async def main(address: Any) -> None:
        task = asyncio.ensure_future(loop.create_connection(Events, *address))
        for number in range(5):
            loop.call_soon(ran.append, number)
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with silent_listener() as address:
        loop.run_until_complete(main(address))
    assert ran == list(range(5))


@requirement("tcp.connect-cancelled", MUST, cite=("asyncio-task: Task.cancel", "gh-131728"))
@each("after", [0, 1, 2, 3, 4])
def test_cancelling_a_connection_attempt_leaves_nothing(loop: Loop, after: int) -> None:
    """Cancelled at any point, create_connection() raises CancelledError and leaves no socket open.

    If this fails: look for a socket that is closed only when its attempt fails, or a connection made after the end.
    """

    async def main(address: Any) -> None:
        task = asyncio.ensure_future(loop.create_connection(Events, *address))
        await turns(after)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            transport, _ = await task
            transport.abort()
        await turns(3)

    with listener() as listening:
        loop.run_until_complete(main(listening.getsockname()))
    with silent_listener() as address:
        loop.run_until_complete(main(address))


@requirement("tcp.connect-failing-factory", SHOULD, cite="gh-153133")
def test_a_failing_factory_closes_the_connection(loop: Loop, patience: Patience) -> None:
    """An exception of protocol_factory comes out of create_connection(), and the connection is closed.

    If this fails: look for a socket that nobody owns between the connection and the transport.
    """
    error = LookupError("in the factory")

    async def main(address: Any) -> BaseException | None:
        try:
            await loop.create_connection(raising(error), *address)
        except LookupError as caught:
            return caught.with_traceback(None)
        return None

    with listener() as listening:
        assert loop.run_until_complete(main(listening.getsockname())) is error
        gc.collect()  # counts as closing: the exception is what the requirement is about
        listening.setblocking(False)
        with contextlib.suppress(BlockingIOError), accept(listening) as peer:
            assert drive(loop, patience, in_thread(functools.partial(receive_all, peer))) == b""


@requirement("tcp.connect-failing-connection-made", MAY, cite="asyncio-protocol: BaseProtocol.connection_made")
def test_what_happens_when_connection_made_raises(loop: Loop, watch: Any, answer: Any) -> None:
    """What create_connection() does when connection_made() raises is left open.

    If this fails: look for a loop that does not survive it.
    """
    watch.allow("reported", "unraisable", "descriptor")

    class Fails(Events):
        connection_made = raising(LookupError("in connection_made()"))

    with tcp_pair() as (ours, _):
        try:
            transport, _ = loop.run_until_complete(loop.create_connection(Fails, sock=ours))
        except LookupError:
            answer("raises")
        else:
            answer("reports and returns" if watch.reported else "returns")
            transport.abort()
        turn(loop, 3)


@requirement("tcp.connect-refused", MUST, cite=(CONNECT, "exceptions: ConnectionRefusedError"))
def test_a_refused_connection_raises(loop: Loop) -> None:
    """A connection that is refused raises ConnectionRefusedError, with errno set.

    If this fails: look for a status that is turned into a plain OSError, or an error number that is negative.
    """
    with pytest.raises(ConnectionRefusedError) as caught:
        loop.run_until_complete(loop.create_connection(Events, "127.0.0.1", free_port()))
    assert ConnectionRefusedError(caught.value.errno, "").errno == caught.value.errno
    assert isinstance(OSError(caught.value.errno, ""), ConnectionRefusedError)


@requirement("tcp.connect-by-name", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_where_to_connect_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """create_connection() takes protocol_factory, host and port by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    with listener() as listening:
        host, port = listening.getsockname()
        connecting = loop.create_connection(protocol_factory=Events, host=host, port=port)
        transport, protocol = loop.run_until_complete(connecting)
        transport.abort()
        until_lost(loop, patience, protocol)
    assert protocol.names == ["connection_made", "connection_lost"]
