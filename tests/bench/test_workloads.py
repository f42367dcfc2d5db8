"""Every workload does its work on asyncio's own loop, once, and says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import certificates
from bench.arms import Arm
from bench.workload import Entry, Workload, catalogue, select
from conformance.loops import parse_spec

CATALOGUE = catalogue()
ORDINARY = [entry for entry in CATALOGUE.values() if entry.kind.extra is None and entry.tier == "standard"]


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    arm = Arm("stock", parse_spec("asyncio:SelectorEventLoop"))
    yield arm
    arm.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Short: the path of a Unix socket has about a hundred bytes.
    directory = tmp_path_factory.mktemp("s")
    certificates.make(directory)
    return directory


@pytest.mark.parametrize("entry", ORDINARY, ids=lambda entry: entry.name)
def test_is_done_by_asyncio(arm: Arm, scratch: Path, entry: Entry) -> None:
    order = {"workload": entry.name, "loops": 1, "target": 0.001, "warmups": 1, "cpu": None, "scratch": str(scratch)}
    arm.begin(order)
    arm.set_up(60)
    ready = arm.warm_up(60)
    if entry.kind.facts:
        assert all(isinstance(value, float | int) for value in ready["facts"].values())
        arm.wait(60)
        return
    sample = arm.sample(2, 60)
    assert sample["wall"] > 0
    assert sample["cpu"] > 0
    bye = arm.end(60)
    assert bye["rss_peak"] > 0
    assert bye["rss"] > 0


def test_every_workload_describes_itself() -> None:
    for entry in CATALOGUE.values():
        described = entry.describe()
        assert described["statement"].endswith((".", "?")), entry.name
        assert described["unit"]
        assert described["drives"]
        assert described["version"] == entry.version()


def test_sizes_and_source_are_in_the_version() -> None:
    versions = {entry.version() for entry in CATALOGUE.values() if entry.kind.name == "tcp.echo.protocol"}
    assert len(versions) == 20

    class Changed(CATALOGUE["tasks.tree"].kind):  # type: ignore[misc,name-defined]
        pass

    assert Entry(Changed, "").version() != CATALOGUE["tasks.tree"].version()


def test_globs_select_by_name_group_and_part() -> None:
    def names(*globs: str, sweep: bool = False) -> list[str]:
        return [entry.name for entry in select(globs, CATALOGUE, sweep)]

    assert names("timers") == names("timers.*") == names("timers*")
    assert names("spawn*", "tree") == names("tasks.spawn_*", "tasks.tree")
    assert len(names("tcp.echo.sock")) == 8
    assert len(names("tcp.echo.sock", sweep=True)) == 20
    assert names("tcp.echo.sock.64B.c1") == ["tcp.echo.sock.64B.c1"]
    assert len(names(sweep=True)) > len(names())


def test_a_workload_without_a_body_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Workload().run_outside(1)
