"""The pytest entry point: the options of one group, and the rest only when one of them is used.

Whoever merely has this distribution installed gets the options in `pytest --help` and nothing else: `conformance`
is imported when `--loop` or `--loop-catalogue` stands on the command line, not before.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent

# name, keywords of argparse. Kept as a table so that --help is read here as it will be printed.
_OPTIONS: tuple[tuple[str, dict[str, object]], ...] = (
    ("--loop", {
        "action": "append", "default": [], "metavar": "[LABEL=]MODULE:FACTORY",
        "help": "run the conformance battery on the loop that FACTORY returns; may be given several times. "
                "With no path the whole battery runs; a path, -k or an id (callbacks.fifo, 'timers.*') selects",
    }),
    ("--loop-chapter", {
        "action": "append", "default": [], "metavar": "CHAPTER[,CHAPTER]",
        "help": "only these chapters of the contract; may be given several times",
    }),
    ("--loop-level", {
        "action": "append", "default": [], "choices": ["must", "should", "may"],
        "help": "only requirements of this level; may be given several times",
    }),
    ("--loop-gate", {
        "default": "must", "choices": ["must", "should", "none"],
        "help": "the weakest level whose deviations fail the run (default: must)",
    }),
    ("--loop-results", {
        "metavar": "FILE", "help": "write what is found to FILE (JSON lines), as it is found",
    }),
    ("--loop-expected", {
        "action": "append", "default": [], "metavar": "[LABEL=]FILE|NAME",
        "help": "known deviations (TOML) of the loop LABEL, or of all; NAME is one that is shipped",
    }),
    ("--update-expected", {
        "action": "store_true",
        "help": "rewrite the file of --loop-expected from this run, keeping the reasons that it has",
    }),
    ("--loop-catalogue", {
        "action": "store_true", "help": "list the requirements (id, level, statement, citation) and run nothing",
    }),
    ("--loop-patience", {
        "type": float, "default": 10.0, "metavar": "SECONDS",
        "help": "how long a requirement may take before it 'hangs' (default: 10); raise it on slow machines",
    }),
    ("--loop-repeat", {
        "type": int, "default": 1, "metavar": "N", "help": "run each requirement N times; the worst verdict counts",
    }),
    ("--loop-shuffle", {
        "nargs": "?", "const": "random", "metavar": "SEED",
        "help": "run in random order; the seed is printed, and giving it again gives the same order",
    }),
    ("--loop-fuzz", {
        "metavar": "SECONDS[@SEED]",
        "help": "let each requirement of the chapter 'schedules' draw new random programs for SECONDS, instead of "
                "its fixed ones; the seed is printed, and giving it again draws the same programs",
    }),
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if _pytest_loop_owns_the_option(pluginmanager):
        # Its parser would refuse the spec with "invalid int value" before any later hook of ours could speak.
        if any(arg.startswith("--loop=") and ":" in arg for arg in sys.argv):
            raise pytest.UsageError(
                "--loop belongs to the plugin pytest-loop, which is installed too; add `-p no:loop` to use this suite"
            )
        return
    group = parser.getgroup("loop conformance", "conformance of asyncio event loops")
    for name, keywords in _OPTIONS:
        group.addoption(name, **keywords)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Import the suite if it is asked for. The hook's only chance to change what is collected is `args`."""
    if _pytest_loop_owns_the_option(early_config.pluginmanager):
        return
    known = early_config.known_args_namespace
    if not (known.loop or known.loop_catalogue):
        return
    _import_own_package()
    plugin = importlib.import_module("conformance.plugin")
    plugin.take_over(early_config, args)


def _pytest_loop_owns_the_option(pluginmanager: pytest.PytestPluginManager) -> bool:
    """Both packages cannot have `--loop`; whoever loads second would end every pytest run of a bystander."""
    if pluginmanager.is_blocked("loop"):
        return False
    return any(
        entry.name == "loop" and entry.dist is not None and entry.dist.name.lower().replace("_", "-") == "pytest-loop"
        for entry in importlib.metadata.entry_points(group="pytest11")
    )


def _import_own_package() -> None:
    """Import `conformance` from beside this file, also where the consumer has a package of that name."""
    present = sys.modules.get("conformance")
    if present is None:
        sys.path.insert(0, str(_HERE))
        try:
            present = importlib.import_module("conformance")
        finally:
            sys.path.remove(str(_HERE))
    if Path(present.__file__ or "").resolve().parent != _HERE / "conformance":
        raise pytest.UsageError(
            f"--loop needs the package 'conformance' of this suite, but {present.__file__} was imported first; "
            f"run `pytest --loop=…` from a directory whose conftest.py does not import it"
        )
