"""Which requirements a command line asks for: by id, chapter and level, or all of them."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from conformance.requirement import Requirement

IDS: pytest.StashKey[list[str]] = pytest.StashKey()
"""The arguments that are ids, or globs over ids, and no files."""

# Drives libraries that hardly anybody has installed beside a loop, and asks nothing of it that no other chapter does.
_ON_REQUEST = "ecosystem"
_ID = re.compile(r"[a-z*?][a-z*?-]*\.[a-z0-9*?\[\]-]+\Z")


def is_id(argument: str) -> bool:
    """Whether an argument looks like an id, or a glob over ids, and is no file."""
    return bool(_ID.match(argument)) and not os.path.exists(argument)


def sort(arguments: Iterable[str], config: pytest.Config) -> tuple[list[str], list[str], list[str]]:
    """What pytest takes for files: the ids, the paths of the command line, and those of settings (`addopts`)."""
    ids: list[str] = []
    paths: list[str] = []
    of_settings: list[str] = []
    for each in arguments:
        if is_id(each) and not (config.known_args_namespace.pyargs and _is_module(each)):
            ids.append(each)
        elif each in _given(config):
            paths.append(each)
        else:
            of_settings.append(each)
    return ids, paths, of_settings


def drop(argument: str, arguments: list[str]) -> None:
    """Take a file or an id out of a command line, and not the value of the option before it."""
    if argument not in arguments:  # it stands in a file of arguments: `@FILE`
        arguments[:] = [each for given in arguments for each in _expanded(given)]
    places = [at for at, each in enumerate(arguments) if each == argument]
    del arguments[next((at for at in places if not at or not arguments[at - 1].startswith("-")), places[-1])]


def _given(config: pytest.Config) -> list[str]:
    return [each for given in config.invocation_params.args for each in _expanded(str(given))]


def _expanded(argument: str) -> list[str]:
    if argument.startswith("@") and os.path.isfile(argument[1:]):
        return Path(argument[1:]).read_text(encoding="utf-8").splitlines()
    return [argument]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def asks_for(config: pytest.Config, requirement: Requirement) -> bool:
    levels, chapters, ids = config.option.loop_level, _chapters(config), config.stash[IDS]
    return (
        (not levels or requirement.level in levels)
        and (requirement.chapter in chapters if chapters else ids or requirement.chapter != _ON_REQUEST)
        and (not ids or any(fnmatch.fnmatchcase(requirement.id, pattern) for pattern in ids))
    )


def check(config: pytest.Config, known: Mapping[str, Requirement]) -> None:
    """Raise pytest.UsageError for what names nothing: a file, an id or a chapter."""
    for argument in config.args:
        # With xdist, pytest only says that no tests ran.
        path = config.invocation_params.dir / argument.partition("::")[0]
        if not (config.option.pyargs or path.exists()):
            raise pytest.UsageError(f"{argument}: no such file; an id has a dot, a chapter is `chapter.*`")
    for pattern in config.stash[IDS]:
        if not fnmatch.filter(known, pattern):
            raise pytest.UsageError(f"{pattern}: no requirement of that id; see pytest --loop-catalogue")
    chapters = {requirement.chapter for requirement in known.values()}
    for chapter in _chapters(config):
        if chapter not in chapters:
            raise pytest.UsageError(
                f"--loop-chapter={chapter}: there is no such chapter; known: {', '.join(sorted(chapters))}"
            )


def _chapters(config: pytest.Config) -> list[str]:
    return [name.strip() for text in config.option.loop_chapter for name in text.split(",") if name.strip()]
