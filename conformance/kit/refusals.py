"""What counts as refusing an argument, where the documentation says that it is wrong and names no exception."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from conformance.kit.patience import turn

Answer = Callable[[object], None]
REFUSALS = (ValueError, TypeError, RuntimeError, AssertionError, OverflowError)
"""Not AttributeError, which says that a method is absent, nor OSError, which says that something was tried.

OverflowError is what other languages make of a number that is negative where theirs have no sign.
"""


@contextlib.contextmanager
def refused(*also: type[Exception]) -> Iterator[None]:
    """The block raises one of `REFUSALS`, or `also`; what is not implemented raises a kind of them: it is let through.

    `also` is what the system answers where a loop may leave the question to it.
    """
    with pytest.raises((*REFUSALS, *also)) as caught:
        yield
    if isinstance(caught.value, NotImplementedError):
        raise caught.value


def outcome_of(loop: asyncio.AbstractEventLoop, opening: Awaitable[Any]) -> str:
    """How a loop answers arguments that it may refuse: "refused", or "accepted". What it opens is closed."""
    try:
        opened = loop.run_until_complete(opening)
    except NotImplementedError:
        raise
    except (*REFUSALS, OSError):
        return "refused"
    if isinstance(opened, tuple):
        opened[0].abort()
    else:
        opened.close()
    turn(loop, 4)
    return "accepted"
