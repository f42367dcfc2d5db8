"""Right loops that are unlike asyncio's wherever the contract leaves room: the battery must never fail on them.

The opposite of `broken_loops`. Each does something in another way that the documentation allows, as a loop over
completions, libuv, a coarse clock or a busy machine would. `tox run -e right` runs the whole battery over all of them.
"""

from __future__ import annotations

from tests.right_loops import (
    answers,
    clocks,
    completions,
    files,
    pipes,
    servers,
    threads,
    tls,
    transports,
    turns,
    types,
)
from tests.right_loops.registry import arguments

__all__ = [
    "answers",
    "arguments",
    "clocks",
    "completions",
    "files",
    "pipes",
    "servers",
    "threads",
    "tls",
    "transports",
    "turns",
    "types",
]
