"""The pytest hooks: thin glue between pytest and the rest of this package.

Loaded by `pytest_loop_conformance` when `--loop` or `--loop-catalogue` is used. In an xdist run this plugin lives in
the controller (results, table, exit code) and in each worker (trials); without xdist, both are one process.
"""

from __future__ import annotations

import atexit
import gc
import random
import sys
import time
from typing import Any

import pytest

# Before any battery module is imported, so that a failing `assert` tells what it saw.
pytest.register_assert_rewrite("conformance.battery", "conformance.kit")

from conformance import catalogue, expectations, hosts, remote, selection, terminal  # noqa: E402 (after the registration above)
from conformance.judge import AT_ONCE, Judge, few_loops_at_a_time  # noqa: E402 (the same)
from conformance.loops import LoopSpec, LoopSpecError, add_current_directory, parse_specs  # noqa: E402 (the same)
from conformance.recorder import Recorder  # noqa: E402 (the same)
from conformance.requirement import requirement_of  # noqa: E402 (the same)
from conformance.trial import BATTERY, FUZZ, LEAKS_OF, PATIENCE, Fuzz  # noqa: E402 (the same)
from conformance.verdicts import MEANINGS, WRONG, Verdict  # noqa: E402 (the same)

_SPECS: pytest.StashKey[list[LoopSpec]] = pytest.StashKey()
_JUDGE: pytest.StashKey[Judge] = pytest.StashKey()
_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_WHOLE: pytest.StashKey[bool] = pytest.StashKey()
_SEED: pytest.StashKey[str] = pytest.StashKey()
_PATH: pytest.StashKey[list[str]] = pytest.StashKey()
_AT_ONCE: pytest.StashKey[int] = pytest.StashKey()
_LONGEST_PATIENCE = 100_000.0
_RUN_AGAIN = {"no", "load", "worksteal"}
"""xdist's ways to distribute, with which a test may be run once more."""


def take_over(early_config: pytest.Config, args: list[str]) -> None:
    """Choose what is collected: the battery, unless paths are given. Called before conftest files are loaded."""
    if sys.flags.optimize:
        raise pytest.UsageError("python -O leaves out assertions, which the battery is made of; run it without")
    known = early_config.known_args_namespace
    ids, paths, of_settings = selection.sort(known.file_or_dir, early_config)
    for each in [*ids, *([] if paths else of_settings)]:
        selection.drop(each, args)
        known.file_or_dir.remove(each)
    whole = not paths
    if whole or ids:
        args.insert(0, str(BATTERY))  # not last: --loop-shuffle would take it for its seed
        known.file_or_dir.append(str(BATTERY))
    if whole:
        # The first imports all of Hypothesis to say nothing at the end, which takes longer than a run of one chapter;
        # the second looks for garbage twice, of which each trial has its own watch.
        for plugin in ("hypothesispytest", "unraisableexception"):
            early_config.pluginmanager.set_blocked(plugin)
    early_config.stash[selection.IDS] = ids
    early_config.stash[_WHOLE] = whole
    early_config.stash[_PATH] = list(sys.path)
    early_config.pluginmanager.register(sys.modules[__name__], "loop_conformance_battery")


