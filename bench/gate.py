"""A CI gate that says pass, fail or inconclusive, and why.

Counts are compared with a base file: more than the limit is a failure, and what the base has and the new counts have
not is inconclusive. A race is judged by its intervals: an arm fails when it is surely slower than the limit allows,
passes when it surely is not, and is inconclusive otherwise, also whenever the reference differed from itself by more
than the limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
STATUS = {PASS: 0, FAIL: 1, INCONCLUSIVE: 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One workload's judgement."""

    workload: str
    loop: str
    outcome: str
    reason: str


def outcome(findings: list[Finding]) -> str:
    """The worst; nothing judged is inconclusive."""
    found = {finding.outcome for finding in findings}
    return FAIL if FAIL in found else INCONCLUSIVE if INCONCLUSIVE in found or not found else PASS


def counts(base: Mapping[str, Any], new: Mapping[str, Any], instructions: float, syscalls: float) -> list[Finding]:
    """Judge each cell of a base. `instructions` is a share, `syscalls` a number per operation."""
    entries = {entry["name"]: entry for entry in new["workloads"]}
    findings = []
    for before in base["workloads"]:
        entry = entries.get(before["name"])
        for label, past in before["cells"].items():
            if entry is None or label not in entry["cells"]:
                reason = "in the base, but not among the new counts"
                findings.append(Finding(before["name"], label, INCONCLUSIVE, reason))
            elif (then := _build(base, label)) != (now := _build(new, label)):
                reason = f"the base was counted on {then}, this on {now}: counts of different builds do not compare"
                findings.append(Finding(before["name"], label, INCONCLUSIVE, reason))
            else:
                cell = entry["cells"][label]
                findings.append(_count(entry, before, label, past, cell, instructions, syscalls))
    return findings


def _build(counts: Mapping[str, Any], label: str) -> str:
    """What a loop was counted on. Files that name no Python per loop have one for all: the tool's."""
    loop: Mapping[str, Any] = next((one for one in counts["loops"] if one["label"] == label), {})
    return f"Python {loop.get('python', counts['python'])} on {counts['platform']}"


def _count(
    entry: Mapping[str, Any],
    before: Mapping[str, Any],
    label: str,
    past: Mapping[str, Any],
    cell: Mapping[str, Any],
    instructions: float,
    syscalls: float,
) -> Finding:
    name = entry["name"]
    if entry["version"] != before["version"]:
        return Finding(name, label, INCONCLUSIVE, "the workload changed since the base was counted")
    if past["state"] == "dead":
        return Finding(name, label, PASS, f"had no count in the base ({past['reason']})")
    if cell["state"] == "dead":
        return Finding(name, label, FAIL, f"worked in the base, now: {cell['reason']}")
    if not any(number in past and number in cell for number in ("instructions", "syscalls")):
        return Finding(name, label, INCONCLUSIVE, "the base and the new counts have no number in common")
    reasons = []
    if "instructions" in cell and "instructions" in past:
        change = cell["instructions"] / past["instructions"] - 1
        # What the repeats of one process differ by is no finding.
        noise = max(cell["spread"], past["spread"])
        if noise > instructions:
            return Finding(name, label, INCONCLUSIVE, f"its instructions differ by {noise:.1%} from repeat to repeat")
        if change > instructions + noise:
            reasons.append(f"{change:+.1%} instructions ({past['instructions']:.0f} to {cell['instructions']:.0f})")
    if "syscalls" in cell and "syscalls" in past:
        more = cell["syscalls"] - past["syscalls"]
        # One call in a region of hundreds is a fraction that floats do not hold exactly.
        if more > syscalls - 1e-9:
            reasons.append(f"{more:+.2f} system calls ({_changed(past['calls'], cell['calls'])})")
    if reasons:
        return Finding(name, label, FAIL, "; ".join(reasons) + " per operation")
    return Finding(name, label, PASS, "within the limits")


def _changed(past: Mapping[str, float], now: Mapping[str, float]) -> str:
    names = [name for name in sorted({*past, *now}) if abs(now.get(name, 0) - past.get(name, 0)) > 0.005]
    return ", ".join(f"{name} {past.get(name, 0):.2f} to {now.get(name, 0):.2f}" for name in names)


def race(summary: Mapping[str, Any], loop: str, limit: float, metric: str = "cpu") -> list[Finding]:
    """Judge one arm of a race against its reference. `limit` is a share."""
    findings = []
    allowed = math.log1p(limit)
    for entry in summary["workloads"]:
        cell, noise = entry["cells"][loop], entry["cells"][summary["noise_arm"]]
        name = entry["name"]
        if cell["state"] == "dead":
            findings.append(Finding(name, loop, FAIL, f"{cell['how']}: {cell['reason']}"))
            continue
        found, floor = cell.get(metric, {}), noise.get(metric, {})
        if found.get("low") is None or floor.get("low") is None:
            findings.append(Finding(name, loop, INCONCLUSIVE, "fewer than six rounds with both loops"))
            continue
        reach = max(abs(math.log(floor["low"])), abs(math.log(floor["high"])))
        interval = f"{found['ratio']:.3f} [{found['low']:.3f} {found['high']:.3f}] times the reference's time"
        if reach > allowed:
            reason = f"noise floor {math.expm1(reach):.1%} is wider than the limit {limit:.1%}: more rounds are needed"
            findings.append(Finding(name, loop, INCONCLUSIVE, reason))
        elif math.log(found["low"]) > allowed:
            findings.append(Finding(name, loop, FAIL, interval))
        elif math.log(found["high"]) < allowed:
            findings.append(Finding(name, loop, PASS, interval))
        else:
            findings.append(Finding(name, loop, INCONCLUSIVE, f"{interval}: the limit lies inside the interval"))
    return findings
