"""The soak so far as data and as a page: how many batteries on right loops, and how many false failures.

`docs/stability.json` counts by Python, loop and catalogue, and `docs/stability.md` shows it. A thousand batteries take
longer than a machine is free at a time; here they add up, and what an older catalogue was asked is not hidden.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tabulate import tabulate

from conformance import results

_DOCS = Path(__file__).parents[1] / "docs"
COUNTS = _DOCS / "stability.json"
PAGE = _DOCS / "stability.md"
_WORDS = """\
# Right loops that never fail

The whole battery in random order, with SHOULD counted, on loops that keep the contract; asyncio's with its known
deviations. Every core is kept busy by something else meanwhile, unless a run says otherwise. A false failure is any
verdict but *conforms*, *not applicable* or *not run*; each that ever was is named below, and stays there.
`tox run -e stability -- --runs 10 --record` adds to these counts and writes this page.
"""
_FAILED_WORDS = """\
## What has failed
"""
_MENDED = {
    "tcp.connect-interleave-order": "connected to a port that it had closed, and that the system had given to another "
    "process meanwhile; mended on 2026-11-23: such ports are none that the system gives away",
}
"""What was wrong with the requirement, and since when it is mended."""
_SLOW_WORDS = """\
## The ten slowest requirements

Seconds in the median of the newest runs, on the slower of the two loops.
"""
_CATALOGUES_WORDS = """\
## By catalogue

What an older catalogue was asked counts above as well.
"""
_REASONS = {
    "servers.out-of-descriptors": "after a lack of descriptors a loop may rest for a second, as asyncio does",
    "flow.resume-at-low": "asyncio's pipes resume when their buffer is empty: asked for a thousand turns",
    "flow.writelines": "asyncio of some Pythons (gh-127655) does not pause: asked for a thousand turns",
    "sockets.sendall-items": "asyncio takes items for bytes and never ends: asked for a thousand turns",
    "tcp.writelines-empty-pieces": "asyncio of some Pythons (gh-155888) never ends it: asked for a thousand turns",
    "udp.write-buffer-size": "asyncio of some Pythons never comes down to 0: asked for a thousand turns",
    "tls.abort-after-closes": "asyncio never ends the connection: asked for a thousand turns",
    "subprocess.wait-before-pipes": "asyncio of some Pythons waits for the pipes (gh-119710): a thousand turns",
    "executors.shutdown-timeout": "asyncio before 3.12.3 (gh-111358) has no timeout: asked for a thousand turns",
    "schedules.*": "runs fifty random programs, as it is to find what nobody has thought of",
    "tls.paired": "fills and drains a buffer four times on each of the ways to TLS, with 2 MB each time",
    "tls.shutdown-waits": "a shutdown that takes 40 ms for each of the ways to TLS",
    "tls.eof-after-resume": "a peer waits 50 ms for an answer to its goodbye, for each of the ways to TLS",
    "tls.*": "handshakes for each of the ways to TLS, as a loop may have a path of its own for each",
    "callbacks.many": "a hundred thousand callbacks",
    "debug.slow": "a dozen callbacks that take 20 ms each, as a clock may tick every 16 ms only",
    "debug.default": "starts an interpreter for each of five values of the environment variable",
    "debug.dev-mode": "starts an interpreter, as this mode cannot be entered later",
}
"""Why requirements take as long as they do; the first id or glob that fits."""


def record(run: results.Run, failed: Iterable[tuple[str, str]], slowest: Mapping[str, float]) -> None:
    """Add a run to the counts and write both files; several soaks may record at a time.

    `failed` are the loop and the id of each false failure, `slowest` the seconds of the slowest requirements.
    """
    with _alone():
        _record(run, list(failed), slowest)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    directory = os.open(_DOCS, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _record(run: results.Run, failed: list[tuple[str, str]], slowest: Mapping[str, float]) -> None:
    known = json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.exists() else {"counts": []}
    for column in run.loops:
        key = {
            "catalogue": run.header["catalogue"],
            "requirements": len(run.requirements),
            "python": column.python.rpartition(".")[0],
            "loop": column.label,
        }
        row = next((row for row in known["counts"] if key.items() <= row.items()), None)
        if row is None:
            row = {**key, "batteries": 0, "trials": 0, "failed": {}}
            known["counts"].append(row)
        row["batteries"] += 1
        row["trials"] += sum(result["loop"] == column.label for result in run.results)
        row["failed"] = dict(Counter(row["failed"]) + Counter(id for loop, id in failed if loop == column.label))
        row["until"] = time.strftime("%Y-%m-%d", time.gmtime())
    known["slowest"] = {id: round(seconds, 2) for id, seconds in slowest.items()}
    partly = COUNTS.with_suffix(".part")  # whoever ends this now loses one run, and not all that were counted
    partly.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    partly.replace(COUNTS)
    PAGE.write_text(page(known), encoding="utf-8")


def page(known: Mapping[str, Any]) -> str:
    counts = known["counts"]
    sums = _sum(counts)
    failures = f"{sums['failed']} false failure{'s' * (sums['failed'] != 1)}"
    total = f"**{sums['batteries']:,} batteries, {sums['trials']:,} trials, {failures}.**"
    slow = [(id, seconds, _why(id, _REASONS)) for id, seconds in known["slowest"].items()]
    slow_table = tabulate(slow, headers=("requirement", "seconds", "why"), tablefmt="github")
    failed = sorted({id for row in counts for id in row["failed"]})
    failed_table = tabulate(
        [(id, _why(id, _MENDED)) for id in failed], headers=("requirement", "why"), tablefmt="github"
    )
    return "\n".join(
        [
            *(_WORDS, total, "", _table(counts, "python", "loop"), ""),
            *([_FAILED_WORDS, failed_table, ""] if failed else []),
            *(_SLOW_WORDS, slow_table, ""),
            *(_CATALOGUES_WORDS, _table(counts, "requirements", "python", "loop"), ""),
        ]
    )


def _table(counts: Iterable[Mapping[str, Any]], *keys: str) -> str:
    """One row for all counts that have the same `keys`."""
    found = sorted(counts, key=itemgetter(*keys))
    groups = [(values, list(rows)) for values, rows in groupby(found, itemgetter(*keys))]
    rows = [[*values, *_sum(rows).values(), max(row["until"] for row in rows)] for values, rows in groups]
    headers = (*keys, "batteries", "trials", "false failures", "until")
    return tabulate(rows, headers=headers, tablefmt="github", intfmt=",")


def _sum(counts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    rows = list(counts)
    return {
        "batteries": sum(row["batteries"] for row in rows),
        "trials": sum(row["trials"] for row in rows),
        "failed": sum(sum(row["failed"].values()) for row in rows),
    }


def _why(id: str, reasons: Mapping[str, str]) -> str:
    return next((why for glob, why in reasons.items() if fnmatchcase(id, glob)), "not known")
