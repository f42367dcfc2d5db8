"""The whole battery over every broken loop: what each one fails, written as data and as a page.

`python -m tests.broken_loops.table` rewrites `conformance/proofs.json` (requirement → the loops that prove it, which
reports show) and `docs/broken-loops.md` (broken loop → requirements failed). `--proofs-only` runs nothing and
writes the first from the declarations alone; `--others N` asks each loop the chapters that it breaks and N
requirements of other chapters, where there is no time for a thousand requirements on each of a thousand loops.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from conformance import catalogue
from conformance.verdicts import WRONG
from tests.broken_loops import BrokenLoop, every
from tests.harness import ROOT, run_pytest

PROOFS = ROOT / "conformance" / "proofs.json"
PAGE = ROOT / "docs" / "broken-loops.md"
_BATCH = 12


def proofs() -> dict[str, list[dict[str, str]]]:
    """Requirement id → the broken loops that prove that it can fail."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for loop in every():
        for id in loop.breaks:
            found[id].append({"name": loop.name, "module": loop.module, "sentence": loop.sentence})
    return dict(sorted(found.items()))


def proofs_text() -> str:
    return json.dumps(proofs(), indent=1, ensure_ascii=False) + "\n"


def batches(loops: list[BrokenLoop]) -> list[list[BrokenLoop]]:
    """Loops that break the same chapters together, a dozen at a time."""
    alike: dict[tuple[str, ...], list[BrokenLoop]] = defaultdict(list)
    for loop in loops:
        alike[tuple(sorted({id.partition(".")[0] for id in loop.breaks}))].append(loop)
    return [group[i : i + _BATCH] for group in alike.values() for i in range(0, len(group), _BATCH)]


def asked(loops: list[BrokenLoop], others: int | None, draw: random.Random) -> list[str]:
    """What a batch is asked: the chapters that it breaks and so many ids of others; nothing named is everything."""
    if others is None:
        return []
    chapters = {id.partition(".")[0] for loop in loops for id in loop.breaks}
    rest = [r.id for r in catalogue.load().values() if r.chapter not in chapters and r.chapter != "ecosystem"]
    return [*(f"{chapter}.*" for chapter in sorted(chapters)), *draw.sample(rest, min(others, len(rest)))]


def failed_by(loops: list[BrokenLoop], ids: list[str], stock_fails: set[str], directory: Path) -> dict[str, list[str]]:
    """Name of each loop → ids that it fails beyond those that the stock loop fails."""
    file = directory / f"{loops[0].name}.jsonl"
    specs = [f"--loop={loop.spec}" for loop in loops]
    finished = run_pytest("-q", "-n", "2", f"--loop-results={file}", *specs, *ids, patience=4, timeout=7200)
    if finished.run is None or not finished.run.complete:
        sys.exit(f"the battery did not finish:\n{finished.output[-3000:]}")
    return {
        loop.name: sorted(id for id, v in finished.verdicts(loop.name).items() if v in WRONG and id not in stock_fails)
        for loop in loops
    }


def page(failed: dict[str, list[str]], others: int | None) -> str:
    spread = [len(ids) for ids in failed.values()]
    what = "the whole battery" if others is None else f"the chapters that it breaks and {others} requirements of others"
    lines = [
        "# Broken loops and the requirements that fail on them",
        "",
        f"Written by `tox run -e broken` on Python {sys.version_info[0]}.{sys.version_info[1]}; each loop was asked",
        f"{what}.",
        f"{len(failed)} loops, each wrong in one way, fail {statistics.median(spread):g} requirement(s) in the median,",
        f"{max(spread)} at most. The requirement that names the broken sentence stands in bold.",
        "",
        "| broken loop | what it does wrong | requirements that fail |",
        "|---|---|---|",
    ]
    for loop in every():
        if loop.name in failed:
            ids = [f"**{id}**" if id in loop.breaks else id for id in failed[loop.name]]
            lines.append(
                f"| {loop.name} | {loop.sentence.replace('|', chr(92) + '|')} | {', '.join(ids) or '(none)'} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--proofs-only", action="store_true", help="write conformance/proofs.json and run nothing")
    parser.add_argument("--others", type=int, metavar="N", help="ask each loop its chapters and N ids of others")
    parser.add_argument("--seed", type=int, default=1, help="draws those N (default: 1)")
    options = parser.parse_args()
    PROOFS.write_text(proofs_text(), encoding="utf-8")
    if options.proofs_only:
        return
    loops = [loop for loop in every() if loop.applies]
    started = time.monotonic()
    failed: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        stock = run_pytest(
            "-q", "-n", "2", "--loop=stock=asyncio:SelectorEventLoop", f"--loop-results={directory}/stock.jsonl"
        )
        stock_fails = {id for id, v in stock.verdicts("stock").items() if v in WRONG}
        draw = random.Random(options.seed)
        for batch in batches(loops):
            failed |= failed_by(batch, asked(batch, options.others, draw), stock_fails, Path(directory))
            left = (time.monotonic() - started) / len(failed) * (len(loops) - len(failed))
            print(f"{len(failed)} of {len(loops)} broken loops, about {left / 60:.0f} min left", flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(failed, options.others), encoding="utf-8")
    survivors = [loop for loop in loops if not set(loop.breaks) & set(failed[loop.name])]
    print(f"median spread {statistics.median(len(ids) for ids in failed.values()):g}; wrote {PROOFS} and {PAGE}")
    for loop in survivors:
        print(f"not caught: {loop.name} should fail {', '.join(loop.breaks)}")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
