"""Every hostile loop before the battery: what does not use the method of its crime must see a stock loop.

`tox run -e hostile -- [NAME…]` runs a sample of each chapter (`--all`: every requirement) on all criminals, prints a
row per crime, and writes `docs/hostile.md`; exit code 1 if a verdict of another requirement changed. Which requirements
use a method is measured: they are those that change when the method raises an error of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from conformance import catalogue, exits
from conformance.verdicts import WRONG
from tests.harness import ROOT, Finished, run_pytest
from tests.hostile_loops import CRIMES, FACTORIES, UNSEEN
from tests.places import Row, page

PAGE = ROOT / "docs" / "hostile.md"
PATIENCE = 8
_WORDS = """\
Each loop is asyncio's own but for one method, which commits a crime against the process that it runs in. What uses the
method may see it; the verdicts of all other requirements that asyncio's own loop keeps must equal those of that loop,
the run must end by itself, and its exit code must say that the loop deviates. Made by `tox run -e hostile`, which
writes this page."""
# With these every method that a crime stands in is used, whatever the sample is.
_ALWAYS = ("dns.getaddrinfo", "dns.getnameinfo", "executors.result", "executors.shutdown-joins", "signals.called",
           "lifecycle.factory")  # fmt: skip


class Raised(Exception):
    """What a loop that only shows who calls a method raises."""


def _tell_tale(method: str) -> type[asyncio.SelectorEventLoop]:
    def tell(self: object, *args: Any, **keywords: Any) -> Any:
        raise Raised(method)

    return type(f"Uses_{method}", (asyncio.SelectorEventLoop,), {method: tell})


_METHODS = sorted({method for method, _ in CRIMES.values()})
globals().update({f"Uses_{method}": _tell_tale(method) for method in _METHODS})


class Trial:
    """The same requirements, again and again, and what the stock loop and the tell-tales said of them."""

    def __init__(self, folder: Path, select: tuple[str, ...]) -> None:
        self.file = folder / "results.jsonl"
        self.select = select
        tales = {f"Uses_{method}": f"tests.hostile:Uses_{method}" for method in _METHODS}
        told = self.battery({"stock": "asyncio:SelectorEventLoop"} | tales)
        self.stock = told.verdicts("stock")
        self.users = {
            method: {id for id, verdict in told.verdicts(f"Uses_{method}").items() if verdict != self.stock[id]}
            for method in _METHODS
        }

    def battery(self, specs: dict[str, str], select: tuple[str, ...] | None = None) -> Finished:
        loops = (f"--loop={label}={spec}" for label, spec in specs.items())
        ids = self.select if select is None else select
        return run_pytest("-q", "-n2", f"--loop-results={self.file}", *loops, *ids, patience=PATIENCE, timeout=7200)

    def crimes(self, names: list[str]) -> list[Row]:
        """One run over these criminals, with the stock loop among them: a row for each, and one for the run."""
        finished = self.battery(
            {name: f"tests.hostile_loops:{name}" for name in names} | {"after": "asyncio:SelectorEventLoop"}
        )
        rows = [self._crime(name, finished.verdicts(name)) for name in names]
        whole = finished.run is not None and finished.run.complete and finished.verdicts("after") == self.stock
        right = whole and finished.code == exits.DEVIATES
        happened = f"exit {finished.code}: it ended by itself, {len(names)} criminals and asyncio's own loop in it"
        return [*rows, Row(f"the run over {', '.join(names) if len(names) < 3 else 'all of these'}", happened, right)]

    def _crime(self, name: str, verdicts: dict[str, str]) -> Row:
        method = CRIMES[name][0]
        users = self.users[method]
        changed = {id for id, verdict in verdicts.items() if verdict != self.stock[id]}
        # What asyncio's own loop fails may fail in another way: in less time, since the loop has hung before.
        strayed = sorted(id for id in changed - users if not {self.stock[id], verdicts[id]} <= WRONG)
        right = set(verdicts) == set(self.stock) and not strayed and (bool(changed) or name in UNSEEN)
        kinds = ", ".join(sorted({verdicts[id] for id in changed})) or "no requirement sees it"
        happened = f"{len(changed & users)} of the {len(users)} requirements that use it changed ({kinds})"
        happened += f"; CHANGED ELSEWHERE: {', '.join(strayed)}" if strayed else ", none of the others"
        return Row(f"{name}, in {method}()", happened, right)

    def factory(self, name: str) -> Row:
        """A factory that makes no loop, or one that does nothing at all: a sample waits long enough for that."""
        asked = sample(2)
        finished = self.battery({name: f"tests.hostile_loops:{name}"}, asked)
        verdicts = finished.verdicts(name) if finished.run else {}
        counted = {kind: list(verdicts.values()).count(kind) for kind in sorted(set(verdicts.values()))}
        code = FACTORIES[name]
        right = finished.code == code and (code == exits.USAGE or set(verdicts) == set(asked))
        right = right and counted.get("conforms", 0) < len(asked) / 2
        said = ", ".join(f"{count} {kind}" for kind, count in counted.items())
        return Row(name, f"exit {finished.code}: {said or finished.output.strip().splitlines()[-1][:100]}", right)


def sample(per_chapter: int) -> tuple[str, ...]:
    """So many requirements of each chapter, evenly spread, and what the crimes need to be seen."""
    chapters: dict[str, list[str]] = defaultdict(list)
    for id, requirement in catalogue.load().items():
        chapters[requirement.chapter].append(id)
    spread = [ids[n * len(ids) // per_chapter] for ids in chapters.values() for n in range(per_chapter)]
    return tuple(sorted({*spread, *_ALWAYS}))


def _told(rows: list[Row]) -> list[Row]:
    for row in rows:
        print(f"{row.mark:4} {row.name}: {row.happened}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Each hostile loop before the battery.")
    parser.add_argument("names", nargs="*", help="crimes (default: all, and write the page)")
    parser.add_argument("--per-chapter", type=int, default=2, help="requirements of each chapter (default: 2)")
    parser.add_argument("--all", action="store_true", help="the whole battery (half an hour)")
    parser.add_argument("--apart", action="store_true", help="a run for each crime, instead of one over all")
    options = parser.parse_args()
    select = () if options.all else sample(options.per_chapter)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(Path(directory), select)
        names = options.names or sorted(CRIMES)
        for each in [[name] for name in names] if options.apart else [names]:
            rows += _told(trial.crimes(each))
        if not options.names:
            for name in FACTORIES:
                rows += _told([trial.factory(name)])
        what = f"{len(trial.stock)} requirements of {len({id.partition('.')[0] for id in trial.stock})} chapters"
    if not options.names:
        PAGE.write_text(page("Hostile loops", _WORDS, {"Crimes": rows}, what), encoding="utf-8")
    return int(any(row.right is not True for row in rows))


if __name__ == "__main__":
    sys.exit(main())
