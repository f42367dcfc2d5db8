"""Many cases of one requirement in one trial."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def each(name: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for each of `values` of its parameter `name`, one after the other on the same loop.

    `pytest.mark.parametrize` makes a trial of each, in a process of its own, which takes ten times as long as most
    cases do. Where a case may leave something behind that the next would find, that is worth it; here it is not.
    An exception gets a note that says which case it was.
    """
    cases = tuple(values)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run_each(**fixtures: Any) -> None:
            for value in cases:
                try:
                    test(**fixtures, **{name: value})
                except BaseException as error:
                    error.add_note(f"{name}: {value!r}")
                    raise

        asked = inspect.signature(test)
        left = [parameter for parameter in asked.parameters.values() if parameter.name != name]
        run_each.__signature__ = asked.replace(parameters=left)  # type: ignore[attr-defined]  # pytest looks at it
        return run_each

    return decorate
