"""Chapter tcp: several addresses of one host: attempts in parallel, and what is said when all of them fail."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from typing import Any

import pytest

from conformance.battery.test_tcp_addresses import LONG, both_families
from conformance.kit.cases import each
from conformance.kit.connections import opened, silent_listener
from conformance.kit.lookups import Info, info_of, resolved_to, unless_elsewhere
from conformance.kit.patience import Patience
from conformance.kit.peers import free_port, listener
from conformance.kit.protocols import Events
from conformance.kit.waiting import assert_waits, until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
CONNECT = "asyncio-eventloop: loop.create_connection"


def failure(loop: Loop, host: str | None, port: int, **how: Any) -> Exception:
    """What create_connection() raises."""
    connect: Any = loop.create_connection  # its stub knows neither None for the host nor all_errors
    with pytest.raises(Exception) as caught:  # noqa: PT011 (its type is what the tests look at)
        loop.run_until_complete(connect(Events, host, port, **how))
    return caught.value


@requirement("tcp.connect-happy-eyeballs-delay", MUST, cite=CONNECT, needs=("ipv6",))
@each("answering", [True, False])
def test_happy_eyeballs_waits_for_the_delay(loop: Loop, answering: bool) -> None:
    """The next attempt does not start before the delay is over, whether or not the first address answers meanwhile.

    If this fails: look for attempts that are all started at once, or a delay in milliseconds.
    """
    with both_families() as (first, second):
        second.setblocking(False)
        family, port = first.family, first.getsockname()[1]

        def opening() -> Any:
            return loop.create_connection(Events, None, port, happy_eyeballs_delay=LONG)  # type: ignore[call-overload]

        if answering:
            with opened(loop, opening()) as (transport, _):
                assert transport.get_extra_info("peername") == first.getsockname()
        else:
            first.close()
            with silent_listener(family, port):
                connecting = loop.create_task(opening())
                loop.run_until_complete(asyncio.sleep(0.02))
                assert_waits(connecting)
                connecting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(connecting)
        with pytest.raises(BlockingIOError):
            second.accept()


@requirement("tcp.connect-happy-eyeballs-parallel", MUST, cite=CONNECT, needs=("ipv6",))
def test_an_attempt_goes_on_while_the_next_is_made(loop: Loop) -> None:
    """The delay starts the next attempt in parallel: the earlier one goes on, and is waited for if the next fails.

    If this fails: look for a delay that is taken for the time that an attempt may take.
    """
    with both_families() as (first, second):
        family, port = first.family, first.getsockname()[1]
        first.close()
        with silent_listener(family, port):
            second.close()
            opening = loop.create_connection(Events, None, port, happy_eyeballs_delay=0.002)  # type: ignore[call-overload]
            connecting = loop.create_task(opening)
            loop.run_until_complete(asyncio.sleep(0.05))
            assert_waits(connecting)
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(connecting)


@requirement("tcp.connect-all-errors-of-one", MUST, cite=(CONNECT, "whatsnew 3.12"), since="3.12")
@each("how", [{}, {"happy_eyeballs_delay": 0.001}])
def test_all_errors_raises_a_group_of_one(loop: Loop, how: dict[str, Any]) -> None:
    """With all_errors an ExceptionGroup is raised even if there is only one exception.

    If this fails: look for the shortcut that raises a single exception as it is, or for a failure to bind to local_addr
    that is raised before there is a list of errors.
    """
    group = failure(loop, "127.0.0.1", free_port(), all_errors=True, **how)
    assert isinstance(group, ExceptionGroup)
    (error,) = group.exceptions
    assert isinstance(error, ConnectionRefusedError)
    with listener() as listening, listener() as taken:
        host, port = listening.getsockname()
        group = failure(loop, host, port, all_errors=True, local_addr=taken.getsockname(), **how)
        assert isinstance(group, ExceptionGroup)
        assert {error.errno for error in group.exceptions if isinstance(error, OSError)} == {errno.EADDRINUSE}
        elsewhere = failure(loop, host, port, all_errors=True, local_addr=("192.0.2.1", 0), **how)
    # For documentation only (RFC 5737): no machine has it, and where one may bind to it, the connection fails.
    assert isinstance(elsewhere, ExceptionGroup)
    assert all(isinstance(error, OSError) for error in elsewhere.exceptions)


@requirement("tcp.connect-errors-combined", MUST, cite=(CONNECT, "whatsnew 3.12"), since="3.12", needs=("ipv6",))
@each("how", [{}, {"all_errors": False}, {"happy_eyeballs_delay": 0.001}])
def test_the_messages_of_several_errors_are_combined(loop: Loop, how: dict[str, Any]) -> None:
    """By default one exception is raised: the first, or, if messages differ, an OSError that combines the messages.

    If this fails: look for the last error, or the first, raised as if it were the only one.
    """
    port = free_port()
    group = failure(loop, None, port, **{**how, "all_errors": True})
    assert isinstance(group, ExceptionGroup)
    error = failure(loop, None, port, **how)
    assert isinstance(error, OSError)
    messages = {_without_numbers(each) for each in group.exceptions}
    assert [message for message in messages if message not in _without_numbers(error)] == []


def _without_numbers(error: BaseException) -> str:
    """What the system, or the loop, says of it: a port of this side, or a time, is another the next time."""
    return re.sub(r"\d+", "", getattr(error, "strerror", None) or str(error))


@requirement("tcp.connect-several", MUST, cite="asyncio-eventloop: loop.create_connection")
def test_connections_are_made_side_by_side(loop: Loop, patience: Patience) -> None:
    """create_connection() works in the background: one that is under way keeps no other from being made.

    If this fails: look for a lock, or a connecting socket, of which the loop has one.
    """

    async def scenario(silent: Any, address: Any) -> None:
        waiting = asyncio.ensure_future(loop.create_connection(Events, *silent))
        await asyncio.sleep(0.002)
        transport, protocol = await asyncio.wait_for(loop.create_connection(Events, *address), patience.seconds)
        assert not waiting.done()
        waiting.cancel()
        transport.abort()
        await asyncio.wait([waiting])
        await until(patience, lambda: protocol.lost, "connection_lost()")

    with silent_listener() as silent, listener() as listening:
        loop.run_until_complete(scenario(silent, listening.getsockname()))


@requirement("tcp.connect-happy-eyeballs-lookup", MUST, cite=CONNECT)
@each(
    "hints",
    [{"family": socket.AF_INET6}, {"proto": socket.IPPROTO_UDP}, {"flags": socket.AI_NUMERICHOST}],
)
def test_family_proto_and_flags_count_when_addresses_race(loop: Loop, hints: dict[str, Any]) -> None:
    """family, proto and flags are passed through to getaddrinfo(), with happy_eyeballs_delay as without.

    If this fails: look for a look-up of its own for each family, which is not told everything that was asked for.
    """
    with listener() as listening:
        port = listening.getsockname()[1]
        opening = loop.create_connection(Events, "localhost", port, happy_eyeballs_delay=10.0, **hints)
        with pytest.raises(OSError):  # noqa: PT011 (no message is part of the contract)
            loop.run_until_complete(opening)


@requirement("tcp.connect-happy-eyeballs-factory", MUST, cite=CONNECT)
def test_addresses_that_race_get_one_protocol(loop: Loop) -> None:
    """protocol_factory is called once for a connection, with happy_eyeballs_delay as without.

    If this fails: look for a protocol that is made for each attempt.
    """
    made: list[Events] = []

    def factory() -> Events:
        made.append(Events())
        return made[-1]

    with listener() as listening:
        opening = loop.create_connection(factory, *listening.getsockname(), happy_eyeballs_delay=10.0)
        with opened(loop, opening) as (_, protocol):
            assert made == [protocol]


@requirement(
    "tcp.connect-happy-eyeballs-eager",
    SHOULD,
    cite=(CONNECT, "asyncio-task: eager_task_factory", "gh-124309"),
    since="3.12",
    needs=("ipv6",),
)
@each("answering", [True, False])
def test_happy_eyeballs_with_eager_tasks(loop: Loop, answering: bool) -> None:
    """With an eager task factory set, too, happy_eyeballs_delay leads to a connection, or to what every address says.

    If this fails: look for attempts in tasks that are counted when create_task() returns: one may be over by then.
    """
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    if answering:
        with both_families() as listening:
            connect: Any = loop.create_connection  # its stub does not know None for the host
            opening = connect(Events, None, listening[0].getsockname()[1], happy_eyeballs_delay=0.01)
            with opened(loop, opening) as (transport, _):
                assert transport.get_extra_info("peername") in [sock.getsockname() for sock in listening]
    else:
        error = failure(loop, "127.0.0.1", free_port(), happy_eyeballs_delay=0.01)
        assert isinstance(error, ConnectionRefusedError)


@requirement("tcp.connect-errors-same", MUST, cite=(CONNECT, "whatsnew 3.12"), since="3.12")
@each("how", [{}, {"all_errors": False}, {"happy_eyeballs_delay": 0.001}])
def test_errors_with_the_same_message_are_the_first_of_them(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """By default a single exception is raised: the first one, as it is, if all errors have the same message.

    If this fails: look for errors that are combined whenever there are several: their class and number are lost.
    """
    refusing: Info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", free_port()))
    with resolved_to(monkeypatch, [refusing] * 3):
        group = failure(loop, "localhost", refusing[4][1], **{**how, "all_errors": True})
        error = failure(loop, "localhost", refusing[4][1], **how)
    assert isinstance(group, ExceptionGroup)
    if len({str(each) for each in group.exceptions}) == 1:  # as the loop says, or finds by a resolver of its own
        assert isinstance(error, ConnectionRefusedError)
        assert error.errno == errno.ECONNREFUSED


@requirement("tcp.connect-happy-eyeballs-each", MUST, cite=CONNECT)
def test_each_attempt_has_the_delay(loop: Loop, patience: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    """happy_eyeballs_delay is how long each attempt is waited for before the next one starts: the third one, too.

    If this fails: look for a race between two addresses only, or for all others that start as soon as the second does.
    """
    with silent_listener() as one, silent_listener() as two, listener() as three:

        def opening(first: Any, delay: float) -> Any:
            infos = [(*info_of(three)[:4], address) for address in (first, two, three.getsockname())]
            asked = stack.enter_context(resolved_to(monkeypatch, infos))
            stack.enter_context(unless_elsewhere(asked))
            connect = loop.create_connection(Events, "localhost", two[1], happy_eyeballs_delay=delay)
            return asyncio.wait_for(connect, patience.seconds)

        with contextlib.ExitStack() as stack, opened(loop, opening(one, 0.002)) as (transport, _):
            assert transport.get_extra_info("peername") == three.getsockname()
            three.accept()[0].close()
        with contextlib.ExitStack() as stack:
            refused = ("127.0.0.1", free_port())  # so that the second attempt, which is not answered, starts at once
            connecting = loop.create_task(opening(refused, LONG))
            loop.run_until_complete(loop.getaddrinfo("localhost", two[1]))  # behind its own look-up
            for _ in range(30):
                loop.run_until_complete(asyncio.sleep(0.001))
            assert_waits(connecting)
            connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(connecting)
        three.setblocking(False)
        with pytest.raises(BlockingIOError):
            three.accept()
