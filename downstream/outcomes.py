"""What became of each test, as lines of JSON in a file that outlives the process which runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """One test, run once."""

    test: str
    outcome: str  # passed, failed, skipped, ended (the process ended while the test ran)
    detail: str
    loops: dict[str, int]  # class name -> loops of it made while the test ran
    seconds: float


class Writer:
    """Appends to a file; a test that began and did not end has ended the process."""

    def __init__(self, path: str) -> None:
        self.known = set(read(path))
        self._path = Path(path)

    def begin(self, test: str) -> None:
        self._append({"begin": test})

    def end(self, outcome: Outcome) -> None:
        self._append(asdict(outcome))

    def _append(self, line: dict[str, object]) -> None:
        with self._path.open("a") as file:  # each time, so that no line is lost with the process
            file.write(json.dumps(line) + "\n")


def read(path: str | Path) -> dict[str, Outcome]:
    """Outcomes by test; {} without the file."""
    found: dict[str, Outcome] = {}
    for line in _lines(Path(path)):
        if "begin" in line:
            test = line["begin"]
            found[test] = Outcome(test, "ended", "the process ended, or was ended, while this test ran", {}, 0)
        else:
            found[line["test"]] = Outcome(**line)
    return found


def _lines(path: Path) -> Iterator[dict[str, object]]:
    if path.exists():
        for line in path.read_text().splitlines():
            yield json.loads(line)
