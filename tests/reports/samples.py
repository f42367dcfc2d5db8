"""Small results for the tests of `reports`: the golden files, and runs made up by a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.results import Column, Run

GOLDEN = Path(__file__).parent / "golden"
BATTERY = GOLDEN / "battery.jsonl"
RACE = GOLDEN / "race"


def requirement(id: str, level: str = "must", statement: str = "A sentence.") -> dict[str, Any]:
    return {
        "kind": "requirement",
        "id": id,
        "chapter": id.partition(".")[0],
        "level": level,
        "statement": statement,
        "hint": "look there.",
        "cite": [{"text": "asyncio-eventloop: loop.call_soon", "url": "https://docs.python.org/3/"}],
        "since": None,
        "until": None,
        "needs": [],
        "source": "def test(loop):\n    pass\n",
        "file": "test_callbacks.py",
    }


def run(
    verdicts: Mapping[str, Mapping[str, str]],
    *,
    started: str = "2026-01-01T00:00:00Z",
    catalogue: str = "one",
    complete: bool = True,
    exit: int = 0,
    levels: Mapping[str, str] | None = None,
    seen: str = "what was seen",
    version: str = "1.0",
    python: str = "3.12.1",
    platform: str = "Linux",
    statement: str = "A sentence.",
) -> Run:
    """A run: loop label → requirement id → verdict, or `answer: words` of a MAY requirement."""
    ids = sorted({id for found in verdicts.values() for id in found})
    levels = levels or {}
    header = {"kind": "header", "format": 1, "suite": "0", "catalogue": catalogue, "command": "pytest",
              "started": started, "platform": platform}  # fmt: skip
    made = Run(header, {id: requirement(id, levels.get(id, "must"), statement) for id in ids})
    for label, found in verdicts.items():
        made.loops[Column(label, python)] = {
            "kind": "loop", "label": label, "spec": f"{label}:new_event_loop", "type": "Loop", "distribution": label,
            "version": version, "python": python, "platform": platform,
        }  # fmt: skip
        for id, word in found.items():
            result = {"kind": "result", "loop": label, "python": python, "id": id, "case": "", "level": "must",
                      "verdict": word, "seconds": 0.1}  # fmt: skip
            if word.startswith("answer: "):
                result |= {"verdict": "conforms", "answer": word.removeprefix("answer: ")}
            elif word != "conforms":
                result |= {"seen": seen}
            made.results.append(result)
    if complete:
        made.footer = {"kind": "footer", "finished": started, "seconds": 1.0, "exit": exit,
                       "results": len(made.results)}  # fmt: skip
    return made


def write(path: Path, made: Run) -> Path:
    """The run as the file that the battery would have written."""
    lines = [made.header, *made.requirements.values(), *made.loops.values(), *made.results]
    lines += [made.footer] if made.footer else []
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def race() -> dict[str, Any]:
    """The golden race, to be changed at will."""
    data: dict[str, Any] = json.loads((RACE / "race.json").read_text(encoding="utf-8"))
    return data
