"""What a workload declares, and how one is found by its name.

A workload says which call of the loop it drives, its unit of work, its sizes and its own check. It says
nothing of time, rounds or statistics: the worker measures it and the race arranges it.
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from bench.errors import UnknownWorkload

Tier = Literal["standard", "sweep"]
"""`standard` workloads are the suite; `sweep` ones complete a cross of sizes and run when named or with --sweep."""


class CheckFailed(Exception):
    """The work was not done. A workload whose check fails has no time."""


class Workload:
    """One measured piece of loop work.

    A worker process makes one instance, calls `prepare` before there is a loop, `setup` in the loop, then
    `run` and `check` once per sample. Nothing is torn down: the process ends. `loops` in `run` counts
    repetitions of `inner` operations, as pyperf's loops and inner_loops do.
    """

    name: ClassVar[str]
    """Dotted: group, subject. Variants append their sizes."""
    drives: ClassVar[str]
    """The call of the loop that is driven, in the documentation's words."""
    unit: ClassVar[str]
    """What one operation is."""
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"": {}})
    """Suffix of the name -> values of the attributes below."""
    sweep: ClassVar[frozenset[str]] = frozenset()
    """Suffixes that belong to the tier `sweep`."""
    since: ClassVar[tuple[int, int]] = (3, 11)
    inner: int = 1
    in_loop: ClassVar[bool] = True
    """False: the workload makes its own loops, and `run_outside` is timed instead of `run`."""
    primed: ClassVar[bool] = True
    """Free one large block first, so that glibc serves 256 KiB reads from the heap (see `worker.prime`)."""
    counted: bool = True
    """Its instruction and system call counts repeat: no second process, no thread, no clock."""
    facts: ClassVar[bool] = False
    """A guard: `observe` gives named facts, and there is no time."""
    extra: ClassVar[str | None] = None
    """The module that must be importable, from the extra `ecosystem`."""
    seconds: ClassVar[float] = 0.0
    """Patience beyond the default, for a workload whose set-up is long."""

    handicap: float = 0.0
    factory: Callable[[], asyncio.AbstractEventLoop]
    loop: asyncio.AbstractEventLoop
    scratch: Path
    """A directory for sockets and files, the same for all arms; `certificates.make` fills it for TLS."""

    def __init__(self, **sizes: Any) -> None:
        for attribute, value in sizes.items():
            setattr(self, attribute, value)

    def prepare(self) -> None:
        """Before there is a loop: fork peers, make files."""

    async def setup(self) -> None:
        """In the loop, before the first sample."""

    async def run(self, loops: int) -> None:
        """`loops` times `inner` operations. Timed."""
        raise NotImplementedError

    def run_outside(self, loops: int) -> None:
        """The same for a workload that makes its own loops."""
        raise NotImplementedError

    def check(self, loops: int) -> None:
        """Raise CheckFailed unless the work of the last `run` was done. Not timed."""

    async def observe(self) -> dict[str, float]:
        """The facts of a guard; names end in their unit (`_ms`, `_bytes`, `_count`)."""
        raise NotImplementedError

    def latencies(self) -> dict[int, int]:
        """Histogram of round-trip times, by `bench.histogram`; empty where there is no client."""
        return {}

    def expect(self, seen: object, wanted: object, what: str) -> None:
        if seen != wanted:
            raise CheckFailed(f"{what}: {seen!r}, should be {wanted!r}")


@functools.cache
def _source(kind: type) -> bytes:
    return inspect.getsource(kind).encode()


class Entry:
    """A workload class with one variant: what `list` lists and a race runs."""

    def __init__(self, kind: type[Workload], suffix: str) -> None:
        self.kind = kind
        self.suffix = suffix
        self.name = f"{kind.name}.{suffix}" if suffix else kind.name
        self.group = kind.name.partition(".")[0]
        self.sizes = dict(kind.variants[suffix])
        self.tier: Tier = "sweep" if suffix in kind.sweep else "standard"

    def make(self) -> Workload:
        return self.kind(**self.sizes)

    @property
    def inner(self) -> int:
        return int(self.sizes.get("inner", self.kind.inner))

    @property
    def counted(self) -> bool:
        return bool(self.sizes.get("counted", self.kind.counted)) and not self.kind.facts

    def version(self) -> str:
        """Changes when the workload's source or sizes do: times of different versions are not comparable.

        The source of the class and of its bases up to Workload is what counts, so that an edit to a
        neighbour in the same file changes nothing here.
        """
        digest = hashlib.sha256(repr(sorted(self.sizes.items())).encode())
        for base in self.kind.__mro__:
            if base is Workload:
                break
            digest.update(_source(base))
        return digest.hexdigest()[:12]

    def describe(self) -> dict[str, Any]:
        """What result files say of it."""
        return {
            "name": self.name,
            "group": self.group,
            "drives": self.kind.drives,
            "unit": self.kind.unit,
            "inner": self.inner,
            "sizes": {key: value for key, value in self.sizes.items() if type(value) in (int, float, str)},
            "tier": self.tier,
            "facts": self.kind.facts,
            "statement": (inspect.getdoc(self.kind) or "").partition("\n\n")[0].replace("\n", " "),
            "version": self.version(),
        }


def catalogue() -> dict[str, Entry]:
    """Every workload that this Python can run, by name, in the order of the groups' files."""
    from bench import workloads

    entries: dict[str, Entry] = {}
    for module_name in workloads.ORDER:
        module = importlib.import_module(f"{workloads.__name__}.{module_name}")
        for kind in vars(module).values():
            if not (isinstance(kind, type) and issubclass(kind, Workload) and "name" in vars(kind)):
                continue
            if kind.__module__ != module.__name__:
                continue
            if sys.version_info < kind.since:
                continue
            for suffix in kind.variants:
                entry = Entry(kind, suffix)
                entries[entry.name] = entry
    return entries


def select(globs: Iterable[str], entries: Mapping[str, Entry], sweep: bool = False) -> list[Entry]:
    """The entries that one of `globs` means; the whole suite when there is none. Raises UnknownWorkload.

    A glob takes the tier `sweep` only with `sweep`, or when it means nothing else. Applications are taken only by
    name, because they need the extra `ecosystem`.
    """
    globs = list(globs)
    if not globs:
        return [e for e in entries.values() if (sweep or e.tier == "standard") and e.kind.extra is None]
    chosen: set[str] = set()
    for glob in globs:
        found = {name for name in entries if _matches(name, glob)}
        if not found:
            raise UnknownWorkload(f"no workload matches {glob!r}: `python -m bench list` shows their names")
        chosen |= {name for name in found if name == glob or sweep or entries[name].tier == "standard"} or found
    return [e for e in entries.values() if e.name in chosen]


def _matches(name: str, glob: str) -> bool:
    """Whether a glob means this workload: by its name, by its name without the group, or by what contains it."""
    short = name.partition(".")[2]
    return any(fnmatch.fnmatchcase(text, pattern) for text in (name, short) for pattern in (glob, f"{glob}.*"))


def sizes(attribute: str, **values: Any) -> Mapping[str, Mapping[str, Any]]:
    """Variants that differ in one attribute: {suffix: {attribute: value}}; `_` in a suffix becomes `-`."""
    return MappingProxyType({suffix.replace("_", "-"): {attribute: value} for suffix, value in values.items()})