# ---- before the run ------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    for name, pattern in (("python_files", "test_*.py"), ("python_functions", "test_*")):
        # The consumer's own patterns may not match the battery's files.
        config.addinivalue_line(name, pattern)
    option = config.option
    if not 0 < option.loop_patience <= _LONGEST_PATIENCE or option.loop_repeat < 1:
        raise pytest.UsageError(
            f"--loop-patience takes seconds above 0, up to {_LONGEST_PATIENCE:,}, and --loop-repeat a number from 1"
        )
    if selection.is_id(option.loop_shuffle or ""):
        raise pytest.UsageError(f"--loop-shuffle took {option.loop_shuffle!r} for its seed; put ids before it")
    add_current_directory()
    try:
        config.stash[_SPECS] = parse_specs(option.loop)
    except LoopSpecError as error:
        raise pytest.UsageError(str(error)) from None
    for spec in config.stash[_SPECS]:
        if spec.python:
            raise pytest.UsageError(
                f"--loop={spec}: the battery runs on the Python that runs pytest; add --tx popen//python={spec.python}"
            )
    config.stash[PATIENCE] = option.loop_patience
    config.stash[LEAKS_OF] = {}
    # Python ends by looking for garbage among all that was collected: most of a second, here and in each worker.
    atexit.register(gc.freeze)
    if option.loop_catalogue:
        return
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    is_worker = worker_input is not None
    # Workers must agree on the order, so the controller draws the seed.
    drawn = worker_input["loop_seed"] if worker_input else str(time.time_ns() % 1_000_000)
    config.stash[_SEED] = drawn if option.loop_shuffle == "random" else str(option.loop_shuffle)
    config.stash[FUZZ] = _fuzz(option.loop_fuzz, drawn)
    config.stash[_AT_ONCE] = worker_input["loop_at_once"] if worker_input else AT_ONCE
    judge = config.stash[_JUDGE] = Judge(
        config, config.stash[_SPECS], config.stash[_PATH], at_once=config.stash[_AT_ONCE]
    )
    judge.look(quietly=is_worker)
    config.stash[LEAKS_OF] = {label: probe.leaks for label, probe in judge.probes.items()}
    if is_worker:
        return
    requirements = dict(catalogue.load())
    selection.check(config, requirements)
    labels = [spec.label for spec in config.stash[_SPECS]]
    for argument in option.loop_expected:
        label, _ = expectations.find(argument)
        if label is not None and label not in labels:
            raise pytest.UsageError(
                f"--loop-expected={argument}: no loop of this run has the label {label!r}; known: {', '.join(labels)}"
            )
    if config.stash[_WHOLE] and config.pluginmanager.has_plugin("terminal"):
        # Our own summary says each deviation once; pytest's would say it again, with a traceback of the suite.
        option.tbstyle = "no"
        option.reportchars = option.reportchars.replace("f", "").replace("E", "")
    if getattr(option, "maxworkerrestart", None) is None:
        # A loop that kills its worker must not end the run; the keeper makes this rare.
        option.maxworkerrestart = str(len(requirements) * max(1, len(option.loop)))
    try:
        config.stash[_RECORDER] = Recorder(config, requirements)
    except expectations.ExpectationError as error:
        raise pytest.UsageError(str(error)) from None
    except OSError as error:
        raise pytest.UsageError(f"{error.filename}: {error.strerror}; name another file") from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist's: what a worker is told before it starts."""
    node.workerinput["loop_seed"] = node.config.stash[_SEED]
    again = node.config.option.dist in _RUN_AGAIN
    node.workerinput["loop_at_once"] = node.config.stash[_AT_ONCE] if again else 1
    node.workerinput["controller_python"] = sys.version_info[:2]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_getremotemodule() -> object:
    """xdist's: what its workers execute."""
    return remote


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if config.option.loop_catalogue:
        requirements = catalogue.load()
        selection.check(config, requirements)
        encoding = sys.stdout.encoding or "utf-8"
        for line in terminal.catalogue_lines(r for r in requirements.values() if selection.asks_for(config, r)):
            print(line.encode(encoding, "backslashreplace").decode(encoding))
        return 0
    return None


