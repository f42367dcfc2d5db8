"""A check against the JSON Schemas in `schemas/`, for the keywords that those use and no others.

Not a validator for anybody's schema: it keeps the reading of files free of a dependency, and stops at the first fault,
because a reader wants one sentence. The tests hold it against the package jsonschema.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.results import Run

_HERE = Path(__file__).parent / "schemas"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
KEYWORDS = {
    *("$schema", "$id", "$defs", "$ref", "title", "description", "type", "enum", "const", "required"),
    *("properties", "additionalProperties", "items", "exclusiveMinimum", "minimum", "oneOf"),
}
"""All that a schema here may use."""


@functools.cache
def load(name: str) -> dict[str, Any]:
    """The schema `schemas/NAME.schema.json`."""
    schema: dict[str, Any] = json.loads((_HERE / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def fault(data: object, name: str, definition: str | None = None) -> str | None:
    """The first place where `data` is not what the schema (or one definition of it) asks for; None if it is."""
    root = load(name)
    return _fault(data, root["$defs"][definition] if definition else root, root, "")


def run_fault(run: Run) -> str | None:
    """The first line of a battery run that is not what the schema says."""
    lines = {
        "header": [run.header],
        "requirement": run.requirements.values(),
        "loop": run.loops.values(),
        "result": run.results,
        "footer": [run.footer] if run.footer is not None else [],
    }
    for kind, these in lines.items():
        for line in these:
            if found := fault(line, "battery", kind):
                return f"a {kind} line: {found}"
    return None


def _fault(data: object, schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> str | None:
    if "$ref" in schema:
        return _fault(data, root["$defs"][schema["$ref"].rpartition("/")[2]], root, place)
    if "oneOf" in schema:
        faults = [_fault(data, one, root, place) for one in schema["oneOf"]]
        # The branch that was meant is the one whose const fits; its fault is the one worth telling.
        return None if None in faults else max((f for f in faults if f), key=lambda f: f.count("."))
    here = place or "the whole"
    if (types := schema.get("type")) and not any(
        _is(data, one) for one in ([types] if isinstance(types, str) else types)
    ):
        return f"{here} is no {types if isinstance(types, str) else ' or '.join(types)}"
    if "const" in schema and data != schema["const"]:
        return f"{here} is not {schema['const']!r}"
    if "enum" in schema and data not in schema["enum"]:
        return f"{here} is {str(data)[:40]!r}, which is none of its known words"
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        if "exclusiveMinimum" in schema and data <= schema["exclusiveMinimum"]:
            return f"{here} is not above {schema['exclusiveMinimum']}"
        if "minimum" in schema and data < schema["minimum"]:
            return f"{here} is below {schema['minimum']}"
    if isinstance(data, list) and "items" in schema:
        return next(
            (f for i, one in enumerate(data) if (f := _fault(one, schema["items"], root, f"{place}.{i}"))), None
        )
    if isinstance(data, dict):
        return _object_fault(data, schema, root, place)
    return None


def _object_fault(
    data: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], place: str
) -> str | None:
    for key in schema.get("required", ()):
        if key not in data:
            return f"{place or 'the whole'} lacks {key!r}"
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    for key, value in data.items():
        rule = known.get(key, others)
        if rule is False:
            return f"{place or 'the whole'} has an unknown key {key[:40]!r}"
        if rule is not True and (found := _fault(value, rule, root, f"{place}.{key}" if place else key)):
            return found
    return None


def _is(data: object, name: str) -> bool:
    if isinstance(data, bool):
        return name == "boolean"
    if isinstance(data, float) and not math.isfinite(data):
        return False  # Python's JSON lets NaN and Infinity through; JSON has neither
    return isinstance(data, _TYPES[name])
