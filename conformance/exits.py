"""The exit codes of a run with `--loop`. pytest's own keep their meaning; a CI job can tell them apart."""

from __future__ import annotations

CONFORMS = 0
"""Nothing at the gated level deviates beyond the expectations."""
DEVIATES = 1
"""At least one requirement at the gated level deviates and was not expected to."""
INTERRUPTED = 2
"""Interrupted by the user (pytest's)."""
SUITE_FAILED = 3
"""The suite could not do its work: a requirement errored, or of a loop nothing ran although something was selected."""
USAGE = 4
"""A bad command line: a spec that does not import, a factory that makes no loop, an unknown id (pytest's)."""
STALE = 6
"""No unexpected deviation, but an expectation no longer holds: the loop got better, so update the file."""
