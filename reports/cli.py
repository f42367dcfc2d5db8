"""The command line of `python -m reports`. What cannot be used is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reports import show, sources
from reports.errors import ReportError


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
    parser = argparse.ArgumentParser(prog="python -m reports", description="Views of result files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("show", help="tables for the terminal")
    one.add_argument("paths", nargs="+", type=Path, metavar="DIR_OR_FILE")
    one.set_defaults(command=_show)
    one = commands.add_parser("html", help="one self-contained page")
    one.add_argument("paths", nargs="+", type=Path, metavar="DIR_OR_FILE")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    one.add_argument("--title", default="asyncio event loops: contract and race")
    one.set_defaults(command=_html)
    return parser


def _show(options: argparse.Namespace) -> int:
    print(show.show(sources.read(options.paths)))
    return 0


def _html(options: argparse.Namespace) -> int:
    from reports import page

    found = sources.read(options.paths)
    page.write(options.output, page.html(found, options.title))
    print(f"wrote {options.output}")
    return 0
