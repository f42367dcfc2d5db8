"""The plots of the page. Each is a view of one race, and has its numbers in a table beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.plots.axes import Figure
from reports.plots.distributions import latency, memory
from reports.plots.ratios import ratios
from reports.plots.sweeps import connections, sizes

__all__ = ["figures", "ratios"]


def figures(race: Mapping[str, Any]) -> list[Figure]:
    """Sweeps over sizes and connections, percentile curves and memory, as far as the race has them."""
    return [*sizes(race), *connections(race), *latency(race), *memory(race)]
