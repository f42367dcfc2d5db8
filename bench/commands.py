"""`list`, `compare`, `count` and `gate`: the commands that race nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench import changes, count, files, gate, table
from bench.arms import Arm
from bench.errors import BrokenFile, DifferentRace, UnknownWorkload, UnusableArm
from bench.workload import Entry, catalogue, select
from conformance.loops import parse_specs

TOOLS = {"instructions": "valgrind", "syscalls": "strace"}


def list_workloads(options: argparse.Namespace) -> int:
    chosen = select(options.workloads or ["*"], catalogue(), options.sweep)
    print(table.listing(entry.describe() for entry in chosen))
    return 0


def compare(options: argparse.Namespace) -> int:
    """Show one race, or what changed between two."""
    old = files.read(options.old)
    if options.new is None:
        print(table.race(old))
    else:
        new = files.read(options.new)
        found = changes.changes(old, new)
        if not found:
            raise DifferentRace(
                f"{options.old} and {options.new} share no workload of a loop beside the reference: nothing to compare"
            )
        print(table.changes(found, changes.remarks(old, new)))
    return 0


def count_loops(options: argparse.Namespace) -> int:
    """Count, show, and write the file if one is asked for."""
    arms = [Arm(spec.label, spec) for spec in parse_specs(options.loop)]
    if options.output is not None:
        _make_sure_of(options.output)
    data = count.count(arms, _counted(options.workloads), _tools(options.only))
    print(table.counts(data))
    if options.output is not None:
        _write(options.output, data)
    return 0


def judge(options: argparse.Namespace) -> int:
    """Exit status 0 pass, 1 fail, 3 inconclusive."""
    if options.base is not None:
        found = _judge_counts(options)
    elif options.new is not None and options.loop is not None:
        summary = files.read(options.new)
        others = [loop["label"] for loop in summary["loops"] if loop["label"] != summary["reference"]]
        if options.loop not in others:
            raise UnusableArm(f"--loop {options.loop}: this race has the loops {', '.join(others)}")
        limit = 0.03 if options.limit is None else options.limit
        found = gate.race(summary, options.loop, limit, options.metric)
    else:
        raise BrokenFile("nothing to judge: give --base FILE for counts, or a race's directory and --loop LABEL")
    verdict = gate.outcome(found)
    shown = [one for one in found if one.outcome != gate.PASS]
    if shown:
        print(table.findings(shown))
    print(f"{verdict}: {len(found) - len(shown)} of {len(found)} cells within the limits")
    return gate.STATUS[verdict]


def _judge_counts(options: argparse.Namespace) -> list[gate.Finding]:
    base = count.read(options.base)
    if options.new is not None:
        new = count.read(options.new)
    else:
        entries = catalogue()
        chosen = [entries[entry["name"]] for entry in base["workloads"] if entry["name"] in entries]
        arms = [Arm(loop["label"], parse_specs([loop["spec"]])[0]) for loop in base["loops"]]
        tools = [tool for tool, key in (("valgrind", "callgrind"), ("strace", "strace")) if base["tools"].get(key)]
        new = count.count(arms, chosen, tools)
    limit = 0.01 if options.limit is None else options.limit
    return gate.counts(base, new, limit, options.syscalls)


def _counted(globs: list[str]) -> list[Entry]:
    chosen = [entry for entry in select(globs, catalogue()) if entry.counted]
    if not chosen:
        raise UnknownWorkload(
            f"the counts of {' '.join(globs)} do not repeat (threads, children or clocks): none is made"
        )
    return chosen


def _tools(only: str | None) -> list[str]:
    return list(TOOLS.values()) if only is None else [TOOLS[only]]


def _make_sure_of(path: Path) -> None:
    """That the file can be written, before what goes into it is counted for minutes. Raises BrokenFile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise BrokenFile(f"cannot write {path}: {error.strerror}; choose another -o") from error


def _write(path: Path, data: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(data, indent=1) + "\n")
    except OSError as error:
        raise BrokenFile(f"cannot write {path}: {error.strerror}; choose another -o") from error
    print(f"\nwritten to {path}")
