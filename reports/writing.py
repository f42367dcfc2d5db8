"""Writes out a function of the battery with all that it needs, so that it runs where the suite is not installed.

Works on the text of modules: what the statement that binds a name says is what is written. Imports of the standard
library and pytest stay imports; what comes from the suite's own modules is copied, and what that needs, before it.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import sys

_PACKAGES = sys.stdlib_module_names | {"pytest"}
_OURS = "conformance"


class CannotBeWritten(Exception):
    """Something that is neither of the standard library nor to be copied."""


class Writing:
    """Collects imports, and definitions in the order in which they are needed."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.parts: list[str] = []
        self._done: set[tuple[str, str]] = set()

    def statement(self, statement: ast.stmt, module: str) -> None:
        """Copy a statement of a module, after all that it uses. Raises CannotBeWritten."""
        self.needs(statement, module)
        self.parts.append(ast.unparse(statement))

    def needs(self, tree: ast.AST, module: str) -> None:
        """Provide every name that a piece of a module uses. Raises CannotBeWritten."""
        for name in sorted(_used(tree)):
            self.name(name, module)

    def name(self, name: str, module: str) -> None:
        """Provide what a module calls `name`; nothing if it is local or built in. Raises CannotBeWritten."""
        binding = _bindings(module).get(name)
        if binding is None or (module, name) in self._done:
            if binding is None and not hasattr(builtins, name) and hasattr(importlib.import_module(module), name):
                raise CannotBeWritten(name)
            return
        self._done.add((module, name))
        match binding:
            case ast.Import():
                self._import(binding, name)
            case ast.ImportFrom(module=str(home)) if home.partition(".")[0] == _OURS:
                original = next(alias.name for alias in binding.names if (alias.asname or alias.name) == name)
                if original != name:
                    raise CannotBeWritten(name)
                self.name(name, home)
            case ast.ImportFrom():
                self._import(binding, name)
            case _:
                self.statement(binding, module)

    def _import(self, binding: ast.Import | ast.ImportFrom, name: str) -> None:
        alias = next(alias for alias in binding.names if (alias.asname or alias.name.partition(".")[0]) == name)
        home = alias.name if isinstance(binding, ast.Import) else binding.module or ""
        if home.partition(".")[0] not in _PACKAGES:
            raise CannotBeWritten(name)
        one = ast.Import([alias]) if isinstance(binding, ast.Import) else ast.ImportFrom(home, [alias], 0)
        self.imports.add(ast.unparse(one))


class _Plain(ast.NodeTransformer):
    """Takes the types of functions away: whoever runs the script needs no `typing`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for argument in arguments:
            if argument is not None:
                argument.annotation = None
        node.body = [_untyped(statement) for statement in node.body]
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]


def _untyped(statement: ast.stmt) -> ast.stmt:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([statement.target], statement.value), statement))
    return statement


def plain(source: str) -> ast.Module:
    """The tree of a module's text, without the types of its functions."""
    tree = _Plain().visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return tree


@functools.cache
def _bindings(module: str) -> dict[str, ast.stmt]:
    """Name → the statement at the top of the module that gives it its meaning."""
    found: dict[str, ast.stmt] = {}
    for statement in plain(inspect.getsource(importlib.import_module(module))).body:
        match statement:
            case ast.Import(names=names):
                found |= {alias.asname or alias.name.partition(".")[0]: statement for alias in names}
            case ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name: statement for alias in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = statement
            case ast.Assign(targets=targets):
                found |= {target.id: statement for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = statement
    return found


def _used(tree: ast.AST) -> set[str]:
    """Names that are read when the code runs: annotations are not, under `from __future__ import annotations`."""
    found: set[str] = set()
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                found |= _used(child)
    if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Load):
        found.add(tree.id)
    return found
