"""The battery over more than one process, interpreter and host: every mode finds what one process finds.

Each situation runs the same requirements in some mode of xdist and compares the result file with that of one process,
verdict by verdict. `python -m tests.neighbours` runs them and prints what happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.places import Done, Places, Row, check, judged, run

Verdicts = Mapping[tuple[str, str, str], str]
"""(Python's minor version, id, case) → verdict"""
Attempt = Callable[[str, Places, tuple[str, ...]], Row]

OTHERS = ("3.12", "3.13")
VICTIM = "timers.cancel"

# Kills the xdist worker, which is the parent of its keeper, where CONDITION holds.
_KILLER = """
import asyncio, os, pathlib, signal, traceback

class Killer(asyncio.SelectorEventLoop):
    def call_at(self, when, callback, *args, **keywords):
        keeper = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text()
        worker = int(keeper.rpartition(")")[2].split()[1])
        tests = [f.f_code.co_name for f, _ in traceback.walk_stack(None) if f.f_code.co_name.startswith("test_")]
        if CONDITION:
            os.kill(worker, signal.SIGKILL)
        return super().call_at(when, callback, *args, **keywords)
"""
_IN_ONE_TEST = '"test_a_cancelled_timer_does_not_run" in tests'
_ON_THE_HOST = 'tests and worker == int(pathlib.Path(__file__).with_name("host").read_text())'


def battery(python: Path, folder: Path, select: tuple[str, ...], *arguments: str, file: str = "found.jsonl",
            loop: str = "myloop:new_loop", path: str = "") -> tuple[Done, Verdicts, bool]:  # fmt: skip
    """Run it; what ended, its verdicts, and whether the result file says that the run is whole."""
    command = [str(python.parent / "pytest"), "-q", f"--loop={loop}", f"--loop-results={file}", *arguments, *select]
    done = run(command, folder, {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else None)
    return done, *read(folder / file)


def read(file: Path) -> tuple[Verdicts, bool]:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    verdicts = {(line["python"].rpartition(".")[0], line["id"], line["case"]): line["verdict"]
                for line in lines if line["kind"] == "result"}  # fmt: skip
    return verdicts, bool(lines) and lines[-1]["kind"] == "footer"


_alone: dict[Path, Verdicts] = {}


def on(python: str, verdicts: Verdicts) -> Verdicts:
    """The same, as if a run on that Python had found them."""
    return {(python, id, case): verdict for (_, id, case), verdict in verdicts.items()}


def alone(places: Places, select: tuple[str, ...], python: Path | None = None) -> Verdicts:
    """What one process finds; found once for each Python."""
    chosen = python or places.python()
    if chosen not in _alone:
        done, verdicts, whole = battery(chosen, places.project("alone"), select)
        assert done.code == 0, done.output
        assert whole
        _alone[chosen] = verdicts
    return _alone[chosen]


def mode(*arguments: str) -> Attempt:
    """Some mode of one interpreter: the verdicts are those of one process."""

    def attempt(name: str, places: Places, select: tuple[str, ...]) -> Row:
        done, found, whole = battery(places.python(), places.project("mode"), select, *arguments)
        return judged(name, done, done.code == 0 and whole and found == alone(places, select))

    return attempt


def interpreter(version: str) -> str | None:
    """A Python of that minor version that answers: one on the path, or one of pyenv's."""
    pyenv = Path.home() / ".pyenv" / "versions"
    for candidate in (f"python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))):
        if path := shutil.which(candidate):
            done = subprocess.run([path, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
    return None


def two_pythons(name: str, places: Places, select: tuple[str, ...]) -> Row:
    bases = [interpreter(version) for version in OTHERS]
    if None in bases:
        return Row(name, f"Python {' and '.join(OTHERS)} are not both here", None)
    pythons = [places.python(base=base) for base in bases if base]
    path = os.pathsep.join(str(python.parent) for python in pythons)
    gateways = [part for version in OTHERS for part in ("--tx", f"popen//python=python{version}")]
    done, found, whole = battery(places.python(), places.project("two"), select, "--dist", "each", *gateways, path=path)
    columns = sorted({python for python, _, _ in found})
    wanted = {key: verdict for version, python in zip(OTHERS, pythons, strict=True)
              for key, verdict in on(version, alone(places, select, python)).items()}  # fmt: skip
    right = done.code == 0 and whole and found == wanted
    return judged(name, done, right, f"one run, columns {', '.join(columns)}; {done.last_line}")


@contextlib.contextmanager
def host(python: Path, folder: Path, *wrapper: str, address: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """execnet's socket server, as it would run on another host: the gateway's specification, and its process."""
    script = Path(str(python)).parents[1].glob("lib/python*/site-packages/execnet/script/socketserver.py")
    server = subprocess.Popen([*wrapper, str(python), "-u", str(next(script)), f"{address}:0"], cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        yield f"socket={address}:{said.rpartition(',')[2].strip(' )' + chr(10))}", server.pid
    finally:
        server.kill()
        server.communicate()


def hosts(*others: str, chdir: bool = True, wrapper: tuple[str, ...] = (), address: str = "127.0.0.1") -> Attempt:
    """A socket server, as on another host, beside `others`. Its workers need to be told where the project is."""

    def attempt(name: str, places: Places, select: tuple[str, ...]) -> Row:
        folder = places.project("hosts")
        with host(places.python(), folder, *wrapper, address=address) as (gateway, _):
            gateway += f"//chdir={folder}" if chdir else ""
            tx = [part for each in (*others, gateway) for part in ("--tx", each)]
            done, found, whole = battery(places.python(), folder, select, "--dist", "load", *tx)
        if not chdir:
            return judged(name, done, done.code == 3 and "may need //chdir=DIR" in done.output)
        return judged(name, done, done.code == 0 and whole and found == alone(places, select))

    return attempt


def second_host(name: str, places: Places, select: tuple[str, ...]) -> Row:
    """A network namespace with an address of its own, as a machine beside this one."""
    if os.geteuid() or not shutil.which("ip"):
        return Row(name, "needs root and the command ip", None)
    space, ours, theirs = f"conformance{os.getpid()}", f"lc{os.getpid()}", f"ld{os.getpid()}"
    check(["ip", "netns", "add", space])
    try:
        for line in (f"ip link add {ours} type veth peer name {theirs} netns {space}",
                     f"ip addr add 198.51.100.1/30 dev {ours}", f"ip link set {ours} up",
                     f"ip -n {space} addr add 198.51.100.2/30 dev {theirs}", f"ip -n {space} link set {theirs} up",
                     f"ip -n {space} link set lo up"):  # fmt: skip
            check(line.split())
        there = ("ip", "netns", "exec", space)
        return hosts("popen", wrapper=there, address="198.51.100.2")(name, places, select)
    finally:
        check(["ip", "netns", "del", space])


def lost_host(name: str, places: Places, select: tuple[str, ...]) -> Row:
    """The other host goes away in the middle of the run; what it had not done, or not told, is done here."""
    folder = places.project("lost", {"killer.py": _KILLER.replace("CONDITION", _ON_THE_HOST)})
    with host(places.python(), folder) as (gateway, pid):
        (folder / "host").write_text(str(pid))
        tx = ("--dist", "load", "--tx", "popen", "--tx", f"{gateway}//chdir={folder}")
        done, found, whole = battery(places.python(), folder, select, *tx, loop="killer:Killer")
    gone = "is gone: what it had not done was done here" in done.output
    wrong = {id: verdict for (_, id, _), verdict in found.items() if verdict != "conforms"}
    right = done.code == 0 and gone and whole and set(map(_id, found)) == set(map(_id, alone(places, select)))
    return judged(name, done, right, f"{len(found) - len(wrong)} conform, {len(wrong)} do not")


def killed_worker(name: str, places: Places, select: tuple[str, ...]) -> Row:
    """A loop kills the worker that watches over it, in the middle of one requirement; nothing else is lost."""
    if not Path("/proc/self/stat").exists():
        return Row(name, "finds the worker by /proc, which is not mounted", None)
    folder = places.project("killed", {"killer.py": _KILLER.replace("CONDITION", _IN_ONE_TEST)})
    done, found, whole = battery(places.python(), folder, select, "-n", "2", loop="killer:Killer")
    wanted = alone(places, select)
    lost = {id: verdict for (_, id, _), verdict in found.items() if verdict != "conforms"}
    right = done.code == 1 and whole and set(map(_id, found)) == set(map(_id, wanted)) and set(lost) == {VICTIM}
    return judged(name, done, right, f"{lost}, {len(found) - len(lost)} others conform")


def merged(name: str, places: Places, select: tuple[str, ...]) -> Row:
    """A result file per part; merged, they say what one run says."""
    folder, python = places.project("parts"), places.python()
    for number, part in enumerate(select):
        battery(python, folder, (part,), "-n", "2", file=f"part{number}.jsonl")
    battery(python, folder, select, file="one.jsonl")
    report = [str(python), "-P", "-m", "reports"]
    parts = [f"part{number}.jsonl" for number in range(len(select))]
    merging = run([*report, "merge", *parts, "-o", "merged.json"], folder)
    done = run([*report, "diff", "merged.json", "one.jsonl", "--exit-code"], folder)
    there = run([*report, "diff", "one.jsonl", "merged.json", "--exit-code"], folder)
    return judged(name, done, merging.code == done.code == there.code == 0 and "not run" not in done.output)


def _id(key: tuple[str, str, str]) -> str:
    return key[1]


SITUATIONS: dict[str, Attempt] = {
    "one process, twice": mode(),
    "-n 2": mode("-n", "2"),
    "-n auto": mode("-n", "auto"),
    **{f"-n 2 --dist {dist}": mode("-n", "2", "--dist", dist)
       for dist in ("load", "worksteal", "each", "loadscope", "loadfile", "loadgroup")},
    "-n 2 --dist worksteal --loop-shuffle": mode("-n", "2", "--dist", "worksteal", "--loop-shuffle=7"),
    "--dist each --tx " + " --tx ".join(f"popen//python=python{version}" for version in OTHERS): two_pythons,
    "a socket server on loopback: --tx socket=HOST:PORT//chdir=DIR": hosts(),
    "the same without //chdir, for a loop of the project": hosts(chdir=False),
    "this process and a socket server: --tx popen --tx socket=…": hosts("popen"),
    "a socket server in another network namespace, as a second host": second_host,
    "the second host gone in the middle of a requirement": lost_host,
    "a worker killed in the middle of a requirement, -n 2": killed_worker,
    "python -m reports merge of parts, against one run": merged,
}  # fmt: skip
