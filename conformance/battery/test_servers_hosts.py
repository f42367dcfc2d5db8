"""Chapter servers: hosts that are no plain address: none, many, flags that change their meaning, and zones."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
from typing import Any

import pytest

from conformance.battery.test_dns import block_lookups_of_names
from conformance.environment import link_local, need_named
from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import dialled, free_port
from conformance.kit.servers import accepted, serving
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SERVE = "asyncio-eventloop: loop.create_server"
LOCAL = "127.0.0.1"
SEVERAL = [LOCAL, "127.0.0.2"] if need_named("linux").present() else [LOCAL]  # others do not have the second


@requirement("servers.no-hosts", SHOULD, cite=SERVE)
@each("hosts", [[], ()])
def test_an_empty_sequence_of_hosts_is_not_all_of_them(loop: Loop, hosts: Any) -> None:
    """A server is bound to the interfaces that a sequence of hosts specifies: to none, if that is empty.

    If this fails: look for a sequence that is asked whether it is true, and then taken for no host: for all of them.
    """
    with contextlib.suppress(OSError, ValueError), serving(loop, hosts) as service:
        assert not service.server.sockets


@requirement("servers.host-sequences", SHOULD, cite=SERVE)
@each("hosts", [collections.UserList(SEVERAL), collections.deque(SEVERAL)])
def test_any_sequence_of_hosts_will_do(loop: Loop, hosts: Any) -> None:
    """host can be a sequence of strings of any class: the server is bound to all interfaces that it specifies.

    If this fails: look for a sequence that must be a list or a tuple.
    """
    with serving(loop, hosts) as service:
        assert sorted(sock.getsockname()[0] for sock in service.server.sockets) == sorted(hosts)


@requirement("servers.flags-not-passive", SHOULD, cite=(SERVE, "socket: socket.getaddrinfo"))
def test_flags_may_leave_out_the_passive_one(loop: Loop) -> None:
    """flags is a bitmask for getaddrinfo(): without AI_PASSIVE, no host is the loopback, and not all interfaces.

    If this fails: look for a 0 taken for the default, or a flag that is added to those given.
    """
    expected = {info[4][0] for info in socket.getaddrinfo(None, 0, type=socket.SOCK_STREAM)}
    for flags in (0, socket.AI_NUMERICHOST):
        with serving(loop, None, flags=flags) as service:
            assert {sock.getsockname()[0] for sock in service.server.sockets} <= expected


@requirement("servers.scope", MUST, cite=(SERVE, "socket: Socket families"), needs=("link-local",))
def test_the_zone_of_a_servers_host_is_kept(loop: Loop, patience: Patience) -> None:
    """A server is bound to an address that is local to a link with its zone, and so are its connections' names.

    If this fails: look for an address that is cut to host and port.
    """
    found = link_local()
    assert found
    with serving(loop, f"{found[0]}%{socket.if_indextoname(found[1])}") as service:
        name = service.address
        assert (name[0], name[3]) == found
        with dialled(name, socket.AF_INET6) as peer:
            transport = accepted(loop, patience, service).transport
            assert transport.get_extra_info("peername") == peer.getsockname()
            assert transport.get_extra_info("sockname") == name


@requirement("servers.cancelled-lookup", SHOULD, cite=(SERVE, "asyncio-task: Task.cancel"))
def test_a_server_whose_making_is_cancelled_does_not_listen(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    """create_server() that is cancelled while its host is looked up makes no server when the answer comes.

    If this fails: look for work that goes on in a task of its own.
    """
    port = free_port()
    release = block_lookups_of_names(monkeypatch, patience)

    async def main() -> None:
        making = asyncio.ensure_future(loop.create_server(asyncio.Protocol, "localhost", port))
        await turns(2)
        making.cancel()
        await turns(2)
        release.set()
        await asyncio.wait([making])
        if not making.cancelled():  # it did not have to ask
            making.result().close()
        await loop.getaddrinfo("localhost", port)  # until the answer was there
        await turns(10)

    try:
        loop.run_until_complete(main())
    finally:
        release.set()
    with pytest.raises(ConnectionRefusedError):
        dialled((LOCAL, port)).close()
