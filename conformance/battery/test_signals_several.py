"""Chapter signals: every signal, several handlers and loops, and handlers that change handlers."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Callable

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents
from conformance.kit.patience import Patience, turn
from conformance.kit.signals import send, send_later
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.loops import Factory
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2

pytestmark = pytest.mark.usefixtures("any_handlers")

# Not those that a fault of the process raises, nor those by which tools measure it.
_NAMES = [
    "SIGHUP", "SIGINT", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU",
    "SIGURG", "SIGWINCH", "SIGRTMIN", "SIGRTMAX",
]  # fmt: skip
_NUMBERS = {name: getattr(signal, name) for name in _NAMES if hasattr(signal, name)}


@requirement("signals.every-number", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@each("name", _NUMBERS)
def test_every_signal_can_be_handled(loop: Loop, patience: Patience, name: str) -> None:
    """The callback is the handler for the signal signum, whichever catchable one that is: real-time signals too.

    If this fails: look for a mask of 32 bits, or for a signal that the loop uses for itself.
    """
    calls: list[str] = []

    async def scenario() -> None:
        try:
            loop.add_signal_handler(_NUMBERS[name], calls.append, name)
        except RuntimeError:
            if name != "SIGCHLD":  # which a loop may need for itself, and then must say so
                raise
            calls.append(name)
            return
        send(_NUMBERS[name])
        await until(patience, lambda: calls, "the signal handler")
        assert loop.remove_signal_handler(_NUMBERS[name]) is True

    loop.run_until_complete(scenario())
    assert calls == [name]


class _Empty:
    """A callable that is false."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __len__(self) -> int:
        return 0

    def __call__(self, *args: object) -> None:
        self.calls.append(args)


