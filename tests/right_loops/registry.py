"""The list of the right loops, and the arguments with which pytest runs them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

_LOOPS: list[tuple[str, str, str]] = []
_KNOWN = {"reference": "", "stock": "asyncio", "completions": str(Path(__file__).parent / "completions/expected.toml")}
"""What a loop is built on → what is known of that: where asyncio itself is wrong, so are the loops made of it."""


def right(factory: Any) -> Any:
    """Register a loop, or a function that makes one of asyncio's."""
    made_of = "reference"
    if not isinstance(factory, type) or issubclass(factory, asyncio.SelectorEventLoop):
        made_of = "stock"
    elif issubclass(factory, asyncio.BaseEventLoop):
        made_of = "completions"
    _LOOPS.append((factory.__name__, f"{factory.__module__}:{factory.__name__}", made_of))
    return factory


def arguments() -> list[str]:
    """pytest's, to run these loops: what asyncio itself is known to do is none of theirs."""
    known = [f"--loop-expected={name}={_KNOWN[made_of]}" for name, _, made_of in _LOOPS if _KNOWN[made_of]]
    return ["-q", "--loop-gate=should", *(f"--loop={name}={spec}" for name, spec, _ in _LOOPS), *known]
