"""Many cases of one requirement in one trial."""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def each(
    names: str | tuple[str, ...], values: Iterable[Any], ids: Sequence[str] | Callable[[Any], str] = reprlib.repr
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for each of `values` of its parameter, or parameters, `names`, one after the other on the same loop.

    `pytest.mark.parametrize` makes a trial of each, in a process of its own, which takes ten times as long as most
    cases do. Where a case may leave something behind that the next would find, that is worth it; here it is not.
    An exception gets a note that says which case it was, by its id.
    """
    given = (names,) if isinstance(names, str) else names
    cases = list(values)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run_each(**fixtures: Any) -> None:
            for number, case in enumerate(cases):
                value = (case,) if isinstance(names, str) else case
                try:
                    test(**fixtures, **dict(zip(given, value, strict=True)))
                except BaseException as error:
                    id = ids(case) if callable(ids) else ids[number]
                    error.add_note(f"{', '.join(given)}: {id}")
                    raise

        asked = inspect.signature(test)
        left = [parameter for parameter in asked.parameters.values() if parameter.name not in given]
        run_each.__signature__ = asked.replace(parameters=left)  # type: ignore[attr-defined]  # pytest looks at it
        return run_each

    return decorate
