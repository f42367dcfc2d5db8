"""Tables for the terminal, by tabulate: ratios with intervals and verdicts, group means, facts, what has no time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tabulate import tabulate

from bench.files import contenders, labels_of

MARKS = {"faster": "faster", "slower": "SLOWER", "no difference": "no difference", "inconclusive": "?"}
UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
HOW = {"hangs": "hangs", "crashes": "crashes", "fails": "fails"}


def race(summary: Mapping[str, Any]) -> str:
    """Everything that a race found, as text."""
    parts = [_ratios(summary), _groups(summary), _syscalls(summary), _facts(summary), _dead(summary), _noise(summary)]
    if not summary["complete"]:
        parts.append("This race is incomplete: the same command with the same -o goes on where it stopped.")
    return "\n\n".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Three digits and the unit that fits them."""
    rounded = float(f"{seconds:.3g}")
    unit, scale = next((one for one in UNITS if rounded >= one[1]), UNITS[-1])
    number = seconds / scale
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def ratio(found: Mapping[str, Any]) -> str:
    if "ratio" not in found:
        return ""
    if found["low"] is None:
        return f"{found['ratio']:.2f}"
    return f"{found['ratio']:.2f} [{found['low']:.2f} {found['high']:.2f}]"


def wall(cell: Mapping[str, Any]) -> str:
    """The ratio of wall times; with its verdict where CPU time does not tell it: a loop that waits burns none."""
    found = cell["wall"]
    if "ratio" not in found:
        return ""
    verdict = found.get("verdict", "")
    told = verdict in {"faster", "slower"} and verdict != cell["cpu"].get("verdict")
    return f"{found['ratio']:.2f} {MARKS[verdict]}" if told else f"{found['ratio']:.2f}"


def counts(data: Mapping[str, Any]) -> str:
    """What `count` found."""
    labels = [loop["label"] for loop in data["loops"]]
    rows = []
    for entry in data["workloads"]:
        row = [entry["name"]]
        for label in labels:
            cell = entry["cells"][label]
            if cell["state"] == "dead":
                row += ["fails", cell["reason"][:40]]
                continue
            row.append(f"{cell['instructions']:.0f}" if "instructions" in cell else "")
            row.append(f"{cell['syscalls']:.2f}" if "syscalls" in cell else "")
        rows.append(row)
    headers = ["workload"]
    for label in labels:
        headers += [f"{label}\ninstructions", "system\ncalls"]
    return tabulate(rows, headers, disable_numparse=True) + "\n\nPer operation."


def changes(found: Iterable[Mapping[str, Any]], remarks: Iterable[str] = ()) -> str:
    """What `compare OLD NEW` found, and what to know of the two; what did not change is only counted."""
    found = list(found)
    same = sum(one["verdict"] == "no difference" for one in found)
    rows = [
        (one["workload"], one["loop"], one["verdict"], ratio(one) if one["ratio"] else "", one["why"])
        for one in found
        if one["verdict"] != "no difference"
    ]
    headers = ("workload", "loop", "new against old", "ratio of ratios [95 %]", "why")
    same_words = f"{same} of {len(found)} cells did not change."
    parts = [tabulate(rows, headers, disable_numparse=True) if rows else "", same_words, "\n".join(remarks)]
    return "\n\n".join(part for part in parts if part)


def findings(found: Iterable[Any]) -> str:
    """What `gate` found."""
    rows = [(one.workload, one.loop, one.outcome, one.reason) for one in found]
    return tabulate(rows, ("workload", "loop", "outcome", "why"), disable_numparse=True)


def listing(entries: Iterable[Mapping[str, Any]]) -> str:
    """What `list` prints."""
    rows = [(e["name"], e["unit"], e["drives"], e["tier"]) for e in entries]
    return tabulate(rows, ("workload", "one operation is", "drives", "tier"))


