"""Every hostile loop before the whole battery: what does not use the method of its crime must see a stock loop.

`python tests/hostile.py [NAME…]` prints a row per crime, and ends with 1 if a verdict of another requirement changed.
Which requirements use a method is measured: they are those that change when the method raises an error of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tabulate import tabulate

sys.path.append(str(Path(__file__).parents[1]))

from conformance import exits
from tests.harness import Finished, run_pytest
from tests.hostile_loops import CRIMES, UNSEEN

_METHODS = sorted({method for method, _ in CRIMES.values()})


class Raised(Exception):
    """What a loop that only shows who calls a method raises."""


def _tell_tale(method: str) -> type[asyncio.SelectorEventLoop]:
    def tell(self: object, *args: Any, **keywords: Any) -> Any:
        raise Raised(method)

    return type(f"Uses_{method}", (asyncio.SelectorEventLoop,), {method: tell})


globals().update({f"Uses_{method}": _tell_tale(method) for method in _METHODS})


def battery(spec: str, label: str, file: Path) -> tuple[Finished, dict[str, str]]:
    finished = run_pytest(
        "-q", "-n2", f"--loop={label}={spec}", f"--loop-results={file}", patience=3, timeout=3600
    )  # fmt: skip
    return finished, finished.verdicts(label)


def main(names: list[str]) -> int:
    folder = Path(tempfile.mkdtemp())
    _, stock = battery("asyncio:SelectorEventLoop", "stock", folder / "stock.jsonl")
    users: dict[str, set[str]] = {}
    for method in sorted({CRIMES[name][0] for name in names}):
        _, told = battery(f"tests.hostile:Uses_{method}", "tell", folder / f"{method}.jsonl")
        users[method] = {id for id, verdict in told.items() if verdict != stock[id]}
    rows, failed = [], 0
    for name in names:
        method = CRIMES[name][0]
        started = time.monotonic()
        finished, verdicts = battery(f"tests.hostile_loops:{name}", "hostile", folder / f"{name}.jsonl")
        changed = {id for id, verdict in verdicts.items() if verdict != stock[id]}
        strayed = sorted(changed - users[method])
        code = exits.DEVIATES if changed or "deviates" in stock.values() else exits.CONFORMS
        whole = finished.run is not None and finished.run.complete and set(verdicts) == set(stock)
        right = whole and not strayed and finished.code == code and (bool(changed) or name in UNSEEN)
        failed += not right
        rows.append([name, method, len(users[method]), len(changed), ", ".join(strayed) or "none", finished.code,
                     f"{time.monotonic() - started:.0f} s", "yes" if right else "NO"])  # fmt: skip
        print(f"{name}: {'as it should be' if right else 'WRONG'}", file=sys.stderr, flush=True)
    print(tabulate(rows, headers=["crime", "in", "use it", "changed", "elsewhere", "exit", "time", "contained"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sorted(CRIMES)))
