"""Chapter dns: getaddrinfo(), with numeric addresses and the name localhost only: nobody is asked."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.coroutines import call_only
from conformance.kit.patience import Patience
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
ASKS = "asyncio-eventloop: loop.getaddrinfo"
STREAM = socket.SOCK_STREAM


class Blocked(threading.Event):
    """Set to let lookups go on; `asked` says whether there was one."""

    asked = False


def block_lookups_of_names(monkeypatch: pytest.MonkeyPatch, patience: Patience) -> Blocked:
    """Let socket.getaddrinfo() hang for a name until the event is set; a loop with its own resolver never notices."""
    release = Blocked()
    real = socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "localhost":
            release.asked = True
            release.wait(patience.seconds / 4)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return release


@requirement("dns.getaddrinfo", MUST, cite=(ASKS, "socket: socket.getaddrinfo"))
@each(
    ("host", "port"),
    [
        ("127.0.0.1", 80),
        ("127.0.0.1", "80"),
        ("127.0.0.1", b"80"),
        ("127.0.0.1", "http"),
        ("127.0.0.1", "no such service"),
        (b"127.0.0.1", 80),
        ("\uff11\uff12\uff17.0.0.1", 80),
        ("localhost", 80),
        ("127.0.0.1", None),
        ("127.0.0.1", 0),
        (None, 80),
    ],
    ids=[
        "numeric",
        "text-port",
        "bytes-port",
        "service",
        "no-service",
        "bytes-host",
        "idna",
        "localhost",
        "no-port",
        "port-zero",
        "no-host",
    ],
)
def test_getaddrinfo_answers_as_socket_getaddrinfo_does(loop: Loop, host: Any, port: Any) -> None:
    """getaddrinfo(host, port) is an asynchronous version of socket.getaddrinfo(): same arguments, same answer or error.

    If this fails: look for a host or port converted on the way: bytes, None and ports as text are allowed.
    """
    try:
        expected = socket.getaddrinfo(host, port, type=STREAM)
    except socket.gaierror:
        with pytest.raises(socket.gaierror):
            loop.run_until_complete(loop.getaddrinfo(host, port, type=STREAM))
        return
    assert sorted(loop.run_until_complete(loop.getaddrinfo(host, port, type=STREAM))) == sorted(expected)


@requirement("dns.getaddrinfo-types", MUST, cite=(ASKS, "socket: socket.getaddrinfo"))
def test_getaddrinfo_gives_a_list_of_tuples(loop: Loop) -> None:
    """The answer is a list of 5-tuples (family, type, proto, canonname, sockaddr), whose last item is a tuple too.

    If this fails: look for addresses that are lists or objects of the loop's own, which socket.connect() refuses.
    """
    found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=STREAM))
    assert type(found) is list
    for entry in found:
        assert type(entry) is tuple
        family, kind, proto, canonname, sockaddr = entry
        assert all(isinstance(number, int) for number in (family, kind, proto))
        assert isinstance(canonname, str)
        assert type(sockaddr) is tuple
        assert [type(item) for item in sockaddr] == [str, int]


@requirement("dns.getaddrinfo-family", MUST, cite=ASKS)
def test_getaddrinfo_obeys_family(loop: Loop) -> None:
    """The keyword family limits the answer to one address family.

    If this fails: look for a hint that is filled in and never passed to the resolver.
    """
    found = loop.run_until_complete(loop.getaddrinfo(None, 80, family=socket.AF_INET, type=STREAM))
    assert {entry[0] for entry in found} == {socket.AF_INET}
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET6))


@requirement("dns.getaddrinfo-type", MUST, cite=ASKS)
def test_getaddrinfo_obeys_type(loop: Loop) -> None:
    """The keyword type limits the answer to one kind of socket.

    If this fails: look for a kind that is taken for granted, as SOCK_STREAM often is.
    """
    found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_DGRAM))
    assert {entry[1] for entry in found} == {socket.SOCK_DGRAM}
    found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80))
    assert {entry[1] for entry in found} >= {socket.SOCK_DGRAM, socket.SOCK_STREAM}


@requirement("dns.getaddrinfo-proto", MUST, cite=ASKS)
def test_getaddrinfo_obeys_proto(loop: Loop) -> None:
    """The keyword proto limits the answer to one protocol.

    If this fails: look for a hint that is overwritten by the protocol of the kind.
    """
    found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, proto=socket.IPPROTO_UDP))
    assert {entry[2] for entry in found} == {socket.IPPROTO_UDP}


@requirement("dns.getaddrinfo-flags", MUST, cite=ASKS)
def test_getaddrinfo_obeys_flags(loop: Loop) -> None:
    """The keyword flags is obeyed: AI_PASSIVE gives the wildcard, AI_NUMERICHOST and AI_NUMERICSERV refuse a name.

    If this fails: look for flags that are replaced instead of combined.
    """
    ask = loop.getaddrinfo(None, 80, family=socket.AF_INET, type=STREAM, flags=socket.AI_PASSIVE)
    assert {entry[4][0] for entry in loop.run_until_complete(ask)} == {"0.0.0.0"}
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.getaddrinfo("localhost", 80, flags=socket.AI_NUMERICHOST))
    with pytest.raises(socket.gaierror):
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", "http", flags=socket.AI_NUMERICSERV))


@requirement("dns.getaddrinfo-canonical-name", MUST, cite=(ASKS, "socket: socket.getaddrinfo"))
def test_getaddrinfo_gives_the_canonical_name_on_request(loop: Loop) -> None:
    """canonname is the canonical name of the host if flags has AI_CANONNAME, and an empty string otherwise.

    If this fails: look for None in place of a missing name, or for a name that is never read.
    """
    hints: dict[str, Any] = {"family": socket.AF_INET, "type": STREAM}
    plain = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, **hints))
    named = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80, flags=socket.AI_CANONNAME, **hints))
    assert plain[0][3] == ""
    assert named[0][3] == "127.0.0.1"


@requirement("dns.getaddrinfo-ipv6", MUST, cite=(ASKS, "socket: socket.getaddrinfo"), needs=("ipv6",))
def test_getaddrinfo_gives_ipv6_addresses_of_four_items(loop: Loop) -> None:
    """An AF_INET6 address is a 4-tuple (address, port, flowinfo, scope_id).

    If this fails: look for an address that was cut to host and port, and lost its scope.
    """
    found = loop.run_until_complete(loop.getaddrinfo("::1", 80, type=STREAM))
    assert [(entry[0], entry[4]) for entry in found] == [(socket.AF_INET6, ("::1", 80, 0, 0))]


@requirement("dns.getaddrinfo-keywords-only", MUST, cite=ASKS)
def test_the_hints_of_getaddrinfo_are_keywords_only(loop: Loop) -> None:
    """family, type, proto and flags are keyword-only.

    If this fails: look for a signature copied from socket.getaddrinfo(), which also takes them by position.
    """

    async def ask() -> None:
        await loop.getaddrinfo("127.0.0.1", 80, socket.AF_INET)  # type: ignore[call-arg]

    with pytest.raises(TypeError):
        loop.run_until_complete(ask())


@requirement("dns.getaddrinfo-error", MUST, cite=(ASKS, "socket: socket.gaierror"))
def test_getaddrinfo_raises_gaierror(loop: Loop) -> None:
    """What cannot be resolved raises socket.gaierror, with the resolver's error number.

    If this fails: look for a plain OSError, or a resolver's status that is used as errno.
    """
    try:
        socket.getaddrinfo("256.256.256.256", 80, flags=socket.AI_NUMERICHOST)
    except socket.gaierror as error:
        expected = error.errno
    with pytest.raises(socket.gaierror) as caught:
        loop.run_until_complete(loop.getaddrinfo("256.256.256.256", 80, flags=socket.AI_NUMERICHOST))
    assert caught.value.errno == expected


@requirement("dns.coroutines", MUST, cite="asyncio-eventloop: §DNS")
def test_both_methods_are_coroutines(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting with Python 3.7 both methods are coroutines, not functions that return a future.

    If this fails: look for a method that starts its work when it is called, and not when it is awaited.
    """
    asked: list[Any] = []
    for name, arguments in (("getaddrinfo", ("127.0.0.1", 80)), ("getnameinfo", (("127.0.0.1", 80),))):
        with monkeypatch.context() as patch:
            patch.setattr(socket, name, lambda *args, **_: asked.append(args))
            call_only(loop, functools.partial(getattr(loop, name), *arguments))
            loop.run_until_complete(loop.run_in_executor(None, int))  # behind a lookup that has begun
    assert asked == []


