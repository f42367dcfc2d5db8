"""The schedule: rounds over all workloads, and in each round all arms in lockstep.

Every round starts new parents for all arms, takes the workloads in a new random order, and for each forks one
worker per arm and alternates their samples in random order, one running at a time. So a cell's rounds are spread
over the whole race, a race that is stopped early has fewer rounds of everything, and drift and neighbours
hit all arms alike. Everything is in the journal after each round of each workload.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.arms import Arm, Died
from bench.journal import Journal
from bench.workload import Entry


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `target` is the seconds of one sample of the reference."""

    rounds: int
    samples: int
    target: float
    patience: float = 20.0
    pinned: bool = True
    margin: float = 0.03
    fact_rounds: int = 3
    warmups: int = 2

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Progress(Protocol):
    """Told what is being measured, and how long each cell took."""

    def begin(self, workload: str, number: int) -> None: ...
    def end(self, workload: str, number: int, seconds: float) -> None: ...


def run(
    journal: Journal,
    arms: Sequence[Arm],
    entries: Sequence[Entry],
    settings: Settings,
    progress: Progress,
    scratch: Path,
    after_round: Callable[[], object],
) -> None:
    """Run what the journal does not hold yet. `scratch` is a directory for the workloads' files."""
    seed = journal.header["seed"]
    cpus = sorted(os.sched_getaffinity(0)) if settings.pinned and hasattr(os, "sched_setaffinity") else []
    try:
        for number in range(settings.rounds):
            draw = random.Random(f"{seed} {number}")
            left = [e for e in entries if _wanted(journal, e, number, settings)]
            draw.shuffle(left)
            if left:
                _open(arms)
            for entry in left:
                progress.begin(entry.name, number)
                began = time.monotonic()
                # One CPU for server and client: across two virtual CPUs a round trip measures the hypervisor.
                cpu = draw.choice(cpus) if cpus else None
                _Cell(journal, arms, entry, settings, number, cpu, draw, scratch).run()
                progress.end(entry.name, number, time.monotonic() - began)
            for arm in arms:
                arm.close()
            if left:
                after_round()
    finally:
        for arm in arms:
            arm.close()
    if journal.finished is None:
        journal.append(finished=time.time())


def _open(arms: Sequence[Arm]) -> None:
    for step in (Arm.launch, Arm.open):
        for arm in arms:
            with contextlib.suppress(Died):  # said again by the first cell that needs the arm
                step(arm)


def _wanted(journal: Journal, entry: Entry, number: int, settings: Settings) -> bool:
    if entry.kind.facts and number >= settings.fact_rounds:
        return False
    return not journal.done(entry.name, number) and bool(journal.alive(entry.name))


class _Cell:
    """One round of one workload, all arms."""

    def __init__(
        self,
        journal: Journal,
        arms: Sequence[Arm],
        entry: Entry,
        settings: Settings,
        number: int,
        cpu: int | None,
        draw: random.Random,
        scratch: Path,
    ) -> None:
        self.journal, self.entry, self.settings, self.number, self.cpu = journal, entry, settings, number, cpu
        self.draw, self.scratch = draw, scratch
        alive = set(journal.alive(entry.name))
        self.arms = [arm for arm in arms if arm.label in alive]
        self.reference = arms[0]
        self.patience = settings.patience + entry.kind.seconds

    def run(self) -> None:
        began = time.time()
        loops = None if self.entry.kind.facts else self._loops()
        order = list(self.arms)
        self.draw.shuffle(order)
        started = self._start(order, loops)
        if self.entry.kind.facts:
            self._facts(started)
            return
        assert loops is not None or not started
        samples: dict[str, list[dict[str, float]]] = {label: [] for label in started}
        for _ in range(self._samples(started)):
            for arm in self.draw.sample(order, len(order)):
                if arm.label in started and loops is not None:
                    sample = self._try(arm, functools.partial(arm.sample, loops, self.patience))
                    if sample is None:
                        del started[arm.label]
                    else:
                        samples[arm.label].append(sample)
        byes = {}
        for arm in order:
            if arm.label in started and (
                (bye := self._try(arm, functools.partial(arm.end, self.patience))) is not None
            ):
                byes[arm.label] = bye
        self.journal.append(
            round={
                "workload": self.entry.name,
                "round": self.number,
                "loops": loops,
                "cpu": self.cpu,
                "time": began,
                "seconds": time.time() - began,
                "order": [arm.label for arm in order],
                "arms": {
                    label: {
                        key: [sample[key] for sample in samples[label]] for key in ("wall", "cpu", "nvcsw", "nivcsw")
                    }
                    | {"warmups": started[label]["ready"]["warmups"]}
                    | bye
                    for label, bye in byes.items()
                },
            }
        )

    def _facts(self, started: dict[str, dict[str, Any]]) -> None:
        for arm in self.arms:
            if arm.label in started:
                self._try(arm, functools.partial(arm.wait, self.patience))
        facts = {label: message["facts"] for label, message in started.items()}
        self.journal.append(facts={"workload": self.entry.name, "round": self.number, "arms": facts})

    def _start(self, arms: Sequence[Arm], loops: int | None) -> dict[str, dict[str, Any]]:
        """Label → `ready` or `facts`. Workers are set up side by side on all CPUs, and warm up one after the other."""
        steps: list[Callable[[Arm], Any]] = [
            lambda arm: arm.begin(self._order(loops)),
            lambda arm: arm.set_up(self.patience),
            lambda arm: arm.warm_up(self.patience),
        ]
        answers: dict[Arm, Any] = dict.fromkeys(arms)
        for step in steps:
            asked = {arm: self._try(arm, functools.partial(step, arm)) for arm in answers}
            answers = {arm: answer for arm, answer in asked.items() if answer is not None}
        return {arm.label: answer for arm, answer in answers.items()}

    def _samples(self, started: dict[str, dict[str, Any]]) -> int:
        """Half as many where one repetition of the work takes several targets: what is long has less noise."""
        longest = self.settings.target * 4
        is_long = bool(started) and min(ready["ready"]["warmups"][-1][1] for ready in started.values()) > longest
        return (self.settings.samples + 1) // 2 if is_long else self.settings.samples

    def _loops(self) -> int | None:
        """The shared operation count, found once with the reference (or with the first arm that lives)."""
        known = self.journal.loops
        for arm in [] if self.entry.name in known else list(self.arms):
            if started := self._start([arm], None):
                loops = started[arm.label]["ready"]["loops"]
                self._try(arm, functools.partial(arm.end, self.patience))
                self.journal.append(loops={"workload": self.entry.name, "loops": loops})
                break
        return known.get(self.entry.name)

    def _order(self, loops: int | None) -> dict[str, Any]:
        return {
            "workload": self.entry.name,
            "loops": loops,
            "target": self.settings.target,
            "warmups": self.settings.warmups,
            "cpu": self.cpu,
            "scratch": str(self.scratch),
        }

    def _try(self, arm: Arm, action: Callable[[], Any]) -> Any:
        """The action's answer; None if the worker died of it, after which the cell is dead."""
        if (self.entry.name, arm.label) in self.journal.dead:
            return None
        try:
            return action()
        except Died as death:
            arm.kill()
            self.journal.append(
                dead={
                    "workload": self.entry.name,
                    "arm": arm.label,
                    "round": self.number,
                    "how": death.how,
                    "reason": death.reason,
                }
            )
            return None
