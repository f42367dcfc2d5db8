"""A stand-alone script that does what a requirement's test does, for a bug report to a loop's author.

Made from the installed battery, and only where all that the test uses is the standard library, pytest or helpers that
can be copied (see `writing`). It runs every case of the requirement; where there is none, the rerun command must do.
It fails, as the battery does, when the loop calls its exception handler for nothing; it does not look for leaks and for
exceptions that got lost.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from conformance import catalogue
from conformance.loops import LoopSpecError, parse_spec
from reports.entries import Found
from reports.writing import CannotBeWritten, Writing, plain

_REPORTED = "the loop called its exception handler"
"""How the battery's watch begins its complaint."""
LONGEST = 200
"""Lines; a longer script is no easier to read than the battery."""
_FIXTURES = {
    "loop": "loop",
    "make_loop": "FACTORY",
    "patience": "Patience(10)",
    "answer": "print",
    "tmp_path": "pathlib.Path(tempfile.mkdtemp())",
    "monkeypatch": "pytest.MonkeyPatch()",
}
"""What a test may ask for, and what the script gives it."""
_BEFORE = (
    "asyncio.set_event_loop(loop)",
    "reported = []",
    "with contextlib.suppress(NotImplementedError):",
    "    loop.set_exception_handler(lambda _loop, context: reported.append(context))",
)
_AFTER = ("loop.close()", f'assert not reported, f"{_REPORTED}: {{reported[0]}}"')
"""What stands around the call of a test that asks for a loop: what the battery's fixture of that name does."""
_IMPORTS = {
    "loop": {"import contextlib"},
    "tmp_path": {"import pathlib", "import tempfile"},
    "monkeypatch": {"import pytest"},
}


def shows(found: Found) -> bool:
    """Whether a script sees what was found too, and not only the watch that the battery's fixtures keep."""
    return not found.where.startswith("conftest.py:") or found.seen.startswith(_REPORTED)


def script(requirement: Mapping[str, Any], spec: str) -> str:
    """The script, or an empty string where none can be made."""
    installed = _catalogue().get(str(requirement["id"]))
    if installed is None or installed.source != requirement["source"]:
        return ""
    module = f"conformance.battery.{installed.file.removesuffix('.py')}"
    try:
        loop = parse_spec(spec)
        if loop.python:
            return ""
        return _script(str(requirement["source"]), module, f"import {loop.module}", f"{loop.module}.{loop.factory}")
    except (CannotBeWritten, LoopSpecError, OSError, SyntaxError, ImportError):
        return ""


def _script(source: str, module: str, import_loop: str, factory: str) -> str:
    test = plain(inspect.cleandoc(source) if source[:1].isspace() else source).body[0]
    if not isinstance(test, ast.FunctionDef):
        raise CannotBeWritten("no function")
    writing = Writing()
    cases = [_case(decorator) for decorator in test.decorator_list if _is_parametrize(decorator)]
    statement = (ast.get_docstring(test) or "").split("\n\n")[0]
    given = {name for names, _ in cases for name in names}
    fixtures = [argument.arg for argument in test.args.args if argument.arg not in given]
    if not set(fixtures) <= set(_FIXTURES):
        raise CannotBeWritten(str(fixtures))
    if "patience" in fixtures:
        writing.name("Patience", "conformance.kit.patience")
    for _, values in cases:
        writing.needs(values, module)
    test.decorator_list = []
    test.body = test.body[1:] if ast.get_docstring(test) else test.body
    writing.statement(test, module)
    writing.imports |= {"import asyncio", import_loop}.union(*(_IMPORTS.get(name, set()) for name in fixtures))
    arguments = [_FIXTURES[one.arg] if one.arg in fixtures else one.arg for one in test.args.args]
    call = f"{test.name}({', '.join(factory if one == 'FACTORY' else one for one in arguments)})"
    main = _main(call, cases, factory if "loop" in fixtures else "")
    imports = sorted(writing.imports, key=lambda line: (line.startswith("from"), line))
    head = [f'"""{_quoted(statement)}"""', "from __future__ import annotations", "\n".join(imports)]
    text = "\n\n".join([*head, *writing.parts, main]) + "\n"
    return text if text.count("\n") <= LONGEST else ""


def _main(call: str, cases: list[tuple[list[str], ast.expr]], factory: str) -> str:
    lines, indent = ['if __name__ == "__main__":'], "    "
    for names, values in reversed(cases):
        lines.append(f"{indent}for {', '.join(names)} in {ast.unparse(values)}:")
        indent += "    "
    body = [f"loop = {factory}()", *_BEFORE, call, *_AFTER] if factory else [call]
    lines += [indent + line for line in body]
    return "\n".join([*lines, '    print("conforms")'])


def _is_parametrize(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("pytest.mark.parametrize", "each")


def _case(decorator: ast.expr) -> tuple[list[str], ast.expr]:
    """Names and values of a parametrize mark, or of `each()`. Values with marks of their own cannot be looped over."""
    assert isinstance(decorator, ast.Call)
    names = ast.literal_eval(decorator.args[0])
    values = decorator.args[1]
    if "pytest.param(" in ast.unparse(values):
        raise CannotBeWritten("pytest.param")
    return ([part.strip() for part in names.split(",")] if isinstance(names, str) else list(names)), values


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")


@functools.cache
def _catalogue() -> Mapping[str, Any]:
    return catalogue.load()
