"""A matrix of the size that the page must bear: 12 loops, 700 requirements, 60 workloads."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from reports.sources import BatteryFile, RaceFile, Sources
from tests.reports import samples

LOOPS, REQUIREMENTS, WORKLOADS = 12, 700, 60
_WORDS = (
    *("loop", "callback", "transport", "protocol", "future", "task", "signal"),
    *("reader", "writer", "buffer", "server", "before", "after", "closed"),
)


def sources(seed: int = 0) -> Sources:
    """Runs and a race in which a tenth of all cells is wrong, each in its own words, and sources of usual length."""
    draw = random.Random(seed)
    words = lambda n: " ".join(draw.choices(_WORDS, k=n))  # noqa: E731
    ids = [f"{_WORDS[n % 14]}.{words(2).replace(' ', '-')}-{n}" for n in range(REQUIREMENTS)]
    verdicts = ["deviates", "hangs", "not implemented", "crashes"]
    labels = [f"loop{n:02}" for n in range(LOOPS)]
    run = samples.run(
        {label: {id: draw.choice(verdicts) if draw.random() < 0.1 else "conforms" for id in ids} for label in labels}
    )
    for requirement in run.requirements.values():
        body = "\n".join(f"    {words(8)}" for _ in range(14))
        requirement |= {"statement": f"{words(13)}.", "hint": f"{words(14)}.", "source": f"def test(loop):\n{body}\n"}
    for result in run.results:
        if "seen" in result:
            result["seen"] = words(25)
    return Sources([BatteryFile(Path("full.jsonl"), run)], [RaceFile(Path("race"), _race(labels))])


def _race(labels: list[str]) -> dict[str, Any]:
    race = samples.race()
    proto = race["workloads"][2]
    loop = race["loops"][1]
    race["loops"] = [loop | {"label": label} for label in [*labels, "A-A"]]
    race["reference"], race["noise_arm"] = labels[0], "A-A"
    cells = dict.fromkeys(labels, proto["cells"]["uvloop"])
    cells[labels[0]] = proto["cells"][samples.race()["reference"]]
    cells["A-A"] = proto["cells"]["A-A"]
    groups = ["scheduling", "timers", "tasks", "tcp", "system", "lifecycle"]
    race["workloads"] = [
        proto | {"name": f"{groups[n % 6]}.workload-{n}", "group": groups[n % 6], "cells": cells,
                 "sizes": {"size": 2**n, "connections": 10} if n < 20 else {}}
        for n in range(WORKLOADS)
    ]  # fmt: skip
    arms = [*labels, "A-A"]
    race["facts"] = [fact | {"cells": dict.fromkeys(arms, fact["cells"]["uvloop"])} for fact in race["facts"]]
    race["groups"] = []
    return race
