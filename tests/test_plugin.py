"""`pytest --loop=…` as its users run it: what is selected, under whose settings, with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import exits
from tests.harness import ROOT, run_pytest

STOCK = "--loop=asyncio:SelectorEventLoop"
BROKEN = "--loop=broken=tests.broken_loops.callbacks:EveryTenthCallbackComesLate"
ONE = "callbacks.fifo"

_MY_LOOP = """
import asyncio

class Loops:
    class Deep:
        @staticmethod
        def make():
            return asyncio.SelectorEventLoop()

def new_loop():
    return asyncio.SelectorEventLoop()
"""

_ANOTHER_VERSION = """
import asyncio

class AnotherVersion(asyncio.SelectorEventLoop):
    def is_closed(self):
        return False

def new_event_loop():
    return AnotherVersion()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A consumer's project: its own loop, its own tests, which would fail if they were run."""
    (tmp_path / "mymodule.py").write_text(_MY_LOOP)
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert False\n")
    return tmp_path


@pytest.mark.parametrize("factory", ["new_loop", "Loops.Deep.make"])
def test_loops_of_the_current_directory_work_and_its_tests_are_left_alone(project: Path, factory: str) -> None:
    finished = run_pytest(f"--loop=mymodule:{factory}", "--loop-results=r.jsonl", ONE, cwd=project)
    assert finished.code == exits.CONFORMS, finished.output
    assert finished.verdicts(f"mymodule.{factory.rpartition('.')[2]}") == {ONE: "conforms"}


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_loop_is_imported_from_where_the_users_path_has_it_first(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    # Collecting the battery puts the directory first that it lies in, and there may be another version of the loop.
    (tmp_path / "reference_loop.py").write_text(_ANOTHER_VERSION)
    loop = ("--loop=reference_loop:new_event_loop", "--loop-results=r.jsonl")
    finished = run_pytest(*loop, *arguments, "lifecycle.is-closed", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert finished.verdicts("reference_loop") == {"lifecycle.is-closed": "deviates"}
    assert finished.run is not None
    assert "AnotherVersion" in str(finished.run.loops)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "2"),
        ("-n", "2", "--dist", "worksteal"),
        ("-W", "error"),
        ("--strict-markers", "--strict-config"),
        ("--import-mode=importlib",),
        ("--import-mode=append",),
        ("--loop-shuffle", "-n", "2"),
        ("--loop-shuffle=7", "--loop-repeat=2"),
        ("-p", "no:terminal"),
        ("-v",),
    ],
    ids=" ".join,
)
def test_the_battery_runs_under_options_that_people_use(project: Path, arguments: tuple[str, ...]) -> None:
    finished = run_pytest("--loop=mymodule:new_loop", "--loop-results=r.jsonl", *arguments, ONE, cwd=project)
    assert finished.code == exits.CONFORMS, finished.output
    assert finished.verdicts("mymodule.new_loop") == {ONE: "conforms"}


def test_a_consumers_settings_do_not_change_a_verdict(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\n"
        "filterwarnings = ['error']\nxfail_strict = true\naddopts = '--strict-markers'\n"
        "python_files = ['check_*.py']\npython_functions = ['check_*']\ntestpaths = ['nowhere']\n"
    )
    (project / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef loop():\n    raise RuntimeError('not this one')\n"
    )
    with (project / "mymodule.py").open("a") as module:
        module.write("import warnings\nwarnings.warn('an error, by these settings')\n")
    drawn = "schedules.callbacks"
    finished = run_pytest("--loop=mymodule:new_loop", "--loop-results=r.jsonl", ONE, drawn, cwd=project)
    assert finished.code == exits.CONFORMS, finished.output
    assert finished.verdicts("mymodule.new_loop") == {ONE: "conforms", drawn: "conforms"}


def test_a_consumers_own_conformance_package_is_not_mistaken_for_ours(project: Path) -> None:
    (project / "conformance").mkdir()
    (project / "conformance" / "__init__.py").write_text("")
    finished = run_pytest("--loop=mymodule:new_loop", ONE, cwd=project)
    assert finished.code == exits.CONFORMS, finished.output
    (project / "conftest.py").write_text("import sys\nsys.path.insert(0, '.')\nimport conformance\n")
    assert run_pytest("--co", "-q", cwd=project).code == 0


