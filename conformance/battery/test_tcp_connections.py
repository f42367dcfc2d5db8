"""Chapter tcp: create_connection() and connect_accepted_socket(): arguments, order of events, ownership, failure."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from typing import Any

import pytest

from conformance.kit.connections import accept, closed_port, opened, silent_listener
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import PEER_TIMEOUT, drive, listener, receive_all, receive_exactly, tcp_pair
from conformance.kit.protocols import Events, raising
from conformance.kit.threads import in_thread
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
            assert type(answer) is tuple
            assert returned is protocol
            assert transport.get_protocol() is protocol
            transport.abort()
            turn(loop, 3)


@requirement("tcp.connect-factory", MUST, cite=CONNECT)
def test_the_protocol_factory_is_called_once_without_arguments(loop: Loop) -> None:
    """protocol_factory is called exactly once, without arguments.

    If this fails: look for a factory that is called per address that is tried, or called with the loop.
    """
    calls: list[Any] = []

    def factory(*args: Any, **kwargs: Any) -> Events:
        calls.append((args, kwargs))
        return Events()

    with listener() as listening, opened(loop, loop.create_connection(factory, *listening.getsockname())):
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
        loop.run_until_complete(loop.create_connection(factory, "127.0.0.1", closed_port()))
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
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("as_text", [False, True], ids=["number", "text"])
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


@requirement("tcp.connect-keywords-only", MUST, cite=CONNECT)
def test_all_but_host_and_port_are_keywords(loop: Loop) -> None:
    """Everything after host and port is keyword-only.

    If this fails: look for a signature that takes ssl as its fourth argument.
    """

    async def main(address: Any) -> None:
        transport, _ = await loop.create_connection(Events, *address, None)  # type: ignore[call-overload]
        transport.abort()

    with listener() as listening, pytest.raises(TypeError):
        loop.run_until_complete(main(listening.getsockname()))


@requirement("tcp.connect-sock", MUST, cite=CONNECT)
def test_an_existing_socket_is_used_by_the_transport(loop: Loop, patience: Patience) -> None:
    """sock, an already connected socket, is used by the transport, for both directions.

    If this fails: look for a second connection made to the socket's peer, or for a missing path for sockets.
    """
    with (
        tcp_pair() as (ours, peer),
        opened(loop, loop.create_connection(Events, sock=ours)) as (transport, protocol),
    ):
        transport.write(b"out")
        assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 3))) == b"out"
        peer.sendall(b"in")
        patience.run_until(loop, lambda: protocol.received == b"in", "the data")


@requirement("tcp.connect-sock-is-owned", MUST, cite=CONNECT)
def test_closing_the_transport_closes_the_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the socket to the transport: closing the transport closes it.

    If this fails: look for a duplicate of the descriptor that the transport closes, while the original stays open.
    """
    with tcp_pair() as (ours, peer):
        transport, protocol = loop.run_until_complete(loop.create_connection(Events, sock=ours))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert receive_all(peer) == b""


@requirement("tcp.connect-blocking-socket", SHOULD, cite=CONNECT)
def test_a_blocking_socket_does_not_block_the_loop(loop: Loop, patience: Patience) -> None:
    """A socket that is in blocking mode may be given: the transport puts it into non-blocking mode.

    If this fails: look for a read or a write that is made on the socket as it came.
    """
    with tcp_pair() as (ours, peer):
        ours.setblocking(True)
        with opened(loop, loop.create_connection(Events, sock=ours)) as (transport, protocol):
            transport.write(bytes(8 << 20))  # more than the kernel takes from anybody
            loop.call_soon(peer.sendall, b"x")
            patience.run_until(loop, lambda: protocol.received, "the data")


@requirement("tcp.connect-unix-sock", SHOULD, cite=CONNECT, needs=("unix",))
def test_a_unix_stream_socket_is_accepted(loop: Loop, patience: Patience) -> None:
    """create_connection() takes any connected stream socket as sock, a Unix one too.

    If this fails: look for TCP options set without asking for the family, or for a check of the family.
    """
    ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, peer:
        ours.setblocking(False)
        with opened(loop, loop.create_connection(Events, sock=ours)) as (_, protocol):
            peer.sendall(b"x")
            patience.run_until(loop, lambda: protocol.received == b"x", "the data")


@requirement("tcp.connect-sock-or-host", MUST, cite=CONNECT)
@pytest.mark.parametrize("given", [("127.0.0.1", 1), ("127.0.0.1", None), (None, 1)], ids=["both", "host", "port"])
def test_a_socket_excludes_host_and_port(loop: Loop, given: tuple[Any, Any]) -> None:
    """If sock is given, neither host nor port may be specified: ValueError.

    If this fails: look for an argument that is ignored in silence.
    """
    with tcp_pair() as (ours, _), pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.create_connection(Events, *given, sock=ours))


