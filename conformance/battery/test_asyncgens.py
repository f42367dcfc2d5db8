"""Chapter asyncgens: the hooks of a loop for asynchronous generators, and the register that they keep."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

import pytest

from conformance.kit.generators import count
from conformance.kit.patience import turn
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop


@requirement("asyncgens.hooks", MUST, cite="PEP 525: Finalization")
@pytest.mark.parametrize("hook", ["firstiter", "finalizer"])
def test_the_hooks_are_set_while_the_loop_runs(loop: Loop, hook: str) -> None:
    """While the loop runs, both hooks for asynchronous generators are set in its thread: firstiter and finalizer.

    If this fails: look for sys.set_asyncgen_hooks(), to be called each time when the loop starts, and not with what
    the hooks are when the loop is made, or when it ran before.
    """
    seen: list[Any] = []
    for _ in range(3):
        loop.call_soon(lambda: seen.append(getattr(sys.get_asyncgen_hooks(), hook)))
        turn(loop)
    assert [callable(found) for found in seen] == [True] * 3


@requirement("asyncgens.hooks-while-running", MUST, cite="PEP 525: Finalization")
def test_a_loop_that_does_not_run_sets_no_hooks(make_loop: Factory) -> None:
    """A loop that was made and does not run leaves the hooks of its thread alone.

    If this fails: look for hooks that are set when the loop is made, or by a run that is refused as it is closed.
    """
    before = tuple(sys.get_asyncgen_hooks())
    loop = make_loop()
    assert tuple(sys.get_asyncgen_hooks()) == before
    turn(loop)
    assert tuple(sys.get_asyncgen_hooks()) == before
    loop.close()
    with pytest.raises(RuntimeError):
        loop.run_forever()
    assert tuple(sys.get_asyncgen_hooks()) == before


@requirement("asyncgens.hooks-restored", MUST, cite="PEP 525: Finalization")
@pytest.mark.parametrize("ending", ["stop", "future", "exception"])
def test_the_hooks_are_given_back(loop: Loop, ending: str) -> None:
    """When the loop stops, however it does, the hooks are again those that were set before it ran.

    If this fails: look for hooks set to None, or given back on one of the ways out only.
    """

    def firstiter(_generator: object) -> None:
        """The hook of somebody else."""

    def finalizer(_generator: object) -> None:
        """The hook of somebody else."""

    mine = (firstiter, finalizer)
    before = sys.get_asyncgen_hooks()
    turn(loop)  # with other hooks, which are not those of the next run
    sys.set_asyncgen_hooks(*mine)
    try:
        if ending == "future":
            loop.run_until_complete(asyncio.sleep(0))
        elif ending == "exception":
            loop.call_soon(raising(SystemExit()))
            with pytest.raises(SystemExit):
                loop.run_forever()
        else:
            turn(loop)
        assert tuple(sys.get_asyncgen_hooks()) == mine
    finally:
        sys.set_asyncgen_hooks(*before)


@requirement("asyncgens.hooks-per-thread", MUST, cite="sys: sys.set_asyncgen_hooks")
def test_the_hooks_are_those_of_the_thread_that_runs_the_loop(loop: Loop, make_loop: Factory) -> None:
    """The hooks are set in the thread that runs the loop, and no other thread's are touched.

    If this fails: look for hooks that are set where the loop was made.
    """
    seen: list[Any] = []

    def run(loop: Loop) -> None:
        loop.call_soon(lambda: seen.append(tuple(sys.get_asyncgen_hooks())))
        turn(loop)

    def work() -> Any:
        try:
            run(loop)
        except RuntimeError:  # it may be that of the thread that made it
            own = make_loop()
            run(own)
            own.close()
        return tuple(sys.get_asyncgen_hooks())

    assert in_thread(work).result() == (None, None)
    assert all(map(callable, seen[0]))
    assert tuple(sys.get_asyncgen_hooks()) == (None, None)


@requirement("asyncgens.not-kept", MUST, cite="PEP 525: Finalization")
def test_the_loop_does_not_keep_generators_alive(loop: Loop) -> None:
    """The loop maintains a weak set of generators: one that has ended and that nobody holds is gone.

    If this fails: look for strong references in the register of generators.
    """
    trace: list[str] = []

    async def main() -> weakref.ref[Any]:
        generator = count(trace)
        async for _ in generator:
            pass
        return weakref.ref(generator)

    gone = loop.run_until_complete(main())
    turn(loop)
    gc.collect()
    assert gone() is None
    assert trace == ["closed"]
