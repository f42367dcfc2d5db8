"""Watchers of files that were closed before they were removed."""

from __future__ import annotations

import socket

import pytest

from reference_loop import new_event_loop


def test_a_closed_file_can_be_removed_unless_its_number_is_watched_again() -> None:
    loop = new_event_loop()
    left, right = socket.socketpair()
    number = left.fileno()
    loop.add_reader(left, print)
    loop.add_writer(left, print)
    left.close()
    assert loop.remove_reader(left)
    assert loop.remove_writer(left)
    other = socket.socket(fileno=socket.dup(right.fileno()))
    assert other.fileno() == number
    loop.add_reader(other, print)
    with pytest.raises(ValueError, match="closed"):
        loop.remove_reader(left)
    assert loop.remove_reader(other)
    loop.close()
    for sock in (right, other):
        sock.close()
