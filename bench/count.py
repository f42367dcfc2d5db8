"""Instructions and system calls per operation, by callgrind and strace: near-exact where time is noisy.

Gate with them, do not rank with them: the kernel's work is in neither number. Both tools watch one process per loop
that runs all workloads in turn; a workload that ends or hangs that process costs its own cell, and the rest is
counted in a new one.

counts file, format 1:
    {"format": 1, "kind": "counts", "date": unix time, "python": version of bench's own, "platform": text,
     "tools": {"callgrind": version | null, "strace": version | null},
     "loops": [{"label", "spec", "type", …, "python": version that the loop was counted on}],
     "workloads": [{"name", "version", "unit", …, "cells": {label: {"state": "counted",
         "instructions": per operation, "spread": largest over smallest of three regions minus 1,
         "syscalls": per operation, "calls": {name: per operation}} | {"state": "dead", "reason": text}}}]}
Numbers of a tool that was not used are absent.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import shape
from bench.arms import WORDLESS, Arm, Died
from bench.counting import REPEATS
from bench.errors import BrokenFile, ToolMissing
from bench.shape import NUMBER
from bench.workload import Entry

FORMAT = 1
PATIENCE = 120.0
PACKAGES = {"valgrind": "valgrind", "strace": "strace"}

Cell = dict[str, Any]


def _cell_shape(cell: Any) -> dict[str, Any]:
    state = cell.get("state") if isinstance(cell, dict) else None
    if state != "counted":
        return {"state": str, "reason": str}
    instructions = {"instructions": NUMBER, "spread": NUMBER} if "instructions" in cell else {}
    return instructions | ({"syscalls": NUMBER, "calls": {"*": NUMBER}} if "syscalls" in cell else {})


_SHAPE = {
    "python": str,
    "platform": str,
    "tools": {},
    "loops": [{"label": str, "spec": str}],
    "workloads": [{"name": str, "version": str, "cells": {"*": _cell_shape}}],
}


def count(arms: Sequence[Arm], entries: Sequence[Entry], tools: Iterable[str]) -> dict[str, Any]:
    """The content of a counts file. Raises ToolMissing and UnusableArm."""
    tools = list(tools)
    versions = check_tools(tools)
    loops = [_loop(arm) for arm in arms]
    cells: dict[tuple[str, str], Cell] = {}
    for arm in arms:
        for tool in tools:
            for name, found in _watch(arm, entries, tool).items():
                before = cells.get((name, arm.label), {"state": "counted"})
                cells[name, arm.label] = before if before["state"] == "dead" else before | found
    return {
        "format": FORMAT,
        "kind": "counts",
        "date": time.time(),
        "python": platform.python_version(),
        "platform": " ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        "tools": {"callgrind": versions.get("valgrind"), "strace": versions.get("strace")},
        "loops": loops,
        "workloads": [
            entry.describe() | {"cells": {arm.label: cells[entry.name, arm.label] for arm in arms}} for entry in entries
        ],
    }


def _loop(arm: Arm) -> dict[str, Any]:
    identity = arm.identify()
    python = identity["metadata"]["python_version"].removesuffix(" (64-bit)")
    return {**identity["loop"], "label": arm.label, "python": python}


def syscalls(arms: Sequence[Arm], entries: Sequence[Entry]) -> dict[str, dict[str, Cell]]:
    """{label: {workload: cell}} of what strace counts."""
    return {arm.label: _watch(arm, [entry for entry in entries if entry.counted], "strace") for arm in arms}


def read(path: Path) -> dict[str, Any]:
    """Raises BrokenFile."""
    try:
        data = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        detail = getattr(error, "strerror", None) or "it is not text"
        raise BrokenFile(f"cannot read {path}: {detail}; give a file that `bench count -o` wrote") from error
    except ValueError as error:
        raise BrokenFile(f"{path} is damaged or no JSON: count again") from error
    if not isinstance(data, dict) or data.get("kind") != "counts":
        raise BrokenFile(f"{path} holds no counts: give a file that `bench count -o` wrote")
    if data.get("format") != FORMAT:
        raise BrokenFile(f"{path} has format {data.get('format')}, this version reads {FORMAT}: update the tool")
    if fault := shape.fault(data, _SHAPE):
        raise BrokenFile(f"{path} is damaged: {fault}; count again")
    return data


def check_tools(tools: Iterable[str]) -> dict[str, str]:
    """The tools' versions. Raises ToolMissing."""
    return {tool: _version(tool) for tool in tools}


