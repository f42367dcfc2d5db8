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
    return parser


def _show(options: argparse.Namespace) -> int:
    print(show.show(sources.read(options.paths)))
    return 0
