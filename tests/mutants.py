"""Is there a mistake in a loop that the battery does not see? Small mistakes, put into reference_loop one at a time.

`tox run -e mutants -- --count 100` draws as many from all that can be made, runs the battery over a copy of the package
with each, and prints those that no requirement noticed. Not each of them is a gap: some change nothing that a caller
can see, or only how fast it happens. A seed is printed; `--seed` repeats a run, `--file` looks into one file.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conformance import exits, results
from conformance.verdicts import WRONG
from tests.places import ROOT

_PACKAGE = ROOT / "reference_loop"
# Where a mistake is most likely noticed, so that most runs are short; after them comes the whole battery.
_FIRST = {
    "buffers": "tcp,flow,pipes,tls", "callbacks": "callbacks,threads", "children": "subprocess",
    "connections": "tcp,unix", "core": "lifecycle", "datagrams": "udp", "handles": "callbacks,timers",
    "listeners": "servers", "loop": "lifecycle", "pipe_ends": "pipes", "pipe_transports": "pipes",
    "poller": "watchers", "serving": "servers", "socket_transports": "tcp,flow", "streams": "tcp,flow",
    "subprocesses": "subprocess", "tls_arguments": "tls", "tls_engine": "tls", "tls_session": "tls",
    "transports": "tcp,pipes", "waker": "threads",
}  # fmt: skip
_OPPOSITE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip
_SILENT = ("__repr__", "__del__")  # words for people, and a warning that the collector may never give


@dataclass(frozen=True)
class Mutant:
    """One file of the package with one mistake."""

    file: Path
    line: int
    text: str

    @property
    def diff(self) -> str:
        before = ast.unparse(ast.parse(self.file.read_text())).splitlines()
        lines = difflib.unified_diff(before, self.text.splitlines(), n=1, lineterm="")
        return "\n".join(line for line in list(lines)[3:] if not line.startswith("@@"))


def mutants(file: Path) -> Iterator[Mutant]:
    """All that can be made of one file: statements left out, conditions turned round, other constants and operators."""
    tree = ast.parse(file.read_text())
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or function.name in _SILENT:
            continue
        for node in ast.walk(function):
            for undo in _mistakes(node):
                yield Mutant(file, getattr(node, "lineno", function.lineno), ast.unparse(tree))
                undo()


def _mistakes(node: ast.AST) -> Iterator[Callable[[], object]]:
    """Change `node` in place, one mistake after the other; each is taken back by calling what was yielded."""
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        for index, statement in enumerate(statements if isinstance(statements, list) else []):
            if _may_go(statement):
                statements[index] = ast.copy_location(ast.Pass(), statement)
                yield partial(statements.__setitem__, index, statement)
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not (isinstance(node, ast.If) and _only_logs(node)):
        yield _set(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _set(node, "value", ast.Constant(None))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITE:
        yield _set(node, "ops", [_OPPOSITE[type(node.ops[0])](), *node.ops[1:]])
    if isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in _OPPOSITE:
        yield _set(node, "op", _OPPOSITE[type(node.op)]())
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        yield _set(node, "value", not node.value if isinstance(node.value, bool) else node.value + 1)
    if isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield _set(node, "keywords", node.keywords[:index] + node.keywords[index + 1 :])


def _set(node: ast.AST, name: str, value: object) -> Callable[[], object]:
    """Change a part of `node`; calling what is returned puts the old one back."""
    undo = partial(setattr, node, name, getattr(node, name))
    setattr(node, name, value)
    return undo


def _only_logs(node: ast.If) -> bool:
    return all(ast.unparse(statement).startswith("logger.") for statement in node.body)


def _may_go(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        says = ast.unparse(statement)
        return not isinstance(statement.value, ast.Constant) and not says.startswith(("logger.", "warnings."))
    return isinstance(statement, (ast.Assign, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def verdict(mutant: Mutant, patience: float) -> str:
    """What noticed the mistake: the first requirements that failed; nothing if none did."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reference_loop"
        shutil.copytree(_PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / mutant.file.name).write_text(mutant.text)
        file = Path(folder) / "run.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "-p", "no:cacheprovider",
                   "--loop=reference_loop:new_event_loop", "--loop-gate=should", f"--loop-patience={patience}",
                   f"--loop-results={file}"]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, str(ROOT)])}
        for asked in ([f"--loop-chapter={_FIRST.get(mutant.file.stem, mutant.file.stem)}"], []):
            done = subprocess.run([*command, *asked], cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode == exits.CONFORMS:
                continue
            failed = [r["id"] for r in results.read(file).results if r["verdict"] in WRONG] if file.exists() else []
            return ", ".join(failed) or f"exit {done.returncode}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many to draw (default: 100)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--file", action="append", help="only of this file; may be given several times")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds per requirement (default: 5)")
    options = parser.parse_args()
    files = [_PACKAGE / name for name in options.file] if options.file else sorted(_PACKAGE.glob("*.py"))
    everything = [mutant for file in files for mutant in mutants(file)]
    drawn = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
    print(f"{len(drawn)} of {len(everything)} mutants, --seed {options.seed}", flush=True)
    survivors, started = 0, time.monotonic()
    for number, mutant in enumerate(drawn, 1):
        seen = verdict(mutant, options.patience)
        survivors += not seen
        left = (time.monotonic() - started) / number * (len(drawn) - number)
        print(f"[{number}/{len(drawn)}, about {left / 60:.0f} min left] {mutant.file.name}:{mutant.line} "
              f"{seen or 'NOT NOTICED'}", flush=True)  # fmt: skip
        if not seen:
            print(mutant.diff, flush=True)
    print(f"{len(drawn) - survivors} of {len(drawn)} noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
