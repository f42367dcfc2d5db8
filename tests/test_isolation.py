"""Whatever a loop does to its process costs the requirement that was running, and nothing else."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from conformance import exits, hugepages
from conformance.isolation import Keeper, KeeperNotReady
from conformance.verdicts import WRONG
from tests.harness import run_pytest
from tests.hostile_loops import CRIMES, UNSEEN

# A few requirements of each chapter; tests/hostile.py has each crime before the whole battery (`tox run -e hostile`).
_SAMPLE = (
    "callbacks.fifo", "callbacks.cancel", "timers.order",
    "dns.coroutines", "dns.getnameinfo",  # and not dns.getaddrinfo, with six cases that would each wait for a hang
    "executors.result", "executors.shutdown-joins",
    "signals.called", "signals.removed",
)  # fmt: skip

USES = {
    "getaddrinfo": {"dns.coroutines"},
    "getnameinfo": {"dns.getnameinfo", "dns.coroutines"},
    "run_in_executor": {"executors.result", "executors.shutdown-joins", "dns.coroutines", "dns.getnameinfo"},
    "shutdown_default_executor": {"executors.shutdown-joins", "executors.result"},
    "add_signal_handler": {"signals.called", "signals.removed"},
}


def test_a_crime_costs_at_most_what_uses_the_method(tmp_path: Path) -> None:
    # One run with all criminals in it, beside the stock loop: each would otherwise wait alone for its hangs.
    specs = (f"--loop={name}=tests.hostile_loops:{name}" for name in CRIMES)
    finished = run_pytest(
        "-q", "-n2", f"--loop-results={tmp_path / 'r.jsonl'}", "--loop=stock=asyncio:SelectorEventLoop",
        *specs, *_SAMPLE, patience=3,
    )  # fmt: skip
    assert finished.code == exits.DEVIATES, finished.output[-3000:]
    assert finished.run is not None
    assert finished.run.complete
    assert set(finished.verdicts("stock").values()) == {"conforms"}
    assert [name for name in CRIMES if not _is_contained(name, finished.verdicts(name))] == []


def _is_contained(name: str, verdicts: dict[str, str]) -> bool:
    """Whether a crime was seen where the method is used (if it can be), and costs no other verdict."""
    wrong = {id for id, verdict in verdicts.items() if verdict in WRONG}
    return (
        set(verdicts) == set(_SAMPLE)
        and {verdicts[id] for id in set(_SAMPLE) - wrong} <= {"conforms"}
        and wrong <= USES[CRIMES[name][0]]
        and (bool(wrong) or name in UNSEEN)
    )


@pytest.mark.parametrize(
    ("factory", "verdict"), [("factory_that_hangs", "hangs"), ("factory_that_segfaults", "crashes")]
)
def test_a_factory_that_never_returns_is_one_deviation(factory: str, verdict: str, tmp_path: Path) -> None:
    finished = run_pytest(
        "-q", f"--loop=hostile=tests.hostile_loops:{factory}", f"--loop-results={tmp_path / 'r.jsonl'}",
        "lifecycle.factory", "callbacks.*", patience=2,
    )  # fmt: skip
    verdicts = finished.verdicts("hostile")
    assert verdicts.pop("lifecycle.factory") == verdict
    assert set(verdicts.values()) <= {"not run", "not applicable"}
    assert finished.code == exits.DEVIATES


def test_a_loop_that_cannot_be_made_does_not_pass_beside_another() -> None:
    specs = ("--loop=hostile=tests.hostile_loops:factory_that_hangs", "--loop=asyncio:SelectorEventLoop")
    finished = run_pytest("-q", *specs, "callbacks.fifo", patience=1)
    assert finished.code == exits.SUITE_FAILED, finished.output[-3000:]


def test_a_loop_that_runs_nothing_hangs_everywhere_and_the_run_ends(tmp_path: Path) -> None:
    finished = run_pytest(
        "-q", "--loop=hostile=tests.hostile_loops:RunsNothing", f"--loop-results={tmp_path / 'r.jsonl'}",
        "callbacks.fifo", patience=1,
    )  # fmt: skip
    assert finished.verdicts("hostile") == {"callbacks.fifo": "hangs"}
    assert finished.code == exits.DEVIATES


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc is not mounted")
def test_what_was_found_before_the_run_is_killed_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(
        "import asyncio, os, pathlib, signal\n"
        "class Killer(asyncio.SelectorEventLoop):\n"
        "    def getnameinfo(self, *args, **kwargs):\n"
        "        keeper = pathlib.Path(f'/proc/{os.getppid()}/stat').read_text()\n"
        "        os.kill(int(keeper.rpartition(')')[2].split()[1]), signal.SIGKILL)\n"
        "        return super().getnameinfo(*args, **kwargs)\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    finished = run_pytest(
        "-q", "--loop=killer:Killer", "--loop-results=r.jsonl", "callbacks.*", "dns.*",
        cwd=tmp_path, env={"TMPDIR": str(scratch)},
    )  # fmt: skip
    assert finished.code < 0
    assert finished.run is not None
    assert not finished.run.complete
    assert finished.verdicts("killer.Killer")["callbacks.fifo"] == "conforms"
    _wait_until_empty(scratch)


def _wait_until_empty(scratch: Path) -> None:
    """Keepers outlive a pytest that is killed by what it takes them to see that."""
    deadline = time.monotonic() + 60
    while left := list(scratch.iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_keeper_that_is_killed_leaves_no_directory(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(
        "import asyncio, os, signal\n"
        "class Killer(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        os.kill(os.getppid(), signal.SIGKILL)\n"
        "        os._exit(1)\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = ("-q", "--loop=killer:Killer", "--loop-results=r.jsonl", "timers.cancel", "timers.cancel-twin")
    finished = run_pytest(*arguments, cwd=tmp_path, env={"TMPDIR": str(scratch)})
    assert set(finished.verdicts("killer.Killer").values()) == {"crashes"}, finished.output
    assert list(scratch.iterdir()) == []


def test_the_next_trial_runs_while_one_waits(tmp_path: Path) -> None:
    (tmp_path / "meeting.py").write_text(
        "import asyncio, os, pathlib, time\n"
        "class Meeting(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        pathlib.Path(f'trial-{os.getpid()}').touch()\n"
        "        deadline = time.monotonic() + 10\n"
        "        while len(list(pathlib.Path().glob('trial-*'))) < 2:\n"
        "            assert time.monotonic() < deadline\n"
        "            time.sleep(0.01)\n"
        "        return super().call_at(*args, **kwargs)\n"
    )
    arguments = ("-q", "--loop=meeting:Meeting", "--loop-results=r.jsonl", "--loop-repeat=2")
    finished = run_pytest(*arguments, "timers.cancel", cwd=tmp_path, patience=30)
    assert finished.verdicts("meeting.Meeting") == {"timers.cancel": "conforms"}, finished.output


def test_a_module_that_waits_for_another_process_at_import_is_imported_in_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "owning.py").write_text(
        "import fcntl\nfrom asyncio import SelectorEventLoop\n"
        "lock = open('lock', 'w')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
    )
    arguments = ("-q", "-n", "0", "--loop=owning:SelectorEventLoop", "--loop-results=r.jsonl")
    finished = run_pytest(*arguments, "timers.cancel", "callbacks.fifo", "callbacks.cancel", cwd=tmp_path, patience=3)
    assert set(finished.verdicts("owning.SelectorEventLoop").values()) == {"conforms"}, finished.output


def test_a_loop_that_ends_its_process_crashes_however_it_does(tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text(
        "import asyncio, os, signal, time\n"
        "class Aborting(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(60)\n"
        "            os._exit(0)\n"
        "        os.abort()\n"
        "class Signalling(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        os.kill(os.getpid(), signal.SIGRTMIN + 3)\n"
        "class Mute(Exception):\n"
        "    def __str__(self):\n"
        "        raise ValueError\n"
        "class Muttering(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        raise Mute\n"
    )
    specs = (f"--loop={name}=ending:{name}" for name in ("Aborting", "Signalling", "Muttering"))
    finished = run_pytest("-q", *specs, "--loop-results=r.jsonl", "timers.cancel", cwd=tmp_path)
    found = {name: finished.verdicts(name)["timers.cancel"] for name in ("Aborting", "Signalling", "Muttering")}
    assert found == {"Aborting": "crashes", "Signalling": "crashes", "Muttering": "deviates"}, finished.output
    assert f"died of signal {signal.SIGRTMIN + 3}" in finished.output
    assert "raised Mute: (its str() raised ValueError)" in finished.output


def test_what_others_say_in_a_tests_place_is_no_fault_of_the_suite(tmp_path: Path) -> None:
    (tmp_path / "talking.py").write_text(
        "import asyncio, os, stat\n"
        "class Twins(asyncio.SelectorEventLoop):\n"
        "    def close(self):\n"
        "        super().close()\n"
        "        os.fork()\n"
        "class WritesEverywhere(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        for fd in map(int, os.listdir('/dev/fd')):\n"
        "            try:\n"
        "                if stat.S_ISFIFO(os.fstat(fd).st_mode):\n"
        "                    os.write(fd, b'not yours\\n')\n"
        "            except OSError:\n"
        "                pass\n"
        "        return super().call_at(*args, **kwargs)\n"
    )
    specs = (f"--loop={name}=talking:{name}" for name in ("Twins", "WritesEverywhere"))
    finished = run_pytest("-q", *specs, "--loop-results=r.jsonl", "timers.cancel", "timers.order", cwd=tmp_path)
    found = {name: set(finished.verdicts(name).values()) for name in ("Twins", "WritesEverywhere")}
    # The child that each loop of this kind leaves is told once, by a requirement of its own.
    assert found == {"Twins": {"conforms"}, "WritesEverywhere": {"deviates"}}, finished.output
    assert "something was written to a descriptor" in finished.output


def test_what_a_factory_said_before_it_died_is_shown(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text("import os\ndef new_loop():\n    os.write(2, b'last words')\n    os._exit(1)\n")
    finished = run_pytest("-q", "--loop=dying:new_loop", "lifecycle.factory", cwd=tmp_path)
    assert "last words" in finished.output


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc is not mounted")
def test_a_process_that_reserved_more_than_the_limit_is_not_limited() -> None:
    noreserve = getattr(mmap, "MAP_NORESERVE", 0x4000)
    reserved = mmap.mmap(-1, 5 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | noreserve)
    keeper = Keeper(lambda _request, _patience: lambda: {"label": str(resource.getrlimit(resource.RLIMIT_DATA))})
    try:
        assert reserved
        keeper.begin("a job", 10)
        assert keeper.answer() == {"label": str(resource.getrlimit(resource.RLIMIT_DATA))}
    finally:
        keeper.close()
        reserved.close()


def test_a_leak_is_no_hang_where_patience_is_short(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(
        "import asyncio, threading\n"
        "class Leaving(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "        return super().call_at(*args, **kwargs)\n"
    )
    arguments = ("-q", "--loop=leaving:Leaving", "--loop-results=r.jsonl", "timers.order")
    finished = run_pytest(*arguments, cwd=tmp_path, patience=2)
    assert finished.verdicts("leaving.Leaving") == {"timers.order": "deviates"}, finished.output
    assert "thread(s) running" in finished.output


def test_a_keeper_that_does_not_get_ready_is_killed() -> None:
    keeper = Keeper(lambda _request, _patience: lambda: {"label": "none"}, lambda _: time.sleep(1000), deadline=0.5)
    keeper.begin("a job", 1)
    with pytest.raises(KeeperNotReady):
        keeper.answer()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_an_announced_item_that_does_not_come_next_leaves_its_answer_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "announcing.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtestloop(session):\n"
        "    first, second, third = session.items\n"
        "    for item, nextitem in (first, second), (third, second), (second, None):\n"
        "        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)\n"
        "    return True\n"
    )
    (tmp_path / "late.py").write_text(
        "import asyncio\n"
        "class Late(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        raise RuntimeError('call_at')\n"
        "    def getnameinfo(self, *args, **kwargs):\n"
        "        raise RuntimeError('getnameinfo')\n"
    )
    finished = run_pytest(
        "-q", "-p", "announcing", "--loop=late:Late", "--loop-results=r.jsonl",
        "callbacks.fifo", "dns.getnameinfo", "timers.cancel",
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert finished.run is not None, finished.output
    seen = {id: cell.worst.get("seen", "") for (id, _), cell in finished.run.cells().items()}
    assert "call_at" in seen["timers.cancel"], finished.output
    assert "getnameinfo" in seen["dns.getnameinfo"]
    assert seen["callbacks.fifo"] == ""


def test_what_a_loop_says_may_be_no_unicode(tmp_path: Path) -> None:
    (tmp_path / "mumbling.py").write_text(
        "import asyncio\n"
        "class Mumbling(asyncio.SelectorEventLoop):\n"
        "    def getnameinfo(self, *args, **kwargs):\n"
        "        raise RuntimeError('\\udce2')\n"
    )
    finished = run_pytest("-n", "1", "--loop=mumbling:Mumbling", "--loop-results=r.jsonl", "dns.getn*", cwd=tmp_path)
    assert finished.code == exits.DEVIATES, finished.output
    assert set(finished.verdicts("mumbling.Mumbling").values()) == {"deviates"}


def test_a_signal_that_was_ignored_before_the_run_is_not_the_loops_fault(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        finished = run_pytest("--loop=asyncio:SelectorEventLoop", "subprocess.returncode-signal", cwd=tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert finished.code == exits.CONFORMS, finished.output


def test_what_importing_a_loop_changes_is_no_other_loops_fault(tmp_path: Path) -> None:
    (tmp_path / "patching.py").write_text(
        "import asyncio\nasyncio.SelectorEventLoop.time = lambda self: 0\nnew_loop = asyncio.SelectorEventLoop\n"
    )
    finished = run_pytest(
        "--loop=patching:new_loop", "--loop=stock=asyncio:SelectorEventLoop", "--loop-results=r.jsonl", "-n", "0",
        "timers.time-is-float", cwd=tmp_path,
    )  # fmt: skip
    assert finished.verdicts("patching.new_loop") == {"timers.time-is-float": "deviates"}, finished.output
    assert finished.verdicts("stock") == {"timers.time-is-float": "conforms"}


def test_a_machine_with_few_descriptors_is_not_the_loops_fault(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n"
    (tmp_path / "limited.py").write_text(f"{limited}from asyncio import SelectorEventLoop\n")
    finished = run_pytest("--loop=limited:SelectorEventLoop", "--loop-results=r.jsonl", "callbacks.fifo", cwd=tmp_path)
    assert finished.verdicts("limited.SelectorEventLoop") == {"callbacks.fifo": "not run"}, finished.output
    assert finished.code == exits.SUITE_FAILED
    assert "ulimit -n" in finished.output


def test_a_requirement_that_errors_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "misspelled.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items[0].function.__globals__.pop('turn')\n"
    )
    finished = run_pytest(
        "-p", "misspelled", "--loop=asyncio:SelectorEventLoop", "callbacks.fifo",
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert finished.code == exits.SUITE_FAILED, finished.output
    assert "callbacks.fifo (MUST) errored" in finished.output
    assert "expected" not in finished.output


def test_a_python_without_waitid_sees_children_as_well(tmp_path: Path) -> None:
    (tmp_path / "without_waitid.py").write_text("import os\ndel os.waitid\n")
    (tmp_path / "orphaning.py").write_text(
        "import asyncio, subprocess\n"
        "class Orphaning(asyncio.SelectorEventLoop):\n"
        "    def call_at(self, *args, **kwargs):\n"
        "        subprocess.Popen(['sleep', '60'])\n"
        "        return super().call_at(*args, **kwargs)\n"
    )
    finished = run_pytest(
        "-p", "without_waitid", "--loop=stock=asyncio:SelectorEventLoop", "--loop=orphaning:Orphaning",
        "--loop-results=r.jsonl", "timers.cancel", "subprocess.no-zombie", "subprocess.other-children",
        "subprocess.output-after-exit", "subprocess.write-after-loss-is-quiet",
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert set(finished.verdicts("stock").values()) == {"conforms"}, finished.output
    assert finished.verdicts("orphaning.Orphaning")["timers.cancel"] == "deviates"
    assert "child process(es) behind" in finished.output


def test_what_is_not_implemented_is_named_and_a_wrong_value_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text(
        "import asyncio\n"
        "class Lacking(asyncio.SelectorEventLoop):\n"
        "    create_server = asyncio.AbstractEventLoop.create_server\n"
        "    async def create_connection(self, *args, **kwargs):\n"
        "        raise NotImplementedError\n"
        "    def call_soon_threadsafe(self, *args, **kwargs):\n"
        "        super().call_soon_threadsafe(*args, **kwargs)\n"
    )
    asked = ("streams.open-connection", "servers.sockets", "threads.returns-handle")
    finished = run_pytest("-q", "--loop=lacking:Lacking", "--loop-results=r.jsonl", *asked, cwd=tmp_path)
    assert finished.run is not None
    found = {id: cell.worst for (id, _), cell in finished.run.cells().items()}
    assert found["streams.open-connection"]["operation"] == "loop.create_connection", finished.output
    assert found["servers.sockets"]["operation"] == "loop.create_server"
    assert found["threads.returns-handle"]["verdict"] == "deviates"


def test_what_a_module_lacks_is_not_the_loops_fault(tmp_path: Path) -> None:
    (tmp_path / "lacking.py").write_text("import asyncio\ndel asyncio.sleep\n")
    finished = run_pytest(
        "-p", "lacking", "--loop=asyncio:SelectorEventLoop", "--loop-results=r.jsonl", "resources.loop-descriptors",
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert set(finished.verdicts("asyncio.SelectorEventLoop").values()) == {"errored"}, finished.output


def test_huge_pages_leave_memory_as_it_is() -> None:
    kept = [bytes([number % 256]) * 5000 for number in range(3000)]  # 15 MB, more than a few huge pages
    hugepages.use()
    assert all(block == bytes([number % 256]) * 5000 for number, block in enumerate(kept))
    child = os.fork()
    if child == 0:
        os._exit(0 if kept[2999] == bytes([2999 % 256]) * 5000 else 1)
    assert os.waitpid(child, 0)[1] == 0
