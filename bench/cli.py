"""The command line: list, run, compare, count and gate. Bad input is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import commands, running
from bench.errors import BenchError
from conformance.loops import LoopSpecError

WORKLOADS = "groups, names or globs, as `list` shows them"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = _parser().parse_args(arguments)
    options.arguments = arguments
    try:
        return int(options.command(options))
    except (BenchError, LoopSpecError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = "; the same command goes on where it stopped" if options.command is running.run else ""
        print(f"bench: interrupted{goes_on}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="A fair race between asyncio event loops.")
    subparsers = parser.add_subparsers(required=True, metavar="list|run|compare|count|gate")

    listing = subparsers.add_parser("list", help="show the workloads")
    listing.add_argument("workloads", nargs="*", help="groups, names or globs")
    listing.add_argument("--sweep", action="store_true", help="with the rest of the crosses of sizes")
    listing.set_defaults(command=commands.list_workloads)

    run = subparsers.add_parser("run", help="race loops")
    run.add_argument("workloads", nargs="*", help="groups, names or globs; the whole suite when left out")
    run.add_argument(
        "--loop",
        action="append",
        required=True,
        metavar="[LABEL=]MODULE:FACTORY[@PYTHON]",
        help="an arm; the first is the reference; PYTHON is the interpreter that has the loop",
    )
    run.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a race in it is resumed")
    pace = run.add_mutually_exclusive_group()
    pace.add_argument("--quick", dest="pace", action="store_const", const="quick", default="default")
    pace.add_argument("--rigorous", dest="pace", action="store_const", const="rigorous")
    run.add_argument("--rounds", type=_positive, metavar="N", help="rounds instead of the pace's own number")
    run.add_argument("--sweep", action="store_true", help="also the rest of the crosses of sizes")
    run.add_argument("--no-pin", action="store_true", help="do not pin workers to one CPU per round")
    run.add_argument("--syscalls", action="store_true", help="also count system calls per operation, by strace")
    run.add_argument("--patience", type=_seconds, metavar="SECONDS", help="before a silent worker is killed (20)")
    run.add_argument("--margin", type=_per_cent, metavar="PERCENT", help="differences below it are none (3)")
    run.add_argument(
        "--handicap",
        action="append",
        default=[],
        type=_handicap,
        metavar="LABEL=PERCENT",
        help="let this loop burn CPU on top, to see whether the race finds it on this machine",
    )
    run.add_argument("--seed", type=int, help="of the random orders")
    run.set_defaults(command=running.run)

    compare = subparsers.add_parser("compare", help="show a race again, or what changed between two")
    compare.add_argument("old", type=Path, metavar="DIR")
    compare.add_argument("new", type=Path, nargs="?", metavar="NEW")
    compare.set_defaults(command=commands.compare)

    count = subparsers.add_parser("count", help="count instructions and system calls per operation")
    count.add_argument("workloads", nargs="*", help=WORKLOADS)
    count.add_argument("--loop", action="append", required=True, metavar="[LABEL=]MODULE:FACTORY[@PYTHON]")
    count.add_argument("--only", choices=("instructions", "syscalls"), help="with valgrind or strace alone")
    count.add_argument("-o", "--output", type=Path, metavar="FILE")
    count.set_defaults(command=commands.count_loops)

    gate = subparsers.add_parser(
        "gate",
        help="pass (0), fail (1) or inconclusive (3)",
        description="Judge counts against --base (counting anew when NEW is left out), or one loop of a race.",
    )
    gate.add_argument("new", type=Path, nargs="?", metavar="NEW", help="a file of `count`, or a directory of `run`")
    gate.add_argument("--base", type=Path, metavar="FILE", help="a file of `count`")
    gate.add_argument("--loop", metavar="LABEL", help="the loop of a race to judge against its reference")
    gate.add_argument("--limit", type=_per_cent, metavar="PERCENT", help="instructions (1) or time (3)")
    gate.add_argument("--syscalls", type=_per_operation, default=0.05, metavar="N", help="per operation (0.05)")
    gate.add_argument("--metric", choices=("cpu", "wall"), default="cpu", help="of a race")
    gate.set_defaults(command=commands.judge)
    return parser


def _positive(text: str) -> int:
    number = _number(text)
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, at least 1")
    return int(number)


def _seconds(text: str) -> float:
    if (number := _number(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of seconds above 0")
    return number


def _per_operation(text: str) -> float:
    if (number := _number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of system calls, at least 0")
    return number


def _per_cent(text: str) -> float:
    number = _number(text.removesuffix("%"))
    if not 0 < number < 100:
        raise argparse.ArgumentTypeError(f"{text!r}: give a percentage between 0 and 100")
    return number / 100


def _handicap(text: str) -> tuple[str, float]:
    label, _, number = text.rpartition("=")
    if not label:
        raise argparse.ArgumentTypeError(f"{text!r}: give LABEL=PERCENT, the label of a --loop first")
    return label, _per_cent(number)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return number
