"""What a loop does with the signals, and the wakeup descriptor, of others."""

from __future__ import annotations

import signal
import socket

from reference_loop import new_event_loop


def test_a_handler_that_was_put_over_the_loops_for_a_while_does_not_silence_it() -> None:
    loop = new_event_loop()
    found: list[str] = []
    loop.add_signal_handler(signal.SIGUSR1, found.append, "loop")
    signal.raise_signal(signal.SIGUSR1)  # noted by its byte after the other handler is there, and not twice
    ours = signal.signal(signal.SIGUSR1, lambda signum, frame: found.append("other"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert found == ["loop"]
    signal.raise_signal(signal.SIGUSR1)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert found == ["loop", "other", "loop"]
    signal.signal(signal.SIGUSR1, ours)
    signal.raise_signal(signal.SIGUSR1)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert found == ["loop", "other", "loop", "loop"]
    assert loop.remove_signal_handler(signal.SIGUSR1)
    loop.close()


def test_a_wakeup_descriptor_is_not_put_back_when_its_number_is_another_file() -> None:
    theirs, other = socket.socketpair()
    theirs.setblocking(False)
    with other:
        before = signal.set_wakeup_fd(theirs.fileno())
        try:
            loop = new_event_loop()
            loop.add_signal_handler(signal.SIGUSR1, print)
            number = theirs.fileno()
            theirs.close()
            strangers = [half for _ in range(4) for half in socket.socketpair()]
            assert number in {stranger.fileno() for stranger in strangers}
            for stranger in strangers:
                stranger.setblocking(False)
            loop.close()
            assert signal.set_wakeup_fd(-1) == -1
            for stranger in strangers:
                stranger.close()
        finally:
            signal.set_wakeup_fd(before)


def test_a_wakeup_descriptor_that_is_still_its_owners_is_put_back() -> None:
    theirs, other = socket.socketpair()
    theirs.setblocking(False)
    with theirs, other:
        before = signal.set_wakeup_fd(theirs.fileno())
        try:
            loop = new_event_loop()
            loop.add_signal_handler(signal.SIGUSR1, print)
            assert loop.remove_signal_handler(signal.SIGUSR1)
            assert signal.set_wakeup_fd(-1) == theirs.fileno()
            loop.close()
        finally:
            signal.set_wakeup_fd(before)