def test_without_loop_nothing_of_the_suite_is_imported(project: Path) -> None:
    (project / "test_own.py").write_text(
        "import sys\ndef test_own():\n    assert not [m for m in sys.modules if m.split('.')[0] == 'conformance']\n"
    )
    finished = run_pytest("-q", cwd=project)
    assert finished.code == 0, finished.output


def test_with_a_path_that_path_is_run(project: Path) -> None:
    finished = run_pytest("--loop=mymodule:new_loop", "test_own.py", cwd=project)
    assert "1 failed" in finished.output


def test_ids_are_asked_beside_a_path_too(project: Path) -> None:
    finished = run_pytest("--loop=mymodule:new_loop", "--loop-results=r.jsonl", ONE, "test_own.py", cwd=project)
    assert "1 failed, 1 passed" in finished.output
    assert finished.verdicts("mymodule.new_loop") == {ONE: "conforms"}


@pytest.mark.parametrize("asked", [(), (ONE,)], ids=["chapter", "id"])
def test_paths_of_a_consumers_settings_are_not_what_is_asked_for(project: Path, asked: tuple[str, ...]) -> None:
    (project / "pytest.ini").write_text("[pytest]\naddopts = test_own.py\n")
    chapter = () if asked else ("--loop-chapter=callbacks", "--loop-level=should")
    finished = run_pytest("--loop=mymodule:new_loop", "--loop-results=r.jsonl", *chapter, *asked, cwd=project)
    assert finished.code == exits.CONFORMS, finished.output
    assert set(finished.verdicts("mymodule.new_loop").values()) == {"conforms"}


def test_arguments_may_stand_in_a_file(project: Path) -> None:
    (project / "arguments.txt").write_text(f"--loop=mymodule:new_loop\n{ONE}\n")
    finished = run_pytest("@arguments.txt", "--loop-results=r.jsonl", cwd=project)
    assert finished.verdicts("mymodule.new_loop") == {ONE: "conforms"}


def test_collecting_alone_leaves_the_result_file_as_it_is(project: Path) -> None:
    found = ("--loop=mymodule:new_loop", "--loop-results=r.jsonl", ONE)
    run_pytest(*found, cwd=project)
    assert run_pytest(*found, "--co", cwd=project).verdicts("mymodule.new_loop") == {ONE: "conforms"}


def test_without_assertions_there_is_no_battery(tmp_path: Path) -> None:
    finished = run_pytest(STOCK, ONE, cwd=tmp_path, env={"PYTHONOPTIMIZE": "1"})
    assert finished.code == exits.USAGE
    assert "python -O" in finished.output


def test_chapters_levels_and_keywords_select(tmp_path: Path) -> None:
    found = run_pytest("--loop-catalogue", "--loop-chapter=callbacks", "--loop-level=must")
    assert found.code == 0
    assert ONE in found.output
    finished = run_pytest(
        STOCK, f"--loop-results={tmp_path / 'r.jsonl'}", "-k", "callbacks_run_in_the_order_they_were_scheduled"
    )
    assert finished.verdicts("asyncio.SelectorEventLoop") == {ONE: "conforms"}


def test_a_deviation_is_told_once_with_all_that_is_needed_to_mend_it(tmp_path: Path) -> None:
    finished = run_pytest(BROKEN, STOCK, f"--loop-results={tmp_path / 'r.jsonl'}", ONE)
    assert finished.code == exits.DEVIATES
    assert finished.verdicts("broken") == {ONE: "deviates"}
    assert finished.verdicts("asyncio.SelectorEventLoop") == {ONE: "conforms"}
    for word in ("callbacks.fifo (MUST) deviates", "states", "seen", "hint", "cite", "rerun  pytest --loop=broken="):
        assert finished.output.count(word) == 1, finished.output
    assert "Traceback" not in finished.output


