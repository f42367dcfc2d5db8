"""The fixtures of the battery: a fresh loop per test, and the watch that is kept over it.

They live here and not in the plugin so that the name `loop` does not leak into a consumer's own tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.patience import Patience
from conformance.loops import Factory, LoopSpec, new_loop
from conformance.trial import ANSWER, LEAKS_OF, PATIENCE, SCRATCH
from conformance.watch import Leaks, Snapshot, open_descriptors, say, settling

_ENDING_TURNS = 50
"""Turns, two milliseconds apart, that a loop may need to close the descriptors of transports that were aborted."""


@dataclass
class Watch:
    """What happens around the loops of one test. A test that provokes a thing tells its watch to allow it.

    `reported` are the contexts that the loop gave to its exception handler, `unraisable` the exceptions that Python
    could only print. Both fail the test, unless allowed, as do leaks beyond those that any loop of this kind leaves.
    """

    reported: list[dict[str, Any]] = field(default_factory=list)
    unraisable: list[BaseException | None] = field(default_factory=list)
    allowed: set[str] = field(default_factory=set)

    def allow(self, *kinds: str) -> None:
        """Let the test pass in spite of: "reported", "unraisable", or a kind of leak (see `conformance.watch`)."""
        self.allowed.update(kinds)


@pytest.fixture
def watch() -> Watch:
    """The watch over this test's loops."""
    return Watch()


@pytest.fixture
def any_handlers(watch: Watch) -> None:
    """The test may leave signal handlers: what remove_signal_handler() and close() put back is asked where they are."""
    watch.allow("signal")


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> Patience:
    """How long this test may wait for an event, in seconds; a failure to come is the loop's."""
    return Patience(request.config.stash[PATIENCE] / 2)


@pytest.fixture
def answer(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Record how the loop answers what the contract leaves open (level MAY)."""
    return lambda text: request.node.stash.setdefault(ANSWER, []).append(str(text))


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest) -> Path:
    """An empty directory. The run removes it: pytest's own waits for reports that a trial does not make."""
    return Path(tempfile.mkdtemp(dir=request.config.stash[SCRATCH]))


@pytest.fixture
def make_loop(request: pytest.FixtureRequest, loop_spec: LoopSpec, watch: Watch) -> Iterator[Factory]:
    """Make loops of the kind under test; each is closed at the end, if the test has not closed it."""
    made: list[asyncio.AbstractEventLoop] = []
    before = Snapshot.take()
    held = before.descriptors

    def make() -> asyncio.AbstractEventLoop:
        nonlocal held
        loop = new_loop(loop_spec)
        made.append(loop)
        if sys.flags.dev_mode:  # which nobody can unset, unlike the variable (see `conformance.trial.run`)
            with contextlib.suppress(NotImplementedError):
                loop.set_debug(False)
        held |= open_descriptors()
        return loop

    previous_hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: watch.unraisable.append(unraisable.exc_value)
    try:
        yield make
        for loop in made:
            if not loop.is_closed() and not loop.is_running():
                _let_it_finish(loop, held)
                loop.close()
    finally:
        sys.unraisablehook = previous_hook
    each = request.config.stash[LEAKS_OF][loop_spec.label]
    usual = {kind: count * len(made) for kind, count in each.items()}
    _complain(watch, before.leaks(usual, settle=settling(request.config.stash[PATIENCE])), usual)


@pytest.fixture
def loop(make_loop: Factory, watch: Watch) -> asyncio.AbstractEventLoop:
    """A new loop of the kind under test."""
    loop = make_loop()
    # If it is not implemented, that is one deviation, said once: by the requirement that speaks of it.
    with contextlib.suppress(NotImplementedError):
        loop.set_exception_handler(lambda _loop, context: watch.reported.append(context))
    return loop


def _let_it_finish(loop: asyncio.AbstractEventLoop, held: frozenset[int]) -> None:
    """Run the loop until nothing is open but what was `held` after it was made: transports may take time to end."""
    for _ in range(_ENDING_TURNS):  # and not a time, which passes on a busy machine before the loop has had its turns
        if not open_descriptors() - held:
            return
        with contextlib.suppress(Exception):  # it has ended the test; how it ends itself is asked elsewhere
            loop.run_until_complete(asyncio.sleep(0.002))


def _complain(watch: Watch, leaks: Leaks, usual: Leaks) -> None:
    if watch.reported and "reported" not in watch.allowed:
        context = watch.reported[0]
        pytest.fail(
            f"the loop called its exception handler: {context.get('message')!r}, {context.get('exception')!r}",
            pytrace=False,
        )
    if watch.unraisable and "unraisable" not in watch.allowed:
        pytest.fail(f"an exception was lost in the loop or a finalizer: {watch.unraisable[0]!r}", pytrace=False)
    new = {kind: count for kind, count in leaks.items() if count > usual.get(kind, 0) and kind not in watch.allowed}
    if new:
        pytest.fail(f"after loop.close(), the loop {say(new)}", pytrace=False)
