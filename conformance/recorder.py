"""What the run as a whole found: in memory, in the result file as it goes, and as an exit code at the end."""

from __future__ import annotations

import shlex
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import conformance
from conformance import catalogue, exits, expectations
from conformance.loops import parse_specs
from conformance.probe import machine, unknown_identity
from conformance.requirement import Requirement
from conformance.results import Cell, Column, ResultWriter, Run
from conformance.verdicts import WRONG, Verdict


class Recorder:
    """Lives where pytest's session is: the controller of an xdist run, or the only process."""

    def __init__(self, config: pytest.Config, requirements: Mapping[str, Requirement]) -> None:
        """Raises ExpectationError or OSError."""
        self._config = config
        self.requirements = requirements
        self.run = Run(
            header=_header(config, requirements),
            requirements={r.id: r.as_dict() for r in requirements.values()},
        )
        if config.option.update_expected:
            _check_update(config)
        self.expected = (
            []
            if config.option.update_expected
            else [expectations.load(argument, requirements) for argument in config.option.loop_expected]
        )
        self.stale: list[expectations.Stale] = []
        self.notes: list[str] = []
        self._failed = False
        self._unusable = False
        path = None if config.option.collectonly else config.option.loop_results
        self._writer = ResultWriter(Path(path), self.run.header, self.run.requirements.values()) if path else None

    @property
    def gate(self) -> str:
        return str(self._config.option.loop_gate)

    def saw(self, report: pytest.TestReport) -> None:
        """Keep the result that a report carries, and write it down before anything else happens."""
        result: dict[str, Any] | None = getattr(report, "loop_result", None)
        if result is None:
            return
        if "id" not in result:
            result = self._of_a_dead_worker(result)
        identity = result.pop("identity", None)
        self._unusable = result.pop("unusable", False) or self._unusable
        column = Column(result["loop"], result["python"])
        known = self.run.loops.get(column, {}).get("type", "unknown") != "unknown"
        if identity and not known:
            self.run.loops[column] = identity
            if self._writer:
                self._writer.loop(identity)
        self._failed = self._failed or report.failed
        self.run.results.append(result)
        if self._writer:
            self._writer.result(result)

    def cells(self) -> dict[tuple[str, Column], Cell]:
        return self.run.cells()

    def finish(self, exitstatus: int) -> int:
        """Write the footer and the expectations; the exit code of the run (see `exits`)."""
        code = self._exit_code(int(exitstatus))
        if self._writer:
            self._writer.close(code)
        return code

    def _exit_code(self, exitstatus: int) -> int:
        if exitstatus not in (0, 1):
            return exitstatus
        cells = self.cells()
        if self._config.option.update_expected:
            self._update_expected(cells)
        self.stale = expectations.stale(self.expected, cells, self.run.loops)
        verdicts = {cell.verdict for cell in cells.values()}
        if Verdict.ERRORED in verdicts or self._unusable:
            return exits.SUITE_FAILED
        if exitstatus or self._failed:
            return exits.DEVIATES
        if self._nothing_known_of(cells):
            return exits.SUITE_FAILED
        return exits.STALE if self.stale else exitstatus

    @staticmethod
    def _nothing_known_of(cells: Mapping[tuple[str, Column], Cell]) -> bool:
        """Whether there is a loop of which nothing could be run: "not run" all over must not pass for "conforms"."""
        verdicts: dict[Column, set[Verdict]] = defaultdict(set)
        for (_, column), cell in cells.items():
            verdicts[column].add(cell.verdict)
        return any(
            Verdict.NOT_RUN in seen and seen <= {Verdict.NOT_RUN, Verdict.NOT_APPLICABLE} for seen in verdicts.values()
        )

    def _update_expected(self, cells: Mapping[tuple[str, Column], Cell]) -> None:
        label, path = expectations.find(self._config.option.loop_expected[0])
        mine = {key: cell for key, cell in cells.items() if label in (None, key[1].label)}
        deviations = {id: cell.verdict for (id, _), cell in mine.items() if cell.verdict in WRONG}
        conforming = {id for (id, _), cell in mine.items() if cell.verdict is Verdict.CONFORMS} - set(deviations)
        seen = {id: cell.worst.get("seen", "") for (id, _), cell in mine.items() if id in deviations}
        identities = [self.run.loops[column] for column in {column for _, column in mine}]
        expectations.update(path, deviations, conforming, seen, identities)
        self.notes.append(f"wrote {path}: {len(deviations)} expected deviations; give each new one its reason")

    def _of_a_dead_worker(self, result: dict[str, Any]) -> dict[str, Any]:
        """xdist tells the node id only: file and function are the requirement's, the label stands in its brackets."""
        path, _, test = str(result.pop("nodeid")).partition("::")
        function, _, parameters = test.removesuffix("]").partition("[")
        file = PurePosixPath(path).name
        requirement = next(r for r in self.requirements.values() if r.file == file and r.test.__name__ == function)
        specs = sorted(parse_specs(self._config.option.loop), key=lambda spec: len(spec.label), reverse=True)
        spec = next(spec for spec in specs if f"{parameters}-".startswith(f"{spec.label}-"))
        identity = unknown_identity(spec) | {"python": result["python"]}
        case = parameters.removeprefix(spec.label).removeprefix("-")
        return {"loop": spec.label, "id": requirement.id, "case": case, "level": requirement.level.value,
                "identity": identity} | result  # fmt: skip


def _check_update(config: pytest.Config) -> None:
    """Raise ExpectationError for a file that could not be written at the end."""
    if len(config.option.loop_expected) != 1:
        raise expectations.ExpectationError("--update-expected: name the one file to write with --loop-expected=FILE")
    argument = config.option.loop_expected[0]
    if expectations.find(argument)[0] is None and len(config.option.loop) > 1:
        raise expectations.ExpectationError(
            f"--loop-expected={argument}: several loops run; say whose file it is, --loop-expected=LABEL={argument}"
        )
    expectations.writable(argument)


def _sayable(text: str) -> str:
    """The text without what no file in UTF-8 can hold, as names of files may have it."""
    return text.encode(errors="backslashreplace").decode()


def _header(config: pytest.Config, requirements: Mapping[str, Requirement]) -> dict[str, Any]:
    return {
        "suite": conformance.__version__,
        "catalogue": catalogue.fingerprint(requirements),
        "command": _sayable(shlex.join(["pytest", *map(str, config.invocation_params.args)])),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": socket.gethostname(),
        "executable": f"python{sys.version_info[0]}.{sys.version_info[1]}",
        "settings": config.inipath.name if config.inipath else None,
        "gate": config.option.loop_gate,
        "patience": config.option.loop_patience,
    } | machine()
