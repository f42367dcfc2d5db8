"""Callbacks, arguments and exceptions that a loop in another language, or a fast path, takes for something else."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

ODD_ARGUMENTS: tuple[tuple[object, ...], ...] = (
    (),
    (1,),
    (1, "two", None),
    (None,),
    (None, None),
    ((),),
    ((1, 2),),
    ([1, 2],),
    ([],),
    ({"key": "value"},),
    (0, None),
    (0, "", None),
    (False, 0, ""),
    tuple(range(10)),
    tuple(range(100)),
    tuple(range(1000)),
)
"""Arguments that should arrive as they are: few, many, false, and single ones that could be taken for all of them."""


class FalseError(Exception):
    """An exception whose truth value is false, as that of one with a length may be."""

    def __bool__(self) -> bool:
        return False


class SpeechlessError(Exception):
    """An exception that cannot be printed: asking for its words raises another."""

    def __str__(self) -> str:
        raise ArithmeticError("no words")

    __repr__ = __str__


class Untouchable:
    """A value that can be held and nothing else; of an array, too, nobody can ask whether it is true, or equal."""

    def _refuse(self, *_: object) -> Any:
        raise ArithmeticError("a value is to be held, and not to be looked at")

    __bool__ = __len__ = __eq__ = __hash__ = __iter__ = __str__ = _refuse


ODD_ERRORS: dict[str, BaseException] = {
    "usual": LookupError("usual"),
    "false": FalseError("false"),
    "without words": SpeechlessError("without words"),
    "group of one": ExceptionGroup("group", [LookupError("one")]),
    "group of a cancellation": BaseExceptionGroup("group", [asyncio.CancelledError()]),
    "group of an exit": BaseExceptionGroup("group", [SystemExit(3)]),
    "end of an async iterator": StopAsyncIteration("end"),
    "no Exception": GeneratorExit("no Exception"),
}
"""Kind → an exception that is like any other for a future or a task."""


class _False(list[object]):
    """An object that can be called and is empty: its truth value is false, and it cannot be hashed."""

    def __init__(self, trace: list[object]) -> None:
        super().__init__()
        self._trace = trace

    def __call__(self, argument: object) -> None:
        self._trace.append(argument)


class _Equal:
    """An object that can be called and calls itself equal to everything."""

    def __init__(self, trace: list[object]) -> None:
        self._trace = trace

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # so says the data model

    def __call__(self, argument: object) -> None:
        self._trace.append(argument)


def odd_callables(trace: list[object]) -> dict[str, Callable[[object], object]]:
    """Kind → a callable of one argument that appends it to `trace`; nobody else holds any of them."""

    def function(argument: object) -> None:
        trace.append(argument)

    class Class:
        def __init__(self, argument: object) -> None:
            trace.append(argument)

        def method(self, argument: object) -> None:
            trace.append(argument)

    held = object.__new__(Class)
    return {
        "function": function,
        "built-in method": trace.append,
        "partial": functools.partial(trace.append),
        "class": Class,
        "method of an object that nobody else holds": held.method,
        "object that is false": _False(trace),
        "object that is equal to all": _Equal(trace),
        "another of these": _Equal(trace),
    }


class Unprintable:
    """An object that has no repr(): asking for it raises."""

    def __repr__(self) -> str:
        raise LookupError("no repr()")


class Word(bytes):
    """Bytes of a class of the program's own."""


def wide(data: bytes) -> memoryview:
    """The same bytes, two to an item."""
    return memoryview(data).cast("H")


def part(data: bytes) -> memoryview:
    """The same bytes, in the midst of others."""
    return memoryview(bytearray(b"<<" + data + b">>"))[2:-2]
