"""The waker, alone: its descriptor must be readable exactly while a wake-up is due."""

from __future__ import annotations

import contextlib
import select
import threading
from collections.abc import Iterator

import pytest

from reference_loop.waker import Waker


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


def is_awake(waker: Waker) -> bool:
    return bool(select.select([waker.fileno], [], [], 0)[0])


def test_it_sleeps_until_it_is_woken_and_again_after_draining(waker: Waker) -> None:
    assert not is_awake(waker)
    waker.wake()
    assert is_awake(waker)
    waker.drain()
    assert not is_awake(waker)
    waker.wake()
    assert is_awake(waker)


def test_waking_often_costs_one_byte(waker: Waker) -> None:
    for _ in range(1_000_000):
        waker.wake()
    assert len(waker._reader.recv(4096)) == 1


def test_draining_without_a_wake_up_does_not_block(waker: Waker) -> None:
    waker.drain()
    assert not is_awake(waker)


def test_bytes_of_signals_wake_and_are_drained(waker: Waker) -> None:
    waker._writer.send(b"\x0a" * 10_000)
    assert is_awake(waker)
    waker.drain()
    assert not is_awake(waker)


def test_a_full_pipe_is_no_error(waker: Waker) -> None:
    with contextlib.suppress(BlockingIOError):
        while waker._writer.send(b"\x0a" * 65536):
            pass
    waker.wake()
    assert is_awake(waker)
    waker.drain()
    waker.wake()
    assert is_awake(waker)


def test_waking_after_close_is_no_error() -> None:
    waker = Waker()
    waker.close()
    waker.wake()


def test_an_interrupted_wake_up_does_not_silence_later_ones(waker: Waker, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def send(self, data: bytes) -> int:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(waker, "_writer", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            waker.wake()
    waker.wake()
    assert is_awake(waker)


def test_an_interrupted_drain_does_not_silence_later_wake_ups(waker: Waker, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = waker._reader

    class Interrupted:
        def recv(self, size: int) -> bytes:
            reader.recv(size)
            raise KeyboardInterrupt

    waker.wake()
    with monkeypatch.context() as patch:
        patch.setattr(waker, "_reader", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            waker.drain()
    waker.wake()
    assert is_awake(waker)


def test_no_wake_up_is_lost_between_threads(waker: Waker) -> None:
    """Threads queue and wake; the sleeper drains and then looks: it must see every item without a timeout."""
    queue: list[int] = []
    total = 4 * 2000

    def produce() -> None:
        for item in range(2000):
            queue.append(item)
            waker.wake()

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = 0
    while seen < total:
        # The patience is generous: a lost wake-up makes this wait for ever, a slow machine does not.
        assert select.select([waker.fileno], [], [], 60)[0], f"asleep after {seen} of {total}"
        waker.drain()
        seen = len(queue)
    for thread in threads:
        thread.join()
