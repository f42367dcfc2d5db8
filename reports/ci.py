"""`ci`: all that a CI job publishes of one run, in one command: page, JUnit, badge, summary, and what changed.

On GitHub it also annotates the job and writes its step summary; elsewhere it writes the files alone. It does not
judge: the exit code of the battery has done that, or `gate` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.verdicts import WRONG, Level, Verdict
from reports import badge, diff, differences, entries, junit, markdown, matrix, page, sources
from reports.errors import ReportError
from reports.matrix import Matrix
from reports.sources import Sources

ANNOTATIONS = 10
"""GitHub shows no more than ten of each kind per step."""
SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub refuses a step summary of more than 1 MiB."""


def publish(found: Sources, base: Path | None, output: Path, title: str, environ: Mapping[str, str]) -> list[str]:
    """Write everything to the directory; the lines to print. Raises OSError, ReportError."""
    seen = matrix.build(file.run for file in found.batteries)
    summary = _changes(found, base) + markdown.markdown(found)
    page.write(output / "report.html", page.html(found, title))
    page.write(output / "junit.xml", junit.junit(found))
    page.write(output / "summary.md", summary)
    for column in seen.columns:
        made = badge.badge(seen, column.key)
        page.write(output / f"badge-{column.key}.svg", made.svg())
        page.write(output / f"badge-{column.key}.json", made.endpoint())
    if target := environ.get("GITHUB_STEP_SUMMARY"):
        with open(target, "a", encoding="utf-8") as file:
            file.write(_cut(summary))
    return list(_annotations(seen)) if environ.get("GITHUB_ACTIONS") == "true" else []


def _changes(found: Sources, base: Path | None) -> str:
    """What changed against the base. A base that is missing or unusable is said, and stops nothing."""
    if base is None:
        return ""
    try:
        old = sources.read([base])
        return differences.as_markdown(diff.diff(old, found)) + "\n"
    except ReportError as error:
        return f"Not compared with the base: {error}\n\n"


def _cut(summary: str) -> str:
    if len(summary.encode()) <= SUMMARY_LIMIT:
        return summary
    kept = summary.encode()[:SUMMARY_LIMIT].decode(errors="ignore").rpartition("\n\n")[0]
    fence = "\n````" if kept.count("````") % 2 else ""
    return f"{kept}{fence}\n\nThe rest is in the artefact.\n"


def _annotations(found: Matrix) -> Iterator[str]:
    """Workflow commands: errors for what fails a gate, warnings for SHOULD; worst level first."""
    lines: dict[str, list[str]] = {"error": [], "warning": []}
    for entry in entries.entries(found):
        level = Level(entry.requirement["level"])
        for one in entry.found:
            if one.verdict not in WRONG | {Verdict.ERRORED} or one.expected:
                continue
            kind = "warning" if level is Level.SHOULD and one.verdict in WRONG else "error"
            who = ", ".join(f"{column.label} {column.python}" for column in one.columns)
            title = f"{entry.id} ({level.upper()}) {one.verdict} on {who}"
            words = f"{entry.requirement['statement']}\n{one.seen.split(chr(10))[0][:300]}\n{one.rerun}"
            lines[kind].append(f"::{kind} title={_property(title)}::{_data(words)}")
    for found_lines in lines.values():
        yield from found_lines[:ANNOTATIONS]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
