"""Chapter subprocess: the child's standard streams, and what else it inherits."""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.children import ChildEvents, ended, finish, spawned, standing_for
from conformance.kit.patience import Patience
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
DEVNULL, PIPE, STDOUT = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
_KEYWORDS: dict[str, Any] = {"umask": 0o027, "process_group": 0, "pipesize": mmap.PAGESIZE}
_DEFAULTS: dict[str, Any] = {  # those of Popen, which a program may name: some do so for both kinds of platform
    "executable": None, "preexec_fn": None, "close_fds": True, "cwd": None, "env": None, "startupinfo": None,
    "creationflags": 0, "restore_signals": True, "start_new_session": False, "pass_fds": (), "user": None,
    "group": None, "extra_groups": None, "umask": -1, "pipesize": -1, "process_group": None,
}  # fmt: skip


@requirement("subprocess.default-pipes", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("way", ["exec", "shell"])
def test_the_three_streams_are_pipes_by_default(loop: Loop, patience: Patience, way: str) -> None:
    """stdin, stdout and stderr are PIPE by default, which creates a new pipe and connects it.

    If this fails: look for a default of None, as subprocess.Popen has it.
    """
    if way == "exec":
        starting = loop.subprocess_exec(ChildEvents, "/bin/cat")
    else:
        starting = loop.subprocess_shell(ChildEvents, "cat")
    transport, protocol = loop.run_until_complete(starting)
    pipes = [transport.get_pipe_transport(fd) for fd in (0, 1, 2)]
    transport.close()
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    assert None not in pipes


@requirement("subprocess.stdin-devnull", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_stdin_devnull_is_at_its_end(loop: Loop, patience: Patience) -> None:
    """stdin=DEVNULL: os.devnull will be used; the child reads the end of the file at once, and there is no pipe.

    If this fails: look for the parent's own standard input that leaks into the child.
    """
    protocol = finish(loop, patience, "cat; echo end", stdin=DEVNULL)
    assert protocol.output[1] == b"end\n"
    assert ("pipe_connection_lost", 0, None) not in protocol.calls


@requirement("subprocess.output-devnull", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_output_to_devnull_is_dropped(loop: Loop, patience: Patience, name: str) -> None:
    """stdout=DEVNULL and stderr=DEVNULL: what the child writes there goes nowhere, without an error for the child.

    If this fails: look for a descriptor that is closed instead of opened on os.devnull.
    """
    protocol = finish(loop, patience, "echo out && echo err >&2 && exit 5", **{name: DEVNULL})
    assert protocol.transport.get_returncode() == 5
    assert dict(protocol.output) == ({2: b"err\n"} if name == "stdout" else {1: b"out\n"})


@requirement("subprocess.stdin-inherited", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_stdin_none_is_inherited(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """stdin=None makes the subprocess inherit the file descriptor from this process.

    If this fails: look for None taken for DEVNULL, or for a close of descriptor 0 in the child.
    """
    (tmp_path / "in").write_text("inherited")
    with standing_for(0, tmp_path / "in", os.O_RDONLY):
        protocol = finish(loop, patience, "cat", stdin=None)
    assert protocol.output[1] == b"inherited"


@requirement("subprocess.output-inherited", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize(("name", "number"), [("stdout", 1), ("stderr", 2)])
def test_output_none_is_inherited(loop: Loop, patience: Patience, tmp_path: Path, name: str, number: int) -> None:
    """stdout=None and stderr=None make the subprocess inherit the file descriptor from this process.

    If this fails: look for None taken for DEVNULL or PIPE.
    """
    with standing_for(number, tmp_path / "out", os.O_WRONLY):
        protocol = finish(loop, patience, "echo out; echo err >&2", **{name: None})
    assert (tmp_path / "out").read_text() == ("out\n" if number == 1 else "err\n")
    assert number not in protocol.output


@requirement("subprocess.stdin-file", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("kind", ["file", "descriptor"])
def test_stdin_may_be_a_file(loop: Loop, patience: Patience, tmp_path: Path, kind: str) -> None:
    """stdin may be a file-like object (or, as for Popen, a descriptor), which becomes the child's standard input.

    If this fails: look for a file that is replaced by a pipe which nobody fills.
    """
    (tmp_path / "in").write_text("from a file")
    with open(tmp_path / "in", "rb") as file:
        protocol = finish(loop, patience, "cat", stdin=file if kind == "file" else file.fileno())
    assert protocol.output[1] == b"from a file"


@requirement("subprocess.output-file", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_output_may_go_to_a_file(loop: Loop, patience: Patience, tmp_path: Path, name: str) -> None:
    """stdout and stderr may be a file-like object, which becomes the child's stream and stays open in this process.

    If this fails: look for the caller's file closed after the start, or two streams exchanged.
    """
    with open(tmp_path / "out", "wb") as file:
        finish(loop, patience, "echo out; echo err >&2", **{name: file})
        os.fstat(file.fileno())
    assert (tmp_path / "out").read_text() == ("out\n" if name == "stdout" else "err\n")


@requirement("subprocess.stderr-stdout", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_stderr_stdout_joins_the_two(loop: Loop, patience: Patience) -> None:
    """stderr=STDOUT connects the standard error stream to the process's standard output stream.

    If this fails: look for two pipes that are read in an order of their own, or for fd 2 in the protocol's calls.
    """
    protocol = finish(loop, patience, "echo 1; echo 2 >&2; echo 3; echo 4 >&2", stderr=STDOUT)
    assert protocol.output == {1: b"1\n2\n3\n4\n"}
    assert [call[1:] for call in protocol.calls if call[0] == "pipe_connection_lost"] == [(1, None)]


@requirement("subprocess.stderr-stdout-file", SHOULD, cite="subprocess: STDOUT")
def test_stderr_follows_stdout_into_a_file(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """stderr=STDOUT goes where stdout goes, also when that is a file.

    If this fails: look for STDOUT understood as the pipe of stdout, which need not exist.
    """
    with open(tmp_path / "out", "wb") as file:
        finish(loop, patience, "echo out; echo err >&2", stdout=file, stderr=STDOUT)
    assert (tmp_path / "out").read_text() == "out\nerr\n"


@requirement("subprocess.cwd", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@each("kind", [Path, str, os.fsencode])
def test_cwd_is_passed_on(loop: Loop, patience: Patience, tmp_path: Path, kind: Callable[[Path], Any]) -> None:
    """cwd is passed to subprocess.Popen without interpretation: it may be a string, bytes or a path object.

    If this fails: look for a keyword that is dropped, or one that must be str.
    """
    protocol = finish(loop, patience, "pwd -P", cwd=kind(tmp_path))
    assert bytes(protocol.output[1]) == os.fsencode(tmp_path.resolve()) + b"\n"


@requirement("subprocess.env", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
def test_env_replaces_the_environment(loop: Loop, patience: Patience, monkeypatch: Any) -> None:
    """env is passed to subprocess.Popen: it replaces the environment of this process.

    If this fails: look for an environment that is merged into the current one, or ignored.
    """
    monkeypatch.setenv("ONLY_HERE", "parent")
    protocol = finish(loop, patience, 'echo "$GIVEN ${ONLY_HERE-unset}"', env={"GIVEN": "yes", "PATH": os.defpath})
    assert protocol.output[1] == b"yes unset\n"


@requirement("subprocess.env-inherited", MUST, cite="subprocess: Popen")
def test_env_none_is_the_current_environment(loop: Loop, patience: Patience, monkeypatch: Any) -> None:
    """Without env the child inherits the current environment, as os.environ holds it at the start.

    If this fails: look for an environment that was copied when the loop was made.
    """
    monkeypatch.setenv("SET_LATER", "now")
    assert finish(loop, patience, 'echo "$SET_LATER"').output[1] == b"now\n"


@requirement("subprocess.start-new-session", MUST, cite="subprocess: Popen")
def test_start_new_session_is_passed_on(loop: Loop, patience: Patience) -> None:
    """start_new_session=True makes the child the leader of a session of its own; without it, it stays in this one.

    If this fails: look for setsid() that is never, or always, called.
    """
    for wanted in (True, False):
        with spawned(loop, patience, "read line", start_new_session=wanted) as (transport, _):
            assert (os.getsid(transport.get_pid()) == transport.get_pid()) is wanted


@requirement("subprocess.pass-fds", MUST, cite="subprocess: Popen")
def test_pass_fds_keeps_descriptors_open(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """pass_fds keeps the given descriptors open in the child, each under its own number, and as they are here.

    If this fails: look for descriptors that are passed but still close-on-exec, or that are made to block.
    """
    (tmp_path / "file").write_text("passed ")
    with open(tmp_path / "file", "rb") as first, open(tmp_path / "file", "rb") as second:
        numbers = [first.fileno(), second.fileno()]
        protocol = finish(loop, patience, 'cat "/dev/fd/$1" "/dev/fd/$2"', *map(str, numbers), pass_fds=numbers)
        assert [os.get_inheritable(number) for number in numbers] == [False, False], "here"
    assert protocol.output[1] == b"passed passed "
    for pipe, blocks in ((os.pipe(), True), (os.pipe(), False)):
        try:
            os.set_blocking(pipe[0], blocks)
            finish(loop, patience, "exit 0", pass_fds=[pipe[0]])
            assert os.get_blocking(pipe[0]) is blocks
        finally:
            os.close(pipe[0])
            os.close(pipe[1])


@requirement("subprocess.close-fds", MUST, cite="subprocess: Popen")
def test_other_descriptors_are_not_inherited(loop: Loop, patience: Patience, tmp_path: Path) -> None:
    """All descriptors except 0, 1 and 2 are closed in the child by default, inheritable ones too, also of a shell.

    If this fails: look for close_fds=False, or trust in close-on-exec alone.
    """
    with open(tmp_path / "file", "wb") as file:
        os.set_inheritable(file.fileno(), True)
        script = f'test -e "/dev/fd/{file.fileno()}" && echo open || echo closed'
        protocol = finish(loop, patience, script)
        shell = ended(loop, patience, loop.subprocess_shell(ChildEvents, script))
    assert [child.output[1] for child in (protocol, shell)] == [b"closed\n"] * 2


@requirement("subprocess.preexec-fn", MUST, cite="subprocess: Popen")
def test_preexec_fn_is_called_in_the_child(loop: Loop, patience: Patience) -> None:
    """preexec_fn is called in the child process just before the child is executed.

    If this fails: look for a callable that runs in the parent, or not at all.
    """
    told, tell = os.pipe()

    def before_the_program() -> None:
        os.umask(0o027)
        os.write(tell, b"%d" % os.getpid())

    try:
        protocol = finish(loop, patience, "umask", preexec_fn=before_the_program)
        assert protocol.output[1] == b"0027\n"
        assert int(os.read(told, 100)) == protocol.transport.get_pid()
    finally:
        os.close(told)
        os.close(tell)


@requirement("subprocess.executable", MUST, cite="subprocess: Popen")
def test_executable_replaces_the_program(loop: Loop, patience: Patience) -> None:
    """executable names the program to run, while the first of args stays what the program sees as its name.

    If this fails: look for an argv[0] that is overwritten, or a keyword that is dropped.
    """
    starting = loop.subprocess_exec(ChildEvents, "a-name", "-c", 'echo "$0"', executable="/bin/sh", stdin=DEVNULL)
    transport, protocol = loop.run_until_complete(starting)
    patience.run_until(loop, lambda: protocol.lost, "connection_lost()")
    transport.close()
    assert protocol.output[1] == b"a-name\n"


@requirement("subprocess.other-keywords", MUST, cite="asyncio-eventloop: loop.subprocess_exec")
@each("name", [*_KEYWORDS, "the defaults"])
def test_all_other_keywords_are_passed_on(loop: Loop, patience: Patience, name: str) -> None:
    """All other keyword arguments are passed to subprocess.Popen without interpretation, and have its defaults.

    If this fails: look for a list of known keywords that has not grown with Popen's (umask 3.9, pipesize 3.10,
    process_group 3.11), or for a value that is refused where it is Popen's default.
    """
    keywords = _DEFAULTS if name == "the defaults" else {name: _KEYWORDS[name]}
    with spawned(loop, patience, "umask; read line", **keywords) as (transport, protocol):
        patience.run_until(loop, lambda: protocol.output[1], "the child's output")
        child = transport.get_pid()
        if name == "umask":
            assert protocol.output[1] == b"0027\n"
        if name == "process_group":
            assert (os.getpgid(child), os.getsid(child)) == (child, os.getsid(0))
        pipe = transport.get_pipe_transport(1).get_extra_info("pipe")
        if name == "pipesize" and pipe and stat.S_ISFIFO(os.fstat(pipe.fileno()).st_mode):
            assert fcntl.fcntl(pipe.fileno(), getattr(fcntl, "F_GETPIPE_SZ", 0)) == mmap.PAGESIZE


@requirement("subprocess.restore-signals", MUST, cite="subprocess: Popen")
def test_the_child_has_default_signals(loop: Loop, patience: Patience) -> None:
    """SIGPIPE, which Python ignores, has its default action in the child (restore_signals is true by default).

    If this fails: look for a child that keeps ignoring SIGPIPE, and so never ends when its reader has gone.
    """
    script = "kill -PIPE $$; exit 0"
    protocol = finish(loop, patience, script)
    assert protocol.transport.get_returncode() == -signal.SIGPIPE
    shell = ended(loop, patience, loop.subprocess_shell(ChildEvents, script))
    assert shell.transport.get_returncode() == -signal.SIGPIPE


@requirement("subprocess.signal-mask", SHOULD, cite="asyncio-eventloop: loop.add_signal_handler")
def test_the_child_does_not_inherit_what_the_loop_does_with_signals(loop: Loop, patience: Patience, watch: Any) -> None:
    """A signal that the loop handles is neither blocked nor ignored in the child.

    If this fails: look for a signal mask set for signalfd, or blocked round the fork, that the child keeps.
    """
    watch.allow("signal")  # what remove_signal_handler() leaves behind is another requirement
    loop.add_signal_handler(signal.SIGUSR1, lambda: None)
    protocol = finish(loop, patience, "kill -USR1 $$; exit 0")
    loop.remove_signal_handler(signal.SIGUSR1)
    assert protocol.transport.get_returncode() == -signal.SIGUSR1
