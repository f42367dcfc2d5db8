"""The command line: list, run, compare, count and gate. Bad input is one sentence and exit status 2."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import certificates, files, race, table
from bench.arms import Arm, Died
from bench.errors import BenchError, BrokenFile, DifferentRace, UnusableArm
from bench.journal import NAME as JOURNAL
from bench.journal import Journal
from bench.progress import ProgressLine
from bench.race import Settings
from bench.workload import Entry, catalogue, select
from conformance.loops import LoopSpecError, parse_specs

NOISE_ARM = "A-A"
PACES = {
    "default": Settings(rounds=16, samples=10, target=0.006),
    "quick": Settings(rounds=6, samples=4, target=0.004, fact_rounds=1),
    "rigorous": Settings(rounds=40, samples=10, target=0.015),
}


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
        print("bench: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="A fair race between asyncio event loops.")
    commands = parser.add_subparsers(required=True, metavar="list|run|compare|count|gate")

    listing = commands.add_parser("list", help="show the workloads")
    listing.add_argument("workloads", nargs="*", help="groups, names or globs")
    listing.add_argument("--sweep", action="store_true", help="with the rest of the crosses of sizes")
    listing.set_defaults(command=_list)

    run = commands.add_parser("run", help="race loops")
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
    run.add_argument("--patience", type=float, metavar="SECONDS", help="before a silent worker is killed (20)")
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
    run.set_defaults(command=_run)

    compare = commands.add_parser("compare", help="show a race again, or what changed between two")
    compare.add_argument("old", type=Path, metavar="DIR")
    compare.add_argument("new", type=Path, nargs="?", metavar="NEW")
    compare.set_defaults(command=_compare)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _per_cent(text: str) -> float:
    number = float(text.removesuffix("%"))
    if not 0 < number < 100:
        raise argparse.ArgumentTypeError("a percentage between 0 and 100")
    return number / 100


def _handicap(text: str) -> tuple[str, float]:
    label, _, number = text.rpartition("=")
    return label, _per_cent(number)


def _list(options: argparse.Namespace) -> int:
    entries = catalogue()
    chosen = select(options.workloads or ["*"], entries, options.sweep)
    print(table.listing(e.describe() for e in chosen if options.sweep or options.workloads or e.tier == "standard"))
    return 0


def _run(options: argparse.Namespace) -> int:
    settings = PACES[options.pace]
    for name in ("rounds", "patience", "margin"):
        if (value := getattr(options, name)) is not None:
            settings = replace(settings, **{name: value})
    settings = replace(settings, pinned=not options.no_pin)
    entries = select(options.workloads, catalogue(), options.sweep)
    specs = parse_specs(options.loop)
    handicaps = dict(options.handicap)
    if unknown := sorted(set(handicaps) - {spec.label for spec in specs}):
        raise UnusableArm(
            f"--handicap {unknown[0]}: no loop has this label; they are {', '.join(s.label for s in specs)}"
        )
    if NOISE_ARM in {spec.label for spec in specs}:
        raise UnusableArm(f"the label {NOISE_ARM} is taken by the reference's second arm: choose another")
    arms = [Arm(spec.label, spec, handicaps.get(spec.label, 0.0)) for spec in specs]
    arms.append(Arm(NOISE_ARM, specs[0]))
    journal = _journal(options, arms, entries, settings)
    entries = [entry for entry in entries if journal.alive(entry.name)]
    left = {
        e.name: sum(
            not journal.done(e.name, number)
            for number in range(min(settings.rounds, settings.fact_rounds) if e.kind.facts else settings.rounds)
        )
        for e in entries
    }
    progress = ProgressLine(left, settings.rounds)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            if any(entry.group == "tls" for entry in entries):
                certificates.make(Path(scratch))
            race.run(
                journal,
                arms,
                entries,
                settings,
                progress,
                Path(scratch),
                lambda: files.write(options.output, journal),
            )
    finally:
        progress.close()
        if journal.rounds or journal.facts:
            summary = files.write(options.output, journal)
    print(table.race(summary))
    print(f"\nwritten to {options.output}; `python -m reports html {options.output} -o report.html` makes a page of it")
    return 0


def _journal(options: argparse.Namespace, arms: Sequence[Arm], entries: Sequence[Entry], settings: Settings) -> Journal:
    """A new journal, or the one in the directory if it is of the same race. Raises DifferentRace."""
    try:
        for arm in arms[:-1]:
            arm.launch(identify=True)
        identities = {arm.label: arm.identify() for arm in arms[:-1]}
    except Died as death:
        raise UnusableArm(str(death)) from death
    finally:
        for arm in arms:
            arm.close()
    identities[NOISE_ARM] = identities[arms[0].label]
    header = {
        "started": time.time(),
        "command": ["python", "-m", "bench", *options.arguments],
        "seed": random.randrange(1 << 32) if options.seed is None else options.seed,
        "settings": settings.as_dict(),
        "noise_arm": NOISE_ARM,
        "loops": [
            identities[arm.label]["loop"]
            | {"label": arm.label, "metadata": identities[arm.label]["metadata"]}
            | ({"handicap": arm.handicap} if arm.handicap else {})
            for arm in arms
        ],
        "workloads": [entry.describe() for entry in entries],
    }
    path = options.output / JOURNAL
    if not path.exists():
        try:
            options.output.mkdir(parents=True, exist_ok=True)
            return Journal.create(path, header)
        except OSError as error:
            raise BrokenFile(f"cannot write {path}: {error.strerror}; choose another -o") from error
    journal = Journal.read(path)
    for key in ("settings", "loops", "workloads"):
        if journal.header.get(key) != header[key]:
            raise DifferentRace(
                f"{options.output} holds a race with other {key}: choose another -o, or delete it to race anew"
            )
    journal.cut()
    return journal


def _compare(options: argparse.Namespace) -> int:
    print(table.race(files.read(options.old)))
    return 0
