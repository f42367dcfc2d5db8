"""`diff` in words: for the terminal by tabulate, for a pull request as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from bench.table import ratio
from reports import markdown
from reports.diff import KINDS, Change, Difference

_CHANGES = ("requirement", "loop", "old", "new", "note")
_TIMES = ("workload", "loop", "verdict", "ratio of ratios [95 %]", "why")
_ORDER = ("slower", "gone", "faster", "appeared", "inconclusive", "not comparable")


def as_text(found: Difference) -> str:
    """For the terminal."""
    parts = [_head(found)]
    for kind, words in KINDS.items():
        if changes := found.of(kind):
            body = tabulate([_row(c) for c in changes], _CHANGES, disable_numparse=True)
            parts.append(f"{kind} ({len(changes)}): {words}\n\n{body}")
    if found.workloads:
        parts.append(tabulate([_time(w) for w in _sorted(found)], _TIMES, disable_numparse=True))
    return "\n\n".join(part for part in [*parts, *found.notes] if part)


def as_markdown(found: Difference) -> str:
    """For a comment or a step summary; what still fails is folded away."""
    parts = ["## What changed", _head(found)]
    for kind, words in KINDS.items():
        if changes := found.of(kind):
            body = markdown.table(_CHANGES, [_row(c) for c in changes])
            title = f"{kind} ({len(changes)}): {words}"
            folded = f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
            parts.append(folded if kind == "still failing" else f"### {title}\n\n{body}")
    if found.workloads:
        parts.append("### Workloads\n\n" + markdown.table(_TIMES, [_time(w) for w in _sorted(found)]))
    parts += [f"- {note}" for note in found.notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(found: Difference) -> str:
    if not found.requirements and not found.workloads:
        return "Nothing changed."
    counts = [f"{len(found.of(kind))} {kind}" for kind in KINDS if found.of(kind)]
    for verdict in _ORDER:
        number = sum(one["verdict"] == verdict for one in found.workloads)
        counts += [f"{number} {verdict}"] if number else []
    return ", ".join(counts) + f"; {found.same} requirements as before."


def _row(change: Change) -> tuple[str, ...]:
    return change.id, change.loop, change.old[:60], change.new[:60], change.note


def _sorted(found: Difference) -> list[Mapping[str, Any]]:
    return sorted(found.workloads, key=lambda one: (_ORDER.index(one["verdict"]), one["workload"], one["loop"]))


def _time(one: Mapping[str, Any]) -> tuple[str, ...]:
    return one["workload"], one["loop"], one["verdict"], ratio(one) if one.get("ratio") else "", one["why"][:120]