def test_a_level_that_is_not_gated_does_not_fail_the_run() -> None:
    assert run_pytest(BROKEN, "--loop-gate=none", ONE).code == exits.CONFORMS


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--loop=nonsense"], "[label=]module:factory"),
        (["--loop=no_such_module:factory"], "cannot import"),
        (["--loop=asyncio:no_such_attribute"], "no attribute"),
        (["--loop=tests.hostile_loops:factory_of_nothing"], "no event loop"),
        (["--loop=tests.hostile_loops:factory_that_raises"], "the factory raised RuntimeError"),
        (["--loop=tests.hostile_loops:not_callable"], "not callable"),
        ([STOCK, "--loop-shuffle", ONE], "put ids before it"),
        ([STOCK, STOCK], "give one a label of its own"),
        ([STOCK, "no.such-id"], "no requirement of that id"),
        ([STOCK, "--loop-chapter=nonsense"], "there is no such chapter"),
        ([STOCK, "--loop-expected=nowhere.toml"], "there is no nowhere.toml"),
        (["--loop-catalogue", "--loop-chapter=nonsense"], "there is no such chapter"),
        ([f"{STOCK}@python3.11"], "--tx popen//python=python3.11"),
        ([STOCK, "--loop-patience=0"], "above 0"),
        ([STOCK, "--loop-patience=inf"], "above 0"),
        ([STOCK, "--update-expected"], "--loop-expected=FILE"),
        ([STOCK, "--update-expected", "--loop-expected=known"], "ends in .toml"),
        ([STOCK, "--update-expected", "--loop-expected=tests/"], "tests"),
        ([STOCK, "--update-expected", "--loop-expected=./pytest_loop_conformance.py"], "not TOML"),
        ([STOCK, BROKEN, "--update-expected", "--loop-expected=a.toml"], "--loop-expected=LABEL=a.toml"),
        ([STOCK, "--loop-results=/proc/nowhere/r.jsonl"], "/proc/nowhere"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], sentence: str) -> None:
    finished = run_pytest(*arguments)
    assert finished.code == exits.USAGE, finished.output
    assert sentence in finished.output
    assert "Traceback" not in finished.output


def test_the_catalogue_is_listed_without_running_anything() -> None:
    finished = run_pytest("--loop-catalogue")
    assert finished.code == 0
    assert "call_soon() runs callbacks in the order" in finished.output
    assert ROOT.name not in finished.output.splitlines()[0]


def test_a_worker_that_dies_costs_one_verdict(project: Path) -> None:
    (project / "killer.py").write_text(
        "import asyncio, os, signal\n"
        "class Killer(asyncio.SelectorEventLoop):\n"
        "    def create_datagram_endpoint(self, *args, **kwargs):\n"
        "        os.kill(int(os.environ['VICTIM']), signal.SIGKILL)\n"
        "        return super().create_datagram_endpoint(*args, **kwargs)\n"
    )
    # In a worker, the process to kill is the worker: the parent of the keeper of its trials.
    (project / "victim.py").write_text("import os\nos.environ['VICTIM'] = str(os.getpid())\n")
    arguments = ("-p", "victim", "-n", "2", "--loop=killer:Killer", "--loop-results=r.jsonl")
    # Its test has the name that the one of sockets.recvfrom-empty has, in another file.
    selected = ("callbacks.*", "sockets.recvfrom-empty", "udp.received-empty")
    finished = run_pytest(*arguments, *selected, cwd=project, env={"PYTHONPATH": str(project)})
    verdicts = finished.verdicts("killer.Killer")
    assert finished.code == exits.DEVIATES, finished.output
    assert verdicts.pop("udp.received-empty") == "crashes"
    assert set(verdicts.values()) <= {"conforms", "not applicable"}


def test_a_worker_that_cannot_use_the_loop_fails_the_run_and_says_why(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    finished = run_pytest(
        "--loop=mymodule:new_loop", "--loop-results=r.jsonl", "--dist=load", f"--tx=popen//chdir={elsewhere}", ONE,
        cwd=project,
    )  # fmt: skip
    assert finished.code == exits.SUITE_FAILED, finished.output
    assert finished.verdicts("mymodule.new_loop") == {ONE: "not run"}
    assert "cannot import 'mymodule'" in finished.output
    assert "chdir=" in finished.output


@pytest.mark.parametrize("variable", ["PYTHONASYNCIODEBUG", "PYTHONDEVMODE"])
def test_debug_mode_of_the_environment_changes_no_verdict(tmp_path: Path, variable: str) -> None:
    # asyncio's own loop leaves a socket open in debug mode, where a protocol factory raises.
    ids = ("servers.factory-error", "sockets.transports-are-private", "debug.default", "debug.set")
    finished = run_pytest(
        f"--loop-results={tmp_path / 'r.jsonl'}", "--loop=asyncio:SelectorEventLoop", *ids, env={variable: "1"}
    )
    assert finished.verdicts("asyncio.SelectorEventLoop") == dict.fromkeys(ids, "conforms"), finished.output[-3000:]
