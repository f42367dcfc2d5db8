"""Chapter resources: loops and os.fork(): what a child may do, and what the parent must not notice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from conformance.kit.forks import forked
from conformance.kit.patience import Patience, turn
from conformance.kit.threads import in_thread
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
MakeLoop = Callable[[], Loop]
FORK = "gh-66285"

# Forking in a process with threads warns since 3.12; a loop may have threads of its own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def running_loop() -> str:
    """What get_running_loop() says."""
    try:
        return "running" if asyncio.get_running_loop() else "nothing"
    except RuntimeError:
        return "no running loop"


def inside(loop: Loop, work: Callable[[], Any]) -> Any:
    """What `work` returns inside a coroutine of the loop."""

    async def main() -> Any:
        return work()

    return loop.run_until_complete(main())


@requirement("resources.fork-not-running", MUST, cite=("asyncio-eventloop: get_running_loop", FORK), needs=("fork",))
def test_a_forked_child_has_no_running_loop(loop: Loop, patience: Patience) -> None:
    """In a child that is forked while a loop runs, no loop is running: get_running_loop() raises RuntimeError.

    If this fails: look for a marker of the running loop that does not know its process.
    """
    assert inside(loop, lambda: forked(patience, running_loop)) == "no running loop"


@requirement("resources.fork-still-running", MUST, cite="asyncio-eventloop: get_running_loop", needs=("fork",))
def test_the_parent_goes_on_running(loop: Loop, patience: Patience) -> None:
    """In the parent, the loop is still the running loop after a fork.

    If this fails: look for a marker that is cleared on both sides of the fork.
    """

    async def main() -> bool:
        forked(patience, str)
        return asyncio.get_running_loop() is loop

    assert loop.run_until_complete(main()) is True


@requirement("resources.fork-new-loop", SHOULD, cite=FORK, needs=("fork",))
@pytest.mark.parametrize("running", [False, True])
def test_a_forked_child_runs_a_loop_of_its_own(
    loop: Loop, make_loop: MakeLoop, patience: Patience, running: bool
) -> None:
    """A forked child can make a new loop, run it with timers, threads and descriptors, and close it.

    If this fails: look for state of the module, as a thread or a ring, that a fork does not copy.
    """

    async def main() -> str:
        loop = asyncio.get_running_loop()
        ours, peer = socket.socketpair()
        with ours, peer:
            ours.setblocking(False)
            receiving = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0.001)
            await loop.run_in_executor(None, peer.send, b"data")
            return (await receiving).decode()

    def child() -> str:
        new = make_loop()
        said: str = new.run_until_complete(main())
        new.close()
        return said

    def fork() -> str:
        return forked(patience, child)

    loop.run_until_complete(asyncio.sleep(0))
    assert (inside(loop, fork) if running else fork()) == "data"


@requirement("resources.fork-parent-events", SHOULD, cite=FORK, needs=("fork",))
def test_the_parent_does_not_notice_the_loop_of_its_child(loop: Loop, make_loop: MakeLoop, patience: Patience) -> None:
    """What a forked child does with a loop of its own, and its end, changes nothing for the loop of the parent.

    If this fails: look for a poller that both use, or a wake-up that reaches the other process.
    """
    seen: list[bytes] = []
    ours, peer = socket.socketpair()
    with ours, peer:
        loop.add_reader(ours, lambda: seen.append(ours.recv(10)))
        turn(loop, 2)

        def child() -> str:
            new = make_loop()
            new.add_reader(peer, str)
            new.call_soon_threadsafe(new.call_later, 0.001, new.stop)
            new.run_forever()
            new.remove_reader(peer)
            new.close()
            return "closed"

        assert inside(loop, lambda: forked(patience, child)) == "closed"
        for data in (b"one", b"two"):
            peer.send(data)
            patience.run_until(loop, lambda: seen[-1:] == [data], "the data")  # noqa: B023 (called at once)
        loop.remove_reader(ours)
    assert seen == [b"one", b"two"]


@requirement("resources.fork-signals", SHOULD, cite=FORK, since="3.12", needs=("fork",))
def test_a_signal_of_the_child_does_not_reach_the_parent(loop: Loop, patience: Patience, watch: Any) -> None:
    """A signal that a forked child gets does not call the handlers of the parent's loop.

    If this fails: look for a wake-up descriptor that the child shares with its parent.
    """
    watch.allow("signal")  # what remove_signal_handler() puts back is not the subject
    seen: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    turn(loop, 2)

    def child() -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return "alive"

    assert inside(loop, lambda: forked(patience, child)) == "alive"
    turn(loop, 5)
    assert seen == []
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    patience.run_until(loop, lambda: seen, "the parent's own signal")
    assert seen == [1]
    loop.remove_signal_handler(signal.SIGUSR1)


@requirement("resources.fork-from-thread", SHOULD, cite=("uvloop#452", FORK), needs=("fork",))
def test_a_child_of_another_thread_handles_signals(loop: Loop, make_loop: MakeLoop, patience: Patience) -> None:
    """The thread that forks is the main thread of the child, also if it is another one here: a loop of the child's,
    which runs there, handles signals.

    If this fails: look for the main thread's number that is asked for once, and not again after a fork.
    """
    loop.run_until_complete(asyncio.sleep(0))

    def child() -> str:
        new = make_loop()
        new.add_signal_handler(signal.SIGUSR1, new.stop)
        new.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        new.run_forever()
        new.close()
        return "handled"

    assert in_thread(lambda: forked(patience, child)).result(2 * patience.seconds) == "handled"
