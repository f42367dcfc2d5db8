"""Children where the system decides: no process descriptors, a status that is gone, a pipe that outlives the child."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import threading
import warnings
from typing import Any

import pytest

from reference_loop import new_event_loop
from tests.reference_loop.connections import run

PIPE = subprocess.PIPE
MEANS = ["descriptor", "thread"]


@pytest.fixture(params=MEANS)
def _means(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With process descriptors, if the system has them, and without."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)


async def shell(cmd: str, **kwargs: Any) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_shell(cmd, **kwargs)


@pytest.mark.usefixtures("_means")
def test_many_children_end_with_their_own_codes() -> None:
    async def main() -> list[int]:
        children = [await shell(f"exit {code}") for code in range(20)]
        return [await child.wait() for child in reversed(children)]

    assert run(main()) == list(reversed(range(20)))


@pytest.mark.usefixtures("_means")
def test_a_signal_is_a_negative_code_and_input_comes_back() -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        data = os.urandom(300_000)
        assert await child.communicate(data) == (data, None)
        assert child.returncode == 0
        child = await shell("sleep 100 & exec sleep 100", stdout=subprocess.DEVNULL)
        child.terminate()
        assert await child.wait() == -signal.SIGTERM
        await asyncio.sleep(0.01)  # until connection_lost()
        with pytest.raises(ProcessLookupError):
            child.send_signal(0)

    run(main())


@pytest.mark.usefixtures("_means")
def test_wait_does_not_wait_for_a_grandchild_that_holds_a_pipe() -> None:
    async def main() -> None:
        child = await shell("sleep 100 & echo $!; exit 3", stdout=PIPE)
        assert child.stdout is not None
        grandchild = int(await child.stdout.readline())
        assert await child.wait() == 3
        os.kill(grandchild, signal.SIGKILL)
        assert await child.stdout.read() == b""

    run(main())


@pytest.mark.usefixtures("_means")
def test_a_loop_in_another_thread_has_children() -> None:
    found: list[int] = []

    async def main() -> None:
        found.append(await (await shell("exit 5")).wait())

    thread = threading.Thread(target=run, args=(main(),))
    thread.start()
    thread.join()
    assert found == [5]


@pytest.mark.usefixtures("_means")
@pytest.mark.parametrize("who", ["popen", "other"])
def test_a_status_that_somebody_else_has_read(who: str) -> None:
    """Popen's own answer counts; of any other, nobody knows."""

    async def main() -> int | None:
        loop = asyncio.get_running_loop()
        protocol = asyncio.SubprocessProtocol()
        reader, writer = os.pipe()
        transport, _ = await loop.subprocess_shell(lambda: protocol, "cat; exit 7", stdin=reader, stdout=None)
        os.close(reader)
        os.close(writer)  # it ends now, and not before
        if who == "popen":
            transport.get_extra_info("subprocess").wait()
        else:
            os.waitpid(transport.get_pid(), 0)
        while transport.get_returncode() is None:
            await asyncio.sleep(0.001)
        return transport.get_returncode()

    assert run(main()) == (7 if who == "popen" else 255)


@pytest.mark.usefixtures("_means")
def test_closing_the_loop_releases_descriptors_and_an_abandoned_child_is_killed() -> None:
    before = set(os.listdir("/dev/fd"))
    loop = new_event_loop()
    transport, _ = loop.run_until_complete(loop.subprocess_exec(asyncio.SubprocessProtocol, "sleep", "100"))
    process = transport.get_extra_info("subprocess")
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # "unclosed transport"
        del transport
        gc.collect()
    assert process.wait() == -signal.SIGKILL
    assert set(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("wrong", ["text", "universal_newlines", "encoding", "errors", "bufsize", "shell"])
def test_textual_and_buffered_pipes_are_refused(wrong: str) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=wrong):
            await asyncio.get_running_loop().subprocess_exec(asyncio.SubprocessProtocol, "true", **{wrong: 1})

    run(main())


def test_a_child_that_cannot_be_watched_is_ended_and_its_protocol_hears_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    told: list[str] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    class Protocol(asyncio.SubprocessProtocol):
        def __getattribute__(self, name: str) -> Any:
            told.append(name)
            return super().__getattribute__(name)

    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="thread"):
            await loop.subprocess_exec(Protocol, "sleep", "100")
        await asyncio.sleep(0.01)

    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(threading.Thread, "start", fail)
    monkeypatch.setattr(subprocess, "Popen", Popen)
    before = set(os.listdir("/dev/fd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
    (process,) = started
    try:
        assert process.returncode == -signal.SIGKILL
    finally:
        process.kill()
    assert told == []
    assert set(os.listdir("/dev/fd")) == before
