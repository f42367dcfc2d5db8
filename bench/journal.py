"""`rounds.jsonl`: everything that a race measured, appended line by line, and the way back from it.

This file is the race: pyperf files, `race.json` and tables are views of it. A race that was killed loses the round
it was in; a last line that was cut off is dropped. Its lines, one JSON object each:

    {"race": {...}}        first: format, seed, settings, loops with identity, workloads with version
    {"loops": {"workload", "loops"}}                      the operation count that all arms share
    {"round": {"workload", "round", "loops", "cpu", "time", "seconds", "order", "arms"}}
        arms: {label: {"wall": [s, …], "cpu": [s, …], "nvcsw": [n, …], "nivcsw": [n, …], "warmups": [[loops, s], …],
        "rss", "rss_growth", "rss_peak": bytes, "latency": {bucket: count}}}; seconds are per sample, not per operation
    {"facts": {"workload", "round", "arms"}}              arms: {label: {name: number}}
    {"syscalls": {label: {workload: cell of bench.count}}}   once, with --syscalls
    {"dead": {"workload", "arm", "round", "how", "reason"}}   the cell has no time from here on
    {"finished": time}                                    last, when every round was run
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import BrokenFile

NAME = "rounds.jsonl"
FORMAT = 1
_HEADER = {"started", "command", "seed", "settings", "noise_arm", "loops", "workloads"}


class Journal:
    """The lines of one race in memory, and the file they are appended to."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.header = header
        self.loops: dict[str, int] = {}
        self.rounds: dict[str, dict[int, dict[str, Any]]] = {}
        self.facts: dict[str, dict[int, dict[str, dict[str, float]]]] = {}
        self.dead: dict[tuple[str, str], dict[str, Any]] = {}
        self.syscalls: dict[str, dict[str, Any]] | None = None
        self.finished: float | None = None

    @classmethod
    def create(cls, path: Path, header: dict[str, Any]) -> Journal:
        journal = cls(path, {"format": FORMAT} | header)
        path.write_text(json.dumps({"race": journal.header}) + "\n")
        return journal

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Raises BrokenFile."""
        lines = _lines(path)
        header = next(lines, {}).get("race")
        if not isinstance(header, dict) or "format" not in header:
            raise BrokenFile(f"{path} is not the journal of a race: its first line should be the race's header")
        if header["format"] != FORMAT:
            raise BrokenFile(f"{path} has format {header['format']}, this version reads {FORMAT}: update the tool")
        if lacking := sorted(_HEADER - set(header)):
            raise BrokenFile(f"{path} is damaged: its header lacks {', '.join(lacking)}; race again")
        journal = cls(path, header)
        try:
            for line in lines:
                journal._take(line)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BrokenFile(f"{path} is damaged: a line lacks {error}; race again") from error
        return journal

    def append(self, **line: Any) -> None:
        """Write one line and take it in. Opened anew each time: a race may run for an hour."""
        self._take(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def cut(self) -> None:
        """Drop a half-written last line, before appending to a race that was killed."""
        data = self.path.read_bytes()
        if not data.endswith(b"\n"):
            self.path.write_bytes(data[: data.rfind(b"\n") + 1])

    def _take(self, line: dict[str, Any]) -> None:
        ((kind, value),) = line.items()
        if kind == "loops":
            self.loops[value["workload"]] = value["loops"]
        elif kind == "round":
            self.rounds.setdefault(value["workload"], {})[value["round"]] = value
        elif kind == "facts":
            self.facts.setdefault(value["workload"], {})[value["round"]] = value["arms"]
        elif kind == "dead":
            self.dead.setdefault((value["workload"], value["arm"]), value)
        elif kind == "syscalls":
            self.syscalls = value
        elif kind == "finished":
            self.finished = value

    def done(self, workload: str, number: int) -> bool:
        return number in self.rounds.get(workload, {}) or number in self.facts.get(workload, {})

    def labels(self) -> list[str]:
        """The arms, reference first, A/A arm last."""
        return [loop["label"] for loop in self.header["loops"]]

    def alive(self, workload: str) -> list[str]:
        return [label for label in self.labels() if (workload, label) not in self.dead]

    def paired(self, workload: str) -> dict[int, dict[str, Any]]:
        """The rounds in which every arm that lives was measured, in order: equal value counts for all."""
        alive = set(self.alive(workload))
        rounds = self.rounds.get(workload, {})
        return {number: rounds[number] for number in sorted(rounds) if alive <= set(rounds[number]["arms"])}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        detail = getattr(error, "strerror", None) or "it is not text"
        raise BrokenFile(f"cannot read {path}: {detail}; give the directory that `bench run -o` wrote") from error
    lines = text.split("\n")
    # What follows the last newline was being written when the race ended.
    for number, line in enumerate(lines[:-1], 1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise BrokenFile(f"{path} is damaged in line {number}: it is not JSON; race again") from error
        if not isinstance(value, dict) or len(value) != 1:
            raise BrokenFile(f"{path} is damaged in line {number}: it is not a line of a race; race again")
        yield value
