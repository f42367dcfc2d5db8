"""One trial: a requirement's test run once on one loop, in a process that is thrown away afterwards.

`run` is called in that process by `isolation`; it turns what pytest reports into one word and what was seen. It
trusts nothing that happens here: a trial that ends without an outcome gets its verdict outside.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import resource
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conformance.verdicts import Verdict
from conformance.watch import Leaks

BATTERY = Path(__file__).parent / "battery"
_SEEN_LIMIT = 1000
_FEW_DESCRIPTORS = 512
_SUITE = tuple(
    str(Path(__file__).parent / place) for place in ("battery", "kit", "schedules", "watch.py", "unreaped.py")
)
_ABSTRACT = asyncio.events.__file__
_OPERATION = re.compile(r"\bloop\.(\w+)\(|\b(?:transport|server|handle|runner)\.(\w+)\(")


class OutOfPlace(Exception):
    """The loop let SystemExit or KeyboardInterrupt out where the requirement expects none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial found: a word, what was seen and where, and the answer that a MAY requirement recorded.

    `program` is Python that shows the deviation with nothing but the loop, where the test made one. `seconds` is the
    trial's wall time with its process, `output` the end of what the process printed.
    """

    verdict: Verdict
    seen: str = ""
    where: str = ""
    answer: str | None = None
    operation: str = ""
    program: str = ""
    seconds: float = 0.0
    output: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values only: xdist's channels carry neither enums nor lone surrogates, which a loop may print."""
        data = {key: _sayable(value) for key, value in asdict(self).items() if value not in ("", None)}
        return data | {"verdict": self.verdict.value}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        return cls(**{**data, "verdict": Verdict(data["verdict"])})


def _sayable(value: Any) -> Any:
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


# What the run tells the battery's fixtures, and they tell the trial, through pytest's stashes.
PATIENCE: pytest.StashKey[float] = pytest.StashKey()
"""Seconds that a trial may take."""
SCRATCH: pytest.StashKey[Path] = pytest.StashKey()
"""A directory for what the trials put on disk."""
LEAKS_OF: pytest.StashKey[dict[str, Leaks]] = pytest.StashKey()
"""Loop label → what any loop of this kind leaves behind."""
ANSWER: pytest.StashKey[list[str]] = pytest.StashKey()
"""Where the `answer` fixture leaves what a MAY requirement recorded."""
PROGRAM: pytest.StashKey[str] = pytest.StashKey()
"""Where a test leaves the program that shows the deviation."""


@dataclass(frozen=True)
class Fuzz:
    """For how many seconds each requirement on random programs draws new ones; 0: it runs its fixed ones."""

    seconds: float = 0.0
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.seconds:g}@{self.seed}"


FUZZ: pytest.StashKey[Fuzz] = pytest.StashKey()


def prepare(items: Iterable[pytest.Item]) -> None:
    """Set up, once, the packages that all of `items` stand in; each trial would otherwise do it again."""
    chains = [item.listchain()[:-1] for item in items]
    shared = [nodes[0] for nodes in zip(*chains, strict=False) if len(set(nodes)) == 1]
    if shared:
        shared[-1].session._setupstate.setup(shared[-1])  # any node will do


def run(item: pytest.Item, patience: float) -> Outcome:
    """Run the test and say what it found. Must be called at most once in a process.

    `patience` (seconds) is what this trial has of it, and what its fixtures and its watch divide among themselves.

    Fixtures are pytest's, but no hook of a test's phases is called: other people's plugins have nothing to report
    here, some would turn a loop's behaviour into something else (captured output into another file, unraisable
    exceptions into warnings), and pytest's own took two thirds of a trial's time (12 ms of 18, Python 3.12).
    """
    # Not the consumer's filters: a verdict must not depend on somebody's "filterwarnings = error".
    warnings.resetwarnings()
    warnings.simplefilter("default")
    # Nor on debug mode: requirements that speak of it turn it on themselves.
    os.environ.pop("PYTHONASYNCIODEBUG", None)
    item.config.stash[PATIENCE] = patience
    error = _first_error(item)
    if error is not None:
        return replace(_outcome_of(error), program=item.stash.get(PROGRAM, ""))
    answer = item.stash.get(ANSWER, [])
    return Outcome(Verdict.CONFORMS, answer="; ".join(answer) or None)


def _first_error(item: pytest.Item) -> BaseException | None:
    """The first exception of set-up, call and teardown, as it was raised."""
    stack = item.session._setupstate
    first: BaseException | None = None
    try:
        stack.setup(item)
        _call(item)
    except BaseException as error:
        first = error
    try:
        stack.teardown_exact(None)
    except BaseException as error:
        first = first or error
    return first


def _call(item: pytest.Item) -> None:
    assert isinstance(item, pytest.Function)
    arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    try:
        item.obj(**arguments)
    except (KeyboardInterrupt, SystemExit, pytest.exit.Exception) as error:
        raise OutOfPlace(f"{type(error).__name__} came out of the loop where none was expected") from error


