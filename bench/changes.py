"""What changed between two races: each loop against its own race's reference, then new against old.

Two races were not run in lockstep, so their times do not compare; their ratios do, if both have the same reference. The
interval of a ratio of ratios is wider than either: half-widths of the logarithms add in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.errors import DifferentRace


def changes(old: Mapping[str, Any], new: Mapping[str, Any], metric: str = "cpu") -> list[dict[str, Any]]:
    """One dict per workload and loop of both races: {"workload", "loop", "verdict", "ratio", "low", "high", "why"}.

    verdict: faster, slower, no difference, inconclusive, not comparable, appeared or gone. Raises DifferentRace.
    """
    if _spec(old, old["reference"]) != _spec(new, new["reference"]):
        raise DifferentRace(
            f"the races have different references ({old['reference']} and {new['reference']}): "
            f"only ratios to the same loop compare"
        )
    before = {entry["name"]: entry for entry in old["workloads"]}
    margin = math.log1p(max(old["settings"]["margin"], new["settings"]["margin"]))
    ignored = {new["reference"], new["noise_arm"], old["noise_arm"]}
    answer = []
    for entry in new["workloads"]:
        past = before.get(entry["name"])
        for label, cell in entry["cells"].items():
            if label in ignored or past is None or label not in past["cells"]:
                continue
            change = {"workload": entry["name"], "loop": label, "ratio": None, "low": None, "high": None, "why": ""}
            if past["version"] != entry["version"]:
                answer.append(change | {"verdict": "not comparable", "why": "the workload changed"})
            else:
                answer.append(change | _change(past["cells"][label], cell, metric, margin))
    return answer


def _spec(summary: Mapping[str, Any], label: str) -> str:
    return next(str(loop["spec"]).partition("@")[0] for loop in summary["loops"] if loop["label"] == label)


def _change(past: Mapping[str, Any], cell: Mapping[str, Any], metric: str, margin: float) -> dict[str, Any]:
    states = (past["state"], cell["state"])
    if states == ("measured", "dead"):
        return {"verdict": "gone", "why": f"{cell['how']}: {cell['reason']}"}
    if states == ("dead", "measured"):
        return {"verdict": "appeared", "why": f"was: {past['reason']}"}
    if states != ("measured", "measured"):
        return {"verdict": "inconclusive", "why": "no time in either"}
    a, b = past[metric], cell[metric]
    if a.get("low") is None or b.get("low") is None:
        return {"verdict": "inconclusive", "why": "no interval"}
    centre = math.log(b["ratio"] / a["ratio"])
    below = math.hypot(math.log(b["ratio"] / b["low"]), math.log(a["high"] / a["ratio"]))
    above = math.hypot(math.log(b["high"] / b["ratio"]), math.log(a["ratio"] / a["low"]))
    low, high = centre - below, centre + above
    if (low > 0 or high < 0) and abs(centre) > margin:
        verdict = "faster" if centre < 0 else "slower"
    else:
        verdict = "no difference" if -margin <= low and high <= margin else "inconclusive"
    return {"verdict": verdict, "ratio": math.exp(centre), "low": math.exp(low), "high": math.exp(high)}