def _ratios(summary: Mapping[str, Any]) -> str:
    reference, noise = summary["reference"], summary["noise_arm"]
    others = contenders(summary)
    rows = []
    for entry in summary["workloads"]:
        cells = entry["cells"]
        first = cells[reference]
        row = [entry["name"], duration(first["cpu"]["seconds"]) if "cpu" in first else first["state"]]
        for label in others:
            cell = cells[label]
            if cell["state"] != "measured":
                row += [HOW.get(cell.get("how", ""), cell["state"]), "", ""]
            else:
                verdict = cell["cpu"].get("verdict", "")
                row += [ratio(cell["cpu"]), MARKS.get(verdict, ""), wall(cell)]
        row.append(ratio(cells[noise].get("cpu", {})))
        rows.append(row)
    headers = ["workload", f"{reference}\nCPU per op"]
    for label in others:
        headers += [f"{label}\nCPU ratio [95 %]", "verdict", "wall"]
    return tabulate(rows, [*headers, "A/A\nnoise"], disable_numparse=True) if rows else ""


def _groups(summary: Mapping[str, Any]) -> str:
    rows: dict[str, list[str]] = {}
    labels = contenders(summary)
    found = {(g["group"], g["arm"]): g for g in summary["groups"] if g["metric"] == "cpu"}
    for group, _ in found:
        rows.setdefault(group, [group])
    for group, row in rows.items():
        for label in labels:
            one = found.get((group, label))
            row.append(f"{ratio(one)} (n={len(one['workloads'])})" if one else "")
    if not rows or not labels:
        return ""
    return tabulate(
        rows.values(), ["group", *(f"{label}\ngeometric mean, CPU" for label in labels)], disable_numparse=True
    )


def _syscalls(summary: Mapping[str, Any]) -> str:
    labels = labels_of(summary)
    rows = []
    for entry in summary["workloads"]:
        counts = [entry["cells"][label].get("syscalls") for label in labels]
        if any(one is not None for one in counts):
            rows.append([entry["name"], *("" if one is None else f"{one:.2f}" for one in counts)])
    return tabulate(rows, ["system calls per operation", *labels], disable_numparse=True) if rows else ""


def _facts(summary: Mapping[str, Any]) -> str:
    labels = labels_of(summary)
    rows = []
    for entry in summary["facts"]:
        names = {name for cell in entry["cells"].values() for name in cell.get("facts", {})}
        for name in sorted(names):
            row = [entry["name"], name]
            for label in labels:
                cell = entry["cells"][label]
                facts = cell.get("facts", {})
                row.append(f"{facts[name]:.4g}" if name in facts else cell.get("how", cell["state"]))
            rows.append(row)
    return tabulate(rows, ["guard", "fact", *labels], disable_numparse=True) if rows else ""


def _dead(summary: Mapping[str, Any]) -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for entry in [*summary["workloads"], *summary["facts"]]:
        for label, cell in entry["cells"].items():
            if cell["state"] == "dead" and label != summary["noise_arm"]:
                rows.setdefault((label, f"{cell['how']}: {cell['reason']}"), []).append(entry["name"])
    if not rows:
        return ""
    return "No time:\n" + "\n".join(
        f"  {label}: {', '.join(names)}\n      {reason}" for (label, reason), names in rows.items()
    )


def _noise(summary: Mapping[str, Any]) -> str:
    found = summary["noise"]["cpu"]
    if not found["cells"]:
        return ""
    return (
        f"Noise floor ({summary['reference']} against itself, CPU, {found['cells']} workloads): "
        f"median error {found['error_median']:.1%}, largest {found['error_max']:.1%}; "
        f"{found['excluding_one']} intervals exclude 1, {found['false_verdicts']} false verdicts. "
        f"Ratios are time / {summary['reference']}'s time: below 1 is faster. "
        f"Verdicts ask for significance over all workloads and more than {summary['settings']['margin']:.0%}."
    )