def _version(tool: str) -> str:
    if shutil.which(tool) is None:
        raise ToolMissing(f"{tool} is not installed: on Debian and Ubuntu, apt-get install {PACKAGES[tool]}")
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"


def _watch(arm: Arm, entries: Sequence[Entry], tool: str) -> dict[str, Cell]:
    """Cells by workload; starts a new process after each workload that ended one."""
    cells: dict[str, Cell] = {}
    while left := [entry.name for entry in entries if entry.name not in cells]:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            command, read_marks = _TOOLS[tool](Path(scratch))
            done = _conversation(arm, command, left, scratch, cells)
            regions = read_marks()
            for name, message in done.items():
                try:
                    parts = [regions(message["first"] + 2 * repeat) for repeat in range(REPEATS)]
                except (KeyError, IndexError, OSError):
                    cells[name] = {"state": "dead", "reason": f"{tool} wrote nothing for it"}
                else:
                    cells[name] = _CELLS[tool](parts, message["operations"])
            if not done and left[0] not in cells:
                for name in left:
                    cells[name] = {"state": "dead", "reason": f"nothing ran under {tool}"}
    return cells


def _conversation(
    arm: Arm, command: list[str], names: list[str], scratch: str, cells: dict[str, Cell]
) -> dict[str, dict[str, Any]]:
    """Let a process count `names`; returns what it finished. Failures go to `cells`."""
    done: dict[str, dict[str, Any]] = {}
    current = None
    # Hash seeds and address layout are what differs between two runs of the same code.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    try:
        arm.watched(command, environment, {"workloads": names, "scratch": scratch})
        for message in arm.messages(PATIENCE):
            if "begin" in message:
                current = message["begin"]
            elif "done" in message:
                done[message["done"]] = message
                current = None
            elif "failed" in message:
                cells[message["failed"]] = {"state": "dead", "reason": message["reason"]}
                current = None
        if current is not None:
            raise Died("crashes", WORDLESS)
    except Died as death:
        if current is not None:
            cells[current] = {"state": "dead", "reason": death.reason}
    finally:
        arm.close()
    return done


Marks = Callable[[int], Any]


def _callgrind(scratch: Path) -> tuple[list[str], Callable[[], Marks]]:
    out = scratch / "callgrind.out"
    command = [
        "valgrind",
        "-q",
        "--tool=callgrind",
        f"--callgrind-out-file={out}",
        "--dump-before=getpriority",
        "--zero-before=getpriority",
    ]
    if shutil.which("setarch"):
        command[:0] = ["setarch", "-R"]

    def marks() -> Marks:
        return lambda mark: _instructions(Path(f"{out}.{mark}"))

    return command, marks


def _instructions(path: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
    if found is None:
        raise KeyError(path.name)
    return int(found[1])


def _strace(scratch: Path) -> tuple[list[str], Callable[[], Marks]]:
    out = scratch / "strace.out"

    def marks() -> Marks:
        regions: list[Counter[str]] = [Counter()]
        for line in out.read_text(errors="replace").splitlines() if out.exists() else ():
            call = re.match(r"\d+ +(\w+)\(", line)
            if call is None:
                continue
            if call[1] == "getpriority":
                regions.append(Counter())
            else:
                regions[-1][call[1]] += 1
        # Region n lies before the mark n + 1.
        return lambda mark: regions[mark - 1]

    return ["strace", "-f", "-qq", "-o", str(out)], marks


def _instruction_cell(parts: list[int], operations: int) -> Cell:
    return {
        "state": "counted",
        "instructions": statistics.median(parts) / operations,
        "spread": max(parts) / min(parts) - 1 if min(parts) else 0.0,
    }


def _syscall_cell(parts: list[Counter[str]], operations: int) -> Cell:
    fewest = min(parts, key=lambda part: part.total())
    return {
        "state": "counted",
        "syscalls": fewest.total() / operations,
        "calls": {name: number / operations for name, number in fewest.most_common()},
    }


_TOOLS = {"valgrind": _callgrind, "strace": _strace}
_CELLS: dict[str, Callable[[list[Any], int], Cell]] = {"valgrind": _instruction_cell, "strace": _syscall_cell}
