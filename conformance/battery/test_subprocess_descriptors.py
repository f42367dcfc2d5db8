"""Chapter subprocess: a child that is given, or inherits, this process's own standard descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ended, finish, standing_for
from conformance.kit.patience import Patience
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL, PIPE = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE


@requirement("subprocess.own-descriptors", MUST, cite=("asyncio-eventloop: loop.subprocess_exec", "subprocess: Popen"))
@each(("streams", "output"), [
    ({"stdout": 2, "stderr": 1}, ["in", "error\n", "out in\n"]),
    ({"stderr": 1}, ["in", "error\n", ""]),
    ({"stdout": 2}, ["in", "", "out in\n"]),
    ({"stdout": 0, "stderr": 0, "stdin": DEVNULL}, ["out \nerror\n", "", ""]),
    ({"stdin": 1}, ["in", "", ""]),
])  # fmt: skip
@each("kind", ["descriptor", "file"])
def test_this_processs_own_descriptors_can_be_given(
    loop: Loop, patience: Patience, tmp_path: Path, streams: Any, output: list[str], kind: str
) -> None:
    """stdin, stdout and stderr can be a descriptor, and so this process's own 0, 1 and 2 as well, also exchanged.

    They can be files of these descriptors, such as sys.stdout.

    If this fails: look for dup2() over a descriptor that is needed still, for a 0 that is taken for nothing given, or
    for a 1 that is taken for the child's own standard output.
    """
    for number, text in enumerate(["in", "", ""]):
        (tmp_path / f"own{number}").write_text(text)
    with contextlib.ExitStack() as own:
        for number in range(3):
            own.enter_context(standing_for(number, tmp_path / f"own{number}", os.O_RDWR))
        given: dict[str, Any] = {"stdin": 0, "stdout": PIPE, "stderr": PIPE, **streams}
        if kind == "file":
            given = {
                name: own.enter_context(open(value, "rb+", buffering=0, closefd=False)) if value in range(3) else value
                for name, value in given.items()
            }
        protocol = finish(loop, patience, 'x=$(cat); echo "out $x"; echo error >&2', **given)
    read = "" if streams.get("stdin") is not None else "in"
    expected = {
        number: text
        for number, text, name in ((1, f"out {read}\n", "stdout"), (2, "error\n", "stderr"))
        if given[name] == PIPE
    }
    assert {number: data.decode() for number, data in protocol.output.items()} == expected
    assert [(tmp_path / f"own{number}").read_text() for number in range(3)] == output


@requirement("subprocess.inherited-block", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_what_is_inherited_stays_blocking(loop: Loop, patience: Patience, tmp_path: Path, method: str) -> None:
    """None will make the subprocess inherit the file descriptor from this process, as it is: it blocks as before.

    If this fails: look for a descriptor that is set to non-blocking mode, which is shared with whoever else has it.
    """
    with contextlib.ExitStack() as own:
        for number in range(3):
            own.enter_context(standing_for(number, tmp_path / f"own{number}", os.O_RDWR))
        arguments = ["/bin/sh", "-c", "exit 3"] if method == "subprocess_exec" else ["exit 3"]
        starting = getattr(loop, method)(ChildEvents, *arguments, stdin=None, stdout=None, stderr=None)
        ended(loop, patience, starting)
        assert [os.get_blocking(number) for number in range(3)] == [True] * 3
