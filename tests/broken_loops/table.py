"""The whole battery over every broken loop: what each one fails, written as data and as a page.

`python -m tests.broken_loops.table` rewrites `conformance/proofs.json` (requirement → the loops that prove it, which
reports show) and `docs/broken-loops.md` (broken loop → requirements failed). `--proofs-only` runs nothing and
writes the first from the declarations alone. A thousand requirements on each of two thousand loops take hours:
`--ask chapters` asks each loop the chapters that it breaks only, `--ask module` what the broken loops of its module
break, both with N requirements of other chapters (`--others N`). `--sample N` draws N loops and writes no page.
`--work DIR` keeps what each loop failed, so that a run goes on where another ended, which it does after `--minutes N`.
`--new` leaves the page's rows as they are, and asks the loops only that it has none of, or an older one.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from conformance import catalogue
from conformance.verdicts import WRONG, Level
from tests.broken_loops import BrokenLoop, every
from tests.harness import ROOT, run_pytest

PROOFS = ROOT / "conformance" / "proofs.json"
PAGE = ROOT / "docs" / "broken-loops.md"
_BATCH = 12
_STOCK = "stock"
_APART = ("ecosystem",)
"""What is no part of the whole battery."""


def proofs() -> dict[str, list[dict[str, str]]]:
    """Requirement id → the broken loops that prove that it can fail."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for loop in every():
        for id in loop.breaks:
            found[id].append({"name": loop.name, "module": loop.module, "sentence": loop.sentence})
    return dict(sorted(found.items()))


def proofs_text() -> str:
    return json.dumps(proofs(), indent=1, ensure_ascii=False) + "\n"


def broken_chapters(loop: BrokenLoop) -> tuple[str, ...]:
    return tuple(sorted({id.partition(".")[0] for id in loop.breaks}))


@dataclass(frozen=True)
class Asking:
    """What each loop is asked: the whole battery, or the chapters or the module that it is of, and `others` ids."""

    what: str
    others: int
    draw: random.Random

    def batches(self, loops: list[BrokenLoop]) -> list[list[BrokenLoop]]:
        """A dozen loops at a time, which are asked the same."""
        alike: dict[tuple[str, ...], list[BrokenLoop]] = defaultdict(list)
        for loop in loops:
            alike[self._scope(loop)].append(loop)
        return [group[i : i + _BATCH] for group in alike.values() for i in range(0, len(group), _BATCH)]

    def ids(self, batch: list[BrokenLoop]) -> list[str]:
        """Ids and globs; none stands for the whole battery."""
        scope, chapters = self._scope(batch[0]), broken_chapters(batch[0])
        if not scope:
            return []
        if scope == chapters:
            near = [f"{chapter}.*" for chapter in chapters]
        else:
            near = sorted({id for loop in every() if loop.module in scope for id in loop.breaks})
        rest = [r.id for r in catalogue.load().values() if r.chapter not in (*chapters, *_APART) and r.id not in near]
        return [*near, *self.draw.sample(rest, min(self.others, len(rest)))]

    def _scope(self, loop: BrokenLoop) -> tuple[str, ...]:
        chapters = broken_chapters(loop)
        if self.what == "chapters" or chapters == _APART:
            return chapters
        return (loop.module,) if self.what == "module" else ()

    @property
    def words(self) -> str:
        others = f", and {self.others} requirements of other chapters"
        return {
            "battery": "the whole battery",
            "chapters": f"the chapters that it breaks{others}",
            "module": f"whatever the broken loops of its module break{others}",
        }[self.what]


def failed_by(specs: dict[str, str], ids: list[str], directory: Path) -> dict[str, set[str]]:
    """Name of each loop → ids that it fails."""
    file = directory / f"{next(iter(specs))}.jsonl"
    arguments = [f"--loop={spec}" for spec in specs.values()]
    finished = run_pytest("-q", "-n", "2", f"--loop-results={file}", *arguments, *ids, patience=4, timeout=7200)
    if finished.run is None or not finished.run.complete:
        sys.exit(f"the battery did not finish:\n{finished.output[-3000:]}")
    return {name: {id for id, verdict in finished.verdicts(name).items() if verdict in WRONG} for name in specs}


@functools.cache
def _recorded() -> frozenset[str]:
    return frozenset(id for id, requirement in catalogue.load().items() if requirement.level is Level.MAY)


def unseen(loop: BrokenLoop, stock_fails: list[str]) -> dict[str, str]:
    """What a loop breaks that no table of failures can show → why: it does not fail, or fails on asyncio itself."""
    recorded = {id: "an answer that is recorded" for id in loop.breaks if id in _recorded()}
    return recorded | {id: "asyncio itself fails it" for id in loop.breaks if id in stock_fails}


def _cells(loop: BrokenLoop) -> tuple[str, str]:
    """What a row says of the loop whatever it failed."""
    return loop.name, loop.sentence.replace("|", "\\|")


