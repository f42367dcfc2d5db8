"""Right loops never fail: the battery again and again, in random order, with both cores kept busy.

`tox run -e stability -- --runs 50 --loop asyncio:SelectorEventLoop` prints a line per run and, at the end, the
number of false failures, the requirements that came near their patience (unstable), the ten slowest, and how the
runner's own memory grew. Exit code 1 if anything failed or was unstable. `--at-once 2` runs two batteries side by side,
which are each other's load. `--record` adds what was counted to `docs/stability.json`, run by run, and writes
`docs/stability.md` from all that is there (`tests/stability_page.py`).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from conformance import exits, results
from conformance.verdicts import Verdict
from tests import stability_page

_DEFAULT = ["asyncio:SelectorEventLoop", "reference_loop:new_event_loop"]
_EXPECTED = ["asyncio.SelectorEventLoop=asyncio"]
_BURN = """
import os, time
ours, end = os.getppid(), time.time() + 7200
while os.getppid() == ours and time.time() < end:
    pass
"""
_NEAR = 0.8  # of the patience; what comes nearer than this once in a while will time out once in a longer while
_RIGHT = {Verdict.CONFORMS, Verdict.NOT_APPLICABLE, Verdict.NOT_RUN}


class Soak:
    """What all runs so far have shown."""

    def __init__(self) -> None:
        self.batteries = 0
        self.failures: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        """Of each requirement, in every run, on the loop that took longest."""

    def add(self, run: results.Run) -> Counter[str]:
        """Count a run; its false failures."""
        self.batteries += len(run.loops)
        wrong = _wrong(run)
        if not run.complete:
            wrong["the run itself"] += 1
        self.failures.update(wrong)
        longest: dict[str, float] = defaultdict(float)
        for result in run.results:
            longest[result["id"]] = max(longest[result["id"]], float(result.get("seconds", 0.0)))
        for id, seconds in longest.items():
            self.seconds[id].append(seconds)
        return wrong

    def near(self, patience: float) -> dict[str, float]:
        """Requirement → seconds, of those that came near their patience."""
        longest = {id: max(seconds) for id, seconds in self.seconds.items()}
        return {id: seconds for id, seconds in sorted(longest.items()) if seconds > _NEAR * patience}

    def slowest(self, count: int = 10) -> dict[str, float]:
        """Requirement → seconds in the median of the runs, the slowest first."""
        medians = {id: statistics.median(seconds) for id, seconds in self.seconds.items()}
        return dict(sorted(medians.items(), key=lambda item: -item[1])[:count])


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the battery on right loops until it would have failed.")
    parser.add_argument("--runs", type=int, default=50, help="batteries per loop (default: 50)")
    parser.add_argument("--loop", action="append", help="a loop that must conform (default: stock and reference)")
    parser.add_argument("--expected", action="append", help="known deviations, which are none of the suite's")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds per requirement (default: 10)")
    parser.add_argument("--no-load", action="store_true", help="leave the other core alone")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="N batteries side by side, as the load")
    parser.add_argument("--record", action="store_true", help="add to docs/stability.json, and write its page")
    parser.add_argument("select", nargs="*", help="requirement ids or globs (default: all)")
    options = parser.parse_args()
    if options.record and options.select:
        parser.error("--record counts whole batteries: name no requirements with it")
    if options.at_once < 1:
        parser.error("--at-once takes a number from 1 on")
    with _load(0 if options.no_load or options.at_once > 1 else os.cpu_count() or 1):
        sys.exit(_repeat(options))


@contextmanager
def _load(burners: int) -> Iterator[None]:
    # Bounded, and gone with this process, in case that is killed before it can end them.
    busy = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(burners)]
    try:
        yield
    finally:
        for burner in busy:
            burner.kill()
            burner.wait()


def _repeat(options: argparse.Namespace) -> int:
    soak = Soak()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(options.at_once) as pool:
        files = [Path(directory) / f"{number}.jsonl" for number in range(options.runs)]
        running = {pool.submit(_battery, options, file): file for file in files}
        for number, finished in enumerate(as_completed(running), 1):
            process, file = finished.result(), running[finished]
            if process.returncode == exits.USAGE:
                pool.shutdown(wait=False, cancel_futures=True)
                print(process.stdout + process.stderr, file=sys.stderr)
                return exits.USAGE
            run = results.read(file)
            file.unlink()
            wrong = soak.add(run)
            if not run.complete:
                print(process.stdout[-2000:])
            left = (time.monotonic() - started) / number * (options.runs - number)
            print(f"run {number}/{options.runs}: {len(run.results)} results, {sum(wrong.values())} false failures, "
                  f"{_shuffled(process)}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB, "
                  f"about {left / 60:.0f} min left", flush=True)  # fmt: skip
            for what, count in wrong.items():
                print(f"    {what}: {count}", flush=True)
            if options.record:
                stability_page.record(run, _named(run), soak.slowest())
    return _told(soak, options.patience)


def _battery(options: argparse.Namespace, file: Path) -> subprocess.CompletedProcess[str]:
    expected = options.expected or ([] if options.loop else _EXPECTED)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider",
               f"--loop-shuffle={random.randrange(1_000_000)}",
               f"--loop-patience={options.patience}", f"--loop-results={file}",
               *(f"--loop={loop}" for loop in options.loop or _DEFAULT),
               *(f"--loop-expected={file}" for file in expected), *options.select]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True)


def _shuffled(process: subprocess.CompletedProcess[str]) -> str:
    return next(argument.lstrip("-") for argument in process.args if argument.startswith("--loop-shuffle"))


def _told(soak: Soak, patience: float) -> int:
    near = soak.near(patience)
    failed = sum(soak.failures.values())
    print(f"{soak.batteries} batteries, {failed} false failures, {len(near)} unstable requirements")
    id, longest = max(((id, max(seconds)) for id, seconds in soak.seconds.items()), key=lambda item: item[1])
    print(f"nearest its patience: {id}, {longest:.2f} of {patience:g} s")
    for id, seconds in soak.slowest().items():
        print(f"slow: {id} took {seconds:.2f} s in the median")
    for id, seconds in near.items():
        print(f"unstable: {id} took {seconds:.2f} s")
    return int(bool(soak.failures or near))


def _wrong(run: results.Run) -> Counter[str]:
    return Counter(
        f"{r['loop']}: {r['id']}[{r['case']}] {r['verdict']}: {r.get('seen', '')[:200]}" for r in _failed(run)
    )


def _named(run: results.Run) -> list[tuple[str, str]]:
    """Loop and id of each false failure; a run that did not end is one of each of its loops."""
    unfinished = [] if run.complete else [(column.label, "the run itself") for column in run.loops]
    return unfinished + [(result["loop"], result["id"]) for result in _failed(run)]


def _failed(run: results.Run) -> list[dict[str, Any]]:
    """The results that say of a right loop that it is not."""
    return [
        result
        for result in run.results
        if Verdict(result["verdict"]) not in _RIGHT and result["level"] != "may" and "expected" not in result
    ]


if __name__ == "__main__":
    main()
