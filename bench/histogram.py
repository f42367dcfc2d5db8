"""Round-trip times in buckets of five per cent, small enough to keep for every worker, and their percentiles.

A histogram is {bucket: count}. Merging is adding; a percentile is off by at most 2.5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_STEP = math.log(1.05)
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def bucket(nanoseconds: int) -> int:
    return round(math.log(max(nanoseconds, 1)) / _STEP)


def seconds(index: int) -> float:
    return math.exp(index * _STEP) / 1e9


def merge(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for histogram in histograms:
        for index, count in histogram.items():
            total[index] = total.get(index, 0) + count
    return total


def percentiles(histogram: Mapping[int, int]) -> dict[str, float]:
    """{"50": seconds, …, "99.9": seconds}, leaving out what fewer than ten observations lie above."""
    total = sum(histogram.values())
    answer: dict[str, float] = {}
    for percent in PERCENTILES:
        if total * (1 - percent / 100) < 10:
            break
        rank, seen = total * percent / 100, 0
        for index in sorted(histogram):
            seen += histogram[index]
            if seen >= rank:
                answer[f"{percent:g}"] = seconds(index)
                break
    return answer
