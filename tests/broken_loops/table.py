"""The whole battery over every broken loop: what each one fails, written as data and as a page.

`python -m tests.broken_loops.table` rewrites `conformance/proofs.json` (requirement → the loops that prove it, which
reports show) and `docs/broken-loops.md` (broken loop → requirements failed). `--proofs-only` runs nothing and
writes the first from the declarations alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

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


def failed_by(loops: list[BrokenLoop], stock_fails: set[str], directory: Path) -> dict[str, list[str]]:
    """Name of each loop → ids that it fails beyond those that the stock loop fails."""
    file = directory / f"{loops[0].name}.jsonl"
    finished = run_pytest(
        "-q", "-n", "2", f"--loop-results={file}", *(f"--loop={loop.spec}" for loop in loops), patience=4, timeout=3600
    )
    if finished.run is None or not finished.run.complete:
        sys.exit(f"the battery did not finish:\n{finished.output[-3000:]}")
    return {
        loop.name: sorted(id for id, v in finished.verdicts(loop.name).items() if v in WRONG and id not in stock_fails)
        for loop in loops
    }


def page(failed: dict[str, list[str]]) -> str:
    spread = [len(ids) for ids in failed.values()]
    lines = [
        "# Broken loops and the requirements that fail on them",
        "",
        f"Written by `tox run -e broken` on Python {sys.version_info[0]}.{sys.version_info[1]}.",
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
        for start in range(0, len(loops), _BATCH):
            failed |= failed_by(loops[start : start + _BATCH], stock_fails, Path(directory))
            left = (time.monotonic() - started) / len(failed) * (len(loops) - len(failed))
            print(f"{len(failed)} of {len(loops)} broken loops, about {left / 60:.0f} min left", flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(failed), encoding="utf-8")
    survivors = [loop for loop in loops if not set(loop.breaks) & set(failed[loop.name])]
    print(f"median spread {statistics.median(len(ids) for ids in failed.values()):g}; wrote {PROOFS} and {PAGE}")
    for loop in survivors:
        print(f"not caught: {loop.name} should fail {', '.join(loop.breaks)}")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
