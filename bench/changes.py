"""What changed between two races: each loop against its own race's reference, then new against old.

Two races were not run in lockstep, so their times do not compare; their ratios do, if both have the same reference. The
verdicts ask for what a race's own do: significance over all workloads, and more than either reference differed from
itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench import statistics
from bench.errors import DifferentRace
from bench.statistics import Comparison

Race = Mapping[str, Any]


def changes(old: Race, new: Race, metric: str = "cpu") -> list[dict[str, Any]]:
    """One dict per workload and loop of both races: {"workload", "loop", "verdict", "ratio", "low", "high", "why"}.

    verdict: faster, slower, no difference, inconclusive, not comparable, appeared or gone. Raises DifferentRace.
    """
    _make_sure_of_the_reference(old, new)
    before = {entry["name"]: entry for entry in old["workloads"]}
    ignored = {new["reference"], new["noise_arm"], old["noise_arm"]}
    told: dict[tuple[str, str], dict[str, Any]] = {}
    found: dict[tuple[str, str], Comparison] = {}
    noise: dict[str, float] = {}
    for entry in new["workloads"]:
        if (past := before.get(entry["name"])) is None:
            continue
        noise[entry["name"]] = max(_noise(old, past, metric), _noise(new, entry, metric))
        for label, cell in entry["cells"].items():
            if label in ignored or label not in past["cells"]:
                continue
            key = entry["name"], label
            told[key] = {"workload": entry["name"], "loop": label, "ratio": None, "low": None, "high": None, "why": ""}
            if past["version"] != entry["version"]:
                told[key] |= {"verdict": "not comparable", "why": "the workload changed"}
            elif reason := _without_ratio(past["cells"][label], cell, metric):
                told[key] |= reason
            else:
                both = (_comparison(one[metric]) for one in (past["cells"][label], cell))
                found[key] = statistics.ratio_of_ratios(*both)
    margin = math.log1p(max(old["settings"]["margin"], new["settings"]["margin"]))
    adjusted: dict[tuple[str, str], float] = {}
    for arm in {label for _, label in found}:
        adjusted |= statistics.holm({key: one.p for key, one in found.items() if key[1] == arm})
    for key, one in found.items():
        verdict = statistics.verdict(one, adjusted[key], noise[key[0]], margin)
        told[key] |= {"verdict": verdict, "ratio": one.ratio, "low": one.low, "high": one.high}
    return list(told.values())


def remarks(old: Race, new: Race) -> list[str]:
    """What the references and machines of two races do not share, as sentences: it may be what changed the ratios."""
    before, now = _reference(old), _reference(new)
    pairs = [(key, before.get(key), now.get(key)) for key in ("version", "build")]
    pairs += [
        (key.replace("_", " "), before["metadata"].get(key), now["metadata"].get(key))
        for key in ("python_version", "python_compiler", "cpu_model_name", "platform")
    ]
    return [f"the reference's {key} differs: {past} against {this}" for key, past, this in pairs if past != this]


def _make_sure_of_the_reference(old: Race, new: Race) -> None:
    for what, key in (("references", _spec), ("Pythons", _python)):
        before, now = key(_reference(old)), key(_reference(new))
        if before != now:
            raise DifferentRace(
                f"the races have different {what} ({before} and {now}): only ratios to the same loop compare"
            )


def _reference(race: Race) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(loop for loop in race["loops"] if loop["label"] == race["reference"])
    return found


def _spec(loop: Mapping[str, Any]) -> str:
    return str(loop["spec"]).partition("@")[0]


def _python(loop: Mapping[str, Any]) -> str:
    """Implementation and minor version: another is another reference, whatever its spec."""
    metadata = loop["metadata"]
    version = ".".join(str(metadata.get("python_version", "?")).split(".")[:2])
    return f"{metadata.get('python_implementation', 'cpython')} {version}"


def _noise(race: Race, entry: Mapping[str, Any], metric: str) -> float:
    """|log| of what the reference differed from itself; infinite where that is not known."""
    ratio = entry["cells"][race["noise_arm"]].get(metric, {}).get("ratio")
    return math.inf if ratio is None else abs(math.log(ratio))


def _without_ratio(past: Mapping[str, Any], cell: Mapping[str, Any], metric: str) -> dict[str, str] | None:
    """The verdict on two cells that have no ratio of ratios."""
    states = (past["state"], cell["state"])
    if states == ("measured", "dead"):
        return {"verdict": "gone", "why": f"{cell['how']}: {cell['reason']}"}
    if states == ("dead", "measured"):
        return {"verdict": "appeared", "why": f"was: {past['reason']}"}
    if states != ("measured", "measured"):
        return {"verdict": "inconclusive", "why": "no time in either"}
    if any(one[metric].get("low") is None for one in (past, cell)):
        return {"verdict": "inconclusive", "why": "no interval"}
    return None


def _comparison(found: Mapping[str, Any]) -> Comparison:
    return Comparison(found["ratio"], found["low"], found["high"], found["p"], found["rounds"])