def pytest_report_header(config: pytest.Config) -> list[str]:
    if _RECORDER not in config.stash:
        return []
    lines = [f"loop: {probe.identity['label']} = {probe.identity['type']} ({probe.identity['distribution']} "
             f"{probe.identity['version']})" for probe in config.stash[_JUDGE].probes.values()]  # fmt: skip
    if config.option.loop_shuffle:
        lines.append(f"loop order: --loop-shuffle={config.stash[_SEED]}")
    if config.option.loop_fuzz:
        lines.append(f"loop programs: --loop-fuzz={config.stash[FUZZ]}")
    return lines


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """A requirement that was not asked for makes no items: a thousand of them for each of many loops take a minute."""
    requirement = requirement_of(obj)
    return None if requirement is None or selection.asks_for(collector.config, requirement) else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if requirement_of(metafunc.function) is None and "loop_spec" not in metafunc.fixturenames:
        return
    if "loop_spec" not in metafunc.fixturenames:
        metafunc.fixturenames.append("loop_spec")
    specs = metafunc.config.stash[_SPECS]
    metafunc.parametrize("loop_spec", specs, ids=[spec.label for spec in specs])
    if metafunc.config.option.loop_repeat > 1:
        metafunc.fixturenames.append("_loop_repeat")
        metafunc.parametrize("_loop_repeat", range(metafunc.config.option.loop_repeat), ids=lambda n: f"repeat{n}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.loop_shuffle:
        random.Random(config.stash[_SEED]).shuffle(items)
    few_loops_at_a_time(items)


# ---- one trial -----------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if requirement_of(getattr(item, "function", None)) is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in item.config.stash[_JUDGE].reports(item, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """A whole worker died (not merely the process of a trial): xdist replaces it, and this is the verdict.

    Not where trials ran at once, since nobody knows which of them did it: there the test is run again, as all that
    the worker had not done, and workers run one at a time from then on.
    """
    node: Any = report.node
    if node.workerinput["loop_at_once"] > 1:
        node.config.stash[_AT_ONCE] = 1
        sched.mark_test_pending(crashitem)
        report.when, report.outcome, report.longrepr = "setup", "passed", None  # which pytest shows nowhere
        return
    report.when = "call"  # xdist says "???"
    worker: dict[str, Any] = getattr(node, "workerinfo", {})
    python = ".".join(map(str, worker.get("version_info", sys.version_info)[:3]))
    seen = "the worker process that watched over the trial died"
    result = {"nodeid": crashitem, "python": python, "verdict": Verdict.CRASHES.value, "seen": seen}
    report.loop_result = result  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """xdist's: a worker ended; with `error`, before it should."""
    recorder = _active_recorder
    if recorder is not None and error and (note := hosts.come_home(node)):
        recorder.notes.append(note)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    recorder = _active_recorder
    if recorder is not None and report.when == "call":
        recorder.saw(report)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    result = getattr(report, "loop_result", None)
    if result is None or report.when != "call":
        return None
    verdict = Verdict(result["verdict"])
    letter = "." if verdict is Verdict.CONFORMS else MEANINGS[verdict].letter
    if report.failed:
        return "failed", letter, verdict.upper()
    if verdict in WRONG:
        return ("xfailed", "x", "EXPECTED") if result.get("expected") else ("noted", letter, verdict.upper())
    if verdict is Verdict.CONFORMS:
        return "passed", ".", "CONFORMS"
    return "skipped", letter, verdict.upper()


# ---- after the run -------------------------------------------------------------------------------------------------

_active_recorder: Recorder | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    global _active_recorder
    _active_recorder = session.config.stash.get(_RECORDER, None)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After xdist's workers have told everything, before the terminal's summary, which shows what is decided here."""
    if _JUDGE in session.config.stash:
        session.config.stash[_JUDGE].close()
    recorder = session.config.stash.get(_RECORDER, None)
    if recorder is not None:
        session.exitstatus = recorder.finish(exitstatus)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    recorder = config.stash.get(_RECORDER, None)
    if recorder is not None:
        terminal.summarise(terminalreporter, recorder)


def pytest_unconfigure(config: pytest.Config) -> None:
    global _active_recorder
    _active_recorder = None
    if _JUDGE in config.stash:
        config.stash[_JUDGE].close()


# ---- one option ----------------------------------------------------------------------------------------------------


def _fuzz(text: str | None, drawn: str) -> Fuzz:
    if text is None:
        return Fuzz()
    seconds, _, seed = text.partition("@")
    try:
        fuzz = Fuzz(float(seconds), int(seed or drawn))
    except ValueError:
        fuzz = Fuzz()
    if fuzz.seconds <= 0:
        raise pytest.UsageError(f"--loop-fuzz={text}: give seconds above 0, and @SEED (a number) to repeat a run")
    return fuzz
