"""Resident memory of this process in bytes, now and at its highest."""

from __future__ import annotations

import os
import resource
import sys


def resident() -> int:
    """Bytes of physical memory in use; the peak where the platform tells only that (macOS)."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak()


def peak() -> int:
    """The highest bytes of physical memory so far. In a forked worker that includes the parent's share."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
