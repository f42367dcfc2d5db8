"""Random programs: the model allows what the contract leaves open, and nothing else; a failure shrinks to its core."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from conformance.schedules.drawing import programs_of
from conformance.schedules.explore import Explorer
from conformance.schedules.programs import (
    At,
    Await,
    Cancel,
    CancelTask,
    Do,
    FromThread,
    OnDone,
    Program,
    Resolve,
    Soon,
    Spawn,
    Stop,
    TimeOut,
)
from conformance.schedules.search import judge
from conformance.schedules.source import script_of, source_of
from tests.broken_loops.schedules import PutsTheFourthInFront


def allows(program: Program, *trace: str) -> bool:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(source_of(program), "<program>", "exec"), namespace)
    return judge(namespace["program"], list(trace)).allowed


RETURNED = "run_forever() returned"


@pytest.mark.parametrize(
    ("program", "allowed", "forbidden"),
    [
        ((Soon(), Soon()), [("c1", "c2")], [("c2", "c1"), ("c1",), ("c1", "c2", "c2"), ()]),
        ((Soon((Cancel(1),)), Soon()), [("c1",)], [("c1", "c2")]),
        ((Soon((Soon(), Stop())),), [("c1", RETURNED, "c2")], [("c1", "c2", RETURNED), ("c1", "c2")]),
        ((Stop(), Soon((Soon(),))), [("c1", RETURNED, "c2")], [(RETURNED, "c1", "c2")]),
        ((At(2), At(1)), [("c2", "c1")], [("c1", "c2"), ("c2",)]),
        # Equal deadlines, and whether a timer or a callback of another thread comes first, are left open.
        ((At(1), At(1)), [("c1", "c2"), ("c2", "c1")], [("c1",)]),
        ((Soon(), At(1)), [("c1", "c2"), ("c2", "c1")], []),
        ((Soon(), FromThread(), FromThread()), [("c2", "c1", "c3"), ("c1", "c2", "c3")], [("c1", "c3", "c2")]),
        ((OnDone(0), OnDone(0), Resolve(0), Soon()), [("d1", "d2", "c1")], [("d2", "d1", "c1"), ("c1", "d1", "d2")]),
        (
            (Spawn((Await(0),)), Soon((Resolve(0),)), Soon()),
            [("t1 starts", "c1", "c2", "t1.1 resumes")],
            [("t1 starts", "c1", "t1.1 resumes", "c2"), ("t1 starts", "c1", "c2")],
        ),
        (
            (Spawn((Await(0, swallow=True), Do(Soon()))), Soon((CancelTask(0),))),
            [("t1 starts", "c2", "t1.1 is cancelled", "c1")],
            [("t1 starts", "c2", "t1.1 resumes", "c1"), ("t1 starts", "c2", "t1.1 is cancelled")],
        ),
        ((Spawn((TimeOut(1),)),), [("t1 starts", "t1.1 times out")], [("t1 starts",), ("t1.1 times out", "t1 starts")]),
    ],
)
def test_the_model_allows_what_the_contract_does(
    program: tuple[Any, ...], allowed: list[tuple[str, ...]], forbidden: list[tuple[str, ...]]
) -> None:
    for trace in allowed:
        assert allows(Program(program), *trace)
    for trace in forbidden:
        assert not allows(Program(program), *trace)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_the_model_starts_eager_tasks_at_once() -> None:
    program = Program((Soon((Spawn((Do(Soon()),)), Soon())),), eager=True)
    assert allows(program, "c1", "t1 starts", "c2", "c3")
    assert not allows(program, "c1", "c3", "t1 starts", "c2")


def test_a_failure_is_shrunk_to_the_callbacks_it_takes() -> None:
    failure = Explorer(PutsTheFourthInFront, patience=100).explore(programs_of(Soon, Cancel))
    assert failure is not None
    assert failure.program == Program((Soon(), Soon(), Soon(), Soon()))
    assert "c4, where the contract allows c1" in failure.why


def test_the_fixed_programs_are_the_same_in_every_run() -> None:
    drawn: list[list[Program]] = []
    for _ in range(2):
        explorer = Explorer(asyncio.SelectorEventLoop, patience=1000)
        assert explorer.explore(programs_of(Soon, Cancel, Stop)) is None
        drawn.append(list(explorer._known))
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) > 20


def test_a_seed_draws_the_same_new_programs() -> None:
    drawn: list[Program] = []
    for seed in (1, 1, 2):
        explorer = Explorer(asyncio.SelectorEventLoop, patience=1000)
        assert explorer.explore(programs_of(Soon, Cancel), seconds=0.001, seed=seed) is None
        drawn.append(list(explorer._known)[-1])
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_script_of_a_program_runs_by_itself() -> None:
    script = script_of(Program((Soon((Soon(),)), At(1))), "asyncio", "SelectorEventLoop")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, sorted(done.stdout.split())) == (0, ["c1", "c2", "c3"]), done.stderr