@requirement("tcp.connect-nothing", SHOULD, cite=CONNECT)
def test_something_to_connect_to_is_needed(loop: Loop) -> None:
    """Without host, port and sock, create_connection() raises ValueError.

    If this fails: look for a default address.
    """
    with pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.create_connection(Events))


@requirement("tcp.connect-datagram-sock", SHOULD, cite=CONNECT)
def test_a_datagram_socket_is_refused(loop: Loop) -> None:
    """A socket that is no stream socket raises ValueError.

    If this fails: look for a missing check of the socket's type, whose failure would surface as lost data.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.create_connection(Events, sock=sock))


@requirement("tcp.connect-tls-arguments", SHOULD, cite=CONNECT)
@pytest.mark.parametrize(
    "argument",
    [{"server_hostname": "localhost"}, {"ssl_handshake_timeout": 1.0}, {"ssl_shutdown_timeout": 1.0}],
    ids=lambda argument: next(iter(argument)),
)
def test_arguments_for_tls_need_ssl(loop: Loop, argument: dict[str, Any]) -> None:
    """server_hostname, ssl_handshake_timeout and ssl_shutdown_timeout without ssl raise ValueError.

    If this fails: look for an argument that is ignored, so that a connection believed to be encrypted is not.
    """
    with listener() as listening, pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.create_connection(Events, *listening.getsockname(), **argument))


@requirement("tcp.connect-tls-needs-a-name", MUST, cite=CONNECT)
@pytest.mark.parametrize("host", ["", None], ids=["empty", "none"])
def test_tls_without_a_host_needs_a_server_hostname(loop: Loop, host: Any) -> None:
    """If host is empty and ssl is given, there is no default: you must pass a value for server_hostname (ValueError).

    If this fails: look for a handshake that is begun without a name to check.
    """
    opening = loop.create_connection(Events, host, closed_port(), ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(opening)


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
@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
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
def test_a_failing_factory_closes_the_connection(loop: Loop) -> None:
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
            assert receive_all(peer) == b""


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
        loop.run_until_complete(loop.create_connection(Events, "127.0.0.1", closed_port()))
    assert ConnectionRefusedError(caught.value.errno, "").errno == caught.value.errno
    assert isinstance(OSError(caught.value.errno, ""), ConnectionRefusedError)


@requirement("tcp.accepted-pair", MUST, cite=ACCEPTED)
def test_connect_accepted_socket_returns_a_transport_and_a_protocol(loop: Loop, patience: Patience) -> None:
    """connect_accepted_socket() wraps an accepted connection into a (transport, protocol) pair that works.

    If this fails: look for a transport that never starts reading because only the server does that.
    """
    with listener() as listening, socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
        conn = accept(listening)
        with opened(loop, loop.connect_accepted_socket(Events, conn)) as (transport, protocol):
            assert protocol.names == ["connection_made"]
            assert protocol.transport is transport
            transport.write(b"hello")
            assert drive(loop, patience, in_thread(lambda: receive_exactly(peer, 5))) == b"hello"
            peer.sendall(b"x")
            patience.run_until(loop, lambda: protocol.received == b"x", "the data")


@requirement("tcp.accepted-is-owned", MUST, cite=ACCEPTED)
def test_closing_the_transport_closes_the_accepted_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument transfers ownership of the accepted socket to the transport.

    If this fails: look for a socket object that is kept elsewhere and holds the connection open.
    """
    with listener() as listening, socket.create_connection(listening.getsockname(), PEER_TIMEOUT) as peer:
        conn = accept(listening)
        transport, protocol = loop.run_until_complete(loop.connect_accepted_socket(Events, conn))
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        turn(loop, 3)
        assert receive_all(peer) == b""


@requirement("tcp.accepted-datagram-sock", SHOULD, cite=ACCEPTED)
def test_connect_accepted_socket_refuses_a_datagram_socket(loop: Loop) -> None:
    """connect_accepted_socket() raises ValueError for a socket that is no stream socket.

    If this fails: look for a check that only create_connection() has.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.connect_accepted_socket(Events, sock))


@requirement("tcp.accepted-tls-arguments", SHOULD, cite=ACCEPTED)
@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_connect_accepted_socket_needs_ssl_for_its_timeouts(loop: Loop, name: str) -> None:
    """ssl_handshake_timeout and ssl_shutdown_timeout without ssl raise ValueError.

    If this fails: look for an argument that is ignored.
    """
    arguments: dict[str, Any] = {name: 1.0}
    with tcp_pair() as (ours, _), pytest.raises(ValueError):  # noqa: PT011 (no loop's text is asserted on)
        loop.run_until_complete(loop.connect_accepted_socket(Events, ours, **arguments))
