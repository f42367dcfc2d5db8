"""The measured process, and the parent that it is forked from.

Runs in the loop's own interpreter and needs only the standard library, the loop and these files. A parent
(`main`) imports everything once per pass of the race and forks one worker per workload; a worker makes one
loop, warms up, and then measures on command. Commands and answers are JSON lines on two pipes.

    race -> parent   {"workload": name, "cpu": 0 | null, "loops": n | null, "target": seconds, "scratch": directory,
                     "warmups": n}
    worker -> race   {"pid": n}, then {"set_up": true}
    race -> worker   {"warm_up": true}  answer {"ready": {"loops": n, "warmups": [[loops, seconds], …]}}
    race -> worker   {"sample": n}      answer {"wall": s, "cpu": s, "nvcsw": n, "nivcsw": n}
    race -> worker   {"end": true}      answer {"bye": {…}}, and the process ends
    worker -> race   {"failed": text}   at any time, and the process ends; said by the parent if a peer failed
    parent -> race   {"exit": status}   when the worker is gone, -n for signal n

Forking instead of starting an interpreter per sample set saves 0.1 to 0.2 s per loop, workload and round:
the difference between 15 minutes for the whole suite and an hour. Each pass has new parents, so hash seeds
and address layouts still differ from round to round.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib.util
import json
import math
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from bench import client, memory
from bench.workload import Entry, Workload, catalogue
from conformance.loops import LoopSpec, add_current_directory, identify, load_factory, new_loop


class Pipe:
    """JSON lines over two descriptors, without buffering: a forked worker takes over where the parent stopped."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write = read, write

    def receive(self) -> dict[str, Any] | None:
        """The next message; None at end of file."""
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = os.read(self.read, 1)
            if not byte:
                return None
            line += byte
        return json.loads(line)  # type: ignore[no-any-return]

    def send(self, **message: Any) -> None:
        os.write(self.write, json.dumps(message).encode() + b"\n")


def main(settings: dict[str, Any]) -> None:
    """The parent: say who the loop is, then fork a worker per command until the race closes the pipe."""
    pipe = Pipe(settings["read"], settings["write"])
    add_current_directory()
    spec = LoopSpec(**settings["spec"])
    try:
        load_factory(spec)
        entries = catalogue()
        if settings.get("identify"):
            # In a worker of its own: a loop made here would live in every worker.
            _in_child(pipe, lambda: pipe.send(identity=_identity(spec)))
        else:
            pipe.send(started=os.getpid())
    except Exception as error:
        pipe.send(failed=str(error) or type(error).__name__)
        return
    # What was imported is never garbage: without this each worker's first collection copies it all, 10 ms.
    gc.collect()
    gc.freeze()
    while (command := pipe.receive()) is not None:
        entry, order = entries.get(command["workload"]), command
        _in_child(pipe, lambda entry=entry, order=order: _work(pipe, spec, entry, order))


def _identity(spec: LoopSpec) -> dict[str, Any]:
    """The loop's identity and the interpreter's, from pyperf where the loop's environment has it."""
    loop = new_loop(spec)
    answer: dict[str, Any] = {
        "loop": identify(spec, loop).as_dict() | {"build": _build(type(loop))},
        "workloads": sorted(catalogue()),
    }
    try:
        import pyperf  # type: ignore[import-untyped]  # ships no types

        metadata = pyperf.Run([1.0]).get_metadata()
    except ImportError:
        metadata = {
            "python_version": f"{'.'.join(map(str, sys.version_info[:3]))} (64-bit)",
            "python_implementation": sys.implementation.name,
            "python_executable": sys.executable,
        }
    keep = ("cpu_", "hostname", "platform", "python_", "perf_version", "timer", "aslr", "unit")
    answer["metadata"] = {
        key: value
        for key, value in metadata.items()
        if key.startswith(keep) and key not in {"cpu_freq", "cpu_affinity", "cpu_temp", "python_config_args"}
    }
    return answer


def _build(kind: type) -> str:
    """A hash of the modules that define the loop's class and its bases: builds of one version are not one loop."""
    digest = hashlib.sha256()
    for name in dict.fromkeys(base.__module__ for base in kind.__mro__):
        with contextlib.suppress(OSError):
            if path := getattr(sys.modules.get(name), "__file__", None):
                digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:12]


