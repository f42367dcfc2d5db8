"""Whether what was read from a file has the shape that the code relies on. It knows no file: shapes are given.

A shape is a type, a list of the one shape that all items have, a dict of the shapes behind keys that must be there
("?key" may be absent, "*" stands for every key), or a function from the value to its shape.
"""

from __future__ import annotations

from typing import Any

NUMBER = (int, float)


def fault(data: Any, shape: Any, place: str = "it") -> str | None:
    """The first place where `data` is not of this shape, as half a sentence; None if it is."""
    if callable(shape) and not isinstance(shape, type):
        shape = shape(data)
    if isinstance(shape, list):
        if not isinstance(data, list):
            return f"{place} is no list"
        found = (fault(one, shape[0], f"{place}[{number}]") for number, one in enumerate(data))
        return next((one for one in found if one), None)
    if not isinstance(shape, dict):
        return None if isinstance(data, shape) else f"{place} is {type(data).__name__}"
    if not isinstance(data, dict):
        return f"{place} is no object"
    for key, inner in shape.items():
        for name in data if key == "*" else [key.removeprefix("?")]:
            if name not in data:
                if not key.startswith("?"):
                    return f"{place} lacks {name}"
            elif found_here := fault(data[name], inner, name if place == "it" else f"{place}.{name}"):
                return found_here
    return None
