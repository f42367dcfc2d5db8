"""What each command of `python -m reports` does. They read, write one file or print, and return an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from conformance import exits
from reports import (
    badge,
    book,
    ci,
    diff,
    differences,
    expecting,
    gate,
    junit,
    markdown,
    matrix,
    merged,
    page,
    reproducers,
    show,
    sources,
)
from reports.errors import NothingToReport, UnusableFile


def show_tables(options: argparse.Namespace) -> int:
    print(show.show(sources.read(options.paths)))
    return 0


def write_html(options: argparse.Namespace) -> int:
    return _write(options.output, page.html(sources.read(options.paths), options.title))


def write_markdown(options: argparse.Namespace) -> int:
    return _write(options.output, markdown.markdown(sources.read(options.paths)))


def write_junit(options: argparse.Namespace) -> int:
    return _write(options.output, junit.junit(sources.read(options.paths)))


def write_badge(options: argparse.Namespace) -> int:
    """The name of the output decides: `.json` is for badge services, everything else is an SVG."""
    found = badge.badge(_matrix(options.paths), options.loop)
    return _write(options.output, found.endpoint() if options.output.suffix == ".json" else found.svg())


def write_expectations(options: argparse.Namespace) -> int:
    text = expecting.expectations(_matrix(options.paths), options.loop, options.output)
    return _write(options.output, text)


def merge(options: argparse.Namespace) -> int:
    found = sources.read(options.paths)
    merged.write(options.output, (file.run for file in found.batteries), (file.summary for file in found.races))
    for column in matrix.build(file.run for file in found.batteries).columns:
        marks = f" ({', '.join(column.marks)})" if column.marks else ""
        print(f"{column.label}, Python {column.python}: {len(column.cells)} requirements{marks}", file=sys.stderr)
    return 0


def compare(options: argparse.Namespace) -> int:
    found = diff.diff(sources.read([options.old]), sources.read([options.new]))
    if options.markdown:
        print(differences.as_markdown(found), end="")
    else:
        print(differences.as_text(found))
    return 1 if options.exit_code and found.worse else 0


def judge(options: argparse.Namespace) -> int:
    limit = None
    if options.limit is not None:
        if not options.loop:
            raise NothingToReport("--limit: name the loop of the race with --loop=LABEL")
        limit = gate.Limit(options.loop, options.limit, options.metric)
    reasons = gate.gate(sources.read(options.paths), options.level, options.expected, limit)
    for reason in reasons:
        print(reason.sentence)
    code = gate.code(reasons)
    words = {
        exits.CONFORMS: "passed",
        exits.DEVIATES: "failed",
        exits.SUITE_FAILED: "not known: see above",
        exits.STALE: "the loop got better: update the expectations",
    }
    print(f"gate: {words[code]} (exit code {code})")
    return code


def publish(options: argparse.Namespace) -> int:
    try:
        lines = ci.publish(sources.read(options.paths), options.base, options.output, options.title, os.environ)
    except OSError as error:
        raise UnusableFile(f"{error.filename}: cannot be written ({error.strerror}); choose another -o") from error
    print("\n".join(lines))
    return 0


def write_book(options: argparse.Namespace) -> int:
    return _write(options.output, book.html(_matrix(options.paths), options.title))


def reproduce(options: argparse.Namespace) -> int:
    from conformance import catalogue

    requirement = catalogue.load().get(options.id)
    if requirement is None:
        raise NothingToReport(f"{options.id}: no such requirement; see pytest --loop-catalogue")
    script = reproducers.script(requirement.as_dict(), options.loop)
    if not script:
        raise NothingToReport(
            f"{options.id}: no script can be made of it; use pytest --loop={options.loop} {options.id}"
        )
    print(script, end="")
    return 0


def _matrix(paths: list[Path]) -> matrix.Matrix:
    return matrix.build(file.run for file in sources.read(paths).batteries)


def _write(output: Path | None, text: str) -> int:
    if output is None:
        print(text, end="")
        return 0
    try:
        page.write(output, text)
    except OSError as error:
        raise UnusableFile(f"{output}: cannot be written ({error.strerror}); choose another -o") from error
    print(f"wrote {output}", file=sys.stderr)
    return 0