def _in_child(pipe: Pipe, body: Any) -> None:
    """Fork, run `body` in the child, report how the child ended; end it if the race is gone or a peer of it failed."""
    alive, life = os.pipe()
    complaints, complain = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(alive)
            os.setpgid(0, 0)
            os.close(complaints)
            client.inherited.extend((pipe.read, pipe.write, life))
            client.complaints.append(complain)
            pipe.send(pid=os.getpid())
            body()
            status = 0
        except BaseException as error:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            pipe.send(failed=text.replace("\n", " ")[:500])
        finally:
            # Nothing is torn down: a loop that hangs in close() has been measured all the same.
            sys.stderr.flush()
            os._exit(status)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # on both sides of the fork: whoever comes first
    os.close(life)
    poll = select.poll()
    poll.register(pipe.read, 0)  # the race hangs up
    poll.register(alive, 0)  # the worker ends
    poll.register(complaints, select.POLLIN)  # a peer fails
    ready = {descriptor for descriptor, _ in poll.poll()}
    if ready == {complaints}:
        # A worker that crashes takes its connections with it: then its end is the reason, not what a peer saw of it.
        poll.unregister(complaints)
        ready = {descriptor for descriptor, _ in poll.poll(100)}
        if not ready:
            pipe.send(failed=os.read(complaints, 500).decode(errors="replace").replace("\n", " "))
    if alive not in ready:
        os.killpg(child, signal.SIGKILL)
    for descriptor in (alive, complaints, complain):
        os.close(descriptor)
    pipe.send(exit=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _allow_descriptors() -> None:
    """As many open files as the hard limit allows, for ten thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and wanted > soft:
        with contextlib.suppress(OSError, ValueError):  # macOS has limits below the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prime() -> None:
    """Allocate and free 1 MiB, after which glibc serves 256 KiB blocks from the heap.

    Otherwise each recv(256 KiB) of asyncio's transports is an mmap, a mremap and an munmap until the first
    block of that size is freed, and the same loop is four times slower in one process than in the next.
    """
    block = bytearray(1 << 20)
    del block


def _work(pipe: Pipe, spec: LoopSpec, entry: Entry | None, order: dict[str, Any]) -> None:
    if entry is None:
        raise NotImplementedError(f"Python {sys.version_info[0]}.{sys.version_info[1]} lacks what this workload drives")
    _allow_descriptors()
    if entry.kind.primed:
        prime()
    workload = entry.make()
    workload.scratch = Path(order["scratch"])
    workload.factory = load_factory(spec)
    workload.handicap = order.get("handicap", 0.0)
    if entry.kind.extra and importlib.util.find_spec(entry.kind.extra) is None:
        raise ModuleNotFoundError(f"{entry.kind.extra} is not installed in {sys.executable}: see the extra [ecosystem]")
    workload.prepare()
    if entry.kind.in_loop:
        workload.loop = loop = new_loop(spec)
        loop.run_until_complete(workload.setup())
    pipe.send(set_up=True)
    if pipe.receive() is None:
        return
    if order.get("cpu") is not None:
        _pin(order["cpu"])
    if entry.kind.facts:
        pipe.send(facts=loop.run_until_complete(workload.observe()))
        return
    warmups: list[tuple[int, float]] = []
    loops = order.get("loops") or _calibrate(workload, order["target"], warmups)
    for _ in range(order["warmups"]):
        warmups.append((loops, measure(workload, loops)["wall"]))
    gc.collect()
    before = memory.resident()
    pipe.send(ready={"loops": loops, "warmups": warmups})
    while (command := pipe.receive()) is not None:
        if "end" in command:
            break
        pipe.send(**measure(workload, command["sample"]))
    if command is not None:
        pipe.send(
            bye={
                "latency": workload.latencies(),
                "rss": before,
                "rss_growth": memory.resident() - before,
                "rss_peak": memory.peak(),
            }
        )


def _pin(cpu: int) -> None:
    """To one CPU, with all threads and peers: they were set up on whatever CPU was free."""
    try:
        threads = [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        threads = [0]
    for task in threads + client.peers:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(task, {cpu})


def _calibrate(workload: Workload, target: float, warmups: list[tuple[int, float]]) -> int:
    """The number of loops that takes about `target` seconds of wall time.

    The shortest of three decides: one hiccup here would leave every arm with samples far too short.
    """
    loops = 1
    while True:
        seconds = math.inf
        for _ in range(3):
            seconds = min(seconds, measure(workload, loops)["wall"])
            warmups.append((loops, seconds))
            if seconds < target / 2:
                break
        if seconds >= target / 2 or loops >= 1 << 24:
            return max(1, round(loops * target / seconds))
        loops = max(loops + 1, min(loops * 10, int(loops * target / max(seconds, 1e-9))))


def measure(workload: Workload, loops: int) -> dict[str, float]:
    """One sample, and the workload's check of it."""
    if workload.in_loop:
        sample = workload.loop.run_until_complete(_inside(workload, loops))
        workload.check(loops)
        return sample
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    workload.run_outside(loops)
    _spin(workload.handicap, cpu)
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    sample = _sample(wall, cpu, before)
    workload.check(loops)
    return sample


async def _inside(workload: Workload, loops: int) -> dict[str, float]:
    """The clocks are read inside the coroutine: starting and stopping a loop costs uvloop 20 system calls."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    await workload.run(loops)
    _spin(workload.handicap, cpu)
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return _sample(wall, cpu, before)


def _spin(handicap: float, began: int) -> None:
    """Burn `handicap` times the CPU time since `began`: a slowdown of known size, to see whether the race finds it."""
    if handicap:
        until = began + (time.process_time_ns() - began) * (1 + handicap)
        while time.process_time_ns() < until:
            pass


def _sample(wall: int, cpu: int, before: resource.struct_rusage) -> dict[str, float]:
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall": max(wall, 1) / 1e9,
        "cpu": max(cpu, 1) / 1e9,
        "nvcsw": after.ru_nvcsw - before.ru_nvcsw,
        "nivcsw": after.ru_nivcsw - before.ru_nivcsw,
    }


def start(argument: str) -> NoReturn:
    """Entry of the interpreter that `bench.arms` starts."""
    settings = json.loads(argument)
    if settings.get("count"):
        from bench import counting

        counting.run(settings)
    else:
        main(settings)
    sys.stderr.flush()
    os._exit(0)
