"""Chapter debug: debug mode, how it is turned on and what it tells.

What debug mode refuses to other threads is in the chapter threads.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.coroutines import failing
from conformance.kit.logs import logged
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.loops import LoopSpec
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
_VARIABLE = "PYTHONASYNCIODEBUG"


@requirement("debug.default", MUST, cite="asyncio-eventloop: loop.get_debug")
def test_the_environment_decides(loop_spec: LoopSpec, patience: Patience) -> None:
    """The default is True if the environment variable PYTHONASYNCIODEBUG is set to a non-empty string, else False.

    If this fails: look for a variable that is not read, or read as a number.
    """
    values = (None, "", "0", " ", "false")
    started = [_started(loop_spec, **({} if value is None else {_VARIABLE: value})) for value in values]
    said = [_debug_is(process, patience) for process in started]
    assert dict(zip(values, said, strict=True)) == {value: str(bool(value)) for value in values}


def _started(loop_spec: LoopSpec, *options: str, **variables: str) -> subprocess.Popen[str]:
    """A Python that prints what get_debug() says of a new loop; a loop may keep what it is told at the start.

    Those of a test are started together: one after the other they would take long where others work, too.
    """
    code = """if True:
        import sys
        sys.path[:] = sys.argv[2:]
        from conformance.loops import new_loop, parse_spec
        loop = new_loop(parse_spec(sys.argv[1]))
        print("debug is", loop.get_debug())
        loop.close()
    """
    environment = {key: value for key, value in os.environ.items() if key not in {_VARIABLE, "PYTHONDEVMODE"}}
    return subprocess.Popen(
        [sys.executable, *options, "-W", "ignore", "-c", code, str(loop_spec), *sys.path],
        env=environment | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _debug_is(process: subprocess.Popen[str], patience: Patience) -> str:
    said, complaints = process.communicate(timeout=max(30, 2 * patience.seconds))
    assert "debug is" in said, complaints[-500:]
    return said.split()[-1]


@requirement("debug.dev-mode", MUST, cite="asyncio-eventloop: loop.set_debug")
def test_the_development_mode_enables_debug_mode(loop_spec: LoopSpec, patience: Patience) -> None:
    """The Python Development Mode (-X dev) enables debug mode.

    If this fails: look for sys.flags.dev_mode, which is to be asked when a loop is made: PYTHONDEVMODE sets it, too.
    """
    started = {
        "option": _started(loop_spec, "-X", "dev"),
        "variable": _started(loop_spec, PYTHONDEVMODE="1"),
    }
    assert {way: _debug_is(process, patience) for way, process in started.items()} == dict.fromkeys(started, "True")


@requirement("debug.environment-ignored", SHOULD, cite=("sys: sys.flags", "asyncio-eventloop: loop.get_debug"))
def test_a_python_that_ignores_its_environment_is_in_no_debug_mode(loop_spec: LoopSpec, patience: Patience) -> None:
    """With the option -E Python ignores the variables of its environment: PYTHONASYNCIODEBUG has no effect.

    If this fails: look for os.environ, which is read although sys.flags.ignore_environment is set.
    """
    assert _debug_is(_started(loop_spec, "-E", **{_VARIABLE: "1"}), patience) == "False"


@requirement("debug.set", MUST, cite="asyncio-eventloop: loop.set_debug")
def test_set_debug_sets_the_mode(loop: Loop) -> None:
    """set_debug() sets the debug mode of the loop, and get_debug() returns it as a bool; also while the loop runs.

    If this fails: look for a mode that is fixed when the loop is made, or when it starts.
    """
    seen: list[bool] = []

    def callback(enabled: bool) -> None:
        loop.set_debug(enabled)
        seen.append(loop.get_debug())

    for enabled in (True, False, True):
        callback(enabled)
        loop.call_soon(callback, not enabled)
        turn(loop)
        seen.append(loop.get_debug())
    assert seen == [True, False, False, False, True, True, True, False, False]
    loop.set_debug(True)
    loop.run_until_complete(asyncio.sleep(0))
    assert loop.get_debug() is in_thread(loop.get_debug).result() is True
    assert {type(each) for each in seen} == {bool}


@requirement("debug.per-loop", MUST, cite="asyncio-eventloop: loop.set_debug")
def test_the_mode_is_that_of_one_loop(make_loop: Callable[[], Loop]) -> None:
    """The debug mode is that of the loop: other loops keep theirs.

    If this fails: look for a mode kept per process.
    """
    loop, other = make_loop(), make_loop()
    before = other.get_debug()
    loop.set_debug(not before)
    assert other.get_debug() is before


@requirement("debug.future-traceback", MUST, cite="asyncio-dev: Detect never-retrieved exceptions")
@each("kind", ["future", "task"])
def test_lost_exceptions_tell_where_their_future_was_made(loop: Loop, kind: str) -> None:
    """In debug mode the report of an exception that nobody retrieved has the traceback of where it was created.

    If this fails: look for create_future() and create_task() of the loop: the caller must be in the traceback.
    """

    loop.set_debug(True)
    loop.slow_callback_duration = 3600.0  # on a busy machine any callback may be slow, and records are counted
    loop.set_exception_handler(None)
    with logged() as records:
        if kind == "future":
            future: asyncio.Future[None] = loop.create_future()
            future.set_exception(LookupError())
        else:
            future = loop.create_task(failing())  # not one of this function, whose name a task shows
            loop.run_until_complete(asyncio.wait([future]))
        del future
        turn(loop, 2)
        gc.collect()
    assert len(records) == 1
    assert "test_lost_exceptions_tell_where" in records[0].getMessage()


@requirement("debug.handle-traceback", SHOULD, cite="asyncio-eventloop: loop.call_exception_handler")
def test_the_report_of_a_callback_tells_who_scheduled_it(loop: Loop, patience: Patience) -> None:
    """In debug mode the context of a callback that raised has the key source_traceback: where it was scheduled.

    If this fails: look for handles that keep no traceback.
    """
    seen: list[dict[str, Any]] = []
    loop.set_debug(True)
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    fail = raising(LookupError())
    loop.call_soon(fail)
    loop.call_soon_threadsafe(fail)
    loop.call_later(0.001, fail)
    loop.call_at(loop.time(), fail)
    patience.run_until(loop, lambda: len(seen) == 4, "the reports")
    for context in seen:
        names = [frame.name for frame in context.get("source_traceback") or ()]
        assert "test_the_report_of_a_callback_tells_who_scheduled_it" in names


@requirement("debug.source-traceback", SHOULD, cite=("PEP 3156: Exceptions", "PEP 3156: Debug Mode"))
@each("kind", ["pending task", "failed task", "failed future"])
def test_the_report_of_an_object_tells_who_made_it(loop: Loop, patience: Patience, kind: str) -> None:
    """In debug mode the context of a task that was collected while pending, or of an exception that nobody retrieved,
    has the key source_traceback: the stack where the task, or the future, was created.

    If this fails: look for tasks or futures of the loop's own that note it down for one kind of report only.
    """
    seen: list[dict[str, Any]] = []
    loop.set_debug(True)
    loop.slow_callback_duration = 3600.0  # on a busy machine any callback may be slow
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    if kind == "failed future":
        future: asyncio.Future[None] = loop.create_future()
        future.set_exception(LookupError())
    else:
        future = loop.create_task(failing() if kind == "failed task" else _wait_for_nothing(loop))
        turn(loop, 3)
    del future
    gc.collect()
    patience.in_turns.run_until(loop, lambda: seen, "the report")
    names = [frame.name for frame in seen[0].get("source_traceback") or ()]
    assert "test_the_report_of_an_object_tells_who_made_it" in names


async def _wait_for_nothing(loop: Loop) -> None:
    await loop.create_future()


@requirement("debug.threadsafe", MUST, cite="asyncio-dev: Debug Mode")
def test_call_soon_threadsafe_is_allowed_in_debug_mode(loop: Loop, patience: Patience) -> None:
    """In debug mode call_soon_threadsafe() may be called from any thread as ever.

    If this fails: look for a check of the thread in code that both kinds of call share, be it while the loop does not
    run.
    """
    trace: list[str] = []

    async def main() -> None:
        helper = in_thread(lambda: loop.call_soon_threadsafe(trace.append, "called"))
        await until(patience, lambda: len(trace) == 2 and not helper.is_alive(), "the callback")
        helper.result()

    loop.set_debug(True)
    in_thread(lambda: loop.call_soon_threadsafe(trace.append, "called before the run")).result()
    loop.run_until_complete(main())
    assert trace == ["called before the run", "called"]


@requirement("debug.by-name", MUST, cite="asyncio-eventloop: loop.set_debug")
def test_the_mode_may_be_given_by_name(loop: Loop) -> None:
    """set_debug() takes its documented parameter enabled by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    loop.set_debug(enabled=True)
    assert loop.get_debug()
