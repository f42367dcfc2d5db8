"""The catalogue: every requirement is written as requirements are, and touches nothing private of a loop."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import conformance
from conformance import catalogue, contract_map
from conformance.citations import BadCitation, url_of
from conformance.requirement import MUST, BadRequirement, requirement
from tests.broken_loops import every
from tests.broken_loops.table import page, proofs_text, rows_that_hold
from tests.harness import run_pytest

BATTERY = Path(conformance.__file__).parent / "battery"
KIT = Path(conformance.__file__).parent / "kit"
_TESTS = sorted(BATTERY.glob("test_*.py"))


def test_ids_are_unique_and_their_chapter_is_their_file() -> None:
    for each in catalogue.load().values():
        stem = each.file.removeprefix("test_").removesuffix(".py")
        chapter = each.chapter.replace("-", "_")
        assert stem == chapter or stem.startswith(f"{chapter}_"), f"{each.id} stands in {each.file}"


def test_the_source_of_a_requirement_is_that_of_its_test() -> None:
    for each in catalogue.load().values():
        assert each.source == inspect.getsource(each.test), each.id


@pytest.mark.parametrize("path", _TESTS, ids=lambda p: p.name)
def test_every_test_of_the_battery_is_a_requirement(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in tree.body:
        assert not isinstance(node, ast.AsyncFunctionDef) or not node.name.startswith("test_"), node.name
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names = {d.func.id for d in node.decorator_list if isinstance(d, ast.Call) and isinstance(d.func, ast.Name)}
            assert "requirement" in names, f"{path.name}: {node.name} states no requirement"


@pytest.mark.parametrize("path", [*_TESTS, *sorted(KIT.glob("*.py"))], ids=lambda p: p.name)
def test_nothing_private_of_a_loop_is_touched(path: Path) -> None:
    allowed = {"_set_running_loop", "_get_running_loop"}  # documented for loop authors ("Extending")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in allowed:
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            assert own, f"{path.name}:{node.lineno} touches {ast.unparse(node)}"


@pytest.mark.parametrize(
    ("citation", "url"),
    [
        ("asyncio-eventloop: loop.call_soon", "library/asyncio-eventloop.html#asyncio.loop.call_soon"),
        ("asyncio-runner: Runner", "library/asyncio-runner.html#asyncio.Runner"),
        ("asyncio-dev: Concurrency and Multithreading", "library/asyncio-dev.html#concurrency-and-multithreading"),
        ("asyncio-stream: §Examples", "library/asyncio-stream.html#examples"),
        ("whatsnew 3.12: asyncio", "whatsnew/3.12.html#asyncio"),
        ("PEP 525: Finalization", "pep-0525/#finalization"),
        ("gh-105288", "issues/105288"),
    ],
)
def test_citations_are_links(citation: str, url: str) -> None:
    assert url_of(citation).endswith(url)


def test_a_citation_of_nothing_is_refused() -> None:
    with pytest.raises(BadCitation):
        url_of("somewhere on the internet")


@pytest.mark.parametrize("id", ["Callbacks.fifo", "callbacks", "callbacks.fifo.more", "callbacks fifo"])
def test_a_bad_id_is_refused(id: str) -> None:
    with pytest.raises(BadRequirement, match="write chapter"):
        requirement(id, MUST, cite="gh-1")(test_citations_are_links)


def test_a_requirement_needs_a_statement_and_a_hint() -> None:
    def test_something() -> None:
        """States, but does not help."""

    with pytest.raises(BadRequirement, match="If this fails"):
        requirement("callbacks.something", MUST, cite="gh-1")(test_something)


def test_citations_of_the_asyncio_documentation_name_places_that_exist() -> None:
    assert contract_map.unknown_citations(catalogue.load()) == []


def test_the_shipped_proofs_are_those_of_the_broken_loops() -> None:
    shipped = (Path(conformance.__file__).parent / "proofs.json").read_text(encoding="utf-8")
    assert shipped == proofs_text(), "write them again: python -m tests.broken_loops.table --proofs-only"


def test_rows_of_the_page_of_broken_loops_are_read_back() -> None:
    first, second = every()[:2]
    failed = {first.name: sorted({*first.breaks, "tcp.echo"}), second.name: ["tcp.echo"]}
    written = page(failed, 2, "everything", stock_fails=[])
    assert rows_that_hold(written) == {first.name: failed[first.name]}  # the other's sentence is not proved by it
    assert rows_that_hold(written.replace(first.sentence, "Something else.")) == {}


def test_two_workers_collect_the_same_tests() -> None:
    """Names of cases with addresses or with the order of a set in them would make pytest-xdist refuse to run."""
    collect = ("--loop=asyncio:SelectorEventLoop", "--collect-only", "-q")
    first, second = (run_pytest(*collect, env={"PYTHONHASHSEED": seed}) for seed in ("1", "2"))
    names = [[line for line in run.output.splitlines() if "::" in line] for run in (first, second)]
    assert names[0] == names[1] != []


def test_every_requirement_has_a_broken_loop() -> None:
    proved = {id for loop in every() for id in loop.breaks}
    known = set(catalogue.load())
    assert not proved - known, "a broken loop names a requirement that does not exist"
    assert not known - proved, "a requirement that nothing proves may be unable to fail"


def test_every_broken_loop_says_what_it_does_wrong() -> None:
    assert [loop.name for loop in every() if not loop.sentence] == []


def test_broken_loops_have_names_of_their_own() -> None:
    names = [loop.name for loop in every()]
    assert sorted(names) == sorted(set(names))
