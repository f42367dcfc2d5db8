"""Chapter runner: asyncio.Runner and asyncio.run() over the loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from conformance.kit.threads import in_thread
from conformance.loops import Factory
from conformance.requirement import MUST, requirement

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="default")


async def _value() -> str:
    await asyncio.sleep(0)
    return "value"


@requirement("runner.run", MUST, cite="asyncio-runner: run", since="3.12")
def test_asyncio_run_takes_a_loop_factory(make_loop: Factory) -> None:
    """asyncio.run(coro, loop_factory=…) executes the coroutine on a loop of the factory and returns the result.

    If this fails: look for a factory that needs arguments, or a loop that another function must set first.
    """
    used: list[Any] = []

    async def main() -> str:
        used.append(asyncio.get_running_loop())
        return await _value()

    made: list[Any] = []

    def factory() -> Any:
        made.append(make_loop())
        return made[0]

    run: Any = asyncio.run  # the keyword is new in 3.12
    assert run(main(), loop_factory=factory) == "value"
    assert used == made
    assert made[0].is_closed()


@requirement("runner.several-runs", MUST, cite=("asyncio-runner: Runner", "asyncio-runner: Runner.get_loop"))
def test_a_runner_runs_several_coroutines_on_one_loop(make_loop: Factory) -> None:
    """A Runner simplifies multiple async function calls in the same context: they share one loop and one context.

    If this fails: look for a loop that cannot run again, or a context that is not kept between runs.
    """

    async def first() -> Any:
        VARIABLE.set("set by the first")
        return asyncio.get_running_loop()

    async def second() -> Any:
        return asyncio.get_running_loop(), VARIABLE.get()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        loop = runner.run(first())
        assert runner.run(second()) == (loop, "set by the first")
        assert runner.get_loop() is loop
    assert VARIABLE.get() == "default"


@requirement("runner.context", MUST, cite="asyncio-runner: Runner.run")
def test_a_runner_runs_in_the_context_that_it_is_given(make_loop: Factory) -> None:
    """run(coro, *, context=…) runs coro in that context.

    If this fails: look for create_task(context=…) being ignored.
    """
    context = contextvars.copy_context()
    context.run(VARIABLE.set, "of the context")

    async def ask() -> str:
        value = VARIABLE.get()
        VARIABLE.set("changed")
        return value

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(ask(), context=context) == "of the context"
    assert context[VARIABLE] == "changed"


@requirement("runner.debug", MUST, cite="asyncio-runner: Runner")
@pytest.mark.parametrize("debug", [True, False])
def test_debug_sets_the_debug_mode_of_the_loop(make_loop: Factory, debug: bool) -> None:
    """If debug is True, the event loop will be run in debug mode; False disables debug mode explicitly.

    If this fails: look for set_debug() without effect.
    """
    with asyncio.Runner(debug=debug, loop_factory=make_loop) as runner:
        assert runner.get_loop().get_debug() is debug


@requirement("runner.exception", MUST, cite="asyncio-runner: Runner.run")
@pytest.mark.parametrize(
    "error",
    [
        LookupError("of main"), asyncio.CancelledError("of main"), SystemExit("of main"), KeyboardInterrupt("of main"),
        GeneratorExit("of main"), ExceptionGroup("of main", [LookupError()]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_runner_raises_the_coroutines_exception(make_loop: Factory, error: BaseException) -> None:
    """Return the coroutine's result or raise its exception.

    If this fails: look for an exception that is reported and not raised, or made anew from its type.
    """

    async def fail() -> None:
        raise error

    with asyncio.Runner(loop_factory=make_loop) as runner:
        with pytest.raises(type(error)) as caught:
            runner.run(fail())
        assert caught.value is error or isinstance(error, asyncio.CancelledError)
        assert runner.run(_value()) == "value"


@requirement("runner.close-cancels", MUST, cite="asyncio-runner: Runner.close")
def test_closing_a_runner_cancels_what_is_left(make_loop: Factory) -> None:
    """On close, remaining tasks are cancelled, and get the chance to clean up.

    If this fails: look for tasks that all_tasks() does not know, or a loop that does not run again to end them.
    """
    trace: list[str] = []
    left: list[asyncio.Task[None]] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            trace.append("cleaned up")
            raise

    async def main() -> None:
        left.append(asyncio.ensure_future(linger()))
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert trace == ["cleaned up"]
    assert left[0].cancelled()


@requirement("runner.close-asyncgens", MUST, cite="asyncio-runner: Runner.close")
def test_closing_a_runner_finalizes_async_generators(make_loop: Factory) -> None:
    """On close, asynchronous generators are finalized.

    If this fails: look for shutdown_asyncgens() that does nothing, or hooks that are not installed.
    """
    trace: list[str] = []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            trace.append("finalized")

    kept: list[Any] = []

    async def main() -> None:
        kept.append(numbers())
        await kept[0].__anext__()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
        assert trace == []
    assert trace == ["finalized"]


@requirement("runner.close-executor", MUST, cite="asyncio-runner: Runner.close")
def test_closing_a_runner_shuts_the_default_executor_down(make_loop: Factory) -> None:
    """On close, the default executor is shut down, and its threads are joined.

    If this fails: look for shutdown_default_executor() that does not wait.
    """
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        time.sleep(0.02)  # longer than a loop needs that does not wait for it

    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, work)
        while not threads:
            await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert not threads[0].is_alive()


@requirement("runner.close-closes-loop", MUST, cite="asyncio-runner: Runner.close")
def test_closing_a_runner_closes_its_loop(make_loop: Factory) -> None:
    """On close, the loop is closed, and there is no running loop left.

    If this fails: look for a loop that refuses to close after a run.
    """
    runner = asyncio.Runner(loop_factory=make_loop)
    loop = runner.get_loop()
    runner.run(_value())
    runner.close()
    assert loop.is_closed()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@requirement("runner.leftover-errors", MUST, cite="asyncio-runner: run")
def test_an_exception_of_a_task_that_is_cancelled_at_the_end_is_reported(make_loop: Factory) -> None:
    """An exception that a leftover task raises while it is cancelled is given to the loop's exception handler.

    If this fails: look for call_exception_handler() that ignores its context.
    """
    contexts: list[dict[str, Any]] = []
    error = LookupError("while being cancelled")

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise error

    left: list[asyncio.Task[None]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
        left.append(asyncio.ensure_future(linger()))
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert [context["exception"] for context in contexts] == [error]
    assert contexts[0]["task"] is left[0]


@requirement("runner.in-thread", MUST, cite="asyncio-runner: Runner")
def test_a_runner_works_in_another_thread(make_loop: Factory) -> None:
    """A Runner works in any thread; only the handling of SIGINT belongs to the main thread.

    If this fails: look for signal handling in the start of a run.
    """

    def work() -> str:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(_value())

    assert in_thread(work).result() == "value"


@requirement("runner.nested", MUST, cite="asyncio-runner: Runner.run")
def test_a_runner_cannot_run_inside_a_running_loop(make_loop: Factory) -> None:
    """This function cannot be called when another asyncio event loop is running in the same thread: RuntimeError.

    If this fails: look for the running-loop marker, which is not set.
    """

    inner = asyncio.Runner(loop_factory=make_loop)

    async def main() -> None:
        coroutine = _value()
        with pytest.raises(RuntimeError):
            inner.run(coroutine)
        coroutine.close()

    make_loop().run_until_complete(main())
    inner.close()
