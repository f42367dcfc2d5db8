"""Callbacks and contexts that make it hard to report an error."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from reference_loop import new_event_loop


class _Nameless:
    """Fails, and cannot say what it is."""

    def __call__(self) -> None:
        raise LookupError("mine")

    def __repr__(self) -> str:
        raise ArithmeticError("no name")


class _AnyAttribute:
    """Fails, and has every attribute that it is asked for."""

    def __call__(self) -> None:
        raise LookupError("mine")

    def __getattr__(self, name: str) -> Any:
        return _AnyAttribute()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", [_Nameless, _AnyAttribute])
def test_a_callback_that_cannot_be_described_is_reported_and_does_not_end_the_loop(
    kind: type[Any], debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_event_loop()
    loop.set_debug(debug)
    loop.slow_callback_duration = 0
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    loop.call_soon(kind())
    loop.call_soon(loop.stop)
    with caplog.at_level(logging.WARNING, "asyncio"):
        loop.run_forever()
    loop.close()
    (context,) = reported
    assert isinstance(context["exception"], LookupError)
    assert kind.__qualname__ in context["message"]
    if debug and kind is _Nameless:
        assert f"Executing {kind.__qualname__}() took" in caplog.text


def test_a_task_that_reports_of_itself_reaches_the_handler() -> None:
    """Its context cannot be entered a second time."""
    reported: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        loop.call_exception_handler({"message": "from the task itself", "task": asyncio.current_task()})

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
    assert [context["message"] for context in reported] == ["from the task itself"]


def test_the_handler_runs_in_the_context_of_what_failed_even_if_that_is_false() -> None:
    class Falsy:
        entered = 0

        def __bool__(self) -> bool:
            return False

        def get_context(self) -> Any:
            return self

        def run(self, function: Any, *args: Any) -> Any:
            self.entered += 1
            return function(*args)

    loop = new_event_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: reported.append(context))
    failed = Falsy()
    loop.call_exception_handler({"message": "falsy", "future": failed})
    loop.close()
    assert failed.entered
    assert [context["message"] for context in reported] == ["falsy"]
