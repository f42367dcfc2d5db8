"""Which loops fail a MUST that a workload uses: a speed bought by breaking a promise must not stand there unmarked.

A workload says in words which calls it drives; a requirement cites the documented place of a call. Where both name the
same call, a loop that fails the requirement is marked beside its time. It is a hint to the reader, not a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.verdicts import Level
from reports.matrix import Column, Matrix

_CALL = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+|[a-z]\w*(?=\()")


def suspects(race: Mapping[str, Any], matrix: Matrix) -> Mapping[tuple[str, str], list[str]]:
    """(workload, loop's label) → ids of the requirements of level MUST that the loop fails and the workload uses."""
    found: dict[tuple[str, str], list[str]] = {}
    for loop in race["loops"]:
        column = column_of(loop, matrix)
        if column is None or loop["label"] == race["noise_arm"]:
            continue
        failed = list(_failed(column, matrix))
        for entry in race["workloads"]:
            driven = {_bare(call) for call in _CALL.findall(entry["drives"])}
            ids = [id for id, places in failed if places & driven]
            if ids:
                found[entry["name"], loop["label"]] = ids
    return found


def column_of(loop: Mapping[str, Any], matrix: Matrix) -> Column | None:
    """The column of the loop that raced: the same spec and version, on the same Python."""
    spec = str(loop["spec"]).partition("@")[0]
    python = str(loop["metadata"].get("python_version", "")).split(" ")[0]
    same = [column for column in matrix.columns if column.spec == spec and not column.marks]
    exact = [column for column in same if column.python == python and column.version == loop["version"]]
    return exact[0] if exact else None


def _failed(column: Column, matrix: Matrix) -> Iterator[tuple[str, set[str]]]:
    for id, cell in sorted(column.cells.items()):
        requirement = matrix.requirements[id]
        if cell.wrong and requirement["level"] == Level.MUST.value:
            yield id, {_bare(str(cite["text"]).partition(":")[2].strip()) for cite in requirement["cite"]}


def _bare(call: str) -> str:
    return call.removeprefix("asyncio.").removesuffix("()")
