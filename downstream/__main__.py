"""`python downstream [SUITE...]`: other projects' tests on stock asyncio and on a loop, and the difference.

Suites: cpython, cpython:MODULE (the ending of a module's name), and the applications of `applications.py`. Exits with
1 if a test that stock asyncio passes fails on the loop, unless `exclusions.toml` says why it must, and with 2 if a
suite could not be run.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from applications import APPLICATIONS, prepare, run_application
from compare import Difference, compare, exclusions
from outcomes import Outcome
from suites import Failure, cpython_modules, run_cpython

_STOCK = "asyncio"
_STOCK_CLASS = "asyncio.unix_events._UnixSelectorEventLoop"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python downstream", description=__doc__)
    parser.add_argument("suites", nargs="*", default=["cpython", *APPLICATIONS], metavar="SUITE")
    parser.add_argument("--loop", default="reference_loop.loop:EventLoop", help="module:class of the loop under test")
    parser.add_argument("--keep", type=Path, help="folder for outcomes and logs, instead of a temporary one")
    arguments = parser.parse_args()
    folder = arguments.keep.absolute() if arguments.keep else Path(tempfile.mkdtemp(prefix="downstream-"))
    folder.mkdir(parents=True, exist_ok=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores it, and so would the tests that interrupt themselves, for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    wanted: dict[str, list[str]] = {}
    for argument in arguments.suites:
        suite, _, module = argument.partition(":")
        wanted.setdefault(suite, []).extend([module] if module else [])
    codes = []
    try:
        for suite, modules in wanted.items():
            try:
                if suite != "cpython":
                    prepare(suite, folder)
                codes.append(int(_report(suite, _on_both(folder, suite, arguments.loop, modules))))
            except Failure as failure:
                print(failure, file=sys.stderr, flush=True)
                codes.append(2)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return max(codes)


def _on_both(folder: Path, suite: str, loop: str, wanted: list[str]) -> Difference:
    """Run both arms at the same time; then, alone, what only the loop under test failed.

    These suites have tests that a loaded machine fails. What stock fails at its second chance is no difference, and
    what the loop under test passes at its second is none either; the report names it.
    """

    def both(only: list[str], label: str) -> list[dict[str, Outcome]]:
        def run(arm: str, name: str) -> dict[str, Outcome]:
            place = folder / f"{suite}-{name}{label}"
            if suite == "cpython":
                return run_cpython(only or cpython_modules(wanted), arm, place)
            return run_application(suite, folder, arm, place, only)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(run, (_STOCK, loop), ("stock", "tested")))

    def compared(stock: dict[str, Outcome], tested: dict[str, Outcome], again: list[str]) -> Difference:
        return compare(stock, tested, exclusions(suite), loop.replace(":", "."), _STOCK_CLASS, again)

    stock, tested = both([], "")
    first = compared(stock, tested, [])
    if not first.failures:
        return first
    stock_again, tested_again = both([outcome.test for outcome in first.failures], "-again")
    passed = {test: outcome for test, outcome in tested_again.items() if outcome.outcome == "passed"}
    failed = {test: outcome for test, outcome in stock_again.items() if outcome.outcome != "passed"}
    return compared(stock | failed, tested | passed, sorted(passed))


def _report(suite: str, difference: Difference) -> bool:
    print(f"{suite} on Python {sys.version.split()[0]}")
    for label, counts in (("stock asyncio", difference.stock), ("loop under test", difference.tested)):
        print(f"  {label:16}", ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())))
    print(f"  {difference.on_the_loop} tests passed that made a loop under test;", end=" ")
    print(f"asyncio's own selector loop was made {difference.stock_loops} times meanwhile")
    print(f"  {len(difference.excluded)} tests excluded, {len(difference.failures)} failures that stock has not")
    for outcome in difference.failures:
        print(f"    {outcome.outcome} {outcome.test}: {outcome.detail.splitlines()[0] if outcome.detail else ''}")
    for test in difference.again:
        print(f"    passed only when it was run once more and alone: {test}")
    for each in difference.unused:
        print(f"    no test needs the exclusion {each.pattern}")
    return bool(difference.failures)


if __name__ == "__main__":
    sys.exit(main())
