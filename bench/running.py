"""`run`: from the command line's options to a race and its files."""

from __future__ import annotations

import argparse
import random
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import certificates, count, files, race, table
from bench.arms import Arm, Died
from bench.errors import BrokenFile, DifferentRace, UnusableArm
from bench.journal import NAME as JOURNAL
from bench.journal import Journal
from bench.progress import ProgressLine
from bench.race import Settings
from bench.workload import Entry, catalogue, select
from conformance.loops import parse_specs

NOISE_ARM = "A-A"
# Seven rounds are the fewest whose 95 % interval need not reach from the lowest to the highest round.
PACES = {
    "default": Settings(rounds=16, samples=10, target=0.006),
    "quick": Settings(rounds=7, samples=5, target=0.003, fact_rounds=1, warmups=1),
    "rigorous": Settings(rounds=40, samples=10, target=0.015),
}


def run(options: argparse.Namespace) -> int:
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
    named: dict[str, str] = {}
    for label in (NOISE_ARM, *(spec.label for spec in specs)):
        if (other := named.setdefault(files.file_name(label), label)) != label:
            raise UnusableArm(
                f"--loop: the files of the labels {other!r} and {label!r} would both be "
                f"{files.file_name(label)}.json: choose another label"
            )
    arms = [Arm(spec.label, spec, handicaps.get(spec.label, 0.0)) for spec in specs]
    arms.append(Arm(NOISE_ARM, specs[0], handicaps.get(specs[0].label, 0.0)))
    resumed = (options.output / JOURNAL).exists()
    journal = _journal(options, arms, entries, settings)
    entries = [entry for entry in entries if journal.alive(entry.name)]
    rounds = {e.name: min(settings.rounds, settings.fact_rounds) if e.kind.facts else settings.rounds for e in entries}
    left = {name: sum(not journal.done(name, number) for number in range(wanted)) for name, wanted in rounds.items()}
    progress = ProgressLine(left, settings.rounds)
    if threading.current_thread() is threading.main_thread():
        # `timeout` and CI runners send SIGTERM: end as by Ctrl-C, with the files written.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.syscalls:
        count.check_tools(["strace"])
    if resumed:
        wanted = max(rounds.values(), default=0)
        print(_resumed(journal, wanted - max(left.values(), default=0), wanted), file=sys.stderr)
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
            if options.syscalls and journal.syscalls is None:
                journal.append(syscalls=count.syscalls(arms[:-1], entries))
    finally:
        progress.close()
        if journal.rounds or journal.facts:
            summary = files.write(options.output, journal)
    print(table.race(summary))
    page = f"python -m reports html {shlex.quote(str(options.output))} -o report.html"
    print(f"\nwritten to {options.output}; `{page}` makes a page of it")
    return 0


def _resumed(journal: Journal, done: int, wanted: int) -> str:
    """What the user is told who may have thought to race anew."""
    if journal.finished is not None:
        return (
            f"bench: the race in {journal.path.parent} was finished on {_date(journal.finished)} and is not run again: "
            f"choose another -o to race anew"
        )
    return f"bench: resuming the race of {_date(journal.header['started'])}: {done} of {wanted} rounds are there"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


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
            place = " ".join(_difference(journal.header.get(key), header[key]))
            raise DifferentRace(
                f"{options.output} holds a race with other {key}{place and f' ({place})'}: "
                f"choose another -o, or delete it to race anew"
            )
    journal.cut()
    return journal


def _difference(old: Any, new: Any) -> list[str]:
    """The way to the first place where two values of a header differ: keys, and labels or names for items of lists."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**new, **old}:
            if old.get(key) != new.get(key):
                return [key, *_difference(old.get(key), new.get(key))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for before, now in zip(old, new, strict=True):
            if before != now:
                return [str(now.get("label") or now["name"]), *_difference(before, now)]
    return []
