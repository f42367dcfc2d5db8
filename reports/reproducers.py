"""A stand-alone script that does what a requirement's test does, for a bug report to a loop's author.

Made from the installed battery, and only where the test asks for a loop, patience and an answer at most, and all that
it uses is the standard library, pytest or helpers that can be written out. Else the rerun command must do.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import sys
import types
from collections.abc import Mapping
from typing import Any

from conformance import catalogue
from conformance.kit import patience
from conformance.loops import LoopSpecError, parse_spec

LONGEST = 160
"""Lines; a longer script is no easier to read than the battery."""

_FIXTURES = {"loop": "loop", "patience": "Patience(10)", "answer": "print", "make_loop": ""}
"""What a test may ask for, and what the script gives it; `make_loop` is the factory itself."""


class _CannotBeMade(Exception):
    """Something that the test uses cannot be written out."""


def script(requirement: Mapping[str, Any], spec: str) -> str:
    """The script, or an empty string where none can be made."""
    test = _tests().get(str(requirement["id"]))
    try:
        loop = parse_spec(spec)
        if test is None or test.requirement.source != requirement["source"] or loop.python:  # type: ignore[attr-defined]
            return ""
        fixtures = list(inspect.signature(test).parameters)
        if not set(fixtures) <= set(_FIXTURES):
            return ""
        writing = _Writing()
        if "patience" in fixtures:
            writing.name("Patience", patience)
        writing.function(test, str(requirement["source"]))
    except (_CannotBeMade, LoopSpecError, OSError, TypeError):
        return ""
    writing.imports |= {"import asyncio", f"import {loop.module}"}
    factory = f"{loop.module}.{loop.factory}"
    call = f"{test.__name__}({', '.join(_FIXTURES[name] or factory for name in fixtures)})"
    text = _assemble(writing, call, factory if "loop" in fixtures else "", str(requirement["statement"]))
    return text if text.count("\n") <= LONGEST else ""


def _assemble(writing: _Writing, call: str, factory: str, statement: str) -> str:
    imports = sorted(writing.imports, key=lambda line: (line.startswith("from"), line))
    before = [f"    loop = {factory}()", "    asyncio.set_event_loop(loop)"] if factory else []
    after = ["    loop.close()"] if factory else []
    main = ['if __name__ == "__main__":', *before, f"    {call}", *after, '    print("conforms")']
    quoted = statement.replace("\\", "\\\\").replace('"""', "'''")
    head = [f'"""{quoted}"""', "from __future__ import annotations", "\n".join(imports)]
    return "\n\n".join([*head, *writing.parts, "\n".join(main)]) + "\n"


@functools.cache
def _tests() -> Mapping[str, types.FunctionType]:
    found: dict[str, types.FunctionType] = {}
    for id, requirement in catalogue.load().items():
        module = importlib.import_module(f"conformance.battery.{requirement.file.removesuffix('.py')}")
        for _, test in inspect.getmembers_static(module, inspect.isfunction):
            if getattr(test, "requirement", None) is requirement:
                found[id] = test
    return found


class _Writing:
    """Collects what must be written above a function: imports, and helpers in the order in which they are needed."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.parts: list[str] = []
        self._done: set[str] = set()

    def function(self, thing: Any, source: str) -> None:
        """Write out a function or class with all that it uses."""
        module = sys.modules[thing.__module__]
        tree = ast.parse(inspect.cleandoc(source) if source[:1].isspace() else source)
        definition = tree.body[0]
        if isinstance(definition, ast.FunctionDef) and hasattr(thing, "requirement"):
            definition.decorator_list = []
            if ast.get_docstring(definition):
                definition.body = definition.body[1:]
        for name in sorted(_names(definition)):
            self.name(name, module)
        self.parts.append(ast.unparse(tree))

    def name(self, name: str, module: types.ModuleType) -> None:
        """Write out or import what a module calls `name`; nothing if it is a local name, or done already."""
        if name in self._done or hasattr(builtins, name) or not hasattr(module, name):
            return
        self._done.add(name)
        value = getattr(module, name)
        home = getattr(value, "__module__", "") or ""
        if isinstance(value, types.ModuleType):
            if not _importable(value.__name__):
                raise _CannotBeMade(name)
            short = value.__name__ == name
            self.imports.add(f"import {name}" if short else f"import {value.__name__} as {name}")
        elif (inspect.isfunction(value) or inspect.isclass(value)) and value.__name__ == name and _ours(home):
            self.function(value, inspect.getsource(value))
        elif (statement := _assignment(name, module)) is not None:
            for used in sorted(_names(statement) - {name}):
                self.name(used, module)
            self.parts.append(ast.unparse(statement))
        elif home and _importable(home) and getattr(sys.modules.get(home), name, None) is value:
            self.imports.add(f"from {_public(home)} import {name}")
        else:
            raise _CannotBeMade(name)


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _assignment(name: str, module: types.ModuleType) -> ast.stmt | None:
    """The statement of the module's own text that gives this name its value."""
    for statement in ast.parse(inspect.getsource(module)).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return statement
    return None


def _ours(module: str) -> bool:
    return module.startswith("conformance.")


def _importable(module: str) -> bool:
    package = module.partition(".")[0]
    return package in sys.stdlib_module_names or package in ("pytest", "_pytest")


def _public(module: str) -> str:
    return {"_pytest": "pytest", "_thread": "threading", "_socket": "socket"}.get(module.partition(".")[0], module)
