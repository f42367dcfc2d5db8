"""Chapter subprocess: what a child has of its parent where nothing else is said, and how its program is found."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ended, finish, spawned, standing_for
from conformance.kit.patience import Patience
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL, PIPE, STDOUT = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
FILE = "a file"

_STREAMS: list[dict[str, Any]] = [
    *({name: value} for name in ("stdin", "stdout", "stderr") for value in (None, DEVNULL, FILE)),
    *({"stdout": value, "stderr": STDOUT} for value in (None, DEVNULL, FILE, PIPE)),
]
_REPORT = """cd {place} && exec 9>report
for number in 0 1 2; do for file in {names}; do test /dev/fd/$number -ef $file && echo "$number $file" >&9; done; done
test /dev/fd/1 -ef /dev/fd/2 && echo joined >&9; :"""


@requirement("subprocess.shell-streams", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
@each("streams", _STREAMS)
def test_the_streams_of_a_shell_command(loop: Loop, patience: Patience, tmp_path: Path, streams: Any) -> None:
    """stdin, stdout and stderr are those of subprocess_exec() for a shell command too: None, DEVNULL, STDOUT or a file.

    If this fails: look for a shell whose streams are set up by other code than those of a program.
    """
    names = {None: ["own0", "own1", "own2"], DEVNULL: ["/dev/null"] * 3, FILE: ["given"] * 3}
    value_of = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, **streams}
    expected = [
        f"{number} {names[value][number]}" for number, value in enumerate(value_of.values()) if value in names
    ] + (["joined"] if value_of["stderr"] == STDOUT else [])
    if value_of["stderr"] == STDOUT and value_of["stdout"] != PIPE:
        expected.insert(1, f"2 {names[value_of['stdout']][1]}")
    command = _REPORT.format(place=shlex.quote(str(tmp_path)), names="own0 own1 own2 given /dev/null")
    with contextlib.ExitStack() as files:
        for number in range(3):
            files.enter_context(standing_for(number, tmp_path / f"own{number}", os.O_RDWR))
        given = files.enter_context(open(tmp_path / "given", "w+b"))
        passed: dict[str, Any] = {name: given if value == FILE else value for name, value in streams.items()}
        transport, protocol = loop.run_until_complete(loop.subprocess_shell(ChildEvents, command, **passed))
        pipes = [transport.get_pipe_transport(number) is not None for number in range(3)]
        patience.run_until(loop, lambda: protocol.exited, "process_exited()")
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
        os.fstat(given.fileno())  # it stays open in this process
    assert (tmp_path / "report").read_text().splitlines() == expected
    assert pipes == [value == PIPE for value in value_of.values()]


@requirement("subprocess.inherits", MUST, cite="subprocess: Popen")
@each("method", ["subprocess_exec", "subprocess_shell"])
def test_what_is_not_said_is_inherited(loop: Loop, patience: Patience, monkeypatch: Any, tmp_path: Path,
                                       method: str) -> None:  # fmt: skip
    """Without keywords the child has this process's environment, directory, umask, process group and session, as now.

    If this fails: look for defaults of the loop's own, or for what was looked up when the loop was made.
    """
    monkeypatch.setenv("SET_LATER", "now")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.chdir(tmp_path)
    script = 'echo "$SET_LATER${EMPTY-unset}"; umask; pwd -P; read line'
    arguments = ["/bin/sh", "-c", script] if method == "subprocess_exec" else [script]
    before = os.umask(0o037)
    try:
        transport, protocol = loop.run_until_complete(getattr(loop, method)(ChildEvents, *arguments))
    finally:
        os.umask(before)
    try:
        patience.run_until(loop, lambda: protocol.output[1].count(b"\n") == 3, "the child's output")
        child = transport.get_pid()
        assert (os.getpgid(child), os.getsid(child)) == (os.getpgrp(), os.getsid(0))
    finally:
        transport.close()
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert protocol.output[1] == b"now\n0037\n" + os.fsencode(tmp_path.resolve()) + b"\n"


@requirement("subprocess.default-actions", SHOULD, cite="subprocess: Popen")
@each("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_no_signal_is_ignored_for_the_child(loop: Loop, patience: Patience, number: signal.Signals) -> None:
    """A signal that this process handles ends the child, as it does any program: the loop ignores none on its behalf.

    If this fails: look for children that are protected from Ctrl-C, or a signal mask that they keep from the start.
    """
    before = signal.signal(number, lambda *_: None)
    try:
        protocol = finish(loop, patience, f"kill -{number.name[3:]} $$; exit 0")
    finally:
        signal.signal(number, before)
    assert protocol.transport.get_returncode() == -number


def _program(directory: Path, text: str) -> str:
    """The name of a program in the directory, which prints the text."""
    directory.mkdir()
    program = directory / "a-program-of-this-test"
    program.write_text(f"#!/bin/sh\necho {text}\n")
    program.chmod(0o755)
    return program.name


@requirement("subprocess.path-and-directory", MUST, cite="subprocess: Popen")
def test_env_and_cwd_decide_which_program_it_is(loop: Loop, patience: Patience, monkeypatch: Any,
                                                tmp_path: Path) -> None:  # fmt: skip
    """When the program is searched, env can override PATH, and cwd the current directory, for a name with a slash only.

    If this fails: look for a program that is looked up here, with this process's PATH, before the child is made.
    """
    for text in ("here", "there"):
        name = _program(tmp_path / text, text)
    monkeypatch.setenv("PATH", f"{tmp_path / 'here'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path / "here")

    def printed(program: str, **keywords: Any) -> bytes:
        starting = loop.subprocess_exec(ChildEvents, program, stdin=DEVNULL, **keywords)
        return bytes(ended(loop, patience, starting).output[1])

    assert printed(name, env={"PATH": str(tmp_path / "there")}) == b"there\n"
    assert printed(name, cwd=tmp_path / "there") == b"here\n"
    assert printed(f"./{name}", cwd=tmp_path / "there") == b"there\n"
    with pytest.raises(FileNotFoundError):
        printed(name, cwd=tmp_path / "there", env={"PATH": str(tmp_path)})


@requirement("subprocess.stdin-lost-reason", SHOULD, cite="asyncio-subprocess: subprocess.Process.communicate")
def test_input_that_nobody_reads_is_a_broken_pipe(loop: Loop, patience: Patience) -> None:
    """Input for a child that has closed its end is a BrokenPipeError or a ConnectionResetError, told as exc.

    If this fails: look for pipe_connection_lost() that is called without its pipe's exception, or with one of its own.
    """
    with spawned(loop, patience, "read line; exec <&-; exec sleep 30") as (transport, protocol):
        transport.get_pipe_transport(0).write(b"\n" + bytes(1 << 20))
        patience.run_until(loop, lambda: "pipe_connection_lost" in protocol.names, "pipe_connection_lost()")
        name, fd, exc = next(call for call in protocol.calls if call[0] == "pipe_connection_lost")
        assert (name, fd) == ("pipe_connection_lost", 0)
        assert isinstance(exc, (BrokenPipeError, ConnectionResetError))


@requirement("subprocess.identity", MUST, cite="subprocess: Popen")
@each("name", ["user", "group", "extra_groups"])
def test_the_child_may_be_given_to_another_user(loop: Loop, patience: Patience, name: str) -> None:
    """user, group and extra_groups are those of the child, as with Popen: PermissionError if they may not be set.

    If this fails: look for keywords that are accepted and then dropped, so that the child keeps its privileges.
    """
    keywords: Any = {name: [65534] if name == "extra_groups" else 65534}
    script = "id -u; id -g; id -G"
    try:
        expected = subprocess.run(["/bin/sh", "-c", script], stdout=PIPE, check=True, **keywords).stdout
    except OSError as error:  # in a namespace of users, one that has no such number
        with pytest.raises(type(error)):
            finish(loop, patience, script, **keywords)
    else:
        assert finish(loop, patience, script, **keywords).output[1] == expected
