"""A first look at a loop, in a process of its own, before any requirement runs.

It tells "this spec is unusable" from "this loop deviates", names what is tested, and measures what every trial of
this loop would otherwise report again: what a loop leaves behind that was only made, run once and closed.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from conformance.loops import LoopSpec, LoopSpecError, identify, load_factory, new_loop
from conformance.verdicts import Verdict
from conformance.watch import Leaks, Snapshot, settling

_LAST_WORDS = 300


@dataclass(frozen=True)
class Probe:
    """What the first look found.

    `unusable` is the sentence for the user when the spec is (then nothing runs); `verdict` and `seen` are set when
    making a loop hangs or kills its process (then everything else is not run). `threads` is the number of threads
    that importing the module started: such a module must not be imported before a fork.
    """

    label: str
    identity: dict[str, str] = field(default_factory=dict)
    unusable: str = ""
    verdict: str = ""
    seen: str = ""
    threads: int = 0
    runs: bool = False
    leaks: Leaks = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def preloadable(self) -> bool:
        """Whether the keeper may import the loop's module once for all its trials."""
        return not (self.unusable or self.verdict or self.threads)


def first_look(spec: LoopSpec, ask: Callable[[str], dict[str, Any]]) -> Probe:
    """Probe a loop. `ask` runs the job of that name, one of `JOBS`, in a process of its own and gives its answer."""
    made = ask(f"make {spec.label}")
    if "label" not in made:
        verdict = Verdict(made["verdict"])
        if verdict is Verdict.ERRORED:
            sentence = f"--loop={spec}: {made['seen']}: {made.get('output', '')}"
            return Probe(spec.label, identity=unknown_identity(spec), unusable=sentence)
        seen = f"making a loop: {made['seen']}{_last_words(made.get('output', ''))}"
        return Probe(spec.label, identity=unknown_identity(spec), verdict=verdict.value, seen=seen)
    probe = Probe(**made)
    if probe.unusable:
        return probe
    ran = ask(f"run {spec.label}")
    # A loop that hangs or dies here only has no baseline: the requirements that speak of it will say it.
    return replace(probe, runs=ran["runs"], leaks=ran["leaks"]) if "label" in ran else probe


def _last_words(output: str) -> str:
    """The end of what a process printed by itself: without the stacks that faulthandler left."""
    said = " ".join(
        re.split(r"^(?:Fatal Python error|Timeout \(\d)", output, maxsplit=1, flags=re.MULTILINE)[0].split()
    )
    return f"; it said: {said[-_LAST_WORDS:]}" if said else ""


def make(spec: LoopSpec, _patience: float) -> dict[str, Any]:
    """Import the module and make one loop."""
    try:
        threads_before = _system_threads()  # this process may have one that watches over its patience
        load_factory(spec)
        threads = _system_threads() - threads_before
        loop = new_loop(spec)
    except LoopSpecError as error:
        return Probe(spec.label, identity=unknown_identity(spec), unusable=str(error)).as_dict()
    except BaseException as error:
        sentence = f"--loop={spec}: the factory raised {type(error).__name__}: {error}"
        return Probe(spec.label, identity=unknown_identity(spec), unusable=sentence).as_dict()
    return Probe(spec.label, identity=identify(spec, loop).as_dict() | machine(), threads=threads).as_dict()


def run(spec: LoopSpec, patience: float) -> dict[str, Any]:
    """Make a loop, run a coroutine that returns at once, close the loop, and see what is left."""
    before = Snapshot.take()
    loop = new_loop(spec)
    runs = loop.run_until_complete(_answer()) == "answer"
    loop.close()
    return {"label": spec.label, "runs": runs, "leaks": before.leaks(settle=settling(patience))}


JOBS: Mapping[str, Callable[[LoopSpec, float], dict[str, Any]]] = {"make": make, "run": run}


def machine() -> dict[str, str]:
    """The interpreter and system that a loop was tested on; part of the identity of every column."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpu": _cpu(),
    }


async def _answer() -> str:
    return "answer"


def unknown_identity(spec: LoopSpec) -> dict[str, str]:
    """The identity of a loop of which no more is known than what the user asked for."""
    return {"label": spec.label, "spec": str(spec), "type": "unknown", "distribution": "unknown",
            "version": "unknown"} | machine()  # fmt: skip


def _system_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def _cpu() -> str:
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo") as info:
                for line in info:
                    if line.startswith("model name"):
                        return f"{line.partition(':')[2].strip()} x{os.cpu_count()}"
        except OSError:
            pass
    return f"{platform.machine()} x{os.cpu_count()}"