def _outcome_of(error: BaseException) -> Outcome:
    frame = _last_suite_frame(error)
    where = f"{Path(frame.filename).name}:{frame.lineno}" if frame else ""
    seen = _describe(error)
    if isinstance(error, pytest.skip.Exception):
        return Outcome(Verdict.NOT_RUN, seen=str(error.msg), where=where)
    if _lacks_descriptors(error):
        return Outcome(Verdict.NOT_RUN, seen=f"it needs more descriptors than `ulimit -n` allows: {seen}", where=where)
    if _is_suite_fault(error):
        return Outcome(Verdict.ERRORED, seen=seen, where=where, output=_full(error))
    if isinstance(error, NotImplementedError) or _is_absent_method(error):
        operation = _operation(error)
        return Outcome(Verdict.NOT_IMPLEMENTED, seen=f"{operation}: {seen}", where=where, operation=operation)
    return Outcome(Verdict.DEVIATES, seen=seen, where=where)


def _describe(error: BaseException) -> str:
    """What was seen, in the words of the assertion or as the exception that came instead."""
    if isinstance(error, AssertionError | OutOfPlace | pytest.fail.Exception):
        text = _words(error) or _source_line(error)
    else:
        text = f"raised {type(error).__name__}: {_words(error)}"
    if isinstance(error, BaseExceptionGroup):
        text += " (" + "; ".join(f"{type(e).__name__}: {_words(e)}" for e in error.exceptions) + ")"
    text = text if len(text) <= _SEEN_LIMIT else text[:_SEEN_LIMIT] + " …"
    return " ".join([text, *(f"({note})" for note in getattr(error, "__notes__", ()))])


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failed:
        return f"(its str() raised {type(failed).__name__})"


def _source_line(error: BaseException) -> str:
    frame = _last_suite_frame(error)
    return f"not true: {frame.line}" if frame else type(error).__name__


def _is_suite_fault(error: BaseException) -> bool:
    """A name that this suite spelled wrong, or a fixture that does not exist, is no fault of the loop.

    Nor is what a module has not got on this system. A variable that has no value yet is: its callback was called too
    early.
    """
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return _raised_in_suite(error)
    if not isinstance(error, NameError):
        return isinstance(error, pytest.FixtureLookupError)
    code = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1].f_code
    known = code.co_varnames + code.co_cellvars + code.co_freevars
    return code.co_filename.startswith(_SUITE) and error.name not in known


def _lacks_descriptors(error: BaseException | None) -> bool:
    """EMFILE, or an error that came of it, in a process that may have very few: that is not the loop's doing."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= _FEW_DESCRIPTORS:
        return False
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_absent_method(error: BaseException) -> bool:
    """AttributeError for a documented name of a loop, a transport, a server or a handle.

    None, or a str, that came instead of one of these lacks nothing: it is a wrong value.
    """
    if not isinstance(error, AttributeError) or error.name is None or error.name.startswith("_"):
        return False
    if type(error.obj).__module__ == "builtins":
        return False
    return _raised_in_suite(error)


def _raised_in_suite(error: BaseException) -> bool:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code.co_filename.startswith(_SUITE)


def _operation(error: BaseException) -> str:
    """The name of what is not implemented, as the documentation spells it."""
    if isinstance(error, AttributeError) and error.name:
        return f"{type(error.obj).__name__}.{error.name}" if _foreign(error.obj) else f"loop.{error.name}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "an operation"
    if frames[-1].filename == _ABSTRACT:
        return f"{_kind(error)}.{frames[-1].name}"
    for frame in reversed(frames):
        # The innermost call: run_until_complete() stands around many.
        if calls := [c[0] for c in _OPERATION.finditer(frame.line or "") if c[1] != "run_until_complete"]:
            return calls[-1].rstrip("(")
    return frames[-1].name


def _kind(error: BaseException) -> str:
    """The documentation's word for the abstract class whose method raised: a loop, or the name of the class."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    owner = frame.f_code.co_qualname.partition(".")[0]
    return {"AbstractEventLoop": "loop", "AbstractServer": "server"}.get(owner, owner)


def _foreign(candidate: object) -> bool:
    return not hasattr(candidate, "run_until_complete")


def _last_suite_frame(error: BaseException) -> traceback.FrameSummary | None:
    frames = traceback.extract_tb(error.__traceback__)
    return next((f for f in reversed(frames) if f.filename.startswith(str(BATTERY))), None)


def _full(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def redirect_output(target: int) -> None:
    """Send this process's standard output and error, at both levels, to the descriptor `target`."""
    os.dup2(target, 1)
    os.dup2(target, 2)
    # Line buffering by hand: the process may end without flushing.
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115 (lives as long as the process)
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115 (the same)
