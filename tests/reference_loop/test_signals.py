"""Signals for which somebody else has set a handler over the loop's."""

from __future__ import annotations

import signal

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
