"""Loops that are wrong in exactly one way: the proof that each requirement can fail, and names the right sentence.

One module per chapter. A broken loop is a class (or a factory) with a docstring that says what it does wrong and
`@breaks(id)`, the requirement that must fail on it. Most override a public method of the stock selector loop; what
cannot be broken from outside is broken in the reference loop, whose parts are ours.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])


@dataclass(frozen=True)
class BrokenLoop:
    """A deliberately wrong loop. `breaks` are the requirements that must fail on it, the most telling one first."""

    module: str
    name: str
    breaks: tuple[str, ...]
    sentence: str
    since: tuple[int, ...]
    until: tuple[int, ...]

    @property
    def spec(self) -> str:
        return f"{self.name}={self.module}:{self.name}"

    @property
    def applies(self) -> bool:
        return self.since <= sys.version_info[:2] <= self.until


def breaks(*ids: str, since: str = "3.11", until: str = "3.99") -> Callable[[_F], _F]:
    """Declare which requirements a broken loop proves; `since` and `until` are the Python versions it is broken on."""

    def decorate(factory: _F) -> _F:
        factory.broken_loop = BrokenLoop(  # type: ignore[attr-defined]  # functions and classes take attributes
            factory.__module__,
            factory.__name__,
            ids,
            " ".join((inspect.getdoc(factory) or "").split()),
            _version(since),
            _version(until),
        )
        return factory

    return decorate


def every() -> list[BrokenLoop]:
    """All broken loops, in the order of their modules."""
    found: list[BrokenLoop] = []
    for info in sorted(pkgutil.iter_modules(__path__, __name__ + "."), key=lambda info: info.name):
        module = importlib.import_module(info.name)
        declared = (
            vars(value).get("broken_loop")
            for value in vars(module).values()
            if callable(value) and hasattr(value, "__dict__")
        )
        found += [loop for loop in declared if isinstance(loop, BrokenLoop) and loop.module == module.__name__]
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
