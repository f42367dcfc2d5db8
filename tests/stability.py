"""Right loops never fail: the battery again and again, in random order, with both cores kept busy.

`tox run -e stability -- --runs 50 --loop asyncio:SelectorEventLoop` prints a line per run and, at the end, the
number of false failures, the requirements that came near their patience (unstable), and how the runner's own
descriptors, children and memory grew. Exit code 1 if anything failed or was unstable.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from conformance import exits, results
from conformance.verdicts import Verdict

_DEFAULT = ["asyncio:SelectorEventLoop", "reference_loop:new_event_loop"]
_EXPECTED = ["asyncio.SelectorEventLoop=asyncio"]
_BURN = """
import os, time
ours, end = os.getppid(), time.time() + 7200
while os.getppid() == ours and time.time() < end:
    pass
"""
_NEAR = 0.8  # of the patience; what comes nearer than this once in a while will time out once in a longer while


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the battery on right loops until it would have failed.")
    parser.add_argument("--runs", type=int, default=50, help="batteries per loop (default: 50)")
    parser.add_argument("--loop", action="append", help="a loop that must conform (default: stock and reference)")
    parser.add_argument("--expected", action="append", help="known deviations, which are none of the suite's")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds per requirement (default: 10)")
    parser.add_argument("--no-load", action="store_true", help="leave the other core alone")
    parser.add_argument("select", nargs="*", help="requirement ids or globs (default: all)")
    options = parser.parse_args()
    burners = [] if options.no_load else [_burner() for _ in range(os.cpu_count() or 1)]
    try:
        sys.exit(_repeat(options))
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _burner() -> subprocess.Popen[bytes]:
    # Bounded, and gone with this process, in case that is killed before it can end them.
    return subprocess.Popen([sys.executable, "-c", _BURN])


def _repeat(options: argparse.Namespace) -> int:
    loops = options.loop or _DEFAULT
    expected = options.expected or ([] if options.loop else _EXPECTED)
    failures: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    started = time.monotonic()
    done = 0
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.runs):
            file = Path(directory) / "run.jsonl"
            seed = random.randrange(1_000_000)
            command = [sys.executable, "-P", "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider",
                       f"--loop-shuffle={seed}",
                       f"--loop-patience={options.patience}", f"--loop-results={file}",
                       *(f"--loop={loop}" for loop in loops),
                       *(f"--loop-expected={file}" for file in expected), *options.select]  # fmt: skip
            finished = subprocess.run(command, capture_output=True, text=True)
            if finished.returncode == exits.USAGE:
                print(finished.stdout + finished.stderr, file=sys.stderr)
                return exits.USAGE
            run = results.read(file)
            done += len(run.loops)
            wrong = _wrong(run)
            failures.update(wrong)
            for result in run.results:
                seconds = float(result.get("seconds", 0.0))
                slowest[result["id"]] = max(slowest.get(result["id"], 0.0), seconds)
            if not run.complete:
                failures["the run itself"] += 1
                print(finished.stdout[-2000:])
            left = (time.monotonic() - started) / (number + 1) * (options.runs - number - 1)
            print(f"run {number + 1}/{options.runs}: {len(run.results)} results, {sum(wrong.values())} false failures, "
                  f"seed {seed}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB, "
                  f"about {left / 60:.0f} min left", flush=True)  # fmt: skip
            for what, count in wrong.items():
                print(f"    {what}: {count}", flush=True)
    near = {id: s for id, s in slowest.items() if s > _NEAR * options.patience}
    id, seconds = max(slowest.items(), key=lambda item: item[1])
    print(f"{done} batteries, {sum(failures.values())} false failures, {len(near)} unstable requirements")
    print(f"nearest its patience: {id}, {seconds:.2f} of {options.patience:g} s")
    for id, seconds in sorted(near.items()):
        print(f"unstable: {id} took {seconds:.2f} s")
    return int(bool(failures or near))


def _wrong(run: results.Run) -> Counter[str]:
    right = {Verdict.CONFORMS, Verdict.NOT_APPLICABLE, Verdict.NOT_RUN}
    return Counter(
        f"{r['loop']}: {r['id']}[{r['case']}] {r['verdict']}: {r.get('seen', '')[:200]}"
        for r in run.results
        if Verdict(r["verdict"]) not in right and r["level"] != "may" and "expected" not in r
    )


if __name__ == "__main__":
    main()
