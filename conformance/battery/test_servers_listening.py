"""Chapter servers: where create_server() listens, and what its parameters mean."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.certificates import server_context
from conformance.kit.descriptors import backlog_of, none_left
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import free_port, reset
from conformance.kit.servers import accepted, create, dial, serving
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
LOCAL = "127.0.0.1"


@requirement("servers.listens", MUST, cite="asyncio-eventloop: loop.create_server")
def test_create_server_listens(loop: Loop, patience: Patience) -> None:
    """create_server() creates a TCP server listening on port of the host address, and connections reach a protocol.

    If this fails: look for a server that is bound but does not listen, or accepts but announces nothing.
    """
    with serving(loop) as service, dial(service) as peer:
        protocol = accepted(loop, patience, service)
        peer.sendall(b"hello")
        patience.run_until(loop, lambda: protocol.received == b"hello", "the data")


@requirement("servers.protocol-factory", MUST, cite="asyncio-eventloop: loop.create_server")
def test_every_connection_gets_a_protocol_of_its_own(loop: Loop, patience: Patience) -> None:
    """protocol_factory is called, without arguments, once for each connection, and not before one comes.

    If this fails: look for a protocol that is made when the server is, or shared between connections.
    """
    with serving(loop) as service:
        turn(loop)
        assert service.protocols == []
        with dial(service), dial(service), dial(service):
            accepted(loop, patience, service, 3)
            turn(loop, 2)
            assert len(service.protocols) == 3
            assert len({id(protocol.transport) for protocol in service.protocols}) == 3


@requirement("servers.peername", MUST, cite="asyncio-protocol: BaseTransport.get_extra_info")
@each("host", ["127.0.0.1", "0.0.0.0"])
def test_an_accepted_transport_knows_both_ends(loop: Loop, patience: Patience, host: str) -> None:
    """An accepted transport tells 'peername' and 'sockname' as the socket would: tuples of host and port.

    If this fails: look for address objects that are no tuples, or the listener's address given as the peer's.
    """
    with serving(loop, host) as service, dial(service, ("127.0.0.1", service.port)) as peer:
        transport = accepted(loop, patience, service).transport
        assert transport.get_extra_info("peername") == peer.getsockname()
        assert transport.get_extra_info("sockname") == peer.getpeername()


@requirement("servers.many-connections", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_burst_of_connections_is_accepted_completely(loop: Loop, patience: Patience) -> None:
    """Connections that wait together in the queue are all accepted (backlog defaults to 100).

    If this fails: look for one accept() for one readiness event that comes only once, or a backlog of a few.
    """
    with serving(loop) as service:
        peers = [dial(service) for _ in range(60)]
        accepted(loop, patience, service, 60)
        for peer in peers:
            peer.close()
        patience.run_until(loop, lambda: all(p.lost for p in service.protocols), "every connection_lost()")


@requirement("servers.backlog", MUST, cite="asyncio-eventloop: loop.create_server", needs=("linux",))
@each("host", [LOCAL, None, "sock", [LOCAL, "127.0.0.2"]])
@each(
    ("given", "queue"),
    [
        ({}, 100),
        ({"backlog": 7}, 7),
        ({"backlog": 7, "start_serving": False}, 7),
        ({"backlog": 0}, 0),
        ({"backlog": 7, "ssl": server_context()}, 7),
    ],
    ids=["default", "given", "later", "zero", "tls"],
)
def test_backlog_is_passed_to_listen(
    loop: Loop, patience: Patience, host: Any, given: dict[str, Any], queue: int
) -> None:
    """backlog is the maximum number of queued connections passed to listen() (defaults to 100).

    If this fails: look for a number of the loop's own, for listen() without one, for a 0 taken for none, or for servers
    over TLS that have a number of their own.
    """
    where: dict[str, Any] = {"host": host}
    if host == "sock":
        where = {"host": None, "port": None, "sock": socket.socket()}
        where["sock"].bind((LOCAL, 0))
    with serving(loop, **where, **given) as service:
        loop.run_until_complete(service.server.start_serving())
        assert {backlog_of(sock.fileno()) for sock in service.server.sockets} == {queue}
    if host == LOCAL:
        with serving(loop, host, **given) as service:
            forever = loop.create_task(service.server.serve_forever())
            patience.run_until(loop, service.server.is_serving, "serving")
            assert {backlog_of(sock.fileno()) for sock in service.server.sockets} == {queue}
            forever.cancel()
            loop.run_until_complete(asyncio.wait([forever]))


@requirement("servers.out-of-descriptors", SHOULD, cite="asyncio-eventloop: loop.create_server")
def test_a_server_survives_a_lack_of_descriptors(loop: Loop, patience: Patience, watch: Any) -> None:
    """A server that cannot accept because no descriptor is left accepts again when there are some.

    If this fails: look for an error of accept() that ends the server, or for readiness that is told only once.
    """
    # Whether the connection that came meanwhile is closed or waits, and whether it is reported, is left open.
    watch.allow("reported")
    with serving(loop) as service, socket.socket() as early:

        async def lack() -> None:
            with none_left():
                early.connect(service.address)
                for _ in range(5):
                    await asyncio.sleep(0)

        loop.run_until_complete(lack())
        with dial(service) as late:
            late.sendall(b"late")
            patience.run_until(loop, lambda: b"late" in [p.received for p in service.protocols], "the next connection")


@requirement("servers.reset-before-accept", SHOULD, cite="PEP 3156: I/O Callbacks")
def test_a_client_that_is_gone_does_not_stop_the_server(loop: Loop, patience: Patience) -> None:
    """A connection that was reset before it was accepted does not keep the server from accepting the next.

    If this fails: look for ECONNABORTED, or an ENOTCONN while the transport is made, taken for the listener's failure.
    """
    with serving(loop) as service:
        reset(dial(service))
        with dial(service) as peer:
            peer.sendall(b"second")
            patience.run_until(
                loop,
                lambda: b"second" in [bytes(protocol.received) for protocol in service.protocols],
                "the second connection",
            )


@requirement("servers.host-string", MUST, cite="asyncio-eventloop: loop.create_server")
def test_a_host_that_is_a_string_is_one_interface(loop: Loop) -> None:
    """If host is a string, the server is bound to the single interface specified by host.

    If this fails: look for a bind to all interfaces.
    """
    with serving(loop, LOCAL) as service:
        assert [sock.getsockname()[0] for sock in service.server.sockets] == [LOCAL]


@requirement("servers.host-sequence", MUST, cite="asyncio-eventloop: loop.create_server", needs=("ipv6",))
def test_a_sequence_of_hosts_is_all_of_them(loop: Loop, patience: Patience) -> None:
    """If host is a sequence of strings, the server is bound to all interfaces that it specifies.

    If this fails: look for a sequence of which only the first item counts.
    """
    with serving(loop, (LOCAL, "::1")) as service:
        names = {sock.family: sock.getsockname() for sock in service.server.sockets}
        assert {name[0] for name in names.values()} == {LOCAL, "::1"}
        for count, (family, name) in enumerate(names.items(), 1):
            with socket.socket(family) as peer:
                peer.connect(name)
                accepted(loop, patience, service, count)


@requirement("servers.host-twice", SHOULD, cite="asyncio-eventloop: loop.create_server")
def test_a_host_that_appears_twice_is_bound_once(loop: Loop) -> None:
    """If a host appears several times, the server is bound only once to it.

    If this fails: look for a second bind to the same port, which fails.
    """
    port = free_port()
    with serving(loop, [LOCAL, LOCAL], port) as service:
        assert [sock.getsockname() for sock in service.server.sockets] == [(LOCAL, port)]


@requirement("servers.host-all", MUST, cite="asyncio-eventloop: loop.create_server")
@each("host", [None, ""], ids=["None", "empty"])
def test_no_host_is_all_interfaces(loop: Loop, patience: Patience, host: Any) -> None:
    """If host is an empty string or None, all interfaces are assumed: one socket per family, or of the family given.

    If this fails: look for the loopback as the default, or one socket for both families.
    """
    with serving(loop, host, family=socket.AF_INET) as service:
        assert [sock.getsockname()[0] for sock in service.server.sockets] == ["0.0.0.0"]
    with serving(loop, host) as service:
        names = {sock.family: sock.getsockname()[0] for sock in service.server.sockets}
        assert set(names.values()) <= {"0.0.0.0", "::"}
        assert names[socket.AF_INET] == "0.0.0.0"
        assert names.get(socket.AF_INET6) == "::" or not need_named("ipv6").present()
        v4 = next(sock for sock in service.server.sockets if sock.family == socket.AF_INET)
        with socket.create_connection((LOCAL, v4.getsockname()[1])):
            accepted(loop, patience, service)


@requirement("servers.families-apart", SHOULD, cite="gh-51623", needs=("ipv6",))
def test_the_ipv6_socket_serves_ipv6_only(loop: Loop) -> None:
    """With all interfaces the IPv6 socket does not serve IPv4, so that both can have the same port.

    If this fails: look for IPV6_V6ONLY, which the system leaves off.
    """
    port = free_port()
    with serving(loop, None, port) as service:
        assert {(sock.family, sock.getsockname()[1]) for sock in service.server.sockets} == {
            (socket.AF_INET, port),
            (socket.AF_INET6, port),
        }


@requirement("servers.port", MUST, cite="asyncio-eventloop: loop.create_server")
def test_the_port_is_the_one_that_was_asked_for(loop: Loop) -> None:
    """The port parameter specifies which port the server listens on.

    If this fails: look for a port in the wrong byte order.
    """
    port = free_port()
    with serving(loop, LOCAL, port) as service:
        assert service.port == port


@requirement("servers.port-free", MUST, cite="asyncio-eventloop: loop.create_server")
@each("port", [0, None], ids=["zero", "None"])
def test_no_port_is_a_free_one(loop: Loop, port: Any) -> None:
    """If port is 0 or None (the default), a random unused port is selected.

    If this fails: look for a default port, or a port that the server does not tell.
    """
    with serving(loop, LOCAL, port) as one, serving(loop, LOCAL, port) as two:
        assert 0 not in (one.port, two.port)
        assert one.port != two.port


@requirement("servers.family", MUST, cite="asyncio-eventloop: loop.create_server")
def test_family_forces_one_family(loop: Loop) -> None:
    """family can be set to AF_INET or AF_INET6 to force the socket to use IPv4 or IPv6.

    If this fails: look for a family that is not passed to getaddrinfo(), for one kind of host only, or with ssl.
    """
    for beside in ({}, {"ssl": server_context()}):
        for host in (None, "", LOCAL, "localhost", [LOCAL]):
            with serving(loop, host, family=socket.AF_INET, **beside) as service:
                assert [sock.family for sock in service.server.sockets] == [socket.AF_INET]
        for host in (None, "", "::1", ["::1"]) if need_named("ipv6").present() else ():
            with serving(loop, host, family=socket.AF_INET6, **beside) as service:
                assert [sock.family for sock in service.server.sockets] == [socket.AF_INET6]
    for host in (LOCAL, [LOCAL]):
        with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
            create(loop, host, 0, family=socket.AF_INET6)


@requirement("servers.flags", MUST, cite="asyncio-eventloop: loop.create_server")
def test_flags_reach_getaddrinfo(loop: Loop) -> None:
    """flags is a bitmask for getaddrinfo(): with AI_NUMERICHOST a name is not resolved.

    If this fails: look for flags that are dropped, perhaps for a sequence of hosts, or for a host that is passed over.
    """
    for host in ("localhost", ["localhost"], [LOCAL, "localhost"]):
        with pytest.raises(socket.gaierror):
            create(loop, host, 0, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST)


@requirement("servers.in-use", MUST, cite="exceptions: OSError")
def test_a_port_in_use_is_an_error(loop: Loop) -> None:
    """create_server() on an address that is in use raises OSError with errno EADDRINUSE, and leaves no socket open.

    If this fails: look for an error number lost in the loop's own message, or the sockets made before it left open.
    """
    hosts = ["127.0.0.2", LOCAL] if need_named("linux").present() else LOCAL  # others do not have the first
    with socket.socket() as other:
        other.bind((LOCAL, 0))
        other.listen()
        with pytest.raises(OSError) as caught:  # noqa: PT011 (the number is checked below)
            create(loop, hosts, other.getsockname()[1])
        assert caught.value.errno == errno.EADDRINUSE
