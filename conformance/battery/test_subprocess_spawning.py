"""Chapter subprocess: which program is started, with which arguments, and what it inherits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, finish
from conformance.kit.patience import Patience
from conformance.kit.refusals import refused
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL = asyncio.subprocess.DEVNULL
SHOW = "printf '<%s>' \"$@\""


def shell(loop: Loop, patience: Patience, cmd: Any, **kwargs: Any) -> ChildEvents:
    """The protocol of a shell command that ran to its end."""
    transport, protocol = loop.run_until_complete(loop.subprocess_shell(ChildEvents, cmd, stdin=DEVNULL, **kwargs))
    try:
        patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    finally:
        transport.close()
    return protocol


@requirement("subprocess.exec-argv", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_subprocess_exec_passes_every_string_as_one_argument(loop: Loop, patience: Patience) -> None:
    """The first string specifies the program executable, and the remaining strings specify the arguments, as they are.

    If this fails: look for a command line that is joined and split again, or seen by a shell.
    """
    protocol = finish(loop, patience, SHOW, "a b", "", "$HOME", "*", "q\"uo'te", "back\\slash")
    assert protocol.output[1] == b"<a b><><$HOME><*><q\"uo'te><back\\slash>"


@requirement("subprocess.exec-bytes", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_arguments_may_be_bytes(loop: Loop, patience: Patience) -> None:
    """args may be bytes, encoded to the filesystem encoding; they reach the child unchanged.

    If this fails: look for bytes that are decoded on the way, or an argument type that is checked too strictly.
    """
    protocol = finish(loop, patience, SHOW, b"plain", b"\xff\xfe")
    assert protocol.output[1] == b"<plain><\xff\xfe>"


@requirement("subprocess.exec-text-encoding", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_text_arguments_are_in_the_filesystem_encoding(loop: Loop, patience: Patience) -> None:
    """args that are str are encoded to the filesystem encoding, surrogate escapes included.

    If this fails: look for strings that are encoded as strict UTF-8, whatever os.fsencode() says.
    """
    text = os.fsdecode(b"caf\xc3\xa9 \xff")
    assert finish(loop, patience, SHOW, text).output[1] == b"<caf\xc3\xa9 \xff>"


@requirement("subprocess.exec-search-path", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_the_program_is_searched_on_the_path(loop: Loop, patience: Patience, monkeypatch: Any, tmp_path: Path) -> None:
    """As with subprocess.Popen, a program without a slash is searched in the directories of PATH.

    If this fails: look for execv() where execvp() is meant, or a PATH that was read at import.
    """
    program = tmp_path / "a-program-of-this-test"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    transport, protocol = loop.run_until_complete(loop.subprocess_exec(ChildEvents, program.name))
    patience.run_until(loop, lambda: protocol.exited and protocol.output[1], "the program's output")
    assert protocol.output[1] == b"found\n"
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")


@requirement("subprocess.missing-program", MUST, cite="subprocess: Exceptions")
@each("program", ["/nonexistent/program", "no-such-program-anywhere", b"no-such-program-anywhere"])
def test_a_missing_program_is_file_not_found(loop: Loop, program: str | bytes) -> None:
    """Starting a program that does not exist raises FileNotFoundError, and leaves no child behind.

    If this fails: look for an error in the child that is turned into exit code 127, or a pipe that nobody closes.
    """
    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, program))


@requirement("subprocess.not-executable", MUST, cite="subprocess: Exceptions")
def test_a_file_that_is_no_program_is_permission_error(loop: Loop, tmp_path: Path) -> None:
    """Starting a file that may not be executed raises PermissionError.

    If this fails: look for an errno that is lost between the child and the parent.
    """
    file = tmp_path / "plain"
    file.write_text("no program")
    file.chmod(stat.S_IRUSR)
    with pytest.raises(PermissionError):
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, str(file)))


@requirement("subprocess.not-a-program", SHOULD, cite="subprocess: Exceptions")
def test_a_file_that_the_system_cannot_execute_is_an_error(loop: Loop, tmp_path: Path) -> None:
    """A file that may be executed and is no program of the system raises OSError: no shell is tried with it.

    If this fails: look for execvp(), or posix_spawnp(), of a C library, which give such a file to /bin/sh.
    """
    file = tmp_path / "script"
    file.write_text("exit 3\n")
    file.chmod(0o755)
    with pytest.raises(OSError):  # noqa: PT011 (each system has its number)
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, str(file)))


@requirement("subprocess.usable-after-failure", SHOULD, cite="asyncio-eventloop: loop.subprocess_exec")
def test_a_failed_start_leaves_the_loop_usable(loop: Loop, patience: Patience) -> None:
    """After a program that could not be started, the next child runs as usual.

    If this fails: look for a lock, a signal mask or a child watcher left in the middle of a start.
    """
    with contextlib.suppress(OSError):
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, "/nonexistent/program"))
    protocol = finish(loop, patience, "echo next; exit 3")
    assert (bytes(protocol.output[1]), protocol.transport.get_returncode()) == (b"next\n", 3)


@requirement("subprocess.shell-syntax", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
def test_subprocess_shell_uses_the_shell_syntax(loop: Loop, patience: Patience) -> None:
    """subprocess_shell() creates a subprocess from cmd using the platform's shell syntax.

    What cmd names is the shell's affair: a program that it does not find is its exit code 127.

    If this fails: look for a command that is split on spaces and executed directly, or for a code of the shell that is
    taken for one of the loop's own making.
    """
    protocol = shell(loop, patience, "X='a  b'; echo \"$X\" | cat && exit 4")
    assert (bytes(protocol.output[1]), protocol.transport.get_returncode()) == (b"a  b\n", 4)
    protocol = shell(loop, patience, "/nonexistent/program")
    assert (bool(protocol.output[2]), protocol.transport.get_returncode()) == (True, 127)


@requirement("subprocess.shell-bytes", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
def test_a_shell_command_may_be_bytes(loop: Loop, patience: Patience) -> None:
    """cmd can be a str or a bytes string encoded to the filesystem encoding, which any byte may stand in.

    If this fails: look for a command that must be str, or one that is encoded as strict UTF-8.
    """
    command = b"printf '\xc3\xa9 \xff'"
    assert shell(loop, patience, command).output[1] == b"\xc3\xa9 \xff"
    assert shell(loop, patience, os.fsdecode(command)).output[1] == b"\xc3\xa9 \xff"


@requirement("subprocess.shell-type", SHOULD, cite="asyncio-eventloop: loop.subprocess_shell")
@each("cmd", [["echo", "1"], None, 5, bytearray(b"echo 1")])
def test_a_shell_command_that_is_no_string_is_refused(loop: Loop, cmd: Any) -> None:
    """cmd must be a string: anything else raises an exception.

    If this fails: look for a list that is passed on, whose first item then is the whole command.
    """
    with refused():
        loop.run_until_complete(loop.subprocess_shell(ChildEvents, cmd))


TEXT = [
    ("universal_newlines", True), ("text", True), ("encoding", "utf-8"), ("errors", "strict"),
    ("bufsize", -1), ("bufsize", 1), ("bufsize", 4096),
]  # fmt: skip


@requirement("subprocess.exec-text-refused", SHOULD, cite="asyncio-eventloop: loop.subprocess_exec")
@each(("name", "value"), [*TEXT, ("shell", True)])
def test_subprocess_exec_refuses_what_should_not_be_specified(
    loop: Loop, tmp_path: Path, name: str, value: Any
) -> None:
    """bufsize, universal_newlines, shell, text, encoding and errors must not be specified: refused, nothing is started.

    If this fails: look for keyword arguments that are accepted and ignored, so that the caller waits for text, or that
    are looked at when the child runs.
    """
    with refused():
        loop.run_until_complete(loop.subprocess_exec(ChildEvents, "/bin/touch", tmp_path / "ran", **{name: value}))
    assert not (tmp_path / "ran").exists()


@requirement("subprocess.shell-text-refused", SHOULD, cite="asyncio-eventloop: loop.subprocess_shell")
@each(("name", "value"), [*TEXT, ("shell", False)])
def test_subprocess_shell_refuses_what_should_not_be_specified(
    loop: Loop, tmp_path: Path, name: str, value: Any
) -> None:
    """subprocess_shell() refuses the same arguments, and shell=False too: the command is not run.

    If this fails: look for checks that subprocess_exec() has and subprocess_shell() lacks.
    """
    with refused():
        loop.run_until_complete(loop.subprocess_shell(ChildEvents, f"echo > '{tmp_path}/ran'", **{name: value}))
    assert not (tmp_path / "ran").exists()


@requirement("subprocess.by-name", MUST, cite="asyncio-eventloop: loop.subprocess_shell")
def test_the_command_may_be_given_by_name(loop: Loop, patience: Patience) -> None:
    """subprocess_shell() takes protocol_factory and cmd by name, too.

    If this fails: look for parameters that the loop takes by position only, or calls by another name.
    """
    starting = loop.subprocess_shell(protocol_factory=ChildEvents, cmd="exit 3", stdin=DEVNULL)
    transport, protocol = loop.run_until_complete(starting)
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert transport.get_returncode() == 3
    transport.close()


@requirement("subprocess.long-arguments", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_arguments_may_be_many_and_long(loop: Loop, patience: Patience) -> None:
    """The remaining strings specify the arguments: all of them, however many and long, as the system takes them.

    If this fails: look for a table of a fixed size, or a name's length taken for a string's.
    """
    long = "x" * 100_000
    script = 'printf "%s %s %s" "$#" "${#1}" "${2000}"'
    protocol = finish(loop, patience, script, long, *map(str, range(2, 2001)))
    assert protocol.output[1] == b"2000 100000 2000"
