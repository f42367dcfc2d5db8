"""The poller, alone: real descriptors, no loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from reference_loop import poller as poller_module
from reference_loop.poller import Poller


class Slot:
    def __init__(self, name: str) -> None:
        self.name = name
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture(params=["native", "selectors"])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Poller[Slot]]:
    """The backend of this system, and the one that other systems use."""
    if request.param == "selectors":
        monkeypatch.setattr(poller_module, "_IN", poller_module._READ)
        monkeypatch.setattr(poller_module, "_OUT", poller_module._WRITE)
        monkeypatch.setattr(poller_module, "_Backend", poller_module._Selector)
    poller: Poller[Slot] = Poller()
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    yield left, right
    left.close()
    right.close()


Names = Callable[[], list[str]]


@pytest.fixture
def ready(poller: Poller[Slot]) -> Names:
    def names() -> list[str]:
        found: list[Slot] = []
        poller.poll(0, found.append)
        return [slot.name for slot in found]

    return names


Pair = tuple[socket.socket, socket.socket]


def test_a_reader_is_delivered_while_there_is_something_to_read(poller: Poller[Slot], ready: Names, pair: Pair) -> None:
    left, right = pair
    poller.set_reader(left.fileno(), Slot("reader"))
    assert ready() == []
    right.send(b"x")
    assert ready() == ["reader"]
    assert ready() == ["reader"]
    left.recv(1)
    assert ready() == []


def test_reader_and_writer_of_one_descriptor_are_independent(poller: Poller[Slot], ready: Names, pair: Pair) -> None:
    left, right = pair
    fd = left.fileno()
    poller.set_reader(fd, Slot("reader"))
    poller.set_writer(fd, Slot("writer"))
    assert ready() == ["writer"]
    right.send(b"x")
    assert ready() == ["reader", "writer"]
    assert poller.remove_writer(fd)
    assert ready() == ["reader"]
    poller.set_writer(fd, Slot("writer"))
    assert poller.remove_reader(fd)
    assert ready() == ["writer"]


def test_what_is_replaced_or_removed_is_cancelled(poller: Poller[Slot], ready: Names, pair: Pair) -> None:
    left, right = pair
    first, second = Slot("first"), Slot("second")
    right.send(b"x")
    poller.set_reader(left.fileno(), first)
    poller.set_reader(left.fileno(), second)
    assert first.cancelled
    assert not second.cancelled
    assert ready() == ["second"]
    assert poller.remove_reader(left.fileno())
    assert second.cancelled
    assert ready() == []


def test_removing_says_whether_there_was_something(poller: Poller[Slot], pair: Pair) -> None:
    fd = pair[0].fileno()
    assert not poller.remove_reader(fd)
    assert not poller.remove_writer(fd)
    poller.set_reader(fd, Slot("reader"))
    assert not poller.remove_writer(fd)
    assert poller.remove_reader(fd)
    assert not poller.remove_reader(fd)


def test_a_hang_up_wakes_reader_and_writer(poller: Poller[Slot], ready: Names, pair: Pair) -> None:
    left, right = pair
    poller.set_reader(left.fileno(), Slot("reader"))
    poller.set_writer(left.fileno(), Slot("writer"))
    right.close()
    assert ready() == ["reader", "writer"]


def test_a_hang_up_of_a_pipe_wakes_its_writer(poller: Poller[Slot], ready: Names) -> None:
    reading, writing = os.pipe()
    try:
        poller.set_writer(writing, Slot("writer"))
        os.close(reading)
        assert ready() == ["writer"]
    finally:
        os.close(writing)


def test_a_number_that_was_closed_behind_our_back_can_be_watched_again(
    poller: Poller[Slot], ready: Names, pair: Pair
) -> None:
    left, right = pair
    reading, writing = os.pipe()
    poller.set_reader(reading, Slot("stale"))
    os.close(reading)
    os.close(writing)
    os.dup2(left.fileno(), reading)
    try:
        poller.set_reader(reading, Slot("fresh"))
        right.send(b"x")
        assert ready() == ["fresh"]
        poller.remove_reader(reading)
    finally:
        os.close(reading)


def test_removing_after_closing_is_no_error(poller: Poller[Slot], ready: Names) -> None:
    reading, writing = os.pipe()
    poller.set_reader(reading, Slot("reader"))
    os.close(reading)
    assert poller.remove_reader(reading)
    os.close(writing)
    assert ready() == []


def test_a_failed_registration_leaves_the_slot_empty(poller: Poller[Slot], pair: Pair) -> None:
    fd = os.dup(pair[0].fileno())
    os.close(fd)
    with pytest.raises(OSError, match=r"Bad file descriptor"):
        poller.set_reader(fd, Slot("reader"))
    assert not poller.remove_reader(fd)


def test_many_ready_descriptors_all_get_their_turn(poller: Poller[Slot], ready: Names) -> None:
    pairs = [socket.socketpair() for _ in range(100)]
    try:
        for index, (left, right) in enumerate(pairs):
            poller.set_reader(left.fileno(), Slot(str(index)))
            right.send(b"x")
        seen: set[str] = set()
        while len(seen) < len(pairs):
            found = ready()
            assert found
            seen.update(found)
    finally:
        for left, right in pairs:
            poller.remove_reader(left.fileno())
            left.close()
            right.close()


def test_close_is_idempotent_and_forgets_the_slots(poller: Poller[Slot], pair: Pair) -> None:
    poller.set_reader(pair[0].fileno(), Slot("reader"))
    poller.close()
    poller.close()
    assert not poller.remove_reader(pair[0].fileno())
