"""One exception per way that what the user gave can be wrong; the command line prints the sentence and exits.

The text of each is one sentence that says what to do. A loop that fails is not an error: it is a dead cell.
"""

from __future__ import annotations


class BenchError(Exception):
    """Something that the user can put right."""


class UnknownWorkload(BenchError):
    """A glob that matches no workload."""


class UnusableArm(BenchError):
    """A loop that cannot be imported or made, or an interpreter that cannot be started."""


class BrokenFile(BenchError):
    """A file that is missing, truncated, foreign or of a newer format."""


class DifferentRace(BenchError):
    """A race with other loops, workloads or settings than the one that it should go on as, or be compared with."""


class ToolMissing(BenchError):
    """valgrind or strace is not installed."""
