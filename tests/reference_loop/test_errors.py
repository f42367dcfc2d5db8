"""Callbacks and contexts that make it hard to report an error."""

from __future__ import annotations

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