def rows_that_hold(text: str) -> dict[str, list[str]]:
    """Name → ids that it failed, of the loops whose row on the page speaks of them as they are now."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            *cells, ids = re.split(r"(?<!\\) \| ", line[2:-2])
            rows[tuple(cells)] = ids.split(", ")
    held: dict[str, list[str]] = {}
    for loop in every():
        ids = rows.get(_cells(loop), [])
        if {bold.partition("**")[0] for id in ids for bold in id.split("**", 1)[1:]} == set(loop.breaks):
            held[loop.name] = [id.strip("*") for id in ids if " " not in id and id != "(none)"]
    return held


def page(failed: dict[str, list[str]], all_loops: int, words: str, stock_fails: list[str]) -> str:
    spread = [len(ids) for ids in failed.values()]
    asked = f"{len(failed)} loops" if len(failed) == all_loops else f"{len(failed)} of {all_loops} loops so far"
    lines = [
        "# Broken loops and the requirements that fail on them",
        "",
        f"Written by `tox run -e broken` on Python {sys.version_info[0]}.{sys.version_info[1]}, with a catalogue of",
        f"{len(catalogue.load())} requirements; each loop was asked {words},",
        "when it was new or the whole page was written.",
        f"{asked}, each wrong in one way, fail {statistics.median(spread):g} requirement(s) in the median,",
        f"{max(spread)} at most. The requirement that names the broken sentence stands in bold.",
        "",
        "| broken loop | what it does wrong | requirements that fail |",
        "|---|---|---|",
    ]
    for loop in every():
        if loop.name in failed:
            ids = [f"**{id}**" if id in loop.breaks else id for id in failed[loop.name]]
            ids += [f"**{id}** ({why})" for id, why in unseen(loop, stock_fails).items()]
            lines.append(f"| {' | '.join([*_cells(loop), ', '.join(ids) or '(none)'])} |")
    return "\n".join(lines) + "\n"


class Kept:
    """What each loop failed so far, a JSON line each in the directory given, or in none."""

    def __init__(self, directory: Path | None) -> None:
        self.failed: dict[str, list[str]] = {}
        self._file = directory and directory / "failed.jsonl"
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        if self._file and self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                self.failed |= json.loads(line)

    def add(self, failed: dict[str, list[str]]) -> None:
        self.failed |= failed
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({name: ids}) + "\n" for name, ids in failed.items())


def ask(loops: list[BrokenLoop], asking: Asking, kept: Kept, minutes: float) -> None:
    """Ask every loop that `kept` does not hold, a batch at a time, and begin none when the minutes are over."""
    started = time.monotonic()
    left = [loop for loop in loops if loop.name not in kept.failed]
    done = 0
    with tempfile.TemporaryDirectory() as directory:
        if _STOCK not in kept.failed:
            stock = failed_by({_STOCK: f"{_STOCK}=asyncio:SelectorEventLoop"}, [], Path(directory))
            kept.add({_STOCK: sorted(stock[_STOCK])})
        stock_fails = set(kept.failed[_STOCK])
        for batch in asking.batches(left):
            if time.monotonic() - started > 60 * minutes:
                break
            failed = failed_by({loop.name: loop.spec for loop in batch}, asking.ids(batch), Path(directory))
            kept.add({name: sorted(ids - stock_fails) for name, ids in failed.items()})
            done += len(batch)
            needed = (time.monotonic() - started) / done * (len(left) - done) / 60
            print(f"{done} of {len(left)} broken loops, about {needed:.0f} min left", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--proofs-only", action="store_true", help="write conformance/proofs.json and run nothing")
    scopes = ("battery", "chapters", "module")
    parser.add_argument("--ask", choices=scopes, default="battery", help="what each loop is asked (default: battery)")
    parser.add_argument("--others", type=int, default=0, metavar="N", help="and N ids of other chapters (default: 0)")
    parser.add_argument("--sample", type=int, metavar="N", help="ask N loops, drawn, and write no page")
    parser.add_argument("--seed", type=int, default=1, help="draws those N (default: 1)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep what was measured in this directory, and go on")
    parser.add_argument("--new", action="store_true", help="ask the loops only that the page has no row of")
    parser.add_argument("--minutes", type=float, default=math.inf, metavar="N", help="write the page after N minutes")
    options = parser.parse_args()
    PROOFS.write_text(proofs_text(), encoding="utf-8")
    if options.proofs_only:
        return
    loops = [loop for loop in every() if loop.applies]
    draw = random.Random(options.seed)
    asking = Asking(options.ask, options.others, draw)
    if options.sample is not None:
        loops = draw.sample(loops, min(options.sample, len(loops)))
    kept = Kept(options.work)
    if options.new:
        kept.failed = rows_that_hold(PAGE.read_text(encoding="utf-8")) | kept.failed
    ask(loops, asking, kept, options.minutes)
    asked = [loop for loop in loops if loop.name in kept.failed]
    failed = {loop.name: kept.failed[loop.name] for loop in asked}
    stock_fails = kept.failed[_STOCK]
    spread = [len(ids) for ids in failed.values()]
    print(f"{len(failed)} broken loops fail {statistics.median(spread):g} in the median, {max(spread)} at most")
    if options.sample is None:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(failed, len(loops), asking.words, stock_fails), encoding="utf-8")
        print(f"wrote {PROOFS} and {PAGE}")
    survivors = [loop for loop in asked if not set(loop.breaks) & {*failed[loop.name], *unseen(loop, stock_fails)}]
    for loop in survivors:
        print(f"not caught: {loop.name} should fail {', '.join(loop.breaks)}")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
