"""A loop spec, `[label=]module:factory[@python]`, and the way from it to a new event loop.

The only thing that the battery and the race share. Importing this module imports no loop.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

Factory = Callable[[], asyncio.AbstractEventLoop]

_SPEC = re.compile(r"(?:(?P<label>[^=:]+)=)?(?P<module>[\w.]+):(?P<factory>[\w.]+)(?:@(?P<python>.+))?\Z")


class LoopSpecError(ValueError):
    """A loop spec that cannot be used. The text is one sentence that says what to do."""


class MalformedSpec(LoopSpecError):
    """The text is not `[label=]module:factory`."""


class SpecDoesNotImport(LoopSpecError):
    """The module cannot be imported, or has no attribute of that name."""


class FactoryMakesNoLoop(LoopSpecError):
    """The factory cannot be called, or returned something that is not an event loop."""


@dataclass(frozen=True, slots=True)
class LoopSpec:
    """Where a loop comes from.

    `python` is the interpreter the loop lives in (races only); None is this one. Two specs of one
    run have different labels.
    """

    label: str
    module: str
    factory: str
    python: str | None = None

    def __str__(self) -> str:
        return f"{self.module}:{self.factory}" + (f"@{self.python}" if self.python else "")

    def argument(self) -> str:
        """The value of `--loop` that gives this spec again, label included."""
        return str(self) if self.label == default_label(self.module, self.factory) else f"{self.label}={self}"


@dataclass(frozen=True, slots=True)
class LoopIdentity:
    """What a result file says about a loop: enough to know what was tested."""

    label: str
    spec: str
    type: str
    distribution: str
    version: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def default_label(module: str, factory: str) -> str:
    """A short name: the package, with the class where the factory is a class of asyncio's kind.

    >>> default_label("uvloop", "new_event_loop"), default_label("asyncio", "SelectorEventLoop")
    ('uvloop', 'asyncio.SelectorEventLoop')
    """
    last = factory.rsplit(".", 1)[-1]
    return module if last in {"new_event_loop", "Loop", "EventLoop"} else f"{module}.{last}"


def parse_spec(text: str) -> LoopSpec:
    """The spec that `text` spells. Raises MalformedSpec."""
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise MalformedSpec(f"--loop={text}: write [label=]module:factory, for example uvloop:new_event_loop")
    module, factory = match["module"], match["factory"]
    return LoopSpec(match["label"] or default_label(module, factory), module, factory, match["python"])


def parse_specs(texts: Iterable[str]) -> list[LoopSpec]:
    """The specs that `texts` spell. Raises MalformedSpec for a label that no test's id can bear, and for two of one."""
    specs = [parse_spec(text) for text in texts]
    seen: dict[str, LoopSpec] = {}
    for spec in specs:
        if spec.label.encode("unicode_escape").decode() != spec.label:  # as pytest writes it in ids
            raise MalformedSpec(
                f"--loop: {spec.label!r} is no label, which has printable ASCII characters and no backslash; "
                f"give this loop another, as in --loop=other={spec}"
            )
        if spec.label in seen:
            raise MalformedSpec(
                f"--loop: {seen[spec.label]} and {spec} are both labelled {spec.label!r}; "
                f"give one a label of its own, as in --loop=other={spec}"
            )
        seen[spec.label] = spec
    return specs


def add_current_directory() -> None:
    """Make modules of the current directory importable, after everything that is installed."""
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def load_factory(spec: LoopSpec) -> Factory:
    """Import the module and find the factory. Raises SpecDoesNotImport or FactoryMakesNoLoop."""
    try:
        module = importlib.import_module(spec.module)
    except ImportError as error:
        raise SpecDoesNotImport(
            f"--loop={spec}: cannot import {spec.module!r} ({error}); install it, "
            f"or start from the directory that holds it"
        ) from error
    except Exception as error:
        raise SpecDoesNotImport(
            f"--loop={spec}: importing {spec.module!r} raised {type(error).__name__}: {error}"
        ) from error
    try:
        factory = functools.reduce(getattr, spec.factory.split("."), module)
    except AttributeError as error:
        raise SpecDoesNotImport(f"--loop={spec}: module {spec.module!r} has no attribute {spec.factory!r}") from error
    if not callable(factory):
        raise FactoryMakesNoLoop(
            f"--loop={spec}: {spec.factory!r} is not callable; name a class or a function that returns a new loop"
        )
    return factory


def new_loop(spec: LoopSpec) -> asyncio.AbstractEventLoop:
    """A new loop. Raises LoopSpecError, or whatever the factory raises."""
    loop = load_factory(spec)()
    if not looks_like_a_loop(loop):
        raise FactoryMakesNoLoop(
            f"--loop={spec}: {spec.factory!r} returned {type(loop).__name__!r}, which is no event loop"
        )
    return loop


def looks_like_a_loop(candidate: object) -> bool:
    """An AbstractEventLoop, or an object of the same shape: PEP 3156 does not ask for the base class."""
    return isinstance(candidate, asyncio.AbstractEventLoop) or all(
        callable(getattr(candidate, name, None)) for name in ("run_until_complete", "call_soon", "close")
    )


def identify(spec: LoopSpec, loop: asyncio.AbstractEventLoop) -> LoopIdentity:
    """Name the loop's type and the distribution that it was installed from."""
    kind = type(loop)
    package = kind.__module__.partition(".")[0]
    # A factory may live in another package than the class it makes; the spec's package is what the user installed.
    for name in (spec.module.partition(".")[0], package):
        if name in sys.stdlib_module_names:
            version = ".".join(map(str, sys.version_info[:3]))
            return LoopIdentity(spec.label, str(spec), _qualified(kind), "python", version)
        for distribution in distributions().get(name, ()):
            version = importlib.metadata.version(distribution)
            return LoopIdentity(spec.label, str(spec), _qualified(kind), distribution, version)
    return LoopIdentity(spec.label, str(spec), _qualified(kind), package, "unknown")


@functools.cache
def distributions() -> Mapping[str, list[str]]:
    """The installed distributions of each top-level package. It takes 0.2 s to find them: once per process."""
    return importlib.metadata.packages_distributions()


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
