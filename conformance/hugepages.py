"""Memory in pages of 2 MiB for the process that forks one child per trial.

A fork copies the table of all pages, and the child's end walks it again: with some 70 MB in pages of 4 KiB that is a
third of what the median trial takes. In huge pages the same memory has a table of a few dozen entries.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

from conformance.keeping import libc

_SIZE = 2 << 20
_MADV_COLLAPSE = 25


def use() -> None:
    """Ask the system to put what this process has written so far into huge pages.

    It takes a tenth of a second, and memory of its own for what was shared with the parent. Linux answers from 6.1
    on; where it does not, or has no huge page to give, all stays as it is.
    """
    with contextlib.suppress(OSError, AttributeError):
        madvise = libc().madvise
        for start in list(_starts()):  # one by one: a range ends at the first place that cannot be one
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(_SIZE), _MADV_COLLAPSE)


def _starts() -> Iterator[int]:
    """Where huge pages can be, in private memory that belongs to no file."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            edges, access, _, _, inode = line.split()[:5]
            start, end = (int(edge, 16) for edge in edges.split("-"))
            if access == "rw-p" and inode == "0":
                yield from range(-(-start // _SIZE) * _SIZE, end // _SIZE * _SIZE, _SIZE)
