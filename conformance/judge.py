"""Runs trials for pytest: keepers of processes per loop, and from each outcome the reports that pytest understands.

While pytest waits for one trial, the next one runs as well: a trial mostly waits, for a peer, a child or a thread.
"""

from __future__ import annotations

import functools
import importlib
import math
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from conformance import hugepages, trial
from conformance.expectations import Expectations
from conformance.expectations import load as load_expectations
from conformance.isolation import Keeper, KeeperDied, KeeperNotReady, Patience
from conformance.loops import LoopSpec, distributions, load_factory
from conformance.probe import JOBS, Probe, first_look
from conformance.requirement import Requirement, requirement_of
from conformance.trial import FUZZ, SCRATCH, Outcome
from conformance.verdicts import WRONG, Level, Verdict

_GATES = {"must": {Level.MUST}, "should": {Level.MUST, Level.SHOULD}, "none": set()}
_FACTORY = "lifecycle.factory"
_KEEPERS = 4
"""Loops whose keepers live at the same time: each may have memory of its own for all that was collected."""
AT_ONCE = 2
"""Trials that run at the same time in each process of pytest's."""
_PREPARING = 10.0
"""Seconds that what a keeper prepares may take on a busy machine, besides the import of the loop's module."""
_MANY_TRIALS = 50
"""Huge pages take as long as twenty trials save."""


