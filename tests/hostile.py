"""Every hostile loop before the battery: what does not use the method of its crime must see a stock loop.

`tox run -e hostile -- [NAME…]` runs a sample of each chapter (`--all`: every requirement) on each criminal, prints a
row per crime, and writes `docs/hostile.md`; exit code 1 if a verdict of another requirement changed. Which requirements
use a method is measured: they are those that change when the method raises an error of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from conformance import catalogue, exits
from conformance.verdicts import WRONG, Level
from tests.harness import ROOT, Finished, run_pytest
from tests.hostile_loops import CRIMES, FACTORIES, UNSEEN
from tests.places import Row, page

PAGE = ROOT / "docs" / "hostile.md"
PATIENCE = 8
_WORDS = """\
Each loop is asyncio's own but for one method, which commits a crime against the process that it runs in. What uses the
method may see it; the verdicts of all other requirements must equal those of asyncio's own loop, the run must end by
itself, and its exit code must say that the loop deviates. Made by `tox run -e hostile`, which writes this page."""
# With these every method that a crime stands in is used, whatever the sample is.
_ALWAYS = ("dns.getaddrinfo", "dns.getnameinfo", "executors.result", "executors.shutdown-joins", "signals.called",
           "lifecycle.factory")  # fmt: skip


class Raised(Exception):
    """What a loop that only shows who calls a method raises."""


def _tell_tale(method: str) -> type[asyncio.SelectorEventLoop]:
    def tell(self: object, *args: Any, **keywords: Any) -> Any:
        raise Raised(method)

    return type(f"Uses_{method}", (asyncio.SelectorEventLoop,), {method: tell})


globals().update({f"Uses_{method}": _tell_tale(method) for method in {method for method, _ in CRIMES.values()}})


class Trial:
    """The same requirements, again and again, and what the stock loop and the tell-tales said of them."""

    def __init__(self, folder: Path, select: tuple[str, ...]) -> None:
        self.folder = folder
        self.select = select
        finished, self.stock = self.battery("asyncio:SelectorEventLoop", "stock")
        self._stock_code = finished.code
        self._users: dict[str, set[str]] = {}

    def battery(self, spec: str, label: str) -> tuple[Finished, dict[str, str]]:
        file = self.folder / f"{label}.jsonl"
        finished = run_pytest("-q", "-n2", f"--loop={label}={spec}", f"--loop-results={file}", *self.select,
                              patience=PATIENCE, timeout=3600)  # fmt: skip
        return finished, finished.verdicts(label) if finished.run else {}

    def users(self, method: str) -> set[str]:
        if method not in self._users:
            _, told = self.battery(f"tests.hostile:Uses_{method}", f"uses-{method}")
            self._users[method] = {id for id, verdict in told.items() if verdict != self.stock[id]}
        return self._users[method]

    def crime(self, name: str) -> Row:
        method = CRIMES[name][0]
        users = self.users(method)
        finished, verdicts = self.battery(f"tests.hostile_loops:{name}", name)
        changed = {id for id, verdict in verdicts.items() if verdict != self.stock[id]}
        strayed = sorted(changed - users)
        levels = {id: requirement.level for id, requirement in catalogue.load().items()}
        fails = any(verdicts[id] in WRONG and levels[id] is Level.MUST for id in changed)
        code = exits.DEVIATES if fails else self._stock_code
        right = self._whole(finished, verdicts) and not strayed and finished.code == code
        right = right and (bool(changed) or name in UNSEEN)
        kinds = ", ".join(sorted({verdicts[id] for id in changed})) or "not seen by any requirement"
        happened = f"{len(changed)} of {len(users)} requirements that use it changed ({kinds})"
        happened += f"; CHANGED ELSEWHERE: {', '.join(strayed)}" if strayed else ""
        return Row(f"{name}, in {method}()", f"exit {finished.code}: {happened}", right)

    def factory(self, name: str) -> Row:
        """A factory that makes no loop, or one that does nothing at all."""
        finished, verdicts = self.battery(f"tests.hostile_loops:{name}", name)
        conforming = {id for id, verdict in verdicts.items() if verdict == "conforms"}
        counted = {kind: list(verdicts.values()).count(kind) for kind in sorted(set(verdicts.values()))}
        code = FACTORIES[name]
        right = finished.code == code and (code == exits.USAGE or self._whole(finished, verdicts))
        right = right and len(conforming) < len(self.stock) / 2
        said = ", ".join(f"{count} {kind}" for kind, count in counted.items())
        return Row(name, f"exit {finished.code}: {said or finished.output.strip().splitlines()[-1][:100]}", right)

    def _whole(self, finished: Finished, verdicts: dict[str, str]) -> bool:
        return finished.run is not None and finished.run.complete and set(verdicts) == set(self.stock)


def sample(per_chapter: int) -> tuple[str, ...]:
    """So many requirements of each chapter, evenly spread, and what the crimes need to be seen."""
    chapters: dict[str, list[str]] = defaultdict(list)
    for id, requirement in catalogue.load().items():
        chapters[requirement.chapter].append(id)
    spread = [ids[n * len(ids) // per_chapter] for ids in chapters.values() for n in range(per_chapter)]
    return tuple(sorted({*spread, *_ALWAYS}))


def main() -> int:
    parser = argparse.ArgumentParser(description="Each hostile loop before the battery.")
    parser.add_argument("names", nargs="*", help="crimes (default: all, and write the page)")
    parser.add_argument("--per-chapter", type=int, default=2, help="requirements of each chapter (default: 2)")
    parser.add_argument("--all", action="store_true", help="the whole battery (an hour)")
    options = parser.parse_args()
    select = () if options.all else sample(options.per_chapter)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        trial = Trial(Path(directory), select)
        for name in options.names or [*sorted(CRIMES), *FACTORIES]:
            started = time.monotonic()
            row = trial.factory(name) if name in FACTORIES else trial.crime(name)
            rows.append(row)
            print(f"{row.mark:4} {row.name}: {row.happened} [{time.monotonic() - started:.0f} s]", flush=True)
        what = f"{len(trial.stock)} requirements of {len({id.partition('.')[0] for id in trial.stock})} chapters"
    if not options.names:
        PAGE.write_text(page("Hostile loops", _WORDS, {"Crimes": rows}, what), encoding="utf-8")
    return int(any(row.right is not True for row in rows))


if __name__ == "__main__":
    sys.exit(main())
