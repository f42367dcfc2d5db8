"""The command line of `python -m reports`. What cannot be used is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import commands
from reports.errors import ReportError
from reports.gate import LEVELS


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        return int(options.command(options))
    except ReportError as error:
        print(f"reports: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Views of what pytest --loop-results=FILE and bench run -o DIR wrote.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    one = _reader(subparsers.add_parser("show", help="tables for the terminal"))
    one.set_defaults(command=commands.show_tables)

    one = _reader(subparsers.add_parser("html", help="one self-contained page"))
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    one.add_argument("--title", default="asyncio event loops: contract and race")
    one.set_defaults(command=commands.write_html)

    one = _reader(subparsers.add_parser("markdown", help="a summary for a CI step"))
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="standard output when left out")
    one.set_defaults(command=commands.write_markdown)

    one = _reader(subparsers.add_parser("junit", help="JUnit XML"))
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="standard output when left out")
    one.set_defaults(command=commands.write_junit)

    one = _reader(subparsers.add_parser("badge", help="a badge: SVG, or JSON for badge services"))
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg|FILE.json")
    one.add_argument("--loop", metavar="LABEL", help="of which loop, if there are several")
    one.set_defaults(command=commands.write_badge)

    one = subparsers.add_parser("diff", help="what changed between two results")
    one.add_argument("old", type=Path, metavar="OLD")
    one.add_argument("new", type=Path, metavar="NEW")
    one.add_argument("--markdown", action="store_true", help="for a pull request")
    one.add_argument("--exit-code", action="store_true", help="exit with 1 if anything became wrong or slower")
    one.set_defaults(command=commands.compare)

    one = _reader(subparsers.add_parser("merge", help="runs of several loops, Pythons and machines in one file"))
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    one.set_defaults(command=commands.merge)

    one = _reader(subparsers.add_parser("expect", help="what a loop does otherwise, as an expectation file"))
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.toml")
    one.add_argument("--loop", metavar="LABEL", help="of which loop, if there are several")
    one.set_defaults(command=commands.write_expectations)

    one = _reader(subparsers.add_parser("gate", help="an exit code for CI, with reasons"))
    one.add_argument("--expected", action="append", default=[], metavar="[LABEL=]FILE|NAME", help="known deviations")
    one.add_argument("--level", choices=LEVELS, default="must", help="what fails beside MUST (must)")
    one.add_argument("--loop", metavar="LABEL", help="the loop of a race that --limit judges")
    one.add_argument("--limit", type=_per_cent, metavar="PERCENT", help="how much slower than the reference it may be")
    one.add_argument("--metric", choices=("cpu", "wall"), default="cpu", help="of a race")
    one.set_defaults(command=commands.judge)

    one = _reader(subparsers.add_parser("ci", help="all that a CI job publishes: page, JUnit, badges, summary"))
    one.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    one.add_argument("--base", type=Path, metavar="DIR_OR_FILE", help="results of the base branch, to compare with")
    one.add_argument("--title", default="asyncio event loops: contract and race")
    one.set_defaults(command=commands.publish)

    one = subparsers.add_parser("book", help="the contract as a specification")
    one.add_argument("paths", nargs="*", type=Path, metavar="DIR_OR_FILE", help="results, to say what loops do")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    one.add_argument("--title", default="The contract of an asyncio event loop")
    one.set_defaults(command=commands.write_book)

    one = subparsers.add_parser("reproduce", help="a stand-alone script of one requirement")
    one.add_argument("id", metavar="ID")
    one.add_argument("--loop", required=True, metavar="MODULE:FACTORY")
    one.set_defaults(command=commands.reproduce)
    return parser


def _reader(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR_OR_FILE")
    return parser


def _per_cent(text: str) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = 0.0
    if not 0 < number < 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a percentage between 0 and 1000")
    return number / 100