@requirement("dns.getaddrinfo-does-not-block", MUST, cite=(ASKS, "asyncio-dev: Running Blocking Code"))
def test_the_loop_runs_while_a_name_is_resolved(
    loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookup that takes its time does not block the loop: callbacks run while it is under way.

    If this fails: look for the system's resolver called in the thread of the loop.
    """
    release = block_lookups_of_names(monkeypatch, patience)
    trace: list[str] = []

    def ran() -> None:
        trace.append("ran")
        release.set()

    async def main() -> None:
        task = asyncio.ensure_future(loop.getaddrinfo("localhost", 80))
        task.add_done_callback(lambda _: trace.append("resolved"))
        loop.call_soon(loop.call_soon, ran)
        await task

    try:
        loop.run_until_complete(main())
    finally:
        release.set()
    assert trace[0] == "ran" or not release.asked  # what is known without asking may be told at once


@requirement("dns.getaddrinfo-cancelled", SHOULD, cite="asyncio-task: Task.cancel")
def test_a_lookup_can_be_cancelled(loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that waits for a lookup can be cancelled, alone; nothing is reported when the answer comes after that.

    If this fails: look for a completion that sets the result of a future that is already cancelled, for a task that
    waits for the resolver all the same, or for one lookup for all who ask the same.
    """
    release = block_lookups_of_names(monkeypatch, patience)

    async def main() -> None:
        task = asyncio.ensure_future(loop.getaddrinfo("localhost", 80))
        other = asyncio.ensure_future(loop.getaddrinfo("localhost", 80))
        await turns(2)
        if task.done() and not release.asked:
            return  # what is known without asking may be told at once
        task.cancel()
        for _ in range(300):  # turns, and fewer milliseconds than the lookup takes
            if not task.done():
                await asyncio.sleep(0.001)
        assert task.done()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        assert await other
        for _ in range(5):  # in the meantime the first answer comes
            assert await loop.getaddrinfo("localhost", 80)
            await turns(2)

    try:
        loop.run_until_complete(main())
    finally:
        release.set()


@requirement("dns.getaddrinfo-concurrent", MUST, cite=ASKS)
def test_lookups_under_way_at_once_get_their_own_answers(loop: Loop) -> None:
    """Lookups that are under way at the same time each get their own answer.

    If this fails: look for a request structure that is shared, or reused before its answer was read.
    """

    async def main() -> list[Any]:
        ask = [loop.getaddrinfo(f"127.0.0.{number}", 1000 + number, type=STREAM) for number in range(1, 30)]
        return await asyncio.gather(*ask)

    answers = loop.run_until_complete(main())
    assert [answer[0][4] for answer in answers] == [(f"127.0.0.{number}", 1000 + number) for number in range(1, 30)]


@requirement("dns.by-name", MUST, cite="asyncio-eventloop: loop.getaddrinfo")
def test_host_and_address_may_be_given_by_name(loop: Loop) -> None:
    """getaddrinfo() takes host and port by name, too, and getnameinfo() sockaddr and flags.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    found = loop.run_until_complete(loop.getaddrinfo(host="127.0.0.1", port=80, type=socket.SOCK_STREAM))
    assert found[0][4] == ("127.0.0.1", 80)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert loop.run_until_complete(loop.getnameinfo(sockaddr=("127.0.0.1", 80), flags=numeric)) == ("127.0.0.1", "80")