def few_loops_at_a_time(items: list[pytest.Item]) -> None:
    """Put the trials of the first `_KEEPERS` loops before those of the next: a new keeper takes as long as many trials.

    Otherwise the order stays as it is.
    """
    loops = dict.fromkeys(map(_spec_of, items))
    place = {spec: number // _KEEPERS for number, spec in enumerate(loops)}
    items.sort(key=lambda item: place[_spec_of(item)])


class Judge:
    """The trials of one process. Without xdist there is one judge; with it, one in each worker."""

    def __init__(self, config: pytest.Config, specs: list[LoopSpec], path: list[str], *, at_once: int) -> None:
        """`path` is sys.path as it was before pytest put the battery's directory first, `at_once` is 1 or AT_ONCE."""
        self._config = config
        self._path = path
        self._at_once = at_once
        self._specs = {spec.label: spec for spec in specs}
        self._patience = Patience(config.option.loop_patience)
        self._fuzz = config.stash[FUZZ]
        self._keepers: dict[str, list[Keeper]] = {}
        self._begun: dict[str, Keeper] = {}
        self._alone: set[str] = set()
        self._told: set[str] = set()
        self._expected: list[Expectations] | None = None
        self.probes: dict[str, Probe] = {}

    def look(self, *, quietly: bool) -> None:
        """Probe every loop. Raises pytest.UsageError for a spec that cannot be used, unless `quietly`."""
        keeper = Keeper(self._serve_probe, self._prepare_looks)
        try:
            for label, spec in self._specs.items():
                probe = self.probes[label] = first_look(spec, functools.partial(_ask, keeper, self._patience.of(label)))
                if probe.unusable and not quietly:
                    raise pytest.UsageError(probe.unusable)
                if not probe.runs:
                    self._patience.hurry(label)
        finally:
            keeper.close()

    def reports(self, item: pytest.Item, following: pytest.Item | None) -> list[pytest.TestReport]:
        """Run the trial of `item` and tell it as set-up, call and teardown, as pytest's plugins expect.

        The trial of `following`, which pytest says comes next, is begun meanwhile where trials run at once.
        """
        spec = _spec_of(item)
        requirement = requirement_of(getattr(item, "function", None))
        assert spec is not None
        assert requirement is not None
        probe = self.probes[spec.label]
        outcome = self._outcome(item, following)
        started = time.time() - outcome.seconds
        result: dict[str, Any] = {
            "loop": spec.label,
            "python": probe.identity.get("python", ""),
            "id": requirement.id,
            "case": _case(item, spec),
            "level": requirement.level.value,
        } | outcome.as_dict()
        expectation = next(
            (e for f in self._expectations() if (e := f.of(requirement.id, spec.label, probe.identity))), None
        )
        if expectation and outcome.verdict in expectation.verdicts & WRONG:
            result["expected"] = expectation.why
        if spec.label not in self._told:
            self._told.add(spec.label)
            result["identity"] = probe.identity
        if probe.unusable:
            result["unusable"] = True
        return [
            _report(item, "setup", "passed", None, started),
            self._call_report(item, requirement, outcome, result, started),
            _report(item, "teardown", "passed", None, time.time()),
        ]

    def close(self) -> None:
        for keepers in self._keepers.values():
            _close(keepers)
        self._keepers.clear()
        self._begun.clear()

    def _outcome(self, item: pytest.Item, following: pytest.Item | None) -> Outcome:
        if known := self._known(item):
            return known
        for other in set(self._begun) - {item.nodeid}:  # announced, and then it was not what came next
            self._begun.pop(other).close()
        keeper = self._begun.pop(item.nodeid, None) or self._begin(item)
        if following is not None and self._runs_beside(following):
            self._begun[following.nodeid] = self._begin(following)
        label = self._probe_of(item).label
        try:
            answer = _answer(keeper)
        except KeeperNotReady:
            self._leave_alone(label)
            answer = _answer(self._begin(item))
        outcome = Outcome.from_dict(answer)
        self._patience.saw(label, outcome.verdict)
        return outcome

    def _runs_beside(self, following: pytest.Item) -> bool:
        """Whether the trial that comes next may run while another does."""
        if self._at_once == 1 or not _is_ours(following) or self._known(following):
            return False
        return self._probe_of(following).label not in self._alone

    def _leave_alone(self, label: str) -> None:
        """Give the loop one keeper that does not import it: its module may wait for what only one process can have."""
        self._alone.add(label)
        keepers = self._keepers.pop(label, [])
        self._begun = {nodeid: keeper for nodeid, keeper in self._begun.items() if keeper not in keepers}
        _close(keepers)

    def _known(self, item: pytest.Item) -> Outcome | None:
        """What can be said of a requirement's item without a trial."""
        requirement, probe = requirement_of(item.function), self._probe_of(item)  # type: ignore[attr-defined]
        assert requirement is not None
        if why := requirement.why_not_applicable():
            return Outcome(Verdict.NOT_APPLICABLE, seen=why)
        if why := requirement.why_not_run():
            return Outcome(Verdict.NOT_RUN, seen=why)
        if probe.unusable:
            return Outcome(Verdict.NOT_RUN, seen=f"{probe.unusable}; the --tx of this worker may need //chdir=DIR")
        if probe.verdict:
            verdict = Verdict(probe.verdict) if requirement.id == _FACTORY else Verdict.NOT_RUN
            return Outcome(verdict, seen=probe.seen)
        return None

    def _begin(self, item: pytest.Item) -> Keeper:
        probe = self._probe_of(item)
        patience = self._patience.of(probe.label)
        if _draws_programs(item):
            patience += self._fuzz.seconds
        keeper = self._keeper_of(probe, item)
        keeper.begin(item.nodeid, patience)
        return keeper

    def _probe_of(self, item: pytest.Item) -> Probe:
        spec = _spec_of(item)
        assert spec is not None
        return self.probes[spec.label]

    def _keeper_of(self, probe: Probe, item: pytest.Item) -> Keeper:
        keepers = self._keepers.pop(probe.label, None)
        if keepers is None:
            if len(self._keepers) >= _KEEPERS:
                _close(self._keepers.pop(next(iter(self._keepers))))
            spec = self._specs[probe.label]
            items = {each.nodeid: each for each in item.session.items if _spec_of(each) is spec}
            alone = probe.label in self._alone
            keepers = [
                Keeper(
                    lambda nodeid, patience: self._serve_trial(items[nodeid], patience),
                    lambda scratch: self._preload(spec, probe, list(items.values()), scratch),
                    math.inf if alone else _PREPARING + 2 * self._patience.of(probe.label),
                )
                for _ in range(1 if alone else self._at_once)
            ]
        self._keepers[probe.label] = keepers  # those that were used last are the last to go
        return next((keeper for keeper in keepers if not keeper.busy), keepers[0])

    def _prepare_looks(self, _scratch: Path) -> None:
        """In the keeper of the first looks."""
        self._order_path()
        distributions()

    def _serve_probe(self, request: str, patience: float) -> Callable[[], dict[str, Any]]:
        job, _, label = request.partition(" ")
        return lambda: JOBS[job](self._specs[label], patience)

    def _serve_trial(self, item: pytest.Item, patience: float) -> Callable[[], Outcome]:
        if _draws_programs(item):
            patience -= self._fuzz.seconds
        return lambda: trial.run(item, patience)

    def _preload(self, spec: LoopSpec, probe: Probe, items: list[pytest.Item], scratch: Path) -> None:
        """In the keeper of a loop, whose `items` these are: what each trial would otherwise do again."""
        self._config.stash[SCRATCH] = scratch
        trial.prepare(items)  # sets up packages, which pytest imports again: before the next line
        self._order_path()
        random.seed(0)
        if probe.preloadable and spec.label not in self._alone:
            load_factory(spec)
        asked = [requirement_of(item.function) for item in items]  # type: ignore[attr-defined]
        needs = {need for each in asked if each for need in each.needs if need.library and need.present()}
        for need in sorted(needs, key=lambda need: need.name):
            importlib.import_module(need.name)  # takes longer than the trials of the chapter `ecosystem`
        if any(_draws_programs(item) for item in items):
            importlib.import_module("conformance.schedules.explore").warm_up()
        if len(items) >= _MANY_TRIALS:
            hugepages.use()

    def _order_path(self) -> None:
        """Loops are imported from where the user's path has them: beside the battery lies, perhaps, another version."""
        sys.path.sort(key=lambda entry: self._path.index(entry) if entry in self._path else len(self._path))

    def _expectations(self) -> list[Expectations]:
        if self._expected is None:
            from conformance import catalogue

            known = catalogue.load()
            arguments = [] if self._config.option.update_expected else self._config.option.loop_expected
            self._expected = [load_expectations(argument, known) for argument in arguments]
        return self._expected

    def _call_report(
        self,
        item: pytest.Item,
        requirement: Requirement,
        outcome: Outcome,
        result: dict[str, Any],
        started: float,
    ) -> pytest.TestReport:
        pytest_outcome, longrepr = self._gated(item, requirement, outcome, result)
        report = _report(item, "call", pytest_outcome, longrepr, started)
        report.loop_result = result  # type: ignore[attr-defined]  # xdist carries it
        if pytest_outcome == "skipped" and outcome.verdict in WRONG:
            report.wasxfail = result.get("expected") or f"level {requirement.level} is not gated"
        if outcome.output and pytest_outcome == "failed":
            report.sections.append(("output of the process of this trial", outcome.output))
        return report

    def _gated(
        self, item: pytest.Item, requirement: Requirement, outcome: Outcome, result: dict[str, Any]
    ) -> tuple[str, Any]:
        """pytest's word for the outcome, and its long representation."""
        gated = requirement.level in _GATES[self._config.option.loop_gate]
        if outcome.verdict is Verdict.CONFORMS:
            return "passed", None
        if outcome.verdict is Verdict.ERRORED or (outcome.verdict in WRONG and gated and "expected" not in result):
            return (
                "failed",
                f"{requirement.id}: {outcome.verdict}\n{requirement.statement}\nseen: {outcome.seen}",
            )
        path, line, _ = item.location
        return "skipped", (path, line or 0, f"{outcome.verdict}: {outcome.seen}")


def _spec_of(item: pytest.Item) -> LoopSpec | None:
    """The loop that an item is about; None for a test of somebody else that asks for none."""
    spec: LoopSpec | None = item.callspec.params.get("loop_spec") if hasattr(item, "callspec") else None
    return spec


def _is_ours(item: pytest.Item) -> bool:
    return requirement_of(getattr(item, "function", None)) is not None


def _draws_programs(item: pytest.Item) -> bool:
    return "fuzz" in getattr(item, "fixturenames", ())


def _ask(keeper: Keeper, patience: float, request: str) -> dict[str, Any]:
    keeper.begin(request, patience)
    return _answer(keeper)


def _answer(keeper: Keeper) -> dict[str, Any]:
    try:
        return keeper.answer()
    except KeeperDied:
        return Outcome(Verdict.CRASHES, seen="the loop killed the process that watched over the trial").as_dict()


def _close(keepers: Iterable[Keeper]) -> None:
    for keeper in keepers:
        keeper.close()


def _report(item: pytest.Item, when: Any, outcome: Any, longrepr: Any, started: float) -> pytest.TestReport:
    stopped = time.time()
    return pytest.TestReport(
        item.nodeid, item.location, dict.fromkeys(item.keywords, 1), outcome, longrepr, when,
        duration=stopped - started, start=started, stop=stopped,
    )  # fmt: skip


def _case(item: pytest.Item, spec: LoopSpec) -> str:
    """The parameters of a requirement's case, without the loop's label."""
    id: str = item.callspec.id  # type: ignore[attr-defined]
    return id.removeprefix(spec.label).removeprefix("-")
