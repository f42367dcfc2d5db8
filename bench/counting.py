"""Inside the process that valgrind or strace watches: run workloads between marks that both tools see.

The mark is os.getpriority(): a system call that no loop makes, and a C function at whose name callgrind can be told
to dump its counters. No compiler, no client request, no wrapper round the loop.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from bench.worker import Pipe, prime
from bench.workload import Entry, Workload, catalogue
from conformance.loops import LoopSpec, add_current_directory, load_factory, new_loop

WARMUPS, REPEATS = 1, 3
OPERATIONS = 200
"""At least so many per region: callgrind is forty times slower than the bare processor."""


class Marks:
    """Counts the marks, because callgrind numbers its dumps by them."""

    count = 0

    def mark(self) -> None:
        os.getpriority(os.PRIO_PROCESS, 0)
        self.count += 1


def loops_of(entry: Entry) -> int:
    # A life cycle is half a million instructions.
    return max(1, OPERATIONS // entry.inner) if entry.kind.in_loop else OPERATIONS // 10


def run(settings: dict[str, Any]) -> None:
    """Announce and run each workload; messages: {"begin": name}, then {"done"…} or {"failed"…}."""
    pipe = Pipe(settings["read"], settings["write"])
    add_current_directory()
    spec = LoopSpec(**settings["spec"])
    entries = catalogue()
    # In the marked regions there is no collection: when one falls into a region depends on all that went before.
    # What was imported is frozen, or collecting it again before each region would be most of the run.
    gc.disable()
    gc.freeze()
    prime()
    marks = Marks()
    marks.mark()
    for name in settings["workloads"]:
        pipe.send(begin=name)
        try:
            first = _count(spec, entries[name], marks, settings["scratch"])
            pipe.send(done=name, operations=loops_of(entries[name]) * entries[name].inner, first=first)
        except Exception as error:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            pipe.send(failed=name, reason=text[:300])


def _count(spec: LoopSpec, entry: Entry, marks: Marks, scratch: str) -> int:
    """Run one workload; returns the number of the mark that ends its first region. Ends of others follow in twos."""
    workload = entry.make()
    workload.scratch = Path(scratch)
    workload.factory = load_factory(spec)
    workload.prepare()
    loops = loops_of(entry)
    if entry.kind.in_loop:
        workload.loop = loop = new_loop(spec)
        loop.run_until_complete(workload.setup())
    for _ in range(WARMUPS):
        _once(workload, loops, None)
    first = marks.count + 2
    for _ in range(REPEATS):
        gc.collect()
        _once(workload, loops, marks)
    if entry.kind.in_loop:
        loop.close()
    return first


def _once(workload: Workload, loops: int, marks: Marks | None) -> None:
    if workload.in_loop:
        workload.loop.run_until_complete(_inside(workload, loops, marks))
    else:
        if marks:
            marks.mark()
        workload.run_outside(loops)
        if marks:
            marks.mark()
    workload.check(loops)


async def _inside(workload: Workload, loops: int, marks: Marks | None) -> None:
    if marks:
        marks.mark()
    await workload.run(loops)
    if marks:
        marks.mark()