@requirement("signals.any-callable", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_callable_that_is_false_is_a_callback(loop: Loop, patience: Patience) -> None:
    """Set callback as the handler, whatever object it is: one whose truth value is false, too.

    If this fails: look for a test of the callback's truth where one for None is meant.
    """
    callback = _Empty()

    async def scenario() -> None:
        loop.add_signal_handler(USR1, callback, 1)
        send()
        await until(patience, lambda: callback.calls, "the signal handler")
        assert loop.remove_signal_handler(USR1) is True

    loop.run_until_complete(scenario())
    assert callback.calls == [(1,)]


@requirement("signals.added-again", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_a_handler_can_be_added_after_a_removal(loop: Loop, patience: Patience) -> None:
    """A handler that is added after another was removed for the same signal is called.

    If this fails: look for a wake-up descriptor, or a mask, that is set up once.
    """
    calls: list[str] = []

    async def scenario() -> None:
        for name in ("first", "second", "third"):
            loop.add_signal_handler(USR1, calls.append, name)
            send()
            await until(patience, lambda name=name: name in calls, f"the {name} handler")  # type: ignore[misc]
            loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario())
    assert calls == ["first", "second", "third"]


@requirement("signals.others-stay", MUST, cite="asyncio-eventloop: loop.remove_signal_handler")
def test_removing_one_handler_leaves_the_others(loop: Loop) -> None:
    """Remove the handler for the sig signal, and for no other: that of another signal still wakes a loop that waits.

    If this fails: look for a wake-up descriptor that is given back before the last handler was removed.
    """

    async def scenario() -> None:
        arrived = loop.create_future()
        loop.add_signal_handler(USR1, arrived.set_result, None)
        loop.add_signal_handler(USR2, lambda: None)
        loop.remove_signal_handler(USR2)
        helper = in_thread(send_later)
        await arrived
        loop.remove_signal_handler(USR1)
        helper.result()

    loop.run_until_complete(scenario())


@requirement("signals.remove-foreign", MUST, cite="asyncio-eventloop: loop.remove_signal_handler")
def test_a_handler_that_the_loop_has_not_set_is_not_removed(loop: Loop) -> None:
    """Return False if no handler was set for the signal: one of signal.signal() stays what it is.

    If this fails: look for a signal whose default is restored before the loop looks whether the handler is its own.
    """

    def handler(*_: object) -> None:
        pass

    async def scenario() -> None:
        assert loop.remove_signal_handler(USR1) is False
        assert signal.getsignal(USR1) is handler

    before = signal.signal(USR1, handler)
    try:
        loop.run_until_complete(scenario())
    finally:
        signal.signal(USR1, before)


@requirement("signals.of-the-program", SHOULD, cite=("signal: signal.signal", "asyncio-eventloop: loop.close"))
@each("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, USR1])
@each("handled", [False, True])
def test_what_the_program_does_with_a_signal_stays(make_loop: Callable[[], Loop], number: int, handled: bool) -> None:
    """What signal.signal() has set for a signal stays set while a loop is made, runs and is closed.

    If this fails: look for a loop that sets or resets signals for which add_signal_handler() was not called, such as
    SIGINT at the end of each run.
    """

    def handler(*_: object) -> None:
        pass

    async def scenario() -> None:
        if handled:
            loop.add_signal_handler(USR2, lambda: None)
            loop.remove_signal_handler(USR2)
        seen.append(signal.getsignal(number))

    seen: list[object] = []
    before = signal.signal(number, handler)
    try:
        loop = make_loop()
        for _ in range(2):
            loop.run_until_complete(scenario())
            seen.append(signal.getsignal(number))
        loop.close()
        seen.append(signal.getsignal(number))
    finally:
        signal.signal(number, before)
    assert seen == [handler] * 5


@requirement("signals.close-other", SHOULD, cite="asyncio-eventloop: loop.close")
@each("when", ["made before", "made after"])
def test_closing_another_loop_leaves_the_handlers(loop: Loop, make_loop: Callable[[], Loop], when: str) -> None:
    """A loop that has no signal handlers, when it is made or closed, changes none: those of another are still called.

    If this fails: look for signals that are reset, or a wake-up descriptor that is taken away, whoever has set them.
    """

    async def scenario() -> None:
        arrived = loop.create_future()
        loop.add_signal_handler(USR1, arrived.set_result, None)
        if when == "made before":
            other.close()
        else:
            make_loop()
        helper = in_thread(send_later)
        await arrived
        loop.remove_signal_handler(USR1)
        helper.result()

    other = make_loop()
    turn(other)
    loop.run_until_complete(scenario())


@requirement("signals.inside", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
@pytest.mark.parametrize("what", ["remove", "replace", "again"])
def test_the_callback_may_change_its_own_handler(loop: Loop, patience: Patience, what: str) -> None:
    """The callback is allowed to interact with the loop: to remove or replace itself, or to raise its signal again.

    If this fails: look for a table that is written back after the call, or a mark that ignores what comes meanwhile.
    """
    trace: list[str] = []

    def first() -> None:
        trace.append("first")
        if what == "remove":
            assert loop.remove_signal_handler(USR1) is True
        elif what == "replace":
            loop.add_signal_handler(USR1, trace.append, "second")
        elif len(trace) == 1:
            send()

    async def scenario() -> None:
        loop.add_signal_handler(USR1, first)
        send()
        await until(patience, lambda: trace, "the first call")
        if what == "remove":
            assert loop.remove_signal_handler(USR1) is False
            return
        if what == "replace":
            send()
        await until(patience, lambda: len(trace) == 2, "the second call")
        loop.remove_signal_handler(USR1)

    loop.run_until_complete(scenario())
    assert trace == {"remove": ["first"], "replace": ["first", "second"], "again": ["first", "first"]}[what]


@requirement("signals.children", MUST, cite="asyncio-eventloop: loop.add_signal_handler")
def test_children_leave_the_handlers_alone(loop: Loop, patience: Patience) -> None:
    """Set callback as the handler, also while children run: that of SIGCHLD is called, and its removal hides no child.

    If this fails: look for handlers that are set anew, or reset, for a child: by a loop that needs SIGCHLD for itself.
    """
    calls: list[str] = []
    numbers = [signal.SIGWINCH, signal.SIGCHLD]  # which are ignored by default: no broken loop ends the process

    async def child(code: int) -> None:
        arguments = ("/bin/sh", "-c", f"exit {code}")
        transport, protocol = await loop.subprocess_exec(ChildEvents, *arguments, stdin=asyncio.subprocess.DEVNULL)
        await until(patience, lambda: protocol.lost, "the end of the child")
        transport.close()
        assert transport.get_returncode() == code

    async def scenario() -> None:
        loop.add_signal_handler(signal.SIGWINCH, calls.append, "SIGWINCH")
        try:
            loop.add_signal_handler(signal.SIGCHLD, calls.append, "SIGCHLD")
        except RuntimeError:  # a loop may need it for itself, and then must say so
            numbers.remove(signal.SIGCHLD)
        await child(3)
        send(signal.SIGWINCH)
        await until(patience, lambda: {number.name for number in numbers} <= set(calls), "the signal handlers")
        assert [loop.remove_signal_handler(number) for number in numbers] == [True] * len(numbers)
        await child(4)

    loop.run_until_complete(scenario())


@requirement(
    "signals.example-exit",
    MUST,
    cite=(
        "asyncio-eventloop: Set signal handlers for SIGINT and SIGTERM",
        "asyncio-runner: Handling Keyboard Interruption",
    ),
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_end_a_program(make_loop: Factory, name: str) -> None:
    """The handlers for SIGINT and SIGTERM that a program of asyncio.Runner sets are called, and may stop the loop.

    The Runner has a handler of its own for SIGINT, which gives way, and run() raises RuntimeError, as the program did
    not return.

    If this fails: look for a handler in Python that add_signal_handler() keeps.
    """
    calls: list[str] = []

    def ask_exit(signame: str, loop: Loop) -> None:
        calls.append(signame)
        loop.stop()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for signame in ("SIGINT", "SIGTERM"):
            loop.add_signal_handler(getattr(signal, signame), functools.partial(ask_exit, signame, loop))
        loop.call_soon(send, getattr(signal, name))
        await asyncio.sleep(3600)

    with pytest.raises(RuntimeError), asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert calls == [name]
