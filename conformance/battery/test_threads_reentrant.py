"""Chapter threads: call_soon_threadsafe() where it may interrupt itself, or the loop: in finalizers and handlers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


class _Held:
    """What a callback gets as an argument, and refers to itself if it is to be garbage."""

    cycle: object = None


@requirement("threads.reentrant", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("caller", ["the loop's thread", "another thread"])
@each("released", ["cancelled", "called", "dropped by close()"])
def test_what_lets_go_of_a_call_may_make_another(
    make_loop: Factory, patience: Patience, caller: str, released: str
) -> None:
    """This function is safe to be called from a reentrant context: by a finalizer of what a call has held.

    If this fails: look for a lock, or a borrowed queue, that is held while the loop takes the calls of threads from it,
    and drops those that were cancelled, or are over.
    """
    loop = make_loop()
    made: list[int] = []
    calls: list[int] = []
    alive = []

    def finalize(number: int) -> None:
        made.append(number)
        with contextlib.suppress(RuntimeError):  # if the loop is closed, or about to be
            loop.call_soon_threadsafe(calls.append, number)

    def schedule() -> None:
        for number in range(5):
            held = _Held()
            alive.append(weakref.finalize(held, finalize, number))
            handle = loop.call_soon_threadsafe(lambda _: None, held)
            if released == "cancelled":
                handle.cancel()

    loop.call_soon(schedule if caller == "the loop's thread" else lambda: in_thread(schedule).result())
    turn(loop)
    if released == "dropped by close()":
        loop.close()
        return
    gc.collect()
    patience.run_until(loop, lambda: len(calls) >= 5, "what the finalizers have scheduled")
    assert sorted(calls) == sorted(made) == list(range(5))


@requirement("threads.reentrant-collection", MUST, cite="asyncio-eventloop: loop.call_soon_threadsafe")
@each("caller", ["the loop's thread", "another thread"])
@each("running", [False, True])
def test_the_garbage_collector_may_come_between(loop: Loop, patience: Patience, caller: str, running: bool) -> None:
    """This function is safe to be called from a reentrant context: by finalizers that run while it makes its handle.

    If this fails: look for a lock that is not re-entrant, and held while something is made of which Python keeps count:
    the garbage collector may run then, and with it anybody's __del__().
    """
    made: list[str] = []
    calls: list[str] = []

    class Garbage(_Held):
        def __del__(self) -> None:
            if not over:
                made.append("finalizer")
                loop.call_soon_threadsafe(calls.append, "finalizer")

    def work() -> None:
        for _ in range(100):
            garbage = Garbage()
            garbage.cycle = garbage
            del garbage
            made.append("caller")
            loop.call_soon_threadsafe(calls.append, "caller")

    over = False
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        run = work if caller == "the loop's thread" else lambda: in_thread(work).result()
        if running:
            loop.call_soon(run)
            turn(loop)
        else:
            run()
    finally:
        gc.set_threshold(*before)
        gc.collect()
        over = True
    patience.run_until(loop, lambda: len(calls) >= len(made), "the last callback")
    assert sorted(calls) == sorted(made)
